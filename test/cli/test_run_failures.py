# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What `run` says and leaves when an engine or a source fails."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_perception.cli.perception import run
from edge_perception.contract import dump_manifest
from edge_perception.contract import InferenceError
from edge_perception.models.plugin_host import PluginHost
from edge_perception.testing import FakeDecoder
from edge_perception.testing import FakeEngineType
from test.support.networks import manifest_for


@pytest.fixture
def failing(monkeypatch, tmp_path):
    """Make a model on an engine that behaves as the test says."""

    def prepare(behavior) -> Path:
        host = PluginHost(candidates=[])
        host.engines['fake'] = FakeEngineType(behavior)
        host.decoders['fake'] = FakeDecoder
        monkeypatch.setattr(run, 'PluginHost', lambda: host)
        manifest = dump_manifest(manifest_for()) | {'decoder': {'name': 'fake'}}
        (tmp_path / 'net.onnx').touch()
        (tmp_path / 'model.yaml').write_text(json.dumps(manifest))
        return tmp_path

    return prepare


def test_an_engine_that_fails_is_an_error_and_no_empty_result(invoke, failing, street, tmp_path):
    def fail() -> None:
        raise InferenceError('out of memory on the device')

    result = invoke(
        'run', failing(fail), street, '--engine', 'fake', '--json', '--out', tmp_path / 'o'
    )
    assert result.exit_code == 1
    assert result.stdout == ''
    assert result.stderr == 'error [engine_failed]: out of memory on the device\n'
    assert not (tmp_path / 'o').exists()


def test_an_interrupted_video_leaves_no_half_file(invoke, failing, shared_data, tmp_path):
    calls = iter(range(3))

    def interrupt() -> None:
        if next(calls, None) is None:
            raise KeyboardInterrupt

    video = shared_data / 'video/bottle-detection.mp4'
    out = tmp_path / 'out'
    result = invoke('run', failing(interrupt), video, '--engine', 'fake', '--out', out)
    assert result.exit_code == 1
    assert list(out.iterdir()) == []


def test_a_drawn_video_survives_a_source_that_breaks_off(invoke, failing, shared_data, tmp_path):
    """A film whose end is missing gives the frames that it has, and a note."""
    film = cv2.VideoWriter(
        str(tmp_path / 'film.avi'), cv2.VideoWriter.fourcc(*'MJPG'), 10, (64, 48)
    )
    for level in range(0, 250, 10):
        film.write(np.full((48, 64, 3), level, np.uint8))
    film.release()
    whole = (tmp_path / 'film.avi').read_bytes()
    (tmp_path / 'film.avi').write_bytes(whole[: len(whole) // 2])
    out = tmp_path / 'out'
    result = invoke(
        'run', failing(lambda: None), tmp_path / 'film.avi', '--engine', 'fake', '--out', out
    )
    assert result.exit_code == 0, result.stderr
    assert 'note: ' in result.stderr and 'may be damaged' in result.stderr
    assert cv2.VideoCapture(str(out / 'film.mp4')).read()[0]


def test_all_engines_say_what_cannot_be_read_once_and_show_the_rest(
    invoke, failing, street, tmp_path
):
    model = failing(lambda: None)
    (tmp_path / 'text.jpg').write_text('no picture')
    names = (tmp_path / 'missing.jpg', tmp_path / 'text.jpg')
    result = invoke('run', model, *names, street, '--engine', 'all', '--json')
    assert result.exit_code == 1
    (column,) = json.loads(result.stdout)
    assert (column['frames'], column['trouble']) == (1, '')
    said = [line.split(': ')[1] for line in result.stderr.splitlines()]
    assert said == [str(name) for name in names]
    result = invoke('run', model, names[1], '--engine', 'all')
    assert result.exit_code == 1
    assert 'equal' not in result.stdout


def test_an_engine_that_fails_on_a_frame_does_not_hide_the_others(
    invoke, failing, street, tmp_path
):
    calls = iter(range(1))

    def fail_on_the_second_frame() -> None:
        if next(calls, None) is None:
            raise InferenceError('out of memory on the device')

    class Other(FakeEngineType):
        name = 'other'

    model = failing(fail_on_the_second_frame)
    run.PluginHost().engines['other'] = Other()
    result = invoke('run', model, street, street, '--engine', 'all', '--json')
    assert result.exit_code == 0
    first, other = json.loads(result.stdout)
    assert first['trouble'] == 'out of memory on the device'
    assert (other['trouble'], other['frames']) == ('', 2)


def test_all_engines_need_the_same_pictures_and_a_camera_has_none(invoke, failing):
    result = invoke('run', failing(lambda: None), 'camera:63', '--engine', 'all')
    assert result.exit_code == 2
    assert '--engine all: ' in result.stderr
