# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The values that pass between engines, decoders and the host.

Values are frozen. Arrays inside them belong to the code that made the value, and are not written
afterwards. Results are structs of arrays: one array for each property, one row for each object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_perception.contract.object_poses import ObjectPose

Float32Array = npt.NDArray[np.float32]
Int32Array = npt.NDArray[np.int32]
UInt8Array = npt.NDArray[np.uint8]
UInt16Array = npt.NDArray[np.uint16]
Tensor = npt.NDArray[Any]
Tensors = Mapping[str, Tensor]

# The three pixel layouts that preprocessing accepts; everything else is converted to one of them.
FRAME_ENCODINGS = ('bgr8', 'rgb8', 'mono8')


@dataclass(frozen=True, slots=True)
class Frame:
    """
    One camera image. (A coordinate frame is always called ``frame_id``.)

    :param image: pixels, uint8, shape (height, width, 3), or (height, width) for ``mono8``;
        C-contiguous; read only.
    :param encoding: one of ``FRAME_ENCODINGS``.
    :param stamp_ns: capture time in nanoseconds of the clock of the camera.
    :param frame_id: the optical frame of the camera (REP-103).
    """

    image: UInt8Array
    encoding: str = 'bgr8'
    stamp_ns: int = 0
    frame_id: str = ''

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.image.shape[0])


@dataclass(frozen=True, slots=True)
class Quantization:
    """
    Scale and zero point of quantized values: ``real = (stored - zero_point) * scale``.

    :param scale: above 0.
    """

    scale: float
    zero_point: int = 0


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """
    Name, shape and dtype of one input or output of a model.

    :param shape: -1 stands for a dimension that is only known at run time; without any dimension,
        nothing is known of the shape, or it is a scalar.
    :param quantization: of a quantized tensor; None where the stored numbers are the values.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    quantization: Quantization | None = None

    def describe(self) -> str:
        """Return shape and dtype as they appear in messages, e.g. ``1x3x416x416 float32``."""
        shape = 'x'.join('?' if size < 0 else str(size) for size in self.shape) or 'scalar'
        return f'{shape} {self.dtype.name}'

    def admits(self, tensor: Tensor) -> bool:
        """Tell whether an array has this dtype and a shape that fits."""
        return (
            tensor.dtype == self.dtype
            and tensor.ndim == len(self.shape)
            and all(want in (-1, got) for want, got in zip(self.shape, tensor.shape))
        )

    def rows(self, count: int) -> TensorSpec:
        """Return the tensor of a batch of so many frames."""
        return replace(self, shape=(count, *self.shape[1:]))

    def real(self) -> TensorSpec:
        """Return the tensor as decoders get it: in float32 where it is quantized."""
        if self.quantization is None:
            return self
        return TensorSpec(self.name, self.shape, np.dtype(np.float32))


@dataclass(frozen=True, slots=True)
class ImageTransform:
    """
    Map points of the model input back to the source image.

    The source image is turned clockwise by ``rotation`` degrees, resized by ``scale_x`` and
    ``scale_y``, and placed with its upper left corner at ``offset_x``, ``offset_y``. Coordinates
    are continuous: the center of the upper left pixel is at (0.5, 0.5).

    :param source_width: width of the image as it came from the camera, before rotation.
    :param input_width: width of the input of the model in pixels.
    :param rotation: 0, 90, 180 or 270.
    """

    source_width: int
    source_height: int
    input_width: int
    input_height: int
    scale_x: float = 1.0
    scale_y: float = 1.0
    offset_x: float = 0.0
    offset_y: float = 0.0
    rotation: int = 0

    def points_to_source(self, points: npt.NDArray[np.floating[Any]]) -> Float32Array:
        """
        Map points from the input of the model to the source image.

        :param points: shape (..., 2), x and y in pixels of the input.
        :return: a new float32 array of the same shape, in pixels of the source image, not clipped.
        """
        x = (points[..., 0] - self.offset_x) / self.scale_x
        y = (points[..., 1] - self.offset_y) / self.scale_y
        if self.rotation == 90:
            x, y = y, self.source_height - x
        elif self.rotation == 180:
            x, y = self.source_width - x, self.source_height - y
        elif self.rotation == 270:
            x, y = self.source_width - y, x
        return np.stack([x, y], axis=-1).astype(np.float32, copy=False)

    def boxes_to_source(self, xyxy: npt.NDArray[np.floating[Any]]) -> Float32Array:
        """
        Map boxes from the input of the model to the source image.

        :param xyxy: shape (N, 4), two opposite corners in pixels of the input.
        :return: a new float32 array (N, 4) in pixels of the source image, not clipped, with the
            smaller coordinates first also after a rotation.
        """
        if self.rotation == 0:  # as most, and in fewer calls
            kind = np.result_type(xyxy, np.float32)
            offset = np.array([self.offset_x, self.offset_y] * 2, kind)
            scale = np.array([self.scale_x, self.scale_y] * 2, kind)
            return np.asarray((xyxy - offset) / scale, np.float32)
        corners = self.points_to_source(xyxy.reshape(-1, 2, 2))
        return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


@dataclass(frozen=True, slots=True)
class Detections:
    """
    Objects of one frame, best score first.

    :param xyxy: float32 (N, 4), corners in pixels of the source image, not clipped to it.
    :param score: float32 (N,), 0 to 1.
    :param class_id: int32 (N,), index into the labels.
    :param track_id: int32 (N,), 0 where an object has none; None while nothing is tracked.
    :param track_token: stands before the track in ids, with a dash, so that another run or camera
        does not give the same ones.
    :param rotated: float32 (N, 5), for models that give rotated boxes, which ``xyxy`` encloses:
        center x, center y, width, height in pixels of the source image, and the angle of the side
        ``width``, clockwise on the screen, radians, 0 to pi / 2; None for all others.
    """

    xyxy: Float32Array
    score: Float32Array
    class_id: Int32Array
    track_id: Int32Array | None = None
    track_token: str = ''
    rotated: Float32Array | None = None

    def __post_init__(self) -> None:
        rows = len(self.xyxy)
        for name in ('xyxy', 'score', 'class_id', 'track_id', 'rotated'):
            array = getattr(self, name)
            expected = {'xyxy': (rows, 4), 'rotated': (rows, 5)}.get(name, (rows,))
            if array is not None and array.shape != expected:
                raise ValueError(
                    f'Detections.{name}: got shape {array.shape}, expected {expected}'
                )

    def __len__(self) -> int:
        return len(self.xyxy)

    def ids(self) -> list[str]:
        """Return the id of each object as messages and records have it; '' where it has none."""
        if self.track_id is None:
            return [''] * len(self)
        before = self.track_token and f'{self.track_token}-'
        return [f'{before}{track}' if track else '' for track in self.track_id.tolist()]

    @classmethod
    def empty(cls) -> Detections:
        """Return no objects: the model ran and found nothing."""
        return cls(
            xyxy=np.zeros((0, 4), np.float32),
            score=np.zeros(0, np.float32),
            class_id=np.zeros(0, np.int32),
        )


@dataclass(frozen=True, slots=True)
class Keypoints:
    """
    Named points of the instances of one frame.

    :param xy: float32 (N, K, 2), in pixels of the source image; NaN where a point is unseen.
    :param score: float32 (N, K), 0 to 1; 0 where a point is unseen.
    """

    xy: Float32Array
    score: Float32Array

    def __post_init__(self) -> None:
        if self.xy.ndim != 3 or self.xy.shape[2] != 2 or self.score.shape != self.xy.shape[:2]:
            raise ValueError(
                f'Keypoints: got xy {self.xy.shape} and score {self.score.shape}, '
                'expected (N, K, 2) and (N, K)'
            )

    def __len__(self) -> int:
        return len(self.xy)


@dataclass(frozen=True, slots=True)
class Classes:
    """
    Classes of the whole frame, best score first.

    :param class_id: int32 (N,).
    :param score: float32 (N,), 0 to 1.
    """

    class_id: Int32Array
    score: Float32Array

    def __post_init__(self) -> None:
        if self.class_id.ndim != 1 or self.class_id.shape != self.score.shape:
            raise ValueError(
                f'Classes: got class_id {self.class_id.shape} and score {self.score.shape}, '
                'expected (N,) and (N,)'
            )


@dataclass(frozen=True, slots=True)
class Perception:
    """
    Everything that was perceived in one frame; None where the model does not give it.

    :param mask: uint8, class of each pixel, of the size of the source image.
    :param instances: uint16, for each pixel of the source image the detection that it belongs to:
        its row plus one, 0 for none; where masks overlap, the one of the better score.
    :param poses: one for each instance whose pose could be found.
    :param extras: what stages publish besides, by the topic that they declare; without one where
        there is nothing to publish.
    :param not_finite: share of the cells of the model whose scores are not finite, 0 to 1; they
        are no detections.
    """

    detections: Detections | None = None
    keypoints: Keypoints | None = None
    classes: Classes | None = None
    mask: UInt8Array | None = None
    instances: UInt16Array | None = None
    poses: tuple[ObjectPose, ...] = ()
    extras: Mapping[str, Any] = field(default_factory=dict)
    not_finite: float = 0.0


@dataclass(frozen=True, slots=True)
class Selection:
    """
    Thresholds and classes that a user selected; may change between two frames.

    :param score_threshold: objects with a lower score are left out.
    :param iou_threshold: of two boxes of one class that overlap more, the weaker is left out.
    :param max_detections: largest number of objects, the best ones.
    :param class_ids: only these classes; None stands for all.
    """

    score_threshold: float = 0.3
    iou_threshold: float = 0.45
    max_detections: int = 100
    class_ids: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Names of the classes of a model, by index."""

    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def name(self, class_id: int) -> str:
        """Return the name of a class, or its index as text where the model gives no name."""
        if 0 <= class_id < len(self.names):
            return self.names[class_id]
        return str(class_id)

    def index(self, name: str) -> int | None:
        """Return the class with this name or, for text made of digits, this index."""
        if name in self.names:
            return self.names.index(name)
        return int(name) if name.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Availability:
    """
    Whether a plugin can work on this machine.

    :param reason: why it cannot; empty when available.
    :param remedy: what to install or plug in; empty when available.
    :param runtime: name and version of the vendor library, e.g. ``onnxruntime 1.23.2``.
    :param devices: names that the option ``device`` accepts here.
    """

    available: bool
    reason: str = ''
    remedy: str = ''
    runtime: str = ''
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """
    Tensors and metadata of an artifact, read without running it.

    :param inputs: with -1 for sizes that are open; empty where the format does not tell them.
    :param outputs: likewise.
    :param metadata: the key-value pairs that the training tool left in the file, as they are;
        ``plugins/README.md`` lists the keys that the host reads.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
