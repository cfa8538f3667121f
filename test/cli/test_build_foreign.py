# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Builders of other people: for a device of their own, or not finished."""

from __future__ import annotations

from dataclasses import dataclass
import json
from pathlib import Path
import re

from edge_perception_onnxruntime.builder import OnnxRuntimeBuilder
from edge_perception_onnxruntime.engine import OnnxRuntimeEngineType
from edge_perception_onnxruntime.options import OnnxRuntimeOptions
import pytest

from edge_perception.cli.model import build as build_command_module
from edge_perception.contract import ArtifactError
from edge_perception.contract import BuildReport
from edge_perception.contract import FOLDER
from edge_perception.contract import option
from edge_perception.contract import Options
from edge_perception.models.digests import artifact_sha256
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.proofs import read_proof
from test.cli.build_rig import build
from test.cli.build_rig import refused


@pytest.fixture
def offer(monkeypatch):
    """Have the command find another builder, and another engine, beside those that are there."""

    def call(builder, engine_type=None) -> None:
        def host() -> PluginHost:
            made = PluginHost()
            made.builders[builder.name] = builder
            if engine_type is not None:
                made.engines[engine_type.name] = engine_type
            return made

        monkeypatch.setattr(build_command_module, 'PluginHost', host)

    return call


@dataclass(frozen=True, slots=True)
class StickOptions(Options):
    device: str = option('cpu', 'cpu or stick')


class StickType(OnnxRuntimeEngineType):
    """Runs nothing that was made for the stick unless it is told to take the stick."""

    name = 'stick'
    options_type = StickOptions

    def precision(self, options):
        return 'fp32'

    def device_key(self, options):
        return options.device

    def create(self, manifest, artifact, options):
        if options.device != 'stick' and artifact.name == 'net_fp16.onnx':
            raise ArtifactError(artifact, reason='was made for the stick', remedy='set device')
        return super().create(manifest, artifact, OnnxRuntimeOptions())


class StickBuilder(OnnxRuntimeBuilder):
    name = 'sticks'
    engine = 'stick'

    def engine_options(self, options):
        return {'device': 'stick'}


def test_what_only_one_device_runs_is_judged_and_proven_on_it(invoke, folder, offer):
    offer(StickBuilder(), StickType())
    result = build(invoke, folder, '--precision', 'fp16', target='sticks')
    assert result.exit_code == 0, result.output
    (artifact,) = re.findall('^artifact: (.*)$', result.stdout, re.MULTILINE)
    assert read_proof(Path(artifact), 'stick').device == 'stick'
    assert '--engine stick --precision fp16 --option device=stick' in result.stdout
    parameters = 'engine: stick, engine_options.stick.device: stick, precision: fp16'
    assert f'node: {parameters}' in result.stdout
    again = build(invoke, folder, '--precision', 'fp16', '--json', target='sticks')
    assert json.loads(again.stdout)['cached']


@pytest.mark.parametrize('method', ['build', 'fingerprint', 'source_form', 'engine_options'])
def test_a_builder_that_its_author_did_not_finish_is_named(
    invoke, folder, left, offer, monkeypatch, method
):
    class Careless(OnnxRuntimeBuilder):
        name = 'careless'
        engine = 'onnxruntime'

    def fail(self, *arguments):
        Path('absent').read_bytes()

    monkeypatch.setattr(Careless, method, fail)
    offer(Careless())
    said = refused(build(invoke, folder, target='careless'), left)
    assert 'target careless: its builder failed: FileNotFoundError: ' in said
    assert said.endswith('report it to its author')


class WrongType(OnnxRuntimeEngineType):
    """Computes other numbers than the file says, as a runtime does that has a bug in INT8."""

    name = 'wrong'

    def create(self, manifest, artifact, options):
        engine = super().create(manifest, artifact, options)
        infer = engine._infer
        engine._infer = lambda tensors: {k: 1 - v for k, v in infer(tensors).items()}
        return engine


class WrongBuilder(OnnxRuntimeBuilder):
    name = engine = 'wrong'
    keeps_float = True


def test_an_engine_that_computes_int8_wrongly_is_blamed_and_not_the_images(invoke, folder, offer):
    offer(WrongBuilder(), WrongType())
    extra = ['--precision', 'int8', '--calibration', folder / 'golden', '--json']
    result = build(invoke, folder, *extra, target='wrong')
    assert result.exit_code == 3, result.output
    said = json.loads(result.stdout)['notes'][-1]
    assert said.startswith('the same INT8 file passes on onnxruntime: onnxruntime ')
    assert '--target onnxruntime or --precision fp16' in said


class BoxType(OnnxRuntimeEngineType):
    """Reads its artifact out of a folder, and says in what it computes."""

    name = 'boxes'
    artifact_suffixes = ('.box',)
    artifact_parts = {'.box': (FOLDER,)}

    def create(self, manifest, artifact, options):
        engine = super().create(manifest, artifact / 'deep' / 'net.onnx', options)
        engine.precision = 'bf16'  # as a runtime says that chooses itself
        return engine


class BoxBuilder(OnnxRuntimeBuilder):
    name = 'boxes'
    suffix = '.box'
    engine = ''

    def build(self, plan, workspace):
        folder = workspace / 'net_fp32.box' / 'deep'
        folder.mkdir(parents=True)
        plan.copy_source(folder / 'net.onnx')
        return BuildReport(folder.parent, versions={'box': '1'})


def test_an_artifact_that_is_a_folder_is_cached_copied_and_proven(invoke, folder, offer, tmp_path):
    offer(BoxBuilder(), BoxType())
    result = build(invoke, folder, '--output', str(tmp_path / 'out'), target='boxes')
    assert result.exit_code == 0, result.output
    again = build(invoke, folder, '--output', str(tmp_path / 'out'), '--json', target='boxes')
    values = json.loads(again.stdout)
    assert values['cached'] and values['artifact'] == str(tmp_path / 'out' / 'net_fp32.box')
    artifact = Path(values['artifact'])
    assert (artifact / 'deep' / 'net.onnx').is_file()
    proof = read_proof(artifact, 'boxes')
    assert (proof.artifact_sha256, proof.computed) == (artifact_sha256(artifact), 'bf16')
    assert sorted(each.name for each in artifact.parent.iterdir()) == [
        'net_fp32.box',
        'net_fp32.box.boxes.proof.json',
    ]
