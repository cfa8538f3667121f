# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``bench --node``: real node, real camera, real DDS, for moments."""

from __future__ import annotations

import json
import subprocess

import pytest

from edge_perception.cli.model import bench_node as bench_node


@pytest.mark.slow
def test_the_node_is_measured_with_the_names_of_ros2_benchmark(invoke):
    result = invoke(
        *('bench', 'landing_pad', '--node', '--engine', 'onnxruntime'),
        *('--rates', '10', '--seconds', '1', '--json'),
    )
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    loaded = [report[name] for name in ('engine', 'artifact', 'precision')]
    assert loaded == ['onnxruntime', 'model.onnx', 'fp32']
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
        (('--artifact', 'int8.tflite'), '--artifact: about the engine alone, expected no --node'),
        (
            ('--threads', '1', '--frames', '9', '--manifest', 'm.yaml', '--report', 'r.html'),
            '--manifest, --threads, --frames, --report: about the engine alone, expected no',
        ),
        (('--engine', 'all'), "--engine: got 'all', a node has one; expected its name, or auto"),
        (
            ('-o', 'threads=1'),
            "got 'threads=1', expected engine.name=value with --engine auto",
        ),
    ],
)
def test_flags_that_make_no_sense_are_refused(invoke, flags, sentence):
    result = invoke('bench', 'landing_pad', '--node', *flags)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_flags_of_the_node_are_refused_without_it(invoke):
    flags = ('--size', '320x240', '--compressed', '--budget-ms', '9', '--seconds', '1')
    result = invoke('bench', 'landing_pad', *flags)
    assert result.exit_code == 2
    assert '--seconds, --size, --compressed, --budget-ms: about the node, expected --node' in (
        result.stderr
    )


@pytest.fixture
def active_node(monkeypatch):
    """A node that is active at once, and the parameters that it was given."""
    given = []

    class Node:
        def __init__(self, name, module, parameters, **extra):
            given.append(parameters)

        def last_words(self):
            return ['active, /camera/image_raw']

        def end(self):
            pass

    monkeypatch.setattr(bench_node, 'Child', Node)
    return given


def test_rates_that_the_camera_cannot_keep_are_left_out(invoke, active_node, monkeypatch):
    def hang(command, *, timeout, **extra):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, 'run', hang)
    result = invoke('bench', 'landing_pad', '--node', '--rates', '10', '--seconds', '1')
    assert result.exit_code == 1
    for rate in (2, 10):
        assert f'at {rate} Hz the camera did not get its images out in 91 s' in result.stderr


def test_a_camera_that_fails_has_its_last_words_on_either_stream(invoke, active_node, monkeypatch):
    def fail(command, **extra):
        return subprocess.CompletedProcess(command, 1, '', 'Traceback:\nMemoryError: too large\n')

    monkeypatch.setattr(subprocess, 'run', fail)
    options = ('--engine', 'openvino', '-o', 'device=GPU', '-o', 'threads=2')
    result = invoke('bench', 'landing_pad', '--node', *options)
    assert result.exit_code == 1
    assert 'MemoryError: too large' in result.stderr
    (parameters,) = active_node
    assert parameters['engine_options.openvino.device'] == 'GPU'
    assert parameters['engine_options.openvino.threads'] == 2
