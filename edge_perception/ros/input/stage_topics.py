# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the stages of one camera read besides its images: subscribed to, and supplied by frame."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

from rclpy.node import Node

from edge_perception.contract import ConfigurationError
from edge_perception.contract import Frame
from edge_perception.contract import SideImage
from edge_perception.contract import Stage
from edge_perception.ros.input.camera_info import CalibrationInput
from edge_perception.ros.input.side_images import SideImageInput
from edge_perception.runtime.pipeline import Supplier


class StageTopics:
    """
    Runs in the thread of the executor; what ``suppliers`` gives is called by the worker.

    :param camera: name of one of several cameras, below which relative topics are.
    :param calibration: the CameraInfo of the camera.
    :raises ConfigurationError: a stage names no topic, or two stages mean two by one name.
    """

    def __init__(
        self, node: Node, stages: Sequence[Stage], *, camera: str, calibration: CalibrationInput
    ) -> None:
        self._calibration = calibration
        self._images: dict[str, SideImageInput] = {}
        self._inputs: dict[str, dict[str, CalibrationInput | SideImageInput]] = {}
        self.suppliers: dict[str, Supplier] = {}
        for stage in stages:
            inputs = self._inputs[stage.name] = {}
            if stage.reads.calibration:
                inputs['camera_info'] = calibration
                self.suppliers['calibration'] = calibration.at
            for name, topic in stage.reads.images.items():
                resolved = _resolved(node, topic, camera=camera, stage=stage)
                image = self._images.setdefault(name, SideImageInput(node, topic=resolved))
                if image.topic != resolved:
                    problem = f'reads {name} from {resolved}, another stage from {image.topic}'
                    raise ConfigurationError(f'stage {stage.name!r}', [problem])
                inputs[name] = image
                self.suppliers['images'] = self._nearest
        self._all = {each.topic: each for some in self._inputs.values() for each in some.values()}

    def open(self) -> None:
        """Subscribe."""
        for each in self._all.values():
            each.open()

    def close(self) -> None:
        """Unsubscribe; a calibration stays."""
        for each in self._all.values():
            each.close()

    def forget(self) -> None:
        """Supply no image that came before the clock was set back."""
        for image in self._images.values():
            image.forget()

    def check(self) -> None:
        """Look who publishes the CameraInfo. Called about once a second while it is open."""
        if self._calibration.topic in self._all:
            self._calibration.check()

    def topics(self, stage: Stage) -> Mapping[str, str]:
        """Return what a stage reads from where."""
        return {name: each.topic for name, each in self._inputs[stage.name].items()}

    def complete(self, stage: Stage) -> bool:
        """Tell whether something has come of everything that a stage reads, good or bad."""
        return all(each.received for each in self._inputs[stage.name].values())

    def problem(self, stage: Stage) -> str:
        """Return why a stage gives nothing now, in words; empty when nothing is wrong."""
        problems = (each.problem for each in self._inputs[stage.name].values())
        return next(filter(None, problems), '') or stage.problem

    def _nearest(self, frame: Frame) -> Mapping[str, SideImage]:
        found = {name: image.nearest(frame) for name, image in self._images.items()}
        return {name: image for name, image in found.items() if image is not None}


def _resolved(node: Node, topic: str, *, camera: str, stage: Stage) -> str:
    relative = camera and not topic.startswith(('/', '~'))
    try:
        return str(node.resolve_topic_name(f'{camera}/{topic}' if relative else topic))
    except Exception as error:  # rclpy raises an exception of its own for each kind of mistake
        problem = f'reads images from {topic!r}, expected the name of a topic'
        raise ConfigurationError(f'stage {stage.name!r}', [problem]) from error
