# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_perception.models.digests import artifact_sha256
from edge_perception.models.digests import file_sha256
from edge_perception.models.proofs import Proof
from edge_perception.models.proofs import proof_path
from edge_perception.models.proofs import write_proof
from test.models.artifacts.artifact_rig import choose
from test.models.artifacts.artifact_rig import Planner
from test.models.artifacts.artifact_rig import Precise
from test.models.artifacts.artifact_rig import Reader
from test.models.artifacts.artifact_rig import refusal
from test.models.artifacts.artifact_rig import save_onnx_in_two_files


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


def save_ir(path):
    path.write_text('<net/>')
    weights = path.with_suffix('.bin')
    weights.write_bytes(bytes(16))
    return weights


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
