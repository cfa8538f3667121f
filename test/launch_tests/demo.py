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

from launch import LaunchDescription
from test.support.graph import Spinner
from test.support.graph import Tester

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
        spinner = Spinner()
        try:
            poses = Tester(spinner).collect(
                PoseWithCovarianceStamped, '/drone1/perception/pose', qos=5
            )
            assert poses.get(timeout=PATIENCE_S).header.frame_id == 'camera_optical_frame'
        finally:
            spinner.close()


@post_shutdown_test()
class TestEnd(unittest.TestCase):
    def test_both_processes_end_with_status_0(self, proc_info):
        assert len(list(proc_info)) == 2
        assertExitCodes(proc_info)
