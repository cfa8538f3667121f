# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Play a camera that behaves, and check the accounts in every report of the node.

A process, ``python -m test.hostile.witness ORDER``, the order being arguments in JSON.
"""

from __future__ import annotations

from contextlib import closing
import json
from pathlib import Path
import sys
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from edge_perception.ros.system.spinning import Spinner
from edge_perception.simulation.nodes.playback_camera import noise
from edge_perception.simulation.nodes.playback_camera import PlaybackCamera
from edge_perception.simulation.nodes.playback_camera import say
from edge_perception.simulation.rendering.pinhole import PinholeCamera

RATE_HZ = 10.0
POLL_S = 0.005


class Witness(PlaybackCamera):
    """A camera that behaves, which also hears every report of the node about all cameras."""

    def __init__(self, node: Node, **places: str) -> None:
        lens = PinholeCamera(width=640, height=480)
        super().__init__(node, **places, compressed=False, lens=lens)
        self.accounts = 0
        self.unbalanced: list[dict[str, str]] = []
        self.dropped: dict[str, dict[str, str]] = {}
        self.callbacks = ''

    def _hear(self, message: DiagnosticArray) -> None:
        super()._hear(message)
        for status in message.status:
            values = {value.key: value.value for value in status.values}
            if 'received' in values:
                self.accounts += 1
                drops = {key: each for key, each in values.items() if key.startswith('dropped.')}
                ends = (values['published'], values['in_flight'], *drops.values())
                self.dropped[status.name] = drops
                if int(values['received']) != sum(map(int, ends)):
                    self.unbalanced.append(values)
            elif status.name.endswith(': callbacks'):
                self.callbacks = status.message


def watch(*, seconds: float, begin: str, output: str, **places: str) -> int:
    """
    Publish images in step, and write down their answers and what the node reported.

    :param begin: starts when this file appears.
    :param places: topic, results and status of a ``PlaybackCamera``.
    :return: exit status, 1 when no node listens and answers.
    """
    with closing(Spinner()) as spinner:
        camera = spinner.add(lambda context: Node('witness', context=context))
        witness = Witness(camera, **places)
        if not witness.meet():
            return 1
        say('ready')
        while not Path(begin).exists():
            time.sleep(POLL_S)
        witness.publish_all([noise(640, 480)], round(seconds * RATE_HZ), rate_hz=RATE_HZ)
    seen: dict[str, Any] = {
        name: getattr(witness, name) for name in ('accounts', 'unbalanced', 'dropped', 'callbacks')
    }
    Path(output).write_text(json.dumps(witness.summary() | seen))
    return 0


if __name__ == '__main__':
    sys.exit(watch(**json.loads(sys.argv[1])))
