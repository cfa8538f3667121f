# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The bond that the lifecycle manager of Nav2 expects; a stand-in for bondpy notes the calls."""

from __future__ import annotations

import importlib
import sys

import pytest

BONDPY = """
calls = []

class Bond:
    def __init__(self, topic, id, node):
        calls.append(('made', topic, id))

    def set_heartbeat_period(self, seconds):
        calls.append(('period', seconds))

    def set_heartbeat_timeout(self, seconds):
        calls.append(('timeout', seconds))

    def start(self):
        calls.append(('start',))

    def shutdown(self):
        calls.append(('shutdown',))
"""
BEGUN = [('made', 'bond', 'perception'), ('period', 0.1), ('timeout', 4.0), ('start',)]


@pytest.fixture
def bondpy(tmp_path, monkeypatch):
    package = tmp_path / 'site' / 'bondpy'
    package.mkdir(parents=True)
    (package / '__init__.py').touch()
    (package / 'bondpy.py').write_text(BONDPY)
    monkeypatch.syspath_prepend(str(package.parent))
    importlib.invalidate_caches()
    yield importlib.import_module('bondpy.bondpy')
    for name in ('bondpy', 'bondpy.bondpy'):
        sys.modules.pop(name, None)


@pytest.mark.parametrize('end', ['deactivate', 'shutdown'])
def test_a_bond_lasts_as_long_as_the_node_is_active(world, bondpy, end):
    here = world(bond=True)
    assert here.tester.transition('configure')
    assert bondpy.calls == []
    assert here.tester.transition('activate')
    assert bondpy.calls == BEGUN
    assert here.tester.transition(end)
    assert bondpy.calls == [*BEGUN, ('shutdown',)]


def test_without_the_parameter_there_is_none(world, bondpy):
    here = world()
    here.start()
    assert bondpy.calls == []


def test_without_bondpy_configure_says_what_to_install(world):
    here = world(bond=True)
    assert not here.tester.transition('configure')
    assert 'bondpy' in here.logged('bond: ')


def test_the_log_of_the_node_escapes_control_characters(world):
    here = world()
    here.node.get_logger().warning('label cat\x1b[2J')
    assert here.logged('label cat').endswith('cat\\u001b[2J')
