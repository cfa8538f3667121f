# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One demonstration from the start of its processes to its report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import ExitStack
from dataclasses import dataclass
import math
import os
from pathlib import Path
import time
from typing import Any
from typing import TYPE_CHECKING

from rich.console import Console

from edge_perception.cli.simulation.demo.outputs import write_outputs
from edge_perception.cli.simulation.demo.pictures import DemoPictures
from edge_perception.cli.simulation.demo.samples import Samples
from edge_perception.cli.simulation.demo.screen import Rows
from edge_perception.cli.simulation.demo.screen import rows
from edge_perception.cli.simulation.demo.screen import Screen
from edge_perception.contract import ModelManifest
from edge_perception.pose import object_width
from edge_perception.simulation.nodes.processes import Child
from edge_perception.simulation.nodes.processes import for_camera
from edge_perception.simulation.nodes.processes import isolate
from edge_perception.simulation.pad import landing_pad as pad
from edge_perception.tooling.reports.demo_record import Sample

if TYPE_CHECKING:
    from edge_perception.simulation.nodes.demo_watch import DemoWatch

# How long the node may take to load its model, and until the first result.
START_PATIENCE_S = 60.0
# After the end of the camera: the last results, and the node's last report, which comes each 1 s.
GRACE_S = 1.3
# The results of an image arrive within this.
RESULT_DELAY_S = 0.3
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
class Plan:
    """
    What is to be shown.

    :param model: as the user named it.
    :param source: of the camera; empty for the approach.
    :param field_of_view: of the source in degrees; 0 where it is unknown.
    """

    model: str
    manifest: ModelManifest
    source: str
    field_of_view: float
    seconds: float
    seed: int
    out: Path

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


class Job:
    """One demonstration. Used once, from the main thread."""

    def __init__(self, plan: Plan, *, console: Console) -> None:
        self._plan = plan
        self._console = console
        self._samples = Samples(with_pose=plan.with_truth)
        self._pictures = DemoPictures(plan.out / 'video.mp4', plan.manifest)
        self._screen = Screen(console, title=plan.title, seconds=plan.seconds)

    def run(self) -> None:
        """
        Run it to its end.

        :raises DemoError: results did not come as they should.
        """
        from edge_perception.simulation.nodes.demo_watch import DemoWatch

        plan = self._plan
        # Read by the first context of ROS of this process, and by the processes to come.
        os.environ.update(isolate(os.environ))
        with ExitStack() as stack:
            stack.enter_context(self._pictures.recording())
            node, camera = stack.enter_context(self._processes())
            watch = DemoWatch()
            stack.callback(watch.close)
            with self._screen.shown():
                self._follow(watch, node, camera)
            samples = self._samples.take(watch.seen())
            self._require(samples, node)
            lines = self._rows(samples, watch, live=False)
            facts = self._facts(watch)
        self._screen.summary(lines)
        write_outputs(
            plan.out,
            title=plan.title,
            lines=lines,
            samples=samples,
            picture=self._pictures.best,
            video=self._pictures.video,
            facts=facts,
            console=self._console,
        )

    @contextmanager
    def _processes(self) -> Iterator[tuple[Child, Child]]:
        """Start node and camera, and end them."""
        plan = self._plan
        with ExitStack() as stack:
            node = Child(
                'node',
                'edge_perception.ros.main',
                {'model': plan.model, 'image_topic': '/camera/image_raw', 'autostart': True},
                log=plan.out / 'node.log',
                environment=os.environ,
            )
            stack.callback(node.end)
            camera = Child(
                'camera',
                'edge_perception.simulation.nodes.rendered_camera',
                {
                    'source': plan.source,
                    'field_of_view': plan.field_of_view,
                    'seconds': plan.seconds,
                    'pad_size': plan.pad_size,
                    'seed': plan.seed,
                    'hold': True,
                },
                log=plan.out / 'camera.log',
                environment=for_camera(os.environ),
            )
            stack.callback(camera.end)
            yield node, camera

    def _follow(self, watch: DemoWatch, node: Child, camera: Child) -> None:
        """Watch until the camera has ended and the last results are there."""
        started, end = time.monotonic(), float('inf')
        while time.monotonic() < end:
            _require_life(watch, node, camera)
            if camera.status() == 0 and end == float('inf'):
                end = time.monotonic() + GRACE_S
            if watch.has_results:
                # Not before, because discovery may take seconds on a busy machine.
                watch.start_camera()
            elif time.monotonic() > started + START_PATIENCE_S:
                raise DemoError(f'no result came in {START_PATIENCE_S:g} s', node)
            if time.monotonic() > started + self._plan.seconds + 2 * START_PATIENCE_S:
                raise DemoError('the camera does not come to its end', camera)
            for frame, seen in watch.take_images(older_than_s=RESULT_DELAY_S):
                self._pictures.add(frame, seen, watch.camera_info)
            if self._screen.due():
                self._show(watch)
            time.sleep(POLL_S)

    def _show(self, watch: DemoWatch) -> None:
        samples = self._samples.take(watch.seen())
        elapsed = min(samples[-1].time_s, self._plan.seconds) if samples else 0.0
        self._screen.show(self._rows(samples, watch, live=True), elapsed_s=elapsed)

    def _rows(self, samples: list[Sample], watch: DemoWatch, *, live: bool) -> Rows:
        dropped, with_truth = watch.report.dropped, self._plan.with_truth
        return rows(samples, dropped=dropped, with_truth=with_truth, live=live)

    def _facts(self, watch: DemoWatch) -> dict[str, Any]:
        """Return what was asked for, and what the node counted."""
        plan, report = self._plan, watch.report
        return {
            'model': plan.manifest.name,
            'source': plan.source or 'approach',
            'seconds': plan.seconds,
            'seed': plan.seed,
            'node': {
                'received': report.received,
                'published': report.published,
                'dropped': report.dropped,
            },
        }

    def _require(self, samples: list[Sample], node: Child) -> None:
        """Raise when something did not come that should have."""
        results = sum(sample.age_ms is not None for sample in samples)
        least = max(1, int(MIN_RESULTS_PER_S * self._plan.seconds))
        if results < least:
            raise DemoError(
                f'got {results} results in {self._plan.seconds:g} s, expected at least {least}',
                node,
            )
        poses = sum(sample.error is not None for sample in samples)
        if self._plan.with_truth and poses < MIN_POSE_SHARE * results:
            raise DemoError(
                f'got {poses} poses of the pad in {results} results, expected at least '
                f'{math.ceil(MIN_POSE_SHARE * results)}',
                node,
            )


def _require_life(watch: DemoWatch, node: Child, camera: Child) -> None:
    if node.status() is not None:
        raise DemoError(f'the node ended with status {node.status()}', node)
    if watch.report.trouble:
        raise DemoError(f'the node cannot work: {watch.report.trouble}', node)
    if camera.status():
        raise DemoError(f'the camera ended with status {camera.status()}', camera)
