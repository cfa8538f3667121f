# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One bad file among several: named once, and nothing else is lost; a proof is not given."""

from __future__ import annotations

import json
import os
from pathlib import Path
import shutil
import struct

import cv2
import numpy as np
import pytest

from test.hostile.__main__ import MODEL

JPEG = cv2.imencode('.jpg', np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8))[1]
IMAGE = JPEG.tobytes()
SIZE = IMAGE.find(b'\xff\xc0') + 5
CONTENTS = {
    'damaged': IMAGE[:200] + bytes(len(IMAGE) - 200),
    'cut': IMAGE[: len(IMAGE) // 2],
    'empty': b'',
    'huge': IMAGE[:SIZE] + struct.pack('>HH', 60_000, 60_000) + IMAGE[SIZE + 4 :],
}
FAULTS = [*CONTENTS, 'folder', 'pipe']


def bad_file(folder: Path, fault: str) -> Path:
    path = folder / f'{fault}.jpg'
    if fault == 'folder':
        path.mkdir()
    elif fault == 'pipe':
        os.mkfifo(path)
    else:
        path.write_bytes(CONTENTS[fault])
    return path


@pytest.mark.parametrize('engine', ['onnxruntime', 'all'])
def test_run_shows_what_can_be_read_and_names_each_of_the_others_once(invoke, tmp_path, engine):
    pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed')
    names = [bad_file(tmp_path, each) for each in FAULTS]
    good = tmp_path / 'good.jpg'
    good.write_bytes(IMAGE)
    result = invoke('run', MODEL, *names, good, '--engine', engine, '--json')
    assert result.exit_code == 1
    if engine == 'all':
        frames = [each['frames'] for each in json.loads(result.stdout) if not each['trouble']]
    else:
        frames = [Path(json.loads(line)['file']) == good for line in result.stdout.splitlines()]
    assert frames and set(frames) == {1}
    for name in names:
        said = [line for line in result.stderr.splitlines() if str(name) in line]
        assert len(said) == 1 and said[0].startswith('error [bad_image]: '), (name, said)


@pytest.mark.parametrize('fault', CONTENTS)
def test_a_proof_is_not_given_where_an_image_cannot_be_read(invoke, tmp_path, fault):
    pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed')
    artifact = Path(shutil.copy(MODEL / 'model.onnx', tmp_path))
    images = tmp_path / 'images'
    images.mkdir()
    (images / 'good.jpg').write_bytes(IMAGE)
    name = bad_file(images, fault)
    result = invoke('verify', artifact, '--reference', MODEL, '--images', images)
    assert result.exit_code == 2, result.output
    assert str(name) in result.stderr and result.stderr.count('error [') == 1
    assert not list(tmp_path.rglob('*.proof.json'))
