# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Manifests: how an image becomes the input of a model, and how its outputs are read."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_perception.contract.errors import ArtifactError
from edge_perception.contract.errors import TensorMismatchError
from edge_perception.contract.types import LabelMap
from edge_perception.contract.types import Selection
from edge_perception.contract.types import Tensor
from edge_perception.contract.types import TensorSpec

MANIFEST_NAME = 'model.yaml'
MANIFEST_VERSION = 1

LAYOUTS = ('nchw', 'nhwc')
REAL_DTYPES = ('float32', 'float16')
INPUT_DTYPES = (*REAL_DTYPES, 'uint8', 'int8')
COLORS = ('bgr', 'rgb', 'gray')
RESIZES = (
    'letterbox_top_left',
    'letterbox_center',
    'letterbox_center_floor',
    'stretch',
    'center_crop',
)
INTERPOLATIONS = ('linear', 'area', 'nearest')
# Names of the inputs of artifacts that do all but resizing themselves, and the colors they take:
# those of most cameras.
FOLDED_COLORS = {'edge_perception_bgr8': 'bgr', 'edge_perception_mono8': 'gray'}


# Values, for one image of some width and height, of inputs that only tell its size or scale: of
# RT-DETR, D-FINE and DEIM, of Paddle, and of DETR as optimum exports it.
SIZE_INPUTS: Mapping[str, Callable[[int, int], npt.ArrayLike]] = {
    'orig_target_sizes': lambda width, height: (width, height),
    'im_shape': lambda width, height: (height, width),
    'scale_factor': lambda width, height: (1, 1),
    'pixel_mask': lambda width, height: np.ones((height, width)),
}


@dataclass(frozen=True, slots=True)
class InputRecipe:
    """
    How an image becomes the input tensor: resize, then ``(value * scale - mean) / std``.

    :param name: name of the input tensor; empty when the model has a single input.
    :param width: width of the input in pixels.
    :param mean: one float for each channel, in the order of ``color``.
    :param std: as ``mean``.
    :param fill: value of the pixels beside a letterboxed image, 0 to 255, before normalization.
    """

    width: int
    height: int
    name: str = ''
    layout: str = 'nchw'
    dtype: str = 'float32'
    color: str = 'rgb'
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    resize: str = 'letterbox_center'
    interpolation: str = 'linear'
    fill: int = 114

    @property
    def channels(self) -> int:
        """Number of color channels."""
        return 1 if self.color == 'gray' else 3

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the input tensor for one image."""
        return self.shape_in(self.layout)

    def shape_in(self, layout: str) -> tuple[int, int, int, int]:
        """Return the shape of the input tensor in one of ``LAYOUTS``."""
        if layout == 'nchw':
            return (1, self.channels, self.height, self.width)
        return (1, self.height, self.width, self.channels)

    def folded(self) -> InputRecipe:
        """Return what is left of this recipe for an artifact that takes uint8 NHWC pixels."""
        name = 'edge_perception_mono8' if self.color == 'gray' else 'edge_perception_bgr8'
        return InputRecipe(
            width=self.width,
            height=self.height,
            name=name,
            layout='nhwc',
            dtype='uint8',
            color=FOLDED_COLORS[name],
            resize=self.resize,
            interpolation=self.interpolation,
            fill=self.fill,
        )

    def fitted(self, spec: TensorSpec) -> InputRecipe | None:
        """
        Return this recipe in layout and dtype of the input of an artifact; None if none fits.

        An artifact that was converted may want the other layout. Where the recipe is in real
        numbers, an artifact may want them in another float, or quantized; bytes stay bytes. One
        whose input has a name of ``FOLDED_COLORS`` wants ``folded``.
        """
        if spec.name in FOLDED_COLORS and spec.name != self.name:
            folded = self.folded()
            return folded.fitted(spec) if spec.name == folded.name else None
        dtypes = {self.dtype}
        if self.dtype in REAL_DTYPES:
            dtypes.update(REAL_DTYPES if spec.quantization is None else INPUT_DTYPES)
        layouts = [self.layout, *(each for each in LAYOUTS if each != self.layout)]
        for layout in layouts:
            tensor = np.broadcast_to(np.zeros((), spec.dtype), self.shape_in(layout))
            if spec.dtype.name in dtypes and spec.admits(tensor):
                return replace(self, layout=layout, dtype=spec.dtype.name)
        return None


@dataclass(frozen=True, slots=True)
class PoseRecipe:
    """
    How exact the keypoints of a flat object are; decides weights and covariance of its pose.

    :param keypoint_sigma: standard deviation in x and in y of a keypoint with score 1, in pixels
        of the input; measured on held-out data.
    :param refine: the keypoints are saddle points, as on a chessboard: look for them in the image.
    :param refined_sigma: standard deviation of a refined keypoint, in pixels of the image.
    :param pattern: what is printed on the object: a square of cells around its origin, '#' for
        dark and '.' for bright; the first row at the greatest x, the first column at the greatest
        y. A cell is as wide as the two nearest keypoints are apart. Empty where nothing is known.
    """

    keypoint_sigma: float = 1.0
    refine: bool = False
    refined_sigma: float = 0.25
    pattern: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """
    The content of ``model.yaml``.

    :param source: file name of the ONNX (or other) source, relative to the folder.
    :param sha256: hex digest of the source; empty when the author gave none.
    :param decoder: name under which a decoder was registered.
    :param decoder_options: options of the decoder; checked against its own list when it is made.
    :param keypoint_names: in the order of the rows of ``Keypoints``.
    :param skeleton: pairs of keypoint indices that are joined by a line where they are drawn.
    :param object_points: meters, one row x, y, z for each keypoint, in the frame of the object;
        with them and a CameraInfo the object's pose is found.
    :param selection: what the author recommends; users override it.
    :param gate: limits of the gate that an artifact has to pass, by precision and name, where they
        are to be others than the standard ones; the gate knows the names.
    """

    name: str
    source: str
    input: InputRecipe
    decoder: str
    sha256: str = ''
    decoder_options: Mapping[str, Any] = field(default_factory=dict)
    labels: LabelMap = field(default_factory=LabelMap)
    keypoint_names: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()
    object_points: tuple[tuple[float, ...], ...] = ()
    pose: PoseRecipe = field(default_factory=PoseRecipe)
    selection: Selection = field(default_factory=Selection)
    gate: Mapping[str, Any] = field(default_factory=dict)
    license: str = ''
    description: str = ''


def check_input(manifest: ModelManifest, inputs: tuple[TensorSpec, ...]) -> TensorSpec:
    """
    Return the image input of a model, with every size known; for authors of ``create``.

    :param inputs: what the artifact says of itself; its layout and its float may be others than
        those of the manifest, it may be quantized, or have its preprocessing inside.
    :raises TensorMismatchError: it is not what the manifest says.
    """
    recipe = manifest.input
    names = {recipe.name, *FOLDED_COLORS}
    named = [spec for spec in inputs if spec.name in names or not recipe.name]
    if len(named) != 1:
        raise TensorMismatchError(
            recipe.name or 'input',
            got=', '.join(spec.name for spec in inputs) or 'no inputs',
            expected='one input with this name' if recipe.name else 'a single input',
            remedy='name the image input under input.name of the manifest',
        )
    spec = named[0]
    fitted = recipe.fitted(spec)
    if fitted is None:
        wanted = TensorSpec(spec.name, recipe.shape, np.dtype(recipe.dtype))
        raise TensorMismatchError(
            spec.name,
            got=f'{wanted.describe()} from the manifest',
            expected=f'{spec.describe()}, which the model takes',
            remedy='correct input.width, input.height, input.layout, input.color or input.dtype '
            'of the manifest',
        )
    return replace(spec, shape=fitted.shape)


def check_only_input(
    manifest: ModelManifest, inputs: tuple[TensorSpec, ...], *, artifact: object
) -> TensorSpec:
    """
    Return the image input as ``check_input`` does, for engines that fill no other.

    :raises TensorMismatchError: it is not what the manifest says.
    :raises ArtifactError: the model has another input beside it.
    """
    image = check_input(manifest, inputs)
    for spec in inputs:
        if spec.name != image.name:
            raise ArtifactError(
                artifact,
                reason=f'has the input {spec.name!r} ({spec.describe()}) beside the image '
                f'{image.name!r}, and nothing to put into it',
                remedy='export the model with the image as its only input',
            )
    return image


def check_inputs(
    manifest: ModelManifest, inputs: tuple[TensorSpec, ...], *, artifact: object
) -> tuple[TensorSpec, dict[str, Tensor]]:
    """
    Return the image input as ``check_only_input`` does, and what to put into known other inputs.

    These tell a DETR or a model of Paddle how large the image is. They say that it is the input
    itself, so boxes come in its pixels however it was resized. The engine gives them to its
    runtime with each frame; they are none of ``Engine.inputs``.

    :return: the image, and an array for each of the inputs in ``SIZE_INPUTS``, by name.
    :raises TensorMismatchError: as ``check_only_input``.
    :raises ArtifactError: as ``check_only_input``.
    """
    fed, others, recipe = {}, [], manifest.input
    for spec in inputs:
        if spec.name in SIZE_INPUTS and spec.name != recipe.name:
            values = SIZE_INPUTS[spec.name](recipe.width, recipe.height)
            array = np.asarray(values)[None].astype(spec.dtype)
            if spec.admits(array):
                fed[spec.name] = array
                continue
        others.append(spec)
    return check_only_input(manifest, tuple(others), artifact=artifact), fed
