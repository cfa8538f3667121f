# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Images larger than the shared memory of Fast DDS, from processes that nobody told about it."""

from __future__ import annotations

from contextlib import ExitStack
import os
from pathlib import Path
import subprocess
import sys

import cv2
import numpy as np
from sensor_msgs.msg import Image

from edge_perception.ros.system import qos
from edge_perception.ros.system.process_environment import PROFILE_VARIABLES
from test.support.graph import PATIENCE_S
from test.support.graph import Spinner
from test.support.graph import Tester

LEVELS = range(10, 250, 10)
NODES = 'edge_perception.simulation.nodes.'


def start(module: str, *parameters: str, log: Path) -> subprocess.Popen[bytes]:
    flags = [part for each in parameters for part in ('-p', each)]
    environment = {
        name: value for name, value in os.environ.items() if name not in PROFILE_VARIABLES
    }
    with log.open('w') as file:
        return subprocess.Popen(
            [sys.executable, '-m', NODES + module, '--ros-args', *flags],
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
        )


def test_images_of_the_rendered_camera_arrive_also_by_way_of_the_fault_injector(tmp_path):
    """Each picture is a level brighter, so that those that were lost can be counted."""
    for level in LEVELS:
        cv2.imwrite(str(tmp_path / f'{level:03}.png'), np.full((480, 640, 3), level, np.uint8))
    source = (f'source:={tmp_path}', 'rate:=10.0', 'seconds:=0.0')
    with ExitStack() as stack:
        spinner = Spinner()
        stack.callback(spinner.close)
        tester = Tester(spinner)
        topics = ('/camera/image_raw', '/faulty/image_raw')
        arriving = [tester.collect(Image, topic, qos.EVERY) for topic in topics]
        for module, parameters in (('fault_injector', ()), ('rendered_camera', source)):
            process = start(module, *parameters, log=tmp_path / f'{module}.log')
            stack.callback(process.wait, PATIENCE_S)
            stack.callback(process.terminate)
        lost = [_lost([each.get(timeout=PATIENCE_S) for _ in range(20)]) for each in arriving]
    # Without the profile 32 and 45 were lost.
    assert max(lost) < 20, lost


def _lost(images: list[Image]) -> int:
    """Return how many of the pictures that belong between these did not come."""
    places = [LEVELS.index(image.data[0]) for image in images]
    return sum((b - a) % len(LEVELS) - 1 for a, b in zip(places, places[1:]))
