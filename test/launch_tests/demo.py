# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The demonstration, launched: the pad gets poses, and Ctrl-C ends everything in peace."""

from __future__ import annotations

from pathlib import Path
import unittest

from geometry_msgs.msg import PoseWithCovarianceStamped
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_testing import post_shutdown_test
from launch_testing.actions import ReadyToTest
from launch_testing.asserts import assertExitCodes
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.task import Future

from launch import LaunchDescription

FILE = Path(__file__).resolve().parents[2] / 'launch' / 'demo.launch.py'
PATIENCE_S = 60.0


def generate_test_description():
    demo = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(FILE)),
        launch_arguments={'namespace': 'drone1', 'use_respawn': 'false'}.items(),
    )
    return LaunchDescription([demo, ReadyToTest()])


class TestDemo(unittest.TestCase):
    def test_a_pose_comes(self):
        context = rclpy.Context()
        rclpy.init(context=context)
        node = rclpy.create_node('observer', context=context)
        came = Future()
        node.create_subscription(
            PoseWithCovarianceStamped,
            '/drone1/perception/pose',
            lambda message: came.done() or came.set_result(message),
            5,
        )
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        try:
            executor.spin_until_future_complete(came, PATIENCE_S)
            assert came.done(), 'no pose came'
            assert came.result().header.frame_id == 'camera_optical_frame'
        finally:
            executor.shutdown()
            node.destroy_node()
            rclpy.shutdown(context=context)


@post_shutdown_test()
class TestEnd(unittest.TestCase):
    def test_both_processes_end_with_status_0(self, proc_info):
        assert len(list(proc_info)) == 2
        assertExitCodes(proc_info)
