# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Follows a simulated clock: how coarse it is, and when it begins anew."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from rclpy.clock import JumpHandle
from rclpy.clock import JumpThreshold
from rclpy.clock import TimeJump
from rclpy.duration import Duration
from rclpy.node import Node

from edge_perception.ros.camera import Camera

# A longer step is a jump in a recording, not the period of the clock.
LONGEST_PERIOD_NS = 1_000_000_000
# The longest of the last few, because a message of /clock may be lost.
PERIODS = 8


class SimulatedTime:
    """
    Tells the cameras what they have to know of /clock. Runs in the thread of the executor.

    An image may be stamped with a time that /clock announces only after it has arrived, so stamps
    are forgiven one period. When time is set back, as after a reset of the simulation, stamps
    begin anew as well.

    :param automatic: the tolerance for stamps in the future follows the period of the clock.
    """

    def __init__(self, node: Node, cameras: Sequence[Camera], *, automatic: bool) -> None:
        self._node = node
        self._cameras = cameras
        self._automatic = automatic
        self._periods = deque([0], maxlen=PERIODS)
        self._handle: JumpHandle | None = None

    def open(self) -> None:
        """Follow the clock from now on; one that is not simulated never jumps."""
        if self._handle is not None:
            return
        self._handle = self._node.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=Duration(nanoseconds=1),
                min_backward=Duration(nanoseconds=-1),
                on_clock_change=False,
            ),
            post_callback=self._jump,
        )

    def close(self) -> None:
        """Follow it no longer."""
        if self._handle is not None:
            self._handle.unregister()
            self._handle = None

    def _jump(self, jump: TimeJump) -> None:
        step_ns = jump.delta.nanoseconds
        if step_ns < 0:
            self._node.get_logger().info(
                f'simulated time was set back by {-step_ns / 1e9:.3f} s; stamps begin anew'
            )
            for camera in self._cameras:
                camera.clock_was_set_back()
        elif step_ns <= LONGEST_PERIOD_NS:
            self._periods.append(step_ns)
            if self._automatic:
                for camera in self._cameras:
                    camera.tolerate(max(self._periods))
