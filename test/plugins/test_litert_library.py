# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from importlib import metadata
import os
from pathlib import Path
import subprocess
import sys
import types

import edge_perception_litert as plugin
from edge_perception_litert.engine import LiteRtEngineType
from edge_perception_litert.library import load_library
from edge_perception_litert.library import PACKAGES
from edge_perception_litert.options import LiteRtOptions
import numpy as np
import pluggy
import pytest

from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import hookspecs
from edge_perception.contract import OptionError
from edge_perception.contract import parse_options
from test.support.lite_networks import save_unary
from test.support.networks import manifest_for

interpreters = pytest.importorskip(
    'ai_edge_litert.interpreter', reason='LiteRT (ai-edge-litert) is not installed'
)


def create(path: Path):
    return LiteRtEngineType().create(
        manifest_for((1, 4, 6, 3), layout='nhwc'), path, LiteRtOptions(threads=1)
    )


def test_importing_the_plugin_imports_no_vendor_library():
    code = (
        'import sys, edge_perception_litert as plugin;'
        'plugin.register_engines(print);'
        'names = {name.partition(".")[0] for name in sys.modules};'
        'sys.exit(bool(names & {"ai_edge_litert", "tflite_runtime", "tensorflow", "flatbuffers"}))'
    )
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, '-c', code], env=environment, check=True)


def test_registers_through_the_hook():
    manager = pluggy.PluginManager('edge_perception')
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    engines = []
    manager.hook.register_engines(register=engines.append, host=None)
    assert [engine.name for engine in engines] == ['litert']
    assert plugin.EDGE_PERCEPTION_CONTRACT == hookspecs.CONTRACT_VERSION


def test_probe_names_version_and_devices():
    found = LiteRtEngineType().probe()
    assert found.available
    assert found.runtime == f'ai-edge-litert {metadata.version("ai-edge-litert")}'
    assert 'cpu' in found.devices


def without(monkeypatch, *packages: str) -> None:
    for package in packages:
        for name in [each for each in sys.modules if each.partition('.')[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)


def standing_in(monkeypatch, package: str, module: str) -> None:
    """Put the real library under another of its names."""
    without(monkeypatch, *(each for each, _, _ in PACKAGES if each != package))
    monkeypatch.setitem(sys.modules, f'{package}.{module}', interpreters)
    parent = package
    for part in module.split('.'):
        stand_in = types.ModuleType(parent)
        stand_in.__path__ = []
        stand_in.__version__ = '2.14.0'
        monkeypatch.setitem(sys.modules, parent, stand_in)
        parent = f'{parent}.{part}'


def test_without_a_library_probe_says_what_to_install(monkeypatch, tmp_path):
    path = save_unary(tmp_path / 'net.tflite')
    without(monkeypatch, *(package for package, _, _ in PACKAGES))
    found = LiteRtEngineType().probe()
    assert not found.available
    assert found.reason == 'neither ai-edge-litert, tflite-runtime nor tensorflow is here'
    assert 'pip install ai-edge-litert' in found.remedy
    with pytest.raises(EngineUnavailableError, match='pip install ai-edge-litert'):
        create(path)


def test_a_broken_library_is_a_reason_and_not_a_traceback(monkeypatch):
    without(monkeypatch, *(package for package, _, _ in PACKAGES))
    broken = types.ModuleType('ai_edge_litert')
    monkeypatch.setitem(sys.modules, 'ai_edge_litert', broken)
    monkeypatch.setitem(sys.modules, 'ai_edge_litert.interpreter', None)
    assert not LiteRtEngineType().probe().available
    real = load_library.__globals__['import_module']

    def failing(name):
        if name == 'ai_edge_litert.interpreter':
            raise ImportError('libstdc++.so.6: version GLIBCXX_3.4.32\nnot found')
        return real(name)

    monkeypatch.setitem(load_library.__globals__, 'import_module', failing)
    found = LiteRtEngineType().probe()
    assert found.reason == (
        'ai-edge-litert cannot be imported: libstdc++.so.6: version GLIBCXX_3.4.32 not found'
    )


def test_the_reader_of_flatbuffers_is_named_when_it_is_missing(monkeypatch):
    without(monkeypatch, 'flatbuffers')
    found = LiteRtEngineType().probe()
    assert not found.available
    assert 'ai-edge-litert needs the Python package flatbuffers' in found.reason


def test_the_last_tflite_runtime_cannot_work_with_numpy_2(monkeypatch):
    standing_in(monkeypatch, 'tflite_runtime', 'interpreter')
    monkeypatch.setattr(np, '__version__', '2.4.1')
    found = LiteRtEngineType().probe()
    assert found.reason == 'tflite-runtime 2.14.0 was built for NumPy 1, and this is 2.4.1'
    assert 'pip install ai-edge-litert' in found.remedy


@pytest.mark.parametrize(
    ('package', 'module', 'runtime'),
    [
        ('tflite_runtime', 'interpreter', 'tflite-runtime 2.14.0'),
        ('tensorflow', 'lite.python.interpreter', 'tensorflow 2.14.0'),
    ],
)
def test_older_names_of_the_library_do_as_well(monkeypatch, package, module, runtime):
    standing_in(monkeypatch, package, module)
    monkeypatch.setattr(np, '__version__', '1.26.4')
    library = load_library()
    assert (library.name, library.runtime) == (f'{package}.{module}', runtime)
    assert library.module is interpreters
    assert LiteRtEngineType().probe().available


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'threads': -1}, 'threads: got -1, expected an integer from 0 to 256'),
        ({'xnnpack': 'yes'}, "xnnpack: got 'yes', expected true or false"),
        ({'delegate_options': 'a=b'}, 'delegate_options: .*expected a list of strings'),
        ({'devices': 'cpu'}, 'did you mean .device.'),
    ],
)
def test_wrong_options_are_explained(values, message):
    with pytest.raises(OptionError, match=message):
        parse_options(LiteRtOptions, values, owner='engine litert')
