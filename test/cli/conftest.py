# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
import inspect
import json
from pathlib import Path

from click.testing import CliRunner
from click.testing import Result
import cv2
import numpy as np
import pytest
import yaml

from edge_perception.cli.main import main
from test.cli.build_rig import MANIFEST
from test.support.networks import save_conv
from tools.model_folders import model_folder


@pytest.fixture
def invoke() -> Callable[..., Result]:
    """Call the command as a shell does; standard output and standard error come apart."""
    # click 8.2 always keeps the two apart and knows the argument no longer.
    old = 'mix_stderr' in inspect.signature(CliRunner).parameters
    runner = CliRunner(mix_stderr=False) if old else CliRunner()

    def call(*arguments: object) -> Result:
        result = runner.invoke(main, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert 'Traceback' not in result.stderr
        return result

    return call


@pytest.fixture
def model(shared_data, tmp_path) -> Callable[[str], Path]:
    """Make a folder of one of the models in tools/model_folders."""
    return lambda name: model_folder(name, shared_data, tmp_path)


@pytest.fixture
def yolox(model) -> Path:
    return model('yolox_nano')


@pytest.fixture
def street(shared_data) -> Path:
    """Return a photograph of three persons in a street."""
    return shared_data / 'coco_cc20/images/000000252219.jpg'


@pytest.fixture
def golden(shared_data) -> dict:
    """Return what YOLOX-nano sees in each photograph."""
    values = json.loads((shared_data / 'golden/detections.json').read_text())
    return values['yolox_nano.onnx']['images']


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Make a model of one convolution with pictures, and a cache of its own; stand beside it."""
    pytest.importorskip('onnxslim', reason='onnxslim is not installed')
    folder = tmp_path / 'net'
    (folder / 'golden').mkdir(parents=True)
    save_conv(folder / 'net.onnx')
    (folder / 'model.yaml').write_text(yaml.safe_dump(MANIFEST))
    chance = np.random.default_rng(1)
    for index in range(4):
        picture = chance.integers(0, 256, (40, 60, 3), np.uint8)
        cv2.imwrite(str(folder / 'golden' / f'{index}.png'), picture)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('XDG_DATA_HOME', str(tmp_path / 'data'))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def left(tmp_path):
    """Tell what lies in the cache that is no lock."""
    return lambda: sorted(
        path.name
        for path in (tmp_path / 'cache').rglob('*')
        if path.is_file() and not path.name.endswith('.lock')
    )
