# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from importlib.metadata import EntryPoint
import json

import pytest

from edge_perception.cli.perception import plugins
from edge_perception.contract import option_specs
from edge_perception.models.plugin_host import PluginHost


def test_json_lists_plugins_with_their_engines(invoke):
    result = invoke('plugins', '--json')
    assert result.exit_code == 0
    listed = {each['name']: each for each in json.loads(result.stdout)}
    assert 'decoder yolox' in listed['decoders']['offers']
    assert listed['decoders']['engines'] == []
    (engine,) = listed['onnxruntime']['engines']
    assert listed['onnxruntime']['usable']
    assert (engine['name'], engine['available']) == ('onnxruntime', True)
    assert engine['runtime'].startswith('onnxruntime 1.')
    assert 'cpu' in engine['devices']
    assert 'threads' in [each['name'] for each in engine['options']]


def test_the_table_says_what_an_engine_and_its_options_are(invoke):
    result = invoke('plugins')
    assert result.exit_code == 0
    for word in ('decoders', 'onnxruntime', '.onnx', 'graph_level', 'spinning'):
        assert word in result.stdout
    for spec in option_specs(PluginHost().engines['onnxruntime'].options_type):
        assert spec.description in result.stdout  # not folded where nobody looks


def test_defaults_are_shown_as_files_of_parameters_have_them(invoke):
    rows = [line.split()[:3] for line in invoke('plugins').stdout.splitlines()]
    assert ['openvino', 'device', 'CPU'] in rows
    assert ['onnxruntime', 'spinning', 'false'] in rows
    assert [row for row in rows if row[2:] == ['[]']]
    assert not [row for row in rows if row[2:] == ['()']]


def test_a_broken_plugin_is_listed_with_reason_and_remedy(invoke, monkeypatch):
    broken = EntryPoint(name='broken', value='no_such_module', group='edge_perception')
    monkeypatch.setattr(plugins, 'PluginHost', lambda: PluginHost(candidates=[broken]))
    (entry,) = json.loads(invoke('plugins', '--json').stdout)
    assert not entry['usable']
    assert 'no_such_module' in entry['reason']
    assert entry['remedy']
    table = ' '.join(invoke('plugins').stdout.split())
    assert 'not usable: cannot be imported' in table


def test_an_engine_without_its_library_says_what_to_install(invoke, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'onnxruntime', None)
    listed = {each['name']: each for each in json.loads(invoke('plugins', '--json').stdout)}
    (engine,) = listed['onnxruntime']['engines']
    assert not engine['available']
    assert 'pip install' in engine['remedy']


@pytest.mark.parametrize('value', ['', 'decoders'])
def test_the_allow_list_is_named_as_the_reason(invoke, monkeypatch, value):
    monkeypatch.setenv('EDGE_PERCEPTION_LOAD_PLUGINS', value)
    listed = {each['name']: each for each in json.loads(invoke('plugins', '--json').stdout)}
    assert 'EDGE_PERCEPTION_LOAD_PLUGINS' in listed['onnxruntime']['reason']
