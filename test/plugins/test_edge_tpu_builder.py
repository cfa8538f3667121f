# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

from edge_perception_litert import builder
from edge_perception_litert import edge_tpu
from edge_perception_litert.builder import TfliteBuilder
from edge_perception_litert.edge_tpu_builder import EdgeTpuBuilder
from edge_perception_litert.edge_tpu_builder import EdgeTpuBuilderOptions
from edge_perception_litert.engine import LiteRtEngineType
import pytest

from edge_perception.contract import Availability
from edge_perception.contract import BuildError
from edge_perception.contract import BuildPlan
from edge_perception.contract import BuildReport
from edge_perception.contract import parse_options
from test.support.networks import manifest_for
from test.support.raising import raises

# Stands in for the compiler, which is no Python package; its log is that of version 16.
COMPILER = """#!/bin/sh
if [ "$1" = --version ]; then echo "Edge TPU Compiler version 16.0.384591198"; exit; fi
echo "Number of operations that will run on Edge TPU: $ON_DEVICE"
echo "Number of operations that will run on CPU: $ON_CPU"
if [ -n "$BROKEN" ]; then echo "Internal compiler error. Aborting!"; exit 1; fi
cp "$4" "$3/$(basename "$4" .tflite)_edgetpu.tflite"
"""


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Build with the stand-in, and with a file instead of the conversion that goes before it."""
    tools = tmp_path / 'tools'
    tools.mkdir()
    (tools / 'edgetpu_compiler').write_text(COMPILER)
    (tools / 'edgetpu_compiler').chmod(0o755)
    monkeypatch.setenv('PATH', f'{tools}:/usr/bin:/bin')

    def converted(self, plan: BuildPlan, workspace: Path) -> BuildReport:
        # One layer in float leaves all that is behind it to the CPU.
        assert not plan.keep_float
        (workspace / 'net_int8.tflite').write_bytes(b'net')
        return BuildReport(workspace / 'net_int8.tflite', {'converter': '1'})

    monkeypatch.setattr(TfliteBuilder, 'build', converted)

    def call(*, on_device: int, on_cpu: int, **extra: str) -> BuildReport:
        for name, value in {'ON_DEVICE': on_device, 'ON_CPU': on_cpu, **extra}.items():
            monkeypatch.setenv(name, str(value))
        workspace = tmp_path / 'workspace'
        workspace.mkdir()
        plan = BuildPlan(
            manifest_for(),
            tmp_path / 'net.onnx',
            'int8',
            options=EdgeTpuBuilderOptions(),
            keep_float=('a_layer',),
        )
        return EdgeTpuBuilder().build(plan, workspace)

    return call


def test_what_stays_on_the_cpu_is_said(build):
    report = build(on_device=90, on_cpu=10)
    assert report.artifact.name == 'net_int8_edgetpu.tflite'
    assert report.notes[-1] == '10 of 100 operators stay on the CPU'
    assert report.versions['edgetpu_compiler'] == '16.0.384591198'


def test_too_much_on_the_cpu_fails_the_build(build):
    with raises(BuildError, '60 of 100 operators', 'CPU'):
        build(on_device=40, on_cpu=60)


def test_a_compiler_that_fails_is_a_sentence(build):
    with raises(BuildError, 'net_int8.tflite', 'status 1', 'Internal compiler error'):
        build(on_device=1, on_cpu=1, BROKEN='1')


def test_what_is_compiled_is_proven_on_an_edge_tpu_so_one_has_to_be_there(
    build, tmp_path, monkeypatch
):
    monkeypatch.setattr(edge_tpu, 'ROOT', tmp_path)
    monkeypatch.setattr(
        TfliteBuilder, 'probe', lambda self: Availability(available=True, runtime='onnx2tf')
    )
    missing = EdgeTpuBuilder().probe()
    assert not missing.available
    assert 'no Coral Edge TPU is plugged in' in missing.reason
    assert 'verify it where the Coral is' in missing.remedy
    (tmp_path / 'dev').mkdir()
    (tmp_path / 'dev' / 'apex_0').touch()
    assert EdgeTpuBuilder().probe().available
    values = EdgeTpuBuilder().engine_options(EdgeTpuBuilderOptions())
    engine_type = LiteRtEngineType()
    options = parse_options(engine_type.options_type, values, owner='engine litert')
    assert engine_type.device_key(options) == 'edgetpu'


def test_a_compiler_that_is_missing_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv('PATH', str(tmp_path))
    assert not EdgeTpuBuilder().probe().available


@pytest.mark.parametrize(
    ('script', 'said'),
    [
        (
            'echo "no operator FOO"; exit 1',
            'failed on net (status 1): no operator FOO',
        ),
        ('touch "$HOME/cache"', 'made no file of net: it printed nothing'),
    ],
)
def test_a_converter_that_fails_is_a_sentence(tmp_path, monkeypatch, script, said):
    tool = tmp_path / 'onnx2tf'
    tool.write_text(f'#!/bin/sh\n{script}\n')
    tool.chmod(0o755)
    monkeypatch.setattr(builder, 'converter', lambda: tool)
    (tmp_path / 'net.onnx').touch()
    workspace = tmp_path / 'workspace'
    workspace.mkdir()
    plan = BuildPlan(manifest_for(), tmp_path / 'net.onnx')
    with pytest.raises(BuildError) as raised:
        TfliteBuilder().build(plan, workspace)
    assert str(raised.value) == f'onnx2tf {said}'
