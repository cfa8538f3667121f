# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``bench --node``: real node, real camera, real DDS, for moments."""

from __future__ import annotations

import json

import pytest


@pytest.mark.slow
def test_the_node_is_measured_with_the_names_of_ros2_benchmark(invoke):
    result = invoke(
        *('bench', 'landing_pad', '--node', '--engine', 'onnxruntime'),
        *('--rates', '10', '--seconds', '1', '--json'),
    )
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report['over_budget'] == 0
    assert report['peak_hz'] >= 2
    metrics = report['runs']['10fps']
    assert metrics['BasicPerformanceMetrics.NUM_FRAMES_SENT'] == 10
    assert metrics['BasicPerformanceMetrics.MEAN_LATENCY'] > 0


def test_a_node_that_cannot_start_says_why(invoke):
    result = invoke('bench', 'landing_pad', '--node', '--engine', 'onnxruntim', '--seconds', '1')
    assert result.exit_code == 1
    assert 'the node did not answer: ' in result.stderr
    assert "did you mean 'onnxruntime'?" in result.stderr


@pytest.mark.parametrize(
    ('flags', 'sentence'),
    [
        (('--size', '640'), "--size: got '640', expected e.g. 640x480"),
        (('--rates', 'fast'), "--rates: got 'fast', expected e.g. 10,30"),
    ],
)
def test_flags_that_make_no_sense_are_refused(invoke, flags, sentence):
    result = invoke('bench', 'landing_pad', '--node', *flags)
    assert result.exit_code == 2
    assert sentence in result.stderr
