# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Which parameter files reach the node, by what rcl makes of their headers."""

from __future__ import annotations

import os

import pytest
import rclpy

from edge_perception.ros.parameters.parameter_headers import unread_files
from edge_perception.ros.system.rclpy_versions import parameter_overrides


def started(*arguments: str) -> tuple[set[str], list[str]]:
    """Return the parameters that reach a real node, and what is said of its files."""
    given = ['--ros-args', *arguments]
    context = rclpy.Context()
    rclpy.init(args=given, context=context)
    try:
        node = rclpy.create_node('perception', context=context)
        try:
            said = unread_files(given, node.get_fully_qualified_name())
            return set(parameter_overrides(node)), said
        finally:
            node.destroy_node()
    finally:
        rclpy.try_shutdown(context=context)


@pytest.mark.parametrize('namespace', ['/', '/drone1', '/fleet/drone1'])
@pytest.mark.parametrize(
    'header',
    [
        'perception',
        '/perception',
        'drone1/perception',
        '/drone1/perception',
        '/fleet/drone1/perception',
        '/**',
        '/**/perception',
        '/*',
        '/*/perception',
        '/drone1/*',
        '/fleet/**',
        'perception_node',
        'edge_perception',
        'camera_driver',
    ],
)
def test_a_file_is_told_of_exactly_when_it_does_not_reach_the_node(header, namespace, tmp_path):
    file = tmp_path / 'parameters.yaml'
    file.write_text(f'{header}:\n  ros__parameters: {{latency_budget_ms: 71.0}}\n')
    reached, said = started('--params-file', str(file), '-r', f'__ns:={namespace}')
    assert bool(reached) != bool(said)
    if said:
        assert f'{header}:' in said[0]
        assert f'head them {namespace.rstrip("/")}/perception: or /**:' in said[0]


@pytest.mark.parametrize('node', ['perception', '', 'perception_node', 'camera'])
def test_a_parameter_for_another_node_is_told(node):
    rule = f'{node}:latency_budget_ms:=71.0'.removeprefix(':')
    reached, said = started('-p', rule)
    assert bool(reached) != bool(said)
    assert not said or rule in said[0]


def test_only_what_is_read_in_a_stated_time_is_looked_at(tmp_path):
    file = tmp_path / 'parameters.yaml'
    header = 'camera_driver: {ros__parameters: {rate: 1.0}}\n'
    for content, looked_at in ((header, True), (header + '#' * 2_000_000, False)):
        file.write_text(content)
        assert bool(started('--params-file', str(file))[1]) == looked_at
    os.mkfifo(tmp_path / 'pipe')
    assert unread_files(['--params-file', str(tmp_path / 'pipe')], '/perception') == []


def test_a_nested_header(tmp_path):
    file = tmp_path / 'parameters.yaml'
    file.write_text('drone1:\n  perception:\n    ros__parameters: {model: x}\n')
    assert started('--params-file', str(file), '-r', '__ns:=/drone1') == ({'model'}, [])
    reached, said = started('--params-file', str(file))
    assert not reached and 'drone1/perception:' in said[0]


def test_in_a_file_for_several_nodes_only_what_was_meant_for_this_one_is_told(tmp_path):
    file = tmp_path / 'parameters.yaml'
    camera = 'camera: {ros__parameters: {frame_id: lens}}\n'
    shared = '/**: {ros__parameters: {use_sim_time: false}}\n'
    file.write_text(camera + shared)
    assert started('--params-file', str(file))[1] == []
    file.write_text(camera + shared + 'perception_node: {ros__parameters: {model: x}}\n')
    (said,) = started('--params-file', str(file))[1]
    assert 'below perception_node: are' in said
