# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The node loads what ``build`` put into the cache, and refuses what does not fit here."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import json
from pathlib import Path
import re
import shlex
from typing import Any

from click.testing import CliRunner
import cv2
import numpy as np
import pytest
from vision_msgs.msg import Detection2DArray
import yaml

from edge_perception.cli.main import main
from edge_perception.models.proofs import proof_path
from test.support.fake_node import picture
from test.support.graph import PATIENCE_S
from test.support.networks import save_conv
from test.support.world import installed_node
from test.support.world import World
from test.support.world import worlds

MANIFEST: dict[str, Any] = {
    'manifest_version': 1,
    'name': 'net',
    'source': {'file': 'net.onnx'},
    'input': {'width': 6, 'height': 4, 'scale': 0.0001, 'resize': 'stretch'},
    'decoder': {'name': 'heatmap', 'options': {'layout': 'nchw'}},
    'keypoints': ['a', 'b'],
    'selection': {'score_threshold': 0.01},
}
WANTED = {'engine': 'onnxruntime', 'precision': 'fp16', 'latency_budget_ms': 0.0}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a model of one convolution with pictures, and a cache of its own."""
    pytest.importorskip('onnxslim', reason='onnxslim is not installed')
    pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed')
    folder = tmp_path / 'net'
    (folder / 'golden').mkdir(parents=True)
    save_conv(folder / 'net.onnx')
    write_manifest(folder)
    chance = np.random.default_rng(1)
    for index in range(2):
        image = chance.integers(0, 256, (40, 60, 3), np.uint8)
        cv2.imwrite(str(folder / 'golden' / f'{index}.png'), image)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def node(folder: Path) -> Iterator[Callable[..., World]]:
    """Start a node with the real plugins that wants the model in float16."""
    values = {'model': str(folder), **WANTED}
    with worlds() as make:
        yield lambda **more: make(installed_node({**values, **more}))


def write_manifest(folder: Path, **more: Any) -> None:
    (folder / 'model.yaml').write_text(yaml.safe_dump({**MANIFEST, **more}))


def type_in(command: str, *, status: int = 0) -> dict[str, Any]:
    """Run a command as if somebody typed it; return its JSON."""
    program, *arguments = shlex.split(command)
    assert program == 'edge-perception'
    result = CliRunner().invoke(main, [*arguments, '--json'])
    assert result.exit_code == status, result.output
    values: dict[str, Any] = json.loads(result.stdout)
    return values


def build(folder: Path, *, status: int = 0, more: str = '') -> Path:
    command = f'edge-perception build {folder} --target onnxruntime --precision fp16 {more}'
    return Path(type_in(command, status=status)['artifact'])


def refusal(here: World, about: str) -> str:
    """Configure in vain and return what the node says of a thing."""
    assert not here.tester.transition('configure')
    assert here.tester.state() == 'unconfigured'
    sentence = here.logged(about)
    assert sentence.startswith('configure [artifact_unusable]: artifact ')
    return sentence


def command_in(sentence: str) -> str:
    found = re.search(r'build it(?: again)?: (edge-perception build .*)$', sentence)
    assert found, sentence
    return found[1]


def made_for_another_machine(artifact: Path, **changes: Any) -> None:
    path = proof_path(artifact, 'onnxruntime')
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_the_node_loads_what_was_built_and_answers_with_it(node, folder):
    artifact = build(folder)
    here = node()
    keypoints = here.tester.collect(Detection2DArray, '/perception/keypoints')
    assert here.tester.transition('configure')
    assert here.node.session.artifact.path == artifact
    camera = here.camera()
    assert here.tester.transition('activate')
    camera.wait(here.node)
    keypoints.wait(here.node)
    camera.publish(picture(here.now()))
    assert len(keypoints.get(timeout=PATIENCE_S).detections) == 2


def test_without_it_the_sentence_has_the_command_that_makes_it(node, folder):
    here = node()
    type_in(command_in(refusal(here, 'has nothing in fp16 that the engine onnxruntime reads')))
    assert here.tester.transition('configure')


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'device': 'GPU 7, driver 550'}, 'was made for GPU 7, driver 550, this is'),
        ({'versions': {'engine': 'onnxruntime 1.0'}}, 'was built for onnxruntime 1.0, this is'),
    ],
)
def test_what_was_built_for_another_machine_is_refused(node, folder, changes, reason):
    made_for_another_machine(build(folder, more='--images net/golden'), **changes)
    here = node()
    command = command_in(refusal(here, reason))
    assert command.endswith(f'--precision fp16 --images {folder}/golden')
    type_in(command)
    assert here.tester.transition('configure')


def test_what_was_rejected_and_kept_is_refused_until_it_passes(node, folder):
    write_manifest(folder, gate={'fp16': {'snr_db': 1000}})
    build(folder, status=3, more='--keep-rejected')
    here = node(allow_unverified=True)
    rejected = 'was compared with net.onnx on onnxruntime, fp32 and rejected'
    command = command_in(refusal(here, rejected))
    assert type_in(command, status=3)['artifact'] == ''
    assert refusal(here, rejected)
    write_manifest(folder)
    type_in(command)
    assert here.tester.transition('configure')


def test_a_model_that_changed_has_nothing_in_the_cache(node, folder):
    build(folder)
    save_conv(folder / 'net.onnx', channels=2)
    model = (folder / 'net.onnx').read_bytes()
    (folder / 'net.onnx').write_bytes(model.replace(b'net', b'new', 1))
    here = node()
    type_in(command_in(refusal(here, 'has nothing in fp16 that the engine onnxruntime reads')))
    assert here.tester.transition('configure')
