# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest

from edge_perception.cli.perception.ros_trial import ros_checks
from edge_perception.runtime.findings import Level


def test_every_line_that_is_not_green_says_what_mends_it(invoke):
    result = invoke('doctor', '--json')
    report = json.loads(result.stdout)
    assert {'machine', 'Python', 'NumPy', 'OpenCV', 'engine onnxruntime'} <= {
        check['subject'] for check in report
    }
    for check in report:
        assert check['level'] in ('green', 'yellow', 'red')
        assert bool(check['remedy']) == (check['level'] != 'green'), check
    red = any(check['level'] == 'red' for check in report)
    assert result.exit_code == (1 if red else 0)


def test_a_pipe_gets_commands_and_paths_in_one_line(invoke, monkeypatch, tmp_path):
    folder = tmp_path / ('models_' * 10)
    monkeypatch.setenv('EDGE_PERCEPTION_MODEL_PATH', str(folder))
    assert f'models in {folder} ' in invoke('doctor').stdout


def test_the_table_ends_with_a_summary(invoke):
    *_, last = invoke('doctor').stdout.strip().splitlines()
    words = last.replace(',', '').split()
    assert words[1::2] == ['green', 'yellow', 'red']


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('ROS_DOMAIN_ID', '300'),
        ('ROS_DOMAIN_ID', 'abc'),
        ('RMW_IMPLEMENTATION', 'rmw_of_nobody_cpp'),
        ('HOME', ''),
    ],
)
def test_a_setting_with_which_ros_does_not_start_is_named(monkeypatch, name, value):
    pytest.importorskip('rclpy', reason='ROS 2 is not sourced')
    monkeypatch.delenv('ROS_LOG_DIR', raising=False)
    monkeypatch.delenv('ROS_HOME', raising=False)
    monkeypatch.setenv(name, value)
    if not value:
        monkeypatch.delenv(name)
    (check,) = ros_checks()
    assert (check.subject, check.level) == (name, Level.RED)
    assert check.remedy
