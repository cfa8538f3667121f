# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the stages of one camera read besides its images: subscribed to, and supplied by frame."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

from rclpy.node import Node

from edge_perception.contract import ConfigurationError
from edge_perception.contract import Frame
from edge_perception.contract import FrameTransform
from edge_perception.contract import SideImage
from edge_perception.contract import Stage
from edge_perception.contract import Tensor
from edge_perception.ros.input.angular_rate import AngularRateInput
from edge_perception.ros.input.camera_info import CalibrationInput
from edge_perception.ros.input.side_images import SideImageInput
from edge_perception.ros.input.transform_input import TransformInput
from edge_perception.runtime.pipeline import Supplier

StageInput = CalibrationInput | SideImageInput | TransformInput | AngularRateInput


class StageTopics:
    """
    Runs in the thread of the executor; what ``suppliers`` gives is called by the worker.

    :param camera: name of one of several cameras, below which relative topics are.
    :param frame_id: of the camera; empty: as its images have it.
    :param calibration: the CameraInfo of the camera.
    :param transforms: shared by the cameras.
    :raises ConfigurationError: a stage names no topic, or two stages mean two by one name.
    """

    def __init__(
        self,
        node: Node,
        stages: Sequence[Stage],
        *,
        camera: str,
        frame_id: str,
        calibration: CalibrationInput,
        transforms: TransformInput,
    ) -> None:
        self._frame_id = frame_id
        self._calibration = calibration
        self._transforms = transforms
        self._wanted = frozenset(each for stage in stages for each in stage.reads.transforms)
        self._missing: dict[str, str] = {}
        self._rate: AngularRateInput | None = None
        self._images: dict[str, SideImageInput] = {}
        self._inputs: dict[str, dict[str, StageInput]] = {}
        self.suppliers: dict[str, Supplier] = {}
        for stage in stages:
            self._inputs[stage.name] = self._inputs_of(stage, node, camera)
        self._all = {each.topic: each for some in self._inputs.values() for each in some.values()}
        if self._wanted or self._rate:
            self._all[transforms.topic] = transforms
            # Called in this order: the first begins the reasons of a frame.
            self.suppliers['transforms'] = self._look_up
            self.suppliers['angular_rate'] = self._angular_rate
            self.suppliers['missing'] = lambda frame: self._missing

    def open(self) -> None:
        """Subscribe."""
        for each in self._all.values():
            each.open()

    def close(self) -> None:
        """Unsubscribe; a calibration stays."""
        for each in self._all.values():
            each.close()

    def forget(self) -> None:
        """Supply nothing that came before the clock was set back, except a calibration."""
        for each in self._all.values():
            if not isinstance(each, CalibrationInput):
                each.forget()

    def check(self) -> None:
        """Look who publishes the CameraInfo. Called about once a second while it is open."""
        if self._calibration.topic in self._all:
            self._calibration.check()

    def topics(self, stage: Stage) -> Mapping[str, str]:
        """Return what a stage reads from where."""
        return {name: each.topic for name, each in self._inputs[stage.name].items()}

    def dropped(self, stage: Stage) -> Mapping[str, int]:
        """Return how many messages of what a stage reads could not be right."""
        return {
            name: each.dropped
            for name, each in self._inputs[stage.name].items()
            if isinstance(each, (TransformInput, AngularRateInput))
        }

    def complete(self, stage: Stage) -> bool:
        """Tell whether something has come of everything that a stage reads, good or bad."""
        return all(each.received for each in self._inputs[stage.name].values())

    def problem(self, stage: Stage) -> str:
        """Return why a stage gives nothing now, in words; empty when nothing is wrong."""
        problems = (each.problem for each in self._inputs[stage.name].values())
        return next(filter(None, problems), '') or stage.problem

    def _inputs_of(self, stage: Stage, node: Node, camera: str) -> dict[str, StageInput]:
        inputs, reads = dict[str, StageInput](), stage.reads
        if reads.calibration:
            inputs['camera_info'] = self._calibration
            self.suppliers['calibration'] = self._calibration.at
        for name, topic in reads.images.items():
            resolved = _resolved(node, topic, camera=camera, stage=stage)
            image = self._images.setdefault(name, SideImageInput(node, topic=resolved))
            _check_same(stage, name, resolved, image.topic)
            inputs[name] = image
            self.suppliers['images'] = self._nearest
        if reads.transforms:
            inputs['tf'] = self._transforms
        if reads.angular_rate:
            resolved = _resolved(node, reads.angular_rate, camera=camera, stage=stage)
            rate = AngularRateInput(node, topic=resolved, transforms=self._transforms)
            inputs['angular_rate'] = self._rate = self._rate or rate
            _check_same(stage, 'angular_rate', resolved, self._rate.topic)
        return inputs

    def _nearest(self, frame: Frame) -> Mapping[str, SideImage]:
        found = {name: image.nearest(frame) for name, image in self._images.items()}
        return {name: image for name, image in found.items() if image is not None}

    def _look_up(self, frame: Frame) -> Mapping[str, FrameTransform]:
        found, self._missing = {}, {}
        source = self._frame_id or frame.frame_id
        for target in self._wanted:
            try:
                found[target] = self._transforms.buffer.look_up(target, source, frame.stamp_ns)
            except LookupError as error:
                self._missing[target] = str(error)
        return found

    def _angular_rate(self, frame: Frame) -> Tensor | None:
        if self._rate is None:
            return None
        try:
            return self._rate.at(frame.stamp_ns, frame_id=self._frame_id or frame.frame_id)
        except LookupError as error:
            self._missing['angular_rate'] = str(error)
            return None


def _check_same(stage: Stage, name: str, topic: str, other: str) -> None:
    if topic != other:
        problem = f'reads {name} from {topic}, another stage from {other}'
        raise ConfigurationError(f'stage {stage.name!r}', [problem])


def _resolved(node: Node, topic: str, *, camera: str, stage: Stage) -> str:
    relative = camera and not topic.startswith(('/', '~'))
    try:
        return str(node.resolve_topic_name(f'{camera}/{topic}' if relative else topic))
    except Exception as error:  # rclpy raises an exception of its own for each kind of mistake
        problem = f'reads from {topic!r}, expected the name of a topic'
        raise ConfigurationError(f'stage {stage.name!r}', [problem]) from error
