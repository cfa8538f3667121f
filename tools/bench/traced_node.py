# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The node with a clock at each station of a frame's way, as a process; for ``tools.bench.stages``.

The stations are not part of the node, so that nobody pays for them who does not look.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
import json
from pathlib import Path
import sys
import time
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.publisher import Publisher
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from edge_perception.ros import main as node
from edge_perception.ros.camera import Camera
from edge_perception.ros.input.raw_images import stamp_ns
from edge_perception.ros.output.publishers import Outputs
from edge_perception.runtime.camera_channel import CameraChannel
from edge_perception.runtime.pipeline import Pipeline

# Moments of the frame that is being worked on, in the thread of the executor and of the worker.
Moments = dict[str, int]


class Stations:
    """Moments of each frame in monotonic nanoseconds, by the stamp of its image."""

    def __init__(self) -> None:
        self.frames: dict[int, Moments] = {}
        self._woken_ns = 0
        self._served = 0

    def install(self) -> None:
        """Put a clock at every station."""
        _before(SingleThreadedExecutor, '_take_subscription', self._wake)
        _before(Camera, '_receive', self._receive)
        _before(CameraChannel, 'serve', self._serve)
        _before(Pipeline, 'process', self._at('process'))
        _before(Outputs, 'compose', self._at('deliver'))
        _after(Publisher, 'publish', self._publish)

    def _wake(self, executor: Any, subscription: Any) -> None:
        if subscription.msg_type is Image:
            self._woken_ns = time.monotonic_ns()

    def _receive(self, camera: Any, message: Any) -> None:
        now_ns = time.monotonic_ns()
        moments = {'woken': self._woken_ns, 'received': now_ns}
        self.frames[stamp_ns(message.header)] = moments

    def _serve(self, channel: Any, frame: Any, **named: Any) -> None:
        self._served = stamp_ns(frame.message.header)
        self.frames[self._served]['served'] = time.monotonic_ns()

    def _publish(self, publisher: Any, message: Any) -> None:
        if publisher.msg_type is Detection2DArray:
            # The detections come first; keypoints have the same type.
            self.frames[self._served].setdefault('delivered', time.monotonic_ns())

    def _at(self, station: str) -> Callable[..., None]:
        def note(*arguments: Any, **named: Any) -> None:
            self.frames[self._served][station] = time.monotonic_ns()

        return note


def _before(owner: type, name: str, note: Callable[..., None]) -> None:
    original = getattr(owner, name)

    @wraps(original)
    def noting(*arguments: Any, **named: Any) -> Any:
        note(*arguments, **named)
        return original(*arguments, **named)

    setattr(owner, name, noting)


def _after(owner: type, name: str, note: Callable[..., None]) -> None:
    original = getattr(owner, name)

    @wraps(original)
    def noting(*arguments: Any, **named: Any) -> Any:
        result = original(*arguments, **named)
        note(*arguments, **named)
        return result

    setattr(owner, name, noting)


def main() -> int:
    output, *arguments = sys.argv[1:]
    stations = Stations()
    stations.install()
    status = node.main(arguments)
    Path(output).write_text(json.dumps(stations.frames))
    return status


if __name__ == '__main__':
    sys.exit(main())
