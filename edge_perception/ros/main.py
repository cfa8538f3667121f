# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The executable ``perception_node``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import rclpy
from rclpy.clock import Clock
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.executors import SingleThreadedExecutor

from edge_perception.ros.guard import spin
from edge_perception.ros.system.rclpy_versions import ClockType
from edge_perception.ros.system.rclpy_versions import RCLError
from edge_perception.ros.watchdog import end_after_signals
from edge_perception.ros.watchdog import PERIOD_S
from edge_perception.ros.watchdog import Watchdog

if TYPE_CHECKING:
    from edge_perception.ros.node import PerceptionNode


# A second fence behind max_image_megapixels, should a decoder see another size than we read in the
# header. OpenCV reads it when it is imported; its own limit is 1 gigapixel.
MAX_DECODED_PIXELS = 100_000_000


def main(arguments: list[str] | None = None) -> int:
    """
    Run the node until it is shut down.

    :return: exit status: 0; 1 when the engine died, so that launch may respawn the process; 2 when
        the node could not be made.
    """
    os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(MAX_DECODED_PIXELS))
    try:
        from edge_perception.ros.node import PerceptionNode
        from edge_perception.runtime.garbage import Collector
    except ModuleNotFoundError as error:
        sys.stderr.write(
            f'perception_node: the package {error.name} is missing; install it, see '
            '"Install on a robot with ROS" in README.md\n'
        )
        return 2
    try:
        end_after_signals()
        rclpy.init(args=arguments)
        node = PerceptionNode(collector=Collector())
    except (RCLError, ParameterException) as error:
        # A wrong remapping rule, a parameter file that is missing or not YAML, use_sim_time: 1.
        sys.stderr.write(f'perception_node: {" ".join(str(error).split())}\n')
        return 2
    _spin(node, arguments)
    return int(node.finished.result() or 0) if node.finished.done() else 0


def _spin(node: PerceptionNode, arguments: list[str] | None) -> None:
    """Let the node work until it has finished, or a signal comes, and take it down."""
    from edge_perception.ros.parameters.unknown_parameters import warn_of_arguments

    # A MultiThreadedExecutor on the image path took 3.8 ms instead of 2.0 ms for a round trip in
    # the median, and 27 ms instead of 4 ms at the 99th percentile.
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    watchdog = Watchdog(
        node.context, limit_s=lambda: node.callback_limit_s, overdue=node.report_busy
    )
    steady = Clock(clock_type=ClockType.STEADY_TIME)
    node.create_timer(PERIOD_S, watchdog.beat, clock=steady)
    try:
        warn_of_arguments(node, arguments)
        node.autostart()
        spin(executor, node.finished, node.guard)
    except (KeyboardInterrupt, ExternalShutdownException):
        # Ctrl-C and SIGTERM are the usual ways to end the process.
        pass
    except RCLError:
        # The same, when the signal comes while the executor makes its wait set.
        if rclpy.ok():
            raise
    finally:
        node.destroy_node()
        executor.shutdown()
        rclpy.try_shutdown()
        watchdog.stop()


if __name__ == '__main__':
    sys.exit(main())
