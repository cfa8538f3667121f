# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever an artifact depends on is in its key: nothing stale is ever taken from the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import Availability
from edge_perception.contract import Builder
from edge_perception.contract import BuildError
from edge_perception.contract import BuildPlan
from edge_perception.contract import BuildReport
from edge_perception.contract import LabelMap
from edge_perception.contract import ModelDescription
from edge_perception.contract import Selection
from edge_perception.models.artifact_directories import cache_directory
from edge_perception.models.artifact_directories import cached_entries
from edge_perception.models.artifacts import ArtifactRequest
from edge_perception.models.artifacts import choose_artifact
from edge_perception.models.digests import file_sha256
from edge_perception.models.digests import source_sha256
from edge_perception.models.finding import Model
from edge_perception.models.proofs import Proof
from edge_perception.models.proofs import write_proof
from edge_perception.testing.fakes import FakeEngineType
from edge_perception.tooling.building.artifact_build import BuildRequest
from edge_perception.tooling.building.artifact_cache import locked
from edge_perception.tooling.building.artifact_cache import publish
from edge_perception.tooling.building.artifact_cache import workspace
from edge_perception.tooling.building.calibration_images import find_calibration
from test.support.networks import manifest_for
from test.support.networks import save_conv
from test.support.raising import raises


class Maker(Builder):
    name = 'fake'
    suffix = '.fake'
    precisions = ('fp32', 'fp16', 'int8')

    def __init__(self, **mark: str) -> None:
        self.mark = {'converter': '1.0', 'driver': '550', **mark}

    def probe(self) -> Availability:
        return Availability(available=True)

    def fingerprint(self, plan: BuildPlan) -> Mapping[str, str]:
        return self.mark

    def build(self, plan: BuildPlan, workspace: Path) -> BuildReport:
        raise AssertionError


@pytest.fixture
def model(tmp_path, monkeypatch) -> Model:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return Model(tmp_path, manifest_for(), save_conv(tmp_path / 'net.onnx'))


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / 'pictures'
    folder.mkdir()
    (folder / 'a.png').write_bytes(b'a')
    return lambda: find_calibration((folder,))


def place(order: BuildRequest) -> Path:
    return cache_directory(order.model) / order.entry_name()


def test_the_same_order_has_the_same_place(model, pictures):
    assert place(BuildRequest(model, Maker(), 'int8', pictures())) == place(
        BuildRequest(model, Maker(), 'int8', pictures())
    )


def test_another_model_has_another_place(model):
    before = place(BuildRequest(model, Maker(), 'fp32'))
    save_conv(model.source, channels=3)
    assert place(BuildRequest(model, Maker(), 'fp32')) != before


def test_other_weights_beside_the_model_have_another_place(model):
    onnx.save(
        onnx.load(model.source),
        model.source,
        save_as_external_data=True,
        location='net.data',
        size_threshold=0,
    )
    before = place(BuildRequest(model, Maker(), 'fp32')), source_sha256(model.source)
    weights = model.folder / 'net.data'
    weights.write_bytes(bytes(len(weights.read_bytes())))
    assert place(BuildRequest(model, Maker(), 'fp32')) != before[0]
    assert source_sha256(model.source) != before[1]


def test_another_precision_has_another_place(model):
    assert place(BuildRequest(model, Maker(), 'fp32')) != place(
        BuildRequest(model, Maker(), 'fp16')
    )


@pytest.mark.parametrize('mark', [{'converter': '1.1'}, {'driver': '560'}, {'device': 'GPU'}])
def test_another_converter_driver_or_device_has_another_place(model, mark):
    assert place(BuildRequest(model, Maker(), 'fp16')) != place(
        BuildRequest(model, Maker(**mark), 'fp16')
    )


def test_other_calibration_pictures_have_another_place(model, pictures):
    before = place(BuildRequest(model, Maker(), 'int8', pictures()))
    (model.folder / 'pictures' / 'a.png').write_bytes(b'b')
    assert place(BuildRequest(model, Maker(), 'int8', pictures())) != before


def test_another_input_has_another_place(model):
    other = replace(model.manifest, input=replace(model.manifest.input, scale=0.5))
    assert place(BuildRequest(model, Maker(), 'fp32')) != place(
        BuildRequest(replace(model, manifest=other), Maker(), 'fp32')
    )


@pytest.mark.parametrize(
    'change',
    [
        {'decoder_options': {'layout': 'nhwc'}},
        {'labels': LabelMap(('a', 'b'))},
        {'selection': Selection(score_threshold=0.9)},
    ],
)
def test_whatever_the_gate_judges_by_has_another_place(model, change):
    other = replace(model.manifest, **change)
    assert place(BuildRequest(model, Maker(), 'fp32')) != place(
        BuildRequest(replace(model, manifest=other), Maker(), 'fp32')
    )


def test_stricter_limits_have_another_place(model):
    strict = replace(model.manifest, gate={'fp32': {'snr_db': 90}})
    assert place(BuildRequest(model, Maker(), 'fp32')) != place(
        BuildRequest(replace(model, manifest=strict), Maker(), 'fp32')
    )


def test_a_precision_that_the_target_lacks_is_refused(model):
    class Half(Maker):
        precisions = ('fp16',)

    with raises(BuildError, 'int8', 'fp16'):
        BuildRequest(model, Half(), 'int8')


class OneEngine(FakeEngineType):
    """Loads what Maker makes; says which runtime and device it is."""

    artifact_suffixes = ('.fake',)
    runtime, key = 'fake 1.0', 'GPU 550'

    def probe(self) -> Availability:
        return Availability(available=True, runtime=self.runtime)

    def device_key(self, options) -> str:
        return self.key

    def describe(self, artifact) -> ModelDescription:
        raise AssertionError


@pytest.fixture
def built(model):
    """Put a proven artifact in the cache; return what makes an engine choose."""
    directory, name = cache_directory(model), 'fp16-fake-1'
    with locked(directory, name, waiting=lambda: None), workspace(directory, name) as folder:
        made = folder / 'made'
        made.mkdir()
        artifact = made / 'net.fake'
        artifact.write_bytes(b'net')
        write_proof(
            artifact,
            Proof(
                artifact_sha256=file_sha256(artifact),
                model_digest=model.digest(),
                engine=OneEngine.name,
                precision='fp16',
                reference='net.onnx',
                passed=True,
                device='GPU 550',
                versions={'engine': 'fake 1.0'},
            ),
        )
        publish(made / 'net.fake', directory, name, values={})

    def choose(engine_type=None):
        engine_type = engine_type or OneEngine()
        cached = cached_entries(model)
        options = engine_type.options_type()
        return choose_artifact(
            model, engine_type, options, request=ArtifactRequest(), cached=cached
        )

    return choose


def test_an_engine_loads_what_was_built_for_this_machine(built):
    chosen = built()
    assert chosen.path.name == 'net.fake'
    assert not chosen.warning


def test_a_model_that_changed_has_nothing_built(built, model):
    save_conv(model.source, channels=3)
    with raises(ArtifactError, 'edge-perception build '):
        built()


def test_another_driver_is_refused_with_the_command(built):
    other = OneEngine()
    other.key = 'GPU 560'
    with raises(ArtifactError, 'GPU 550', 'GPU 560', 'edge-perception build '):
        built(other)


def test_another_runtime_is_refused_with_the_command(built):
    other = OneEngine()
    other.runtime = 'fake 2.0'
    with raises(ArtifactError, 'fake 1.0', 'fake 2.0', 'edge-perception build '):
        built(other)
