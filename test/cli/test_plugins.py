# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from edge_perception.contract import option_specs
from edge_perception.models.plugin_host import PluginHost
from edge_perception.tooling.machine_checks import plugins as plugin_checks
from edge_perception.tooling.plugin_survey import survey
from test.models.plugin_shelf import GOOD
from test.models.plugin_shelf import Shelf


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


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Install plugins where child processes find them as well."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return Shelf(tmp_path)


def test_a_broken_plugin_is_listed_with_reason_and_remedy(invoke, shelf):
    shelf.add('broken', 'import no_such_module')
    listed = {each['name']: each for each in json.loads(invoke('plugins', '--json').stdout)}
    entry = listed['broken']
    assert not entry['usable']
    assert 'no_such_module' in entry['reason']
    assert entry['remedy']
    table = ' '.join(invoke('plugins').stdout.split())
    assert 'not usable: cannot be imported' in table


CRASH = 'import os, signal; os.kill(os.getpid(), signal.SIGSEGV)'
HANG = 'import signal; signal.pause()'
PROBING = """
class Bad(FakeEngineType):
    name = 'bad'
    def probe(self):
        {}

@hookimpl
def register_engines(register):
    register(Bad())
"""


@pytest.mark.parametrize(
    ('code', 'reason'),
    [
        (CRASH, 'fails when it is imported: the process ended with SIGSEGV'),
        (PROBING.format(CRASH), 'fails when its engine is probed: the process ended with SIGSEGV'),
        (PROBING.format('import os; os._exit(3)'), 'the process ended with status 3'),
        (PROBING.format(HANG), 'fails when its engine is probed: the process gave no answer'),
        (HANG, 'fails when it is imported: the process gave no answer'),
    ],
)
def test_a_plugin_that_crashes_or_hangs_is_named_and_the_others_are_listed(
    shelf, monkeypatch, code, reason
):
    # Of the real ones only those that are quick, so that silence means one thing.
    monkeypatch.setenv('EDGE_PERCEPTION_LOAD_PLUGINS', 'decoders,robot_bad,robot_good')
    shelf.add('bad', code)
    shelf.add('good')
    listed = {each['name']: each for each in survey(quiet_s=15)}
    assert reason in listed['bad']['reason']
    assert 'EDGE_PERCEPTION_BLOCK_PLUGINS' in listed['bad']['remedy']
    assert listed['bad']['distribution'] == 'robot_bad'
    assert listed['good']['usable']
    assert listed['decoders']['usable']
    checks = {each.subject: each for each in plugin_checks(list(listed.values()))}
    assert reason in checks['plugin bad'].found


def test_what_a_plugin_prints_is_no_part_of_the_answer(invoke, shelf):
    shelf.add('loud', "import os; os.write(1, b'hello'); print('hello')\n" + GOOD)
    assert 'loud' in [each['name'] for each in json.loads(invoke('plugins', '--json').stdout)]


def test_an_engine_without_its_library_says_what_to_install(invoke, shelf, tmp_path):
    (tmp_path / 'onnxruntime.py').write_text("raise ModuleNotFoundError(name='onnxruntime')")
    listed = {each['name']: each for each in json.loads(invoke('plugins', '--json').stdout)}
    (engine,) = listed['onnxruntime']['engines']
    assert not engine['available']
    assert 'pip install' in engine['remedy']


@pytest.mark.parametrize('value', ['', 'decoders'])
def test_the_allow_list_is_named_as_the_reason(invoke, monkeypatch, value):
    monkeypatch.setenv('EDGE_PERCEPTION_LOAD_PLUGINS', value)
    listed = {each['name']: each for each in json.loads(invoke('plugins', '--json').stdout)}
    assert 'EDGE_PERCEPTION_LOAD_PLUGINS' in listed['onnxruntime']['reason']
