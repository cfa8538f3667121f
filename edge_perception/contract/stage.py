# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Stages: processing after the decoder, such as pose, tracking or depth, without ROS."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from types import MappingProxyType
from typing import ClassVar
from typing import final

import numpy as np

from edge_perception.contract.decoder import TASKS
from edge_perception.contract.errors import DecodeError
from edge_perception.contract.errors import in_words
from edge_perception.contract.manifest import ModelManifest
from edge_perception.contract.options import Options
from edge_perception.contract.types import Detections
from edge_perception.contract.types import Frame
from edge_perception.contract.types import ImageTransform
from edge_perception.contract.types import Perception
from edge_perception.contract.types import Tensor

# What a stage may fill; the names of the fields of ``Perception``.
STAGE_TASKS = (*TASKS, 'poses')
# What a stage may publish besides: ``Detections``, ``Boxes3D``, an ``ObjectPose``, or an array
# (height, width) or (height, width, 3) of the dtype of the encoding.
OUTPUT_KINDS = (
    'detections',
    'boxes_3d',
    'pose',
    'image bgr8',
    'image mono8',
    'image mono16',
    'image 32FC1',
)


@dataclass(frozen=True, slots=True)
class Calibration:
    """
    The camera as its CameraInfo describes it, unchecked; names and orders are those of ROS.

    :param k: 9 floats, row by row.
    :param d: coefficients of the distortion model.
    :param p: 12 floats, row by row; counts instead of ``k`` and ``d`` where ``rectified``.
    :param roi: x offset, y offset, width, height of the part that is read out; zeros: all.
    :param rectified: the images have no lens distortion any more.
    """

    width: int
    height: int
    k: tuple[float, ...]
    d: tuple[float, ...] = ()
    p: tuple[float, ...] = ()
    model: str = 'plumb_bob'
    roi: tuple[int, int, int, int] = (0, 0, 0, 0)
    rectified: bool = False

    @classmethod
    def guessed(cls, frame: Frame) -> Calibration:
        """Return a lens of 64 degrees, for images of an unknown camera; never for publishing."""
        focal = 0.8 * max(frame.width, frame.height)
        x, y = (frame.width - 1) / 2, (frame.height - 1) / 2
        return cls(frame.width, frame.height, (focal, 0, x, 0, focal, y, 0, 0, 1))


@dataclass(frozen=True, slots=True)
class SideImage:
    """
    The image of another topic whose stamp is the nearest to that of the frame.

    :param pixels: (height, width) or (height, width, channels), read only, in the dtype of the
        encoding and the byte order of this machine.
    :param encoding: as in ROS, e.g. ``16UC1``.
    :param period_ns: median time between the last images of the topic; 0 while it is not known.
    """

    pixels: Tensor
    encoding: str
    stamp_ns: int
    frame_id: str
    period_ns: int = 0


@dataclass(frozen=True, slots=True)
class FrameTransform:
    """
    Take points of the camera's optical frame into another: ``rotation @ point + translation``.

    :param rotation: float64 (3, 3), a copy that is read only.
    :param translation: float64 (3,), meters, likewise: the camera's position in the other frame.
    """

    rotation: Tensor
    translation: Tensor

    def __post_init__(self) -> None:
        for name, shape in (('rotation', (3, 3)), ('translation', (3,))):
            array = np.array(getattr(self, name), np.float64).reshape(shape)
            array.flags.writeable = False
            object.__setattr__(self, name, array)


@dataclass(frozen=True, slots=True)
class Reads:
    """
    What a stage reads besides the perception and the size, stamp and transform of the frame.

    :param image: the pixels of the frame.
    :param calibration: the CameraInfo of the camera.
    :param images: other image topics, each by the name under which it is supplied. A relative one
        is in the namespace of the node and, of one of several cameras, below its name.
    :param candidates: lowest score of the detections that it wants to see before those below the
        published threshold are left out; None: it wants none.
    :param transforms: frames of /tf in which it wants the pose of the camera at the stamp of the
        frame.
    :param angular_rate: topic of sensor_msgs/Imu, named as those of ``images``; empty: none.
    """

    image: bool = False
    calibration: bool = False
    images: Mapping[str, str] = field(default_factory=dict)
    candidates: float | None = None
    transforms: tuple[str, ...] = ()
    angular_rate: str = ''


@dataclass(frozen=True, slots=True)
class StageInputs:
    """
    Input of a stage for one frame; a stage changes none of it.

    :param perception: what the decoder and the stages before gave.
    :param transform: from the source image to the input of the model.
    :param calibration: None until a CameraInfo has come, or where no stage declares it.
    :param images: those that have come, by the names of ``Reads.images``.
    :param candidates: None where no stage declares them, or the decoder gives no detections.
    :param transforms: by the frames of ``Reads.transforms``, those known at the stamp of the
        frame: interpolated, never extrapolated.
    :param angular_rate: float64 (3,), rad/s about x, y, z of the camera's optical frame: mean of
        the samples between the frame before that this camera's stages got, and this one; None
        where there is none.
    :param missing: why a frame of ``Reads.transforms`` or ``'angular_rate'`` is not there, in
        words, by its name.
    """

    frame: Frame
    perception: Perception
    transform: ImageTransform
    calibration: Calibration | None = None
    images: Mapping[str, SideImage] = field(default_factory=dict)
    candidates: Detections | None = None
    transforms: Mapping[str, FrameTransform] = field(default_factory=dict)
    angular_rate: Tensor | None = None
    missing: Mapping[str, str] = field(default_factory=dict)


class Stage(ABC):
    """
    Complete the result of the decoder. A plugin registers the class itself.

    Each camera has its own instance, made in ``configure`` and called from one thread.

    :param name: part of parameters (``stage_options.<name>.<option>``) and of its time in
        diagnostics (``<name>_ms``): lower case letters, digits and _.
    :param tasks: fields of ``Perception`` that every call fills.
    :param needs: fields that have to be filled before.
    :param reads: what else it reads; an instance may have its own.
    :param publishes: topics below the node's own name (``~/<topic>``), each with one of
        ``OUTPUT_KINDS``; an instance may have its own. ``Perception.extras`` carries the values.
        ``detections_3d`` of the kind ``boxes_3d`` takes the place of that of the poses.
    :param problem: why it gives nothing now, in words; empty when nothing is wrong.
    :param counts: what it counted since it was made, by name, for diagnostics; the names stay.
    """

    name: ClassVar[str]
    tasks: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    options_type: ClassVar[type[Options]] = Options
    reads: Reads = Reads()
    publishes: Mapping[str, str] = MappingProxyType({})
    problem: str = ''
    counts: Mapping[str, int] = MappingProxyType({})

    def __init__(self, manifest: ModelManifest, *, options: Options) -> None:
        """Take an instance of ``options_type``; ``applies`` has agreed to both."""
        self.manifest = manifest
        self.options = options
        self._bind()

    @classmethod
    @abstractmethod
    def applies(cls, manifest: ModelManifest, options: Options) -> bool:
        """
        Tell whether it is wanted for a model.

        :raises ManifestError: it is wanted, and the model does not allow it.
        """

    @final
    def run(self, inputs: StageInputs) -> Perception:
        """
        Return the perception with what this stage adds to it or takes out of it.

        :raises DecodeError: it failed, or broke a promise; never an empty result instead.
        """
        try:
            perception = self._run(inputs)
        except Exception as error:
            raise DecodeError(f'stage {self.name!r} failed: {in_words(error)}') from error
        for task in self.tasks:
            if getattr(perception, task, None) is None:
                raise DecodeError(f'stage {self.name!r} gave no {task}, which it promises')
        return perception

    def reset(self) -> None:
        """Forget all frames: the camera was restarted, or the clock set back."""

    def _bind(self) -> None:
        """Prepare tables, ``reads`` and ``publishes`` from manifest and options."""

    @abstractmethod
    def _run(self, inputs: StageInputs) -> Perception:
        """Process one frame: ``replace(inputs.perception, ...)`` with new arrays."""
