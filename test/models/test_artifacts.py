# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
import json
import os

import onnx
import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import InputRecipe
from edge_perception.contract import LabelMap
from edge_perception.contract import ModelManifest
from edge_perception.contract import option
from edge_perception.contract import Options
from edge_perception.contract.loading import processor
from edge_perception.models.artifact_directories import cache_directory
from edge_perception.models.artifacts import ArtifactRequest
from edge_perception.models.artifacts import choose_artifact
from edge_perception.models.digests import artifact_sha256
from edge_perception.models.digests import file_sha256
from edge_perception.models.finding import Model
from edge_perception.models.proofs import Proof
from edge_perception.models.proofs import proof_path
from edge_perception.models.proofs import read_proof
from edge_perception.models.proofs import write_proof
from edge_perception.testing import FakeEngineType
from test.support.networks import save_conv
from test.support.raising import raises

UNPROVEN = ArtifactRequest(allow_unverified=True)


@dataclass(frozen=True, slots=True)
class Precise(Options):
    precision: str = option('fp32', 'of the computation')


class Planner(FakeEngineType):
    """Loads plans, which are made for one device."""

    name = 'planner'
    artifact_suffixes = ('.plan',)

    def device_key(self, options):
        return 'GPU 7'


class Reader(FakeEngineType):
    """Loads ONNX, and computes in what its options say."""

    name = 'reader'
    artifact_suffixes = ('.onnx',)
    options_type = Precise

    def precision(self, options):
        return options.precision


@pytest.fixture
def model(tmp_path):
    source = tmp_path / 'net.onnx'
    source.write_bytes(b'the network')
    (tmp_path / 'artifacts').mkdir()
    manifest = ModelManifest(
        name='net', source='net.onnx', decoder='fake', input=InputRecipe(width=4, height=4)
    )
    return Model(folder=tmp_path, manifest=manifest, source=source)


@pytest.fixture
def add(model):
    """Return a function that puts an artifact into the model folder, with a proof if one is."""

    def write(name, *, engine='planner', precision='fp16', proven=True, **changes):
        path = model.folder / 'artifacts' / name
        path.write_bytes(name.encode())
        proof = Proof(
            artifact_sha256=file_sha256(path),
            model_digest=model.digest(),
            engine=engine,
            precision=precision,
            reference='net.onnx on onnxruntime',
            passed=True,
        )
        if proven:
            write_proof(path, replace(proof, **changes))
        return path

    return write


def choose(model, engine_type, options=None, **request):
    options = options or engine_type.options_type()
    return choose_artifact(model, engine_type, options, request=ArtifactRequest(**request))


def refusal(model, engine_type, options=None, **request):
    with pytest.raises(ArtifactError) as raised:
        choose(model, engine_type, options, **request)
    return str(raised.value).replace(str(model.folder), 'M')


def test_the_onnx_of_a_model_in_float32_needs_no_proof(model):
    chosen = choose(model, Reader())
    assert (chosen.path, chosen.precision, chosen.warning) == (model.source, 'fp32', '')


def test_what_was_made_for_the_device_comes_before_what_any_runs(model, add):
    """A Coral does not run the TFLite from which its own file was compiled."""
    add('net_int8.plan', precision='int8')
    wanted = add('net_int8_edgetpu.plan', precision='int8', device='GPU 7')
    assert choose(model, Planner(), precision='int8').path == wanted


def test_the_same_onnx_computed_in_less_needs_one(model):
    assert refusal(model, Reader(), Precise('bf16')) == (
        'artifact M/net.onnx: not verified against the reference in bf16 on '
        'reader; verify it: edge-perception verify M/net.onnx --reference M --images FOLDER '
        '--engine reader -o precision=bf16, or set allow_unverified'
    )


def test_a_proof_made_in_float32_says_nothing_of_less(model, add):
    path = add('a.onnx', engine='reader', precision='fp32')
    sentence = refusal(model, Reader(), Precise('bf16'), path=str(path))
    assert sentence == (
        'artifact M/artifacts/a.onnx: was compared in fp32, not in bf16; verify it: '
        'edge-perception verify M/artifacts/a.onnx --reference M --images FOLDER '
        '--engine reader -o precision=bf16, or set allow_unverified'
    )
    chosen = choose(model, Reader(), Precise('bf16'), path=str(path), allow_unverified=True)
    assert chosen.warning == 'was compared in fp32, not in bf16'


def test_a_proof_made_in_less_is_good_for_that_and_for_float32(model, add):
    path = add('a.onnx', engine='reader', precision='int8', computed='bf16')
    for precision in ('bf16', 'fp32'):
        chosen = choose(model, Reader(), Precise(precision), path=str(path))
        assert (chosen.precision, chosen.warning) == ('int8', '')
    assert 'was compared in bf16, not in fp16' in refusal(
        model, Reader(), Precise('fp16'), path=str(path)
    )


def test_a_sidecar_that_does_not_say_in_what_was_computed_is_of_float32(model, add):
    path = add('a.onnx', engine='reader', precision='fp32')
    sidecar = proof_path(path, 'reader')
    values = json.loads(sidecar.read_text())
    del values['computed']
    sidecar.write_text(json.dumps(values))
    assert choose(model, Reader(), path=str(path)).warning == ''
    assert 'was compared in fp32' in refusal(model, Reader(), Precise('bf16'), path=str(path))


def save_ir(path):
    path.write_text('<net/>')
    weights = path.with_suffix('.bin')
    weights.write_bytes(bytes(16))
    return weights


def save_onnx_in_two_files(path):
    network = onnx.load(save_conv(path))
    weights = 'net.weights'
    onnx.save(network, path, save_as_external_data=True, location=weights, size_threshold=0)
    return path.with_name(weights)


def save_named(path):
    """Save an artifact that names a file of another stem."""
    path.write_text('{"weights": "of_a.data"}')
    weights = path.with_name('of_a.data')
    weights.write_bytes(bytes(16))
    return weights


def save_stem(path):
    path.write_bytes(b'plan')
    weights = path.with_name(f'{path.stem}.weights')
    weights.write_bytes(bytes(16))
    return weights


@pytest.mark.parametrize(
    ('name', 'save'),
    [
        ('a.plan', save_ir),
        ('a.plan', save_named),
        ('a.plan', save_stem),
        ('a.onnx', save_onnx_in_two_files),
    ],
)
def test_weights_beside_an_artifact_are_a_part_of_it(model, name, save):
    engine_type = Reader() if save is save_onnx_in_two_files else Planner()
    path = model.folder / 'artifacts' / name
    weights = save(path)
    proof = Proof(
        artifact_sha256=artifact_sha256(path),
        model_digest=model.digest(),
        engine=engine_type.name,
        precision='fp16',
        reference='net.onnx on onnxruntime',
        passed=True,
    )
    write_proof(path, proof)
    assert choose(model, engine_type, path=str(path)).path == path
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    said = refusal(model, engine_type, path=str(path))
    assert said.startswith(f'artifact M/artifacts/{name}: was changed after it was proven; verify')


def test_other_models_and_proofs_beside_an_artifact_are_no_part_of_it(model, add):
    path = add('a.plan')
    for name in ('a.tflite', 'a.onnx', 'b.bin', 'a.plan.other.proof.json', 'a.plan.gate.html'):
        path.with_name(name).touch()
    assert choose(model, Planner()).warning == ''


def test_an_artifact_of_one_file_has_the_digest_of_that_file(model):
    path = model.folder / 'artifacts' / 'net.plan'
    path.write_bytes(b'plan')
    assert artifact_sha256(path) == file_sha256(path)


def test_a_model_that_was_never_built_says_how_to_build_it(model):
    assert refusal(model, Planner()) == (
        'artifact M: has nothing that the engine planner reads (.plan), neither in its folder '
        'artifacts nor in the cache; build it: edge-perception build M --target planner '
        '--images FOLDER'
    )
    assert refusal(model, Planner(), precision='int8').endswith(
        'planner --precision int8 --calibration FOLDER --images FOLDER'
    )
    (model.folder / 'golden').mkdir()
    assert refusal(model, Planner(), precision='fp16').endswith('planner --precision fp16')


def test_a_model_without_a_folder_of_its_own_is_called_by_its_file(model):
    bare = replace(model, named=model.source)
    command = 'edge-perception build M/net.onnx --target planner'
    assert f'build it: {command}' in refusal(bare, Planner())


def test_a_proven_artifact_is_taken(model, add):
    path = add('net.plan')
    assert choose(model, Planner()).path == path


def test_without_a_wish_the_most_exact_is_taken(model, add):
    add('a.plan', precision='int8')
    exact = add('b.plan', precision='fp16')
    assert choose(model, Planner()).path == exact
    assert choose(model, Planner(), precision='int8').path.name == 'a.plan'


def test_an_unproven_artifact_is_refused_unless_the_user_says_so(model, add):
    path = add('net.plan', proven=False)
    assert refusal(model, Planner()).startswith(
        'artifact M/artifacts/net.plan: not verified against the reference on planner; '
        'verify it: edge-perception verify M/artifacts/net.plan --reference M --images FOLDER '
        '--engine planner'
    )
    chosen = choose(model, Planner(), allow_unverified=True)
    assert chosen.path == path
    assert 'not verified' in chosen.warning


def test_a_proven_one_goes_before_one_that_is_not(model, add):
    add('a.plan', proven=False)
    proven = add('b.plan')
    assert choose(model, Planner(), allow_unverified=True).path == proven


def test_a_proof_for_one_engine_says_nothing_of_another(model, add):
    add('net.plan', engine='somebody')
    assert 'not verified against the reference on planner' in refusal(model, Planner())


def test_an_artifact_that_was_changed_after_its_proof_is_not_proven(model, add):
    add('net.plan').write_bytes(b'something else')
    assert 'was changed after it was proven' in refusal(model, Planner())


def test_an_artifact_of_an_older_model_is_never_loaded(model, add):
    add('net.plan')
    model.source.write_bytes(b'a better network')
    assert refusal(model, Planner(), allow_unverified=True) == (
        'artifact M/artifacts/net.plan: was proven for another net.onnx, input, decoder or '
        'labels; build it again: edge-perception build M --target planner --precision fp16 '
        '--images FOLDER, or verify it: edge-perception verify M/artifacts/net.plan --reference M '
        '--images FOLDER --engine planner --precision fp16'
    )


@pytest.mark.parametrize(
    'changes',
    [
        {'input': InputRecipe(width=4, height=4, scale=0.5)},
        {'input': InputRecipe(width=4, height=4, color='bgr')},
        {'input': InputRecipe(width=4, height=4, mean=(1.0, 1.0, 1.0))},
        {'decoder': 'other'},
        {'decoder_options': {'layout': 'nhwc'}},
        {'labels': LabelMap(('cat',))},
    ],
)
def test_a_proof_ends_with_what_decides_what_is_seen(model, add, changes):
    add('net.plan')
    other = replace(model, manifest=replace(model.manifest, **changes))
    assert 'was proven for another net.onnx' in refusal(other, Planner(), allow_unverified=True)
    assert cache_directory(other) != cache_directory(model)


def test_a_proof_outlives_what_is_only_said_of_a_model(model, add):
    path = add('net.plan')
    told = replace(
        model.manifest, license='MIT', description='a net', name='n', gate={'fp16': {'iou': 0.5}}
    )
    (model.folder / 'golden').mkdir()
    (model.folder / 'golden' / 'a.png').touch()
    other = replace(model, manifest=told)
    assert choose(other, Planner()).path == path
    assert cache_directory(other) == cache_directory(model)


def test_a_proof_ends_with_the_weights_of_the_model(model, add):
    weights = save_onnx_in_two_files(model.source)
    add('net.plan')
    weights.write_bytes(bytes(len(weights.read_bytes())))
    assert 'was proven for another net.onnx' in refusal(model, Planner())


def test_what_is_of_another_precision_than_the_one_wanted_is_not_complained_about(model, add):
    add('net.plan', device='GPU 8')
    sentence = refusal(model, Planner(), precision='int8')
    assert 'has nothing in int8 that the engine planner reads' in sentence


def test_an_artifact_of_another_device_is_never_loaded(model, add):
    add('net.plan', device='GPU 8')
    assert 'was made for GPU 8, this is GPU 7' in refusal(model, Planner(), allow_unverified=True)
    add('net.plan', device='GPU 7')
    assert choose(model, Planner()).path.name == 'net.plan'


def test_an_artifact_that_was_rejected_is_never_loaded(model, add):
    add('net.plan', passed=False)
    sentence = refusal(model, Planner(), allow_unverified=True)
    assert 'was compared with net.onnx on onnxruntime and rejected' in sentence


def test_a_damaged_proof_is_said(model, add):
    path = add('net.plan')
    proof_path(path, 'planner').write_text('{"proof_version": 1, "color": "red"}')
    assert 'its proof net.plan.planner.proof.json cannot be read: proof_version: got 1' in refusal(
        model, Planner()
    )
    proof_path(path, 'planner').write_text('nothing')
    assert 'cannot be read' in refusal(model, Planner())


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('passed', 'no'),
        ('passed', 1),
        ('passed', None),
        ('precision', ['fp16']),
        ('artifact_sha256', 7),
        ('model_digest', ''),
        ('device', 0),
        ('computed', False),
        ('figures', []),
        ('versions', {'engine': 1}),
        ('options', 'threads'),
        ('proof_version', True),
        ('proof_version', '2'),
        ('color', 'red'),
    ],
)
def test_a_proof_with_a_value_of_another_type_is_refused(model, add, key, value):
    path = add('net.plan')
    sidecar = proof_path(path, 'planner')
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), key: value}))
    with raises(ArtifactError, f'{key}: ', artifact=path):
        read_proof(path, 'planner')
    assert 'cannot be read' in refusal(model, Planner(), allow_unverified=True)


def test_a_proof_that_is_no_file_or_too_large_is_refused(model, add):
    path = add('net.plan', proven=False)
    sidecar = proof_path(path, 'planner')
    os.mkfifo(sidecar)
    assert 'cannot be read: it is a pipe' in refusal(model, Planner())
    sidecar.unlink()
    sidecar.symlink_to('/dev/zero')
    assert 'cannot be read: it is a pipe, socket or device' in refusal(model, Planner())
    sidecar.unlink()
    sidecar.write_text('[' * 500_000)
    assert 'cannot be read: ' in refusal(model, Planner())
    sidecar.write_bytes(bytes(2 << 20))
    assert 'at most 1048576 are read' in refusal(model, Planner())


def test_a_file_may_be_named(model, add, tmp_path):
    add('a.plan')
    other = add('b.plan', precision='int8')
    assert choose(model, Planner(), path=str(other)).path == other
    assert refusal(model, Planner(), path=str(tmp_path / 'no.plan')) == (
        'artifact M/no.plan: no such file; correct the path'
    )
    assert refusal(model, Planner(), path=str(model.source)) == (
        'artifact M/net.onnx: the engine planner reads .plan; '
        'name such a file, or the engine that reads this one'
    )


def test_a_proof_reads_back_as_it_was_written(add):
    path = add('net.plan', figures={'lost': 0}, versions={'planner': '1.0'}, made='2026-01-01')
    proof = read_proof(path, 'planner')
    assert (proof.figures, proof.versions, proof.made) == (
        {'lost': 0},
        {'planner': '1.0'},
        '2026-01-01',
    )
    assert read_proof(path, 'somebody') is None


def test_a_file_beside_the_model_is_named_with_what_to_do(model, add):
    for path in add('net.plan').parent.iterdir():
        path.rename(model.folder / path.name)
    assert (
        'net.plan beside the model is not looked at: move it and its proof to M/artifacts, or '
        'name it (artifact, for commands --artifact); or build it: '
    ) in refusal(model, Planner())
    proof_path(model.folder / 'net.plan', 'planner').unlink()
    (model.folder / 'golden').mkdir()
    assert (
        'net.plan beside the model is not looked at: verify it: edge-perception verify M/net.plan '
        '--reference M --engine planner --precision fp32, then move it and its proof to '
        'M/artifacts, or name it'
    ) in refusal(model, Planner())


def test_the_command_that_verifies_names_the_precision_that_was_asked_for(model, add):
    add('net.plan', proven=False)
    said = refusal(model, Planner(), precision='int8')
    assert '--engine planner --precision int8, or set allow_unverified' in said
    add('net_fp16.plan', proven=False).with_name('net.plan').unlink()
    assert '--engine planner --precision fp16, or set' in refusal(model, Planner())


def test_commands_in_sentences_are_quoted_for_the_shell(model):
    spaced = replace(model, named=model.folder / 'my net.onnx')
    assert "edge-perception build 'M/my net.onnx' --target" in refusal(spaced, Planner())


FLOAT16, NO_FLOAT16 = 'Features\t: fp asimd fphp asimdhp crc32', 'Features\t: fp asimd crc32'


@pytest.fixture
def on_arm(tmp_path, monkeypatch):
    """Return a function that lets this machine be one with an Arm processor."""

    def become(features: str) -> None:
        (tmp_path / 'cpuinfo').write_text(f'processor\t: 0\n{features}\n')
        monkeypatch.setattr(processor, 'CPUINFO', tmp_path / 'cpuinfo')
        monkeypatch.setattr(processor.platform, 'machine', lambda: 'aarch64')

    return become


def test_a_proof_of_float16_does_not_reach_a_processor_that_computes_it(model, add, on_arm):
    path = add('a.onnx', engine='reader', machine='desk (x86_64)')
    on_arm(NO_FLOAT16)  # a Cortex-A72 computes in float32, as the machine of the proof
    assert choose(model, Reader(), precision='fp16').path == path
    on_arm(FLOAT16)
    said = refusal(model, Reader(), precision='fp16')
    assert 'on desk (x86_64)' in said
    assert 'edge-perception verify M/artifacts/a.onnx --reference M' in said
    assert choose(model, Reader(), precision='fp16', allow_unverified=True).warning
    add('a.onnx', engine='reader', machine='robot (aarch64)', native_float16=True)
    assert choose(model, Reader(), precision='fp16').proven.endswith('on robot (aarch64)')


@pytest.mark.parametrize('precision', ['fp32', 'int8'])
def test_proofs_of_other_precisions_hold_there(model, add, on_arm, precision):
    path = add('a.plan', precision=precision)
    on_arm(FLOAT16)
    assert choose(model, Planner(), precision=precision).path == path


def test_a_proof_of_float16_for_one_device_holds_there(model, add, on_arm):
    path = add('a.plan', device='GPU 7')
    on_arm(FLOAT16)
    assert choose(model, Planner(), precision='fp16').path == path
