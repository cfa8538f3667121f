# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The parameter files in config/, read by a real node."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from edge_perception.contract import option_specs
from edge_perception.ros.parameters.node_parameters import NodeConfig
from test.support.node_parameters import read
from tools import parameter_files
from tools.reference_tables import own_host

CONFIG = Path(__file__).resolve().parents[1] / 'config'
PRESETS = ('coral', 'intel', 'jetson', 'multi_camera', 'myriad', 'raspberry_pi')


def test_the_generated_files_are_up_to_date():
    assert parameter_files.main([]) == 0


def test_the_default_file_changes_nothing():
    config, options, problems = read(CONFIG / 'default.yaml')
    assert problems == []
    assert config == NodeConfig()
    for name, engine_type in own_host().engines.items():
        assert options[name] == {
            spec.name: spec.default for spec in option_specs(engine_type.options_type)
        }


def test_every_file_of_parameters_is_looked_at_here():
    files = [path for path in CONFIG.glob('*.yaml') if '/**:' in path.read_text()]
    assert sorted(path.stem for path in files) == sorted([*PRESETS, 'default'])


@pytest.mark.parametrize('preset', PRESETS)
def test_a_preset_is_understood_and_takes_effect(preset):
    path = CONFIG / f'{preset}.yaml'
    config, options, problems = read(path)
    assert problems == []
    written = yaml.safe_load(path.read_text())['/**']['ros__parameters']
    flat = {name: getattr(config, name) for name in written if hasattr(config, name)}
    for engine, values in options.items():
        flat.update({f'engine_options.{engine}.{name}': value for name, value in values.items()})
    for name, value in written.items():
        if name in flat:
            expected = tuple(value) if isinstance(value, list) else value
            assert flat[name] == expected, name
    cameras = {name.partition('.')[0] for name in set(written) - set(flat)}
    assert cameras <= set(config.cameras)


def test_a_misspelled_parameter_is_an_error_with_the_right_name(tmp_path):
    path = tmp_path / 'wrong.yaml'
    wrong = {
        'latency_budget': 100.0,
        'engine_options.litert.thread': 2,
        'engine.litert.threads': 2,
    }
    path.write_text(yaml.safe_dump({'/**': {'ros__parameters': wrong}}))
    _, _, problems = read(path)
    threads = "unknown parameter, did you mean 'engine_options.litert.threads'?"
    assert sorted(problems) == [
        f'engine.litert.threads: {threads}',
        f'engine_options.litert.thread: {threads}',
        "latency_budget: unknown parameter, did you mean 'latency_budget_ms'?",
    ]


@pytest.mark.parametrize(
    ('parameters', 'valid'),
    [
        ({'model': 'yolo', 'engine_options.litert.threads': 2}, True),
        ({'front.latency_budget_ms': 100.0, 'front': {'rotate': 90}}, True),
        ({'latency_budget': 100.0}, False),
        ({'latency_budget_ms': 'fast'}, False),
        ({'rotate': 45}, False),
        ({'front': {'rotat': 90}}, False),
    ],
)
def test_the_schema_knows_right_from_wrong(parameters, valid):
    jsonschema = pytest.importorskip('jsonschema', reason='jsonschema is not installed')
    schema = json.loads((CONFIG / 'parameters.schema.json').read_text())
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({'/**': {'ros__parameters': parameters}}) == valid


@pytest.mark.parametrize('word', ['off', "'off'", 'Off'])
def test_off_needs_no_quotes(tmp_path: Path, word: str) -> None:
    # YAML reads the bare word as false.
    file = tmp_path / 'mine.yaml'
    file.write_text(f'/**:\n  ros__parameters:\n    signatures: {word}\n', encoding='utf-8')
    config, _, problems = read(file)
    assert (config.signatures, problems) == ('off', [])
