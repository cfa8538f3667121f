# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A host with a few engines, a model folder and a shelf of plugins, for tests of this folder."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
import yaml

from edge_perception.models.plugin_host import PluginHost
from test.models.assembly_rig import Picky
from test.models.assembly_rig import Rude
from test.models.assembly_rig import Tunable
from test.models.assembly_rig import Unplugged
from test.models.plugin_shelf import Shelf


@pytest.fixture
def engine_type() -> Tunable:
    return Tunable()


@pytest.fixture
def host(engine_type) -> PluginHost:
    broken = EntryPoint(name='npu', value='not_installed_module', group='edge_perception')
    host = PluginHost(candidates=[broken], environ={})
    for each in (engine_type, Unplugged(), Rude()):
        host.engines[each.name] = each
    host.decoders['fake'] = Picky
    return host


@pytest.fixture
def model(tmp_path, monkeypatch):
    """Return a function that writes a model folder, some of its values changed."""
    monkeypatch.setenv('EDGE_PERCEPTION_MODEL_PATH', str(tmp_path))

    def write(**changes: object) -> str:
        values = {
            'manifest_version': 1,
            'name': 'tiny',
            'source': {'file': 'net.onnx'},
            'input': {'width': 4, 'height': 4},
            'decoder': {'name': 'fake'},
            'labels': ['person', 'car', 'traffic light'],
            'selection': {'score_threshold': 0.4, 'max_detections': 7},
            **changes,
        }
        folder = tmp_path / 'tiny'
        folder.mkdir(exist_ok=True)
        (folder / 'net.onnx').touch()
        (folder / 'model.yaml').write_text(yaml.safe_dump(values), encoding='utf-8')
        return str(folder)

    return write


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    return Shelf(tmp_path)
