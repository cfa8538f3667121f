# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Run a demonstration: camera and node as processes, watched until they end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import ExitStack
from dataclasses import dataclass
import math
import os
from pathlib import Path
import time

from rclpy.client import Client
from rclpy.task import Future
from std_srvs.srv import Trigger

from edge_perception.contract import ModelManifest
from edge_perception.pose import object_width
from edge_perception.simulation import landing_pad as pad
from edge_perception.simulation.nodes.processes import Child
from edge_perception.simulation.nodes.processes import for_camera
from edge_perception.simulation.nodes.score_watch import ScoreWatch
from edge_perception.simulation.scoring import Score

START_SERVICE = '/rendered_camera/start'
ASK_AGAIN_S = 0.5
# How long the node may take to load its model, and until the first result.
START_PATIENCE_S = 60.0
# After the end of the camera: the last results, and the node's last report, which comes each 1 s.
GRACE_S = 1.3
POLL_S = 0.03
# Fewer results than this mean that something does not work, however slow the machine is.
MIN_RESULTS_PER_S = 1.0
# The same for poses of the rendered pad, as a share of the results.
MIN_POSE_SHARE = 0.5


class DemoError(Exception):
    """
    Results did not come as they should.

    :param blamed: the process whose last words explain it.
    """

    def __init__(self, problem: str, blamed: Child) -> None:
        words = blamed.last_words()
        said = (
            f'the last lines of the {blamed.name}:' if words else f'the {blamed.name} said nothing'
        )
        super().__init__(f'{problem}; {said}')
        self.words = words


@dataclass(frozen=True, slots=True)
class Demonstration:
    """
    What is to be shown, and how it is run.

    :param model: as the user named it.
    :param source: of the camera; empty for the approach.
    :param field_of_view: of the source in degrees; 0 where it is unknown.
    :param out: folder for the logs.
    :param tracked: detections get ids.
    """

    model: str
    manifest: ModelManifest
    source: str
    field_of_view: float
    seconds: float
    seed: int
    out: Path
    tracked: bool = False

    @property
    def title(self) -> str:
        """What is shown, in words."""
        return f'{self.manifest.name}, {self.source or "approach to a landing pad"}'

    @property
    def pad_size(self) -> float:
        """Side of the pad of the approach, meters: what the model takes it for."""
        printed = self.manifest.pose.pattern == pad.pattern()
        return round(object_width(self.manifest), 6) if printed else 1.0

    @property
    def with_truth(self) -> bool:
        """Whether there are poses and the truth about them."""
        return bool(self.manifest.object_points) and not self.source

    @contextmanager
    def processes(self) -> Iterator[tuple[Child, Child]]:
        """Start node and camera, and end them with the block."""
        with ExitStack() as stack:
            module, log = 'edge_perception.ros.main', self.out / 'node.log'
            values = {'model': self.model, 'image_topic': '/camera/image_raw', 'autostart': True}
            values['stage_options.tracking.enabled'] = self.tracked
            node = Child('node', module, values, log=log, environment=os.environ)
            stack.callback(node.end)
            module = 'edge_perception.simulation.nodes.rendered_camera'
            names = ('source', 'field_of_view', 'seconds', 'pad_size', 'seed')
            values = {'hold': True, **{name: getattr(self, name) for name in names}}
            log, variables = self.out / 'camera.log', for_camera(os.environ)
            camera = Child('camera', module, values, log=log, environment=variables)
            stack.callback(camera.end)
            yield node, camera

    def follow(self, watch: ScoreWatch, node: Child, camera: Child) -> Iterator[None]:
        """
        Yield again and again until the camera has ended and the last results are there.

        :raises DemoError: a process has ended, the node cannot work, or no result comes.
        """
        starter = _Starter(watch)
        started, end = time.monotonic(), math.inf
        while time.monotonic() < end:
            _require_life(watch, node, camera)
            if camera.status() == 0 and end == math.inf:
                end = time.monotonic() + GRACE_S
            if watch.results:
                # Not before, because discovery may take seconds on a busy machine.
                starter.start_camera()
            elif time.monotonic() > started + START_PATIENCE_S:
                raise DemoError(f'no result came in {START_PATIENCE_S:g} s', node)
            if time.monotonic() > started + self.seconds + 2 * START_PATIENCE_S:
                raise DemoError('the camera does not come to its end', camera)
            yield
            time.sleep(POLL_S)

    def require_results(self, score: Score, node: Child) -> None:
        """
        Check that what should have come has come.

        :raises DemoError: too few results, or poses.
        """
        results = sum(image.found is not None for image in score.images)
        least = max(1, int(MIN_RESULTS_PER_S * self.seconds))
        if results < least:
            problem = f'got {results} results in {self.seconds:g} s, expected at least {least}'
            raise DemoError(problem, node)
        poses = sum(match.error is not None for match in score.matches)
        if self.with_truth and poses < MIN_POSE_SHARE * results:
            raise DemoError(
                f'got {poses} poses of the pad in {results} results, expected at least '
                f'{math.ceil(MIN_POSE_SHARE * results)}',
                node,
            )


class _Starter:
    """
    Asks the camera to begin with the approach, until it has answered.

    A request right after discovery may be lost, so it is repeated.
    """

    def __init__(self, watch: ScoreWatch) -> None:
        self._client: Client = watch.node.create_client(Trigger, START_SERVICE)
        self._asked: list[Future] = []
        self._due_s = 0.0

    def start_camera(self) -> None:
        if time.monotonic() > self._due_s and not any(each.done() for each in self._asked):
            self._due_s = time.monotonic() + ASK_AGAIN_S
            self._asked.append(self._client.call_async(Trigger.Request()))


def _require_life(watch: ScoreWatch, node: Child, camera: Child) -> None:
    if node.status() is not None:
        raise DemoError(f'the node ended with status {node.status()}', node)
    if watch.trouble:
        raise DemoError(f'the node cannot work: {watch.trouble}', node)
    if camera.status():
        raise DemoError(f'the camera ended with status {camera.status()}', camera)
