# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A broken plugin is listed with its reason, and the others go on."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from edge_perception.contract import ENTRY_POINT_GROUP
from test.models.plugin_shelf import GOOD
from test.models.plugin_shelf import RAISING_HOOK

BROKEN = {
    'import': ('import not_installed', 'cannot be imported: ModuleNotFoundError: No module named'),
    'syntax': ('def', 'cannot be imported: SyntaxError: '),
    'exit': ('import sys; sys.exit(3)', 'cannot be imported: SystemExit: 3'),
    'many lines': (
        "raise ImportError('libcuda.so: no such file;\\n\\n  is the driver there?')",
        'cannot be imported: ImportError: libcuda.so: no such file; is the driver there?',
    ),
    'lazy attributes': (
        'del EDGE_PERCEPTION_CONTRACT\ndef __getattr__(name): raise ImportError(name)',
        'failed to register: ImportError: ',
    ),
    'misspelled hook': (
        GOOD.replace('register_engines', 'register_engine'),
        "failed to register: PluginValidationError: unknown hook 'register_engine' in plugin",
    ),
    'unknown argument': (
        GOOD.replace('(register)', '(register, gpu)'),
        'failed to register: PluginValidationError: ',
    ),
    'raising hook': (
        RAISING_HOOK.format("raise RuntimeError('no device')"),
        'failed to register: RuntimeError: no device',
    ),
    'raising hook without words': (
        RAISING_HOOK.format('raise MemoryError'),
        'failed to register: MemoryError',
    ),
    'raising hook with an error of the contract': (
        RAISING_HOOK.format("raise PluginError('')"),
        'failed to register: PluginError',
    ),
    'exiting hook': (
        RAISING_HOOK.format('raise SystemExit(1)'),
        'failed to register: SystemExit: 1',
    ),
    'class of engine': (
        RAISING_HOOK.format('register(FakeEngineType)'),
        "registered <class 'edge_perception.testing.fakes.FakeEngineType'>, "
        'expected an instance of EngineType with name and artifact_suffixes',
    ),
    'nothing': (
        RAISING_HOOK.format('register(None)'),
        'registered nothing, expected an instance of EngineType',
    ),
    'engine without suffixes': (
        RAISING_HOOK.format(
            "register(type('E', (EngineType,), dict.fromkeys("
            "['probe', 'describe', 'create'], lambda self: 0) | {'name': 'bare'})())"
        ),
        'expected an instance of EngineType with name and artifact_suffixes',
    ),
    'name that is no text': (
        RAISING_HOOK.format('register(engine(None))'),
        'expected an instance of EngineType with name and artifact_suffixes',
    ),
    'instance of decoder': (
        '@hookimpl\ndef register_decoders(register): register(object())',
        'expected a subclass of Decoder with name, tasks and _decode',
    ),
    'decoder that cannot be made': (
        "class Half(Decoder):\n    name, tasks = 'half', frozenset()\n"
        '@hookimpl\ndef register_decoders(register): register(Half)',
        'expected a subclass of Decoder with name, tasks and _decode',
    ),
    'builder of something else': (
        "@hookimpl\ndef register_builders(register): register('plan')",
        "registered 'plan', expected an instance of Builder with name and suffix",
    ),
    'stage with the name of a time': (
        "class Timed(Stage):\n    name, _run, applies = 'infer', None, None\n"
        '@hookimpl\ndef register_stages(register): register(Timed)',
        'expected a subclass of Stage with applies, _run and a name of lower case letters',
    ),
    'twice the same name': (
        RAISING_HOOK.format("register(engine('half'))"),
        "offers the engine 'half' twice",
    ),
    'hook that is not marked': (GOOD.replace('@hookimpl', ''), 'registers nothing'),
    'hook that does nothing': (RAISING_HOOK.split('    ')[0] + '    pass', 'registers nothing'),
    'no contract': (
        'del EDGE_PERCEPTION_CONTRACT',
        'does not say which contract it was written for',
    ),
    'contract that is no text': (
        'EDGE_PERCEPTION_CONTRACT = 0.1',
        'does not say which contract it was written for',
    ),
}


BROKEN |= {
    f'contract {version!r}': (
        f'EDGE_PERCEPTION_CONTRACT = {version!r}',
        f'declares the contract {version!r}, expected two numbers such as',
    )
    for version in ('', 'one', '1', '^0.1', '0.1.0', '0.x', '0.-1', ' 0.1', '0.1-', '0.2-0.1')
}


@pytest.mark.parametrize('kind', BROKEN)
def test_a_broken_plugin_is_listed_with_its_reason_and_takes_no_other_with_it(shelf, kind):
    code, reason = BROKEN[kind]
    shelf.add('broken', code)
    entry = shelf.load_broken()
    assert (entry.name, entry.distribution, entry.version) == ('broken', 'robot_broken', '1.2')
    assert reason in entry.reason
    assert '\n' not in entry.reason
    assert '; ' not in entry.remedy


def test_nothing_of_a_broken_plugin_is_kept(shelf):
    shelf.add('broken', RAISING_HOOK.format('1 / 0'))
    assert 'half' not in shelf.load().engines


def test_a_module_that_does_not_exist_is_listed(shelf):
    shelf.add('gone')
    shelf.candidates[0] = EntryPoint(
        name='gone', value='not_installed_module', group=ENTRY_POINT_GROUP
    )
    entry = shelf.load_broken()
    assert entry.reason.startswith('cannot be imported: ModuleNotFoundError')
    assert (entry.distribution, entry.version) == ('unknown', 'unknown')


def test_a_distribution_whose_metadata_is_damaged_is_listed(shelf, tmp_path):
    # As a removal leaves it that was interrupted.
    info = tmp_path / 'torn-1.0.dist-info'
    info.mkdir()
    shelf.declare(info, 'torn', 'not_installed_module')
    assert shelf.load_broken().distribution == 'unknown'
