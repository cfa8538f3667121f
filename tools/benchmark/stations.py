# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Measure where the time of a frame goes: ``python -m tools.benchmark stages``.

Camera and node use the same monotonic clock, so that their moments can be compared. As a
process, this is the node with a clock at each station of a frame's way. The stations are not part
of the node, so that they cost nothing in use.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from functools import wraps
import json
from pathlib import Path
import sys
import time
from typing import Any

import numpy as np

from edge_perception.simulation.playback import Shown
from tools.benchmark.harness import Harness
from tools.benchmark.harness import ImageStream
from tools.benchmark.subjects import Subject

# What happens between two stations.
STAGES = {
    ('published', 'woken'): 'camera serializes, DDS carries, executor wakes up',
    ('woken', 'received'): 'image taken and made a message',
    ('received', 'served'): 'admission, hand-off to the worker',
    ('served', 'process'): 'message to frame',
    ('process', 'deliver'): 'preprocess, infer, decode, later stages',
    ('deliver', 'delivered'): 'detections to message, published',
    ('delivered', 'answered'): 'DDS carries, observer wakes up and takes',
    ('published', 'answered'): 'all',
}
RATE_HZ = 15.0
WARM_UP_S = 2.0
# Moments of a frame in monotonic nanoseconds, by station.
Moments = dict[str, int]


def trace(harness: Harness, subject: Subject, *, seconds: float, output: Path) -> list[Moments]:
    """
    Return the moments of each frame that came all the way.

    :param output: file for the moments of the node.
    :raises BenchmarkError: a process failed.
    """
    node, stream = ('tools.benchmark.stations', output), ImageStream('', rate_hz=RATE_HZ)
    observed = harness.run(subject, [stream], seconds=seconds, node=node, warm_up_s=WARM_UP_S)
    moments = json.loads(output.read_text())
    return join(observed.shown[stream.name], {int(stamp): m for stamp, m in moments.items()})


def join(shown: Sequence[Shown], moments: Mapping[int, Moments]) -> list[Moments]:
    """Put the moments of camera and node together, for frames that have all of them."""
    return [
        {'published': each.sent_ns, **moments[each.stamp_ns], 'answered': each.answered_ns}
        for each in shown
        if each.answered_ns is not None and 'delivered' in moments.get(each.stamp_ns, {})
    ]


def table(frames: Sequence[Moments]) -> list[str]:
    """Return the table of the stages in Markdown."""
    lines = ['| stage | p50 ms | p95 ms | p99 ms |', '|---|---|---|---|']
    for (start, end), name in STAGES.items():
        spans = np.array([(frame[end] - frame[start]) / 1e6 for frame in frames])
        cells = ' | '.join(f'{value:.2f}' for value in np.percentile(spans, (50, 95, 99)))
        lines.append(f'| {name} | {cells} |')
    return lines


class Stations:
    """Moments of each frame, by the stamp of its image."""

    def __init__(self) -> None:
        self.frames: dict[int, Moments] = {}
        self._woken_ns = 0
        self._served = 0

    def install(self) -> None:
        """Put a clock at every station."""
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.publisher import Publisher

        from edge_perception.ros.camera import Camera
        from edge_perception.ros.output.publishers import Outputs
        from edge_perception.runtime.camera_channel import CameraChannel
        from edge_perception.runtime.pipeline import Pipeline

        _note(SingleThreadedExecutor, '_take_subscription', self._wake)
        _note(Camera, '_receive', self._receive)
        _note(CameraChannel, 'prepare', self._serve)
        _note(Pipeline, 'prepare', lambda *_: self._at('process'))
        _note(Outputs, 'compose', lambda *_: self._at('deliver'))
        _note(Publisher, 'publish', self._publish, before=False)

    def _wake(self, executor: Any, subscription: Any) -> None:
        if subscription.msg_type.__name__ == 'Image':
            self._woken_ns = time.monotonic_ns()

    def _receive(self, camera: Any, message: Any) -> None:
        moments = {'woken': self._woken_ns, 'received': time.monotonic_ns()}
        self.frames[_stamp_ns(message)] = moments

    def _serve(self, channel: Any, frame: Any) -> None:
        self._served = _stamp_ns(frame.message)
        self._at('served')

    def _publish(self, publisher: Any, message: Any) -> None:
        if publisher.msg_type.__name__ == 'Detection2DArray':
            # The detections come first; keypoints have the same type.
            self._at('delivered')

    def _at(self, station: str) -> None:
        self.frames[self._served].setdefault(station, time.monotonic_ns())


def _stamp_ns(message: Any) -> int:
    stamp = message.header.stamp
    return int(stamp.sec * 1_000_000_000 + stamp.nanosec)


def _note(owner: type, name: str, note: Callable[..., None], *, before: bool = True) -> None:
    """Have a function called before or after each call of a method, with its first arguments."""
    original = getattr(owner, name)

    @wraps(original)
    def noting(*arguments: Any, **named: Any) -> Any:
        if before:
            note(*arguments[:2])
        result = original(*arguments, **named)
        if not before:
            note(*arguments[:2])
        return result

    setattr(owner, name, noting)


def main() -> int:
    """Run the node, and write down the moments in the end."""
    from edge_perception.ros import main as node

    output, *arguments = sys.argv[1:]
    stations = Stations()
    stations.install()
    status = node.main(arguments)
    Path(output).write_text(json.dumps(stations.frames))
    return status


if __name__ == '__main__':
    sys.exit(main())
