# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Generate ``config/default.yaml`` and ``config/parameters.schema.json`` from the parameters.

``python -m tools.parameter_files --write`` brings them up to date; without the argument it only
looks, and a test looks as well.
"""

from __future__ import annotations

import json
from pathlib import Path
import re
import sys
import textwrap
from typing import Any

import yaml

from edge_perception.ros.parameters.camera_parameters import camera_specs
from edge_perception.ros.parameters.camera_parameters import NAME
from edge_perception.ros.parameters.declaration import ParameterSpec
from edge_perception.ros.parameters.reading import node_specs
from tools.reference_tables import bring_up_to_date
from tools.reference_tables import own_host
from tools.reference_tables import ROOT
from tools.reference_tables import shown

CONFIG = ROOT / 'config'
WIDTH = 99
INDENT = ' ' * 4
HEAD = """\
# Every parameter of the perception node with its default, and what it means. Copy the lines that
# you want to change; a misspelled name is an error. A JSON schema for editors is beside this file.
# yaml-language-server: $schema=parameters.schema.json
#
# Written by tools/parameter_files.py from the source; do not edit.
/**:
  ros__parameters:
"""
CAMERAS = """\

    # With several cameras, each has parameters of its own, for example for a camera 'front':
    # cameras: [front, rear]
"""
# The launch file makes its arguments of what is marked so: it has to work without our imports.
LAUNCH = 'x-launch-argument'
JSON_TYPES = {bool: 'boolean', int: 'integer', float: 'number', str: 'string', tuple: 'array'}


def files() -> dict[Path, str]:
    """Return the text of every generated file."""
    schema = json.dumps(parameter_schema(), indent=2) + '\n'
    return {CONFIG / 'default.yaml': default_yaml(), CONFIG / 'parameters.schema.json': schema}


def default_yaml() -> str:
    """Return a parameter file that changes nothing."""
    own, *others = node_specs(own_host().engines, own_host().stages).values()
    text = HEAD + '\n'.join(map(_entry, own)) + CAMERAS
    for spec in camera_specs(['front']).values():
        words = textwrap.fill(f'{spec.meaning}; {spec.expected()}', WIDTH - 10)
        text += textwrap.indent(f'{spec.name}: {shown(spec.default)}', f'{INDENT}# ') + '\n'
        text += textwrap.indent(words, f'{INDENT}#   ') + '\n'
    return text + '\n' + '\n'.join(_entry(spec) for specs in others for spec in specs)


def parameter_schema() -> dict[str, Any]:
    """Return the JSON schema of a parameter file."""
    specs = [
        spec
        for each in node_specs(own_host().engines, own_host().stages).values()
        for spec in each
    ]
    of_camera = {
        name.partition('.')[2]: _schema(spec) for name, spec in camera_specs(['<name>']).items()
    }
    parameters = {
        'type': 'object',
        'properties': {
            **{spec.name: _schema(spec) for spec in specs},
            'use_sim_time': {'type': 'boolean', 'description': 'take the time from /clock'},
        },
        'patternProperties': {
            rf'^{NAME.pattern}\.{re.escape(name)}$': schema for name, schema in of_camera.items()
        },
        # The same in groups, which ROS reads as dotted names; a misspelled name is no group.
        'additionalProperties': {
            'type': 'object',
            'properties': of_camera,
            'additionalProperties': False,
        },
    }
    node = {'type': 'object', 'properties': {'ros__parameters': parameters}}
    return {
        '$schema': 'https://json-schema.org/draft/2020-12/schema',
        'title': 'Parameters of the perception node of edge_perception',
        'type': 'object',
        'properties': {'/**': node, 'perception': node},
    }


def main(arguments: list[str]) -> int:
    """Bring the files up to date, or print which are not."""
    return bring_up_to_date(files(), arguments)


def _entry(spec: ParameterSpec) -> str:
    words = f'{spec.meaning}; {spec.expected()}'
    comment = textwrap.fill(words, WIDTH - len(INDENT) - 2, break_long_words=False)
    quoted = isinstance(yaml.safe_load(str(spec.default)), bool) and spec.kind is str
    default = repr(spec.default) if quoted else shown(spec.default)
    value = f'{spec.name}: {default}\n'
    return textwrap.indent(comment, f'{INDENT}# ') + '\n' + textwrap.indent(value, INDENT)


def _schema(spec: ParameterSpec) -> dict[str, Any]:
    schema: dict[str, Any] = {
        'type': JSON_TYPES[spec.kind],
        'description': spec.meaning,
        'default': list(spec.default) if isinstance(spec.default, tuple) else spec.default,
    }
    if spec.digits:
        schema['type'] = ['string', 'integer']
    if spec.kind is tuple:
        items = schema['type'] if spec.digits else JSON_TYPES[spec.item_kind]
        schema['items'] = {'type': items}
        schema['type'] = 'array'
    if spec.launch:
        schema[LAUNCH] = True
    if spec.choices:
        schema['enum'] = list(spec.choices)
    if spec.lowest is not None:
        schema['minimum'] = spec.lowest
    if spec.maximum is not None:
        schema['maximum'] = spec.maximum
    return schema


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
