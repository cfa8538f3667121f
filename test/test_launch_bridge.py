# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The bridge to a flight controller, as the launch file starts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_perception.bridges.target_bridge import BRIDGES
from test.support.launch_stubs import LaunchFile


@pytest.fixture
def perception(repository):
    return LaunchFile(repository / 'launch' / 'perception.launch.py')


@pytest.mark.parametrize(
    ('given', 'topic'),
    [
        ({}, 'perception/target_measurement'),
        ({'name': 'eyes', 'namespace': '/drone1'}, 'eyes/target_measurement'),
        ({'cameras': 'down, front'}, 'perception/down/target_measurement'),
    ],
)
def test_a_bridge_is_started_and_the_target_switched_on(perception, given, topic, tmp_path):
    file = tmp_path / 'mine.yaml'
    file.write_text('target_bridge: {ros__parameters: {mount_xyz: [0.1, 0.0, -0.05]}}')
    started = perception.start(
        bridge='ardupilot',
        bridge_connection='udp:127.0.0.1:14550',
        preset='jetson',
        params_file=str(file),
        use_sim_time='true',
        **given,
    )
    nodes = {each.keywords['executable']: each.keywords for each in started if each.kind == 'Node'}
    explicit = nodes['perception_node']['parameters'][-1]
    assert explicit['stage_options.target.enabled'] is True
    bridge = nodes['target_bridge']
    assert (bridge['name'], bridge['namespace']) == ('target_bridge', given.get('namespace', ''))
    first, path, last = bridge['parameters']
    values = {'bridge': 'ardupilot', 'connection': 'udp:127.0.0.1:14550', 'use_sim_time': True}
    assert (first, last) == ({'measurement_topic': topic}, values)
    assert 'mount_xyz' in Path(path).read_text()


def test_the_choices_of_bridge_are_those_of_the_node(perception):
    assert set(perception.arguments['bridge']['choices']) == {'', *BRIDGES}
