# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The executable ``perception_node``: takes care of signals before it imports anything large."""

from __future__ import annotations

import os
import sys

from edge_perception.ros.system.end_signals import EndSignals

# A second fence behind max_image_megapixels, should a decoder see another size than we read in the
# header. OpenCV reads it when it is imported; its own limit is 1 gigapixel.
MAX_DECODED_PIXELS = 100_000_000


def main(arguments: list[str] | None = None) -> int:
    """
    Run the node until it is shut down.

    :return: exit status: 0; 1 when the engine died, so that launch may respawn the process; 2 when
        the node could not be made.
    """
    signals = EndSignals()
    os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(MAX_DECODED_PIXELS))
    try:
        from edge_perception.ros.process import run
    except ModuleNotFoundError as error:
        sys.stderr.write(
            f'perception_node: the package {error.name} is missing; install it, see '
            '"Install on a robot with ROS" in README.md\n'
        )
        return 2
    return run(signals, arguments)


if __name__ == '__main__':
    sys.exit(main())
