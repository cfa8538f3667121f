# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from importlib.metadata import EntryPoint
import logging

import pytest

from edge_perception.contract import CONTRACT_VERSION
from edge_perception.contract import ENTRY_POINT_GROUP
from edge_perception.models import plugin_checks
from edge_perception.models.plugin_host import PluginEntry
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.plugin_host import probe
from edge_perception.testing import FakeEngineType
from test.models.plugin_shelf import GOOD
from test.models.plugin_shelf import Shelf


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    return Shelf(tmp_path)


def test_what_a_plugin_registers_is_found_by_name(shelf):
    shelf.add(
        'good',
        """
        @hookimpl
        def register_engines(register, host):
            register(engine('gpu'))
            register(engine('npu'))

        @hookimpl
        def register_decoders(register):
            register(decoder('yolo'))

        class MyBuilder(Builder):
            name, suffix = 'plan', '.plan'
            def probe(self): ...
            def fingerprint(self, plan): ...
            def build(self, plan, workspace): ...

        @hookimpl
        def register_builders(register):
            register(MyBuilder())
        """,
    )
    host = shelf.load()
    assert sorted(host.engines) == ['gpu', 'npu']
    assert host.decoders['yolo'].name == 'yolo'
    assert host.builders['plan'].suffix == '.plan'
    assert host.plugins == (
        PluginEntry(
            name='good',
            distribution='robot_good',
            version='1.2',
            contract=CONTRACT_VERSION,
            offers=('engine gpu', 'engine npu', 'decoder yolo', 'builder plan'),
        ),
    )
    assert host.plugins[0].usable


def test_a_plugin_gets_to_know_its_host(shelf, caplog):
    shelf.add(
        'chatty',
        """
        @hookimpl
        def register_engines(register, host):
            host.logger.info('hello from contract %s', host.contract_version)
            register(engine('chatty'))
        """,
    )
    with caplog.at_level(logging.INFO):
        assert shelf.load().plugins[0].usable
    assert caplog.messages == [f'hello from contract {CONTRACT_VERSION}']
    assert caplog.records[0].name == 'edge_perception.plugins.chatty'


def test_an_entry_point_may_name_an_object_that_is_no_module(shelf):
    shelf.add(
        'object',
        """
        class Plugin:
            EDGE_PERCEPTION_CONTRACT = EDGE_PERCEPTION_CONTRACT
            @hookimpl
            def register_engines(self, register):
                register(engine('from_object'))
        plugin = Plugin()
        """,
        target='plugin',
    )
    host = shelf.load()
    assert list(host.engines) == ['from_object']
    assert host.plugins[0].usable


RAISING_HOOK = """
@hookimpl
def register_engines(register):
    register(engine('half'))
    {}
"""
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


@pytest.mark.parametrize(
    ('ours', 'declared', 'sentence'),
    [
        ('0.3', '0.4', 'needs contract 0.4, this host has 0.3; update edge_perception'),
        ('0.3', '1.0', 'needs contract 1.0, this host has 0.3; update edge_perception'),
        ('0.10', '0.9', 'was written for contract 0.9, this host has 0.10; update the plugin'),
        ('1.2', '0.3', 'was written for contract 0.3, this host has 1.2; update the plugin'),
        ('2.0', '1.9', 'was written for contract 1.9, this host has 2.0; update the plugin'),
        ('1.2', '1.3', 'needs contract 1.3, this host has 1.2; update edge_perception'),
        ('0.1', '0.2-0.4', 'needs contract 0.2-0.4, this host has 0.1; update edge_perception'),
        (
            '0.5',
            '0.2-0.4',
            'was written for contract 0.2-0.4, this host has 0.5; update the plugin',
        ),
        (
            '2.0',
            '0.9-1.4',
            'was written for contract 0.9-1.4, this host has 2.0; update the plugin',
        ),
    ],
)
def test_another_contract_is_refused_before_a_hook_is_called(
    shelf, monkeypatch, ours, declared, sentence
):
    monkeypatch.setattr(plugin_checks, 'CONTRACT_VERSION', ours)
    shelf.add('other', f"EDGE_PERCEPTION_CONTRACT = '{declared}'\n" + RAISING_HOOK.format('1/0'))
    (entry,) = shelf.load().plugins
    assert f'{entry.reason}; {entry.remedy}' == sentence


@pytest.mark.parametrize(
    ('ours', 'declared'), [('0.3', '0.3'), ('1.2', '1.0'), ('1.10', '1.9'), ('2.1', '2.1')]
)
def test_a_contract_that_the_host_still_serves_is_taken(shelf, monkeypatch, ours, declared):
    monkeypatch.setattr(plugin_checks, 'CONTRACT_VERSION', ours)
    shelf.add('other', f"EDGE_PERCEPTION_CONTRACT = '{declared}'\n" + GOOD)
    (entry,) = shelf.load().plugins
    assert (entry.usable, entry.contract) == (True, declared)


def test_two_plugins_with_the_same_engine_are_named_both(shelf):
    shelf.add('alpha')
    shelf.add('beta')
    shelf.add('other', GOOD.replace('good', 'other'))
    host = shelf.load()
    # Which was installed first must not decide which code runs.
    assert list(host.engines) == ['other']
    first, second, _ = host.plugins
    assert first.reason == "offers the engine 'good', as beta of robot_beta does"
    assert second.reason == "offers the engine 'good', as alpha of robot_alpha does"
    assert second.remedy == ('uninstall one of them or put it into EDGE_PERCEPTION_BLOCK_PLUGINS')


def test_an_engine_and_a_decoder_may_have_the_same_name(shelf):
    shelf.add('alpha')
    shelf.add('beta', "@hookimpl\ndef register_decoders(register): register(decoder('good'))")
    assert all(entry.usable for entry in shelf.load().plugins)


def test_our_own_plugins_come_first_so_that_nobody_takes_their_names(shelf):
    shelf.add('alpha', distribution='robot')
    shelf.add('zulu', distribution='edge-perception')
    entries = shelf.load().plugins
    assert [(entry.name, entry.usable) for entry in entries] == [('zulu', True), ('alpha', False)]


def test_plugins_are_listed_by_name_whatever_the_order_on_the_path(shelf):
    for name in ('charlie', 'alpha', 'bravo'):
        shelf.add(name, GOOD.replace('good', name))
    assert [entry.name for entry in shelf.load().plugins] == ['alpha', 'bravo', 'charlie']
    shelf.candidates.reverse()
    assert [entry.name for entry in shelf.load().plugins] == ['alpha', 'bravo', 'charlie']


def test_a_plugin_that_is_seen_twice_on_the_path_is_loaded_once(shelf):
    shelf.add('alpha')
    shelf.candidates *= 2
    (entry,) = shelf.load().plugins
    assert entry.usable


@pytest.mark.parametrize(
    ('allowed', 'usable'),
    [
        ('robot_alpha', ['alpha']),
        (' robot-alpha , Robot.Beta,', ['alpha', 'beta']),
        ('robot_alpha:alpha, robot-beta:beta', ['alpha', 'beta']),
        ('robot_alpha:beta', []),
        ('gamma', []),
        ('', []),
        # Any distribution may take the name of an entry point.
        ('alpha, beta', []),
    ],
)
def test_the_allow_list_leaves_out_all_others(shelf, allowed, usable):
    # The rescue switch: nothing at all of what is left out is imported.
    shelf.add('alpha', GOOD.replace('good', 'alpha'))
    shelf.add('beta', GOOD.replace('good', 'beta'))
    host = shelf.load(EDGE_PERCEPTION_LOAD_PLUGINS=allowed)
    assert sorted(host.engines) == usable
    refused = [entry for entry in host.plugins if not entry.usable]
    assert len(refused) == 2 - len(usable)
    for entry in refused:
        assert entry.reason == 'is not in the allow list EDGE_PERCEPTION_LOAD_PLUGINS'
        assert entry.remedy == f'add robot_{entry.name} to it'


def test_a_name_of_ours_in_the_allow_list_lets_nobody_else_in(shelf, tmp_path):
    shelf.add('good', distribution='edge-perception')
    shelf.add('good', f'open({str(tmp_path / "imported")!r}, "w")', distribution='aaa')
    host = shelf.load(EDGE_PERCEPTION_LOAD_PLUGINS='good')
    assert [(each.distribution, each.usable) for each in host.plugins] == [
        ('edge_perception', True),
        ('aaa', False),
    ]
    assert not (tmp_path / 'imported').exists()


@pytest.mark.parametrize('name', ['auto', 'all', 'my engine', '', 'a.b', '1st', 'a\nb', 'ä'])
def test_an_engine_has_a_name_that_can_be_chosen(shelf, name):
    shelf.add('broken', GOOD.replace("'good'", repr(name)))
    assert 'expected a name of letters, digits, _ and -' in shelf.load_broken().reason


def test_of_two_that_declare_the_same_none_is_left_unsaid(shelf):
    shelf.add('good')
    shelf.add('good', distribution='other')
    assert [each.usable for each in shelf.load().plugins] == [False, False]


def test_the_block_list_leaves_out_some_even_if_they_are_allowed(shelf, tmp_path):
    shelf.add('alpha', GOOD.replace('good', 'alpha'))
    shelf.add('beta', f'open({str(tmp_path / "imported")!r}, "w")')
    host = shelf.load(
        EDGE_PERCEPTION_LOAD_PLUGINS='robot_alpha, robot_beta',
        EDGE_PERCEPTION_BLOCK_PLUGINS='beta',
    )
    assert list(host.engines) == ['alpha']
    assert host.plugins[1].reason == 'is in the block list EDGE_PERCEPTION_BLOCK_PLUGINS'
    assert host.plugins[1].remedy == 'remove beta from it'
    assert not (tmp_path / 'imported').exists()


def test_a_blocked_plugin_frees_the_name_of_its_engine(shelf):
    shelf.add('alpha')
    shelf.add('beta')
    host = shelf.load(EDGE_PERCEPTION_BLOCK_PLUGINS='alpha')
    assert [entry.usable for entry in host.plugins] == [False, True]


def test_an_interrupt_of_the_user_is_no_reason_to_go_on(shelf):
    shelf.add('alpha', 'raise KeyboardInterrupt')
    with pytest.raises(KeyboardInterrupt):
        shelf.load()


def test_what_is_installed_is_found(monkeypatch):
    for variable in ('EDGE_PERCEPTION_LOAD_PLUGINS', 'EDGE_PERCEPTION_BLOCK_PLUGINS'):
        monkeypatch.delenv(variable, raising=False)
    host = PluginHost()
    assert {entry.name: entry.reason for entry in host.plugins if not entry.usable} == {}
    assert 'onnxruntime' in host.engines
    assert 'yolox' in host.decoders


def test_options_that_are_plain_fields_are_refused(shelf):
    shelf.add(
        'plain',
        """
        from dataclasses import dataclass

        @dataclass(frozen=True)
        class Plain(Options):
            threads: int = 1

        @hookimpl
        def register_engines(register):
            register(type('Engine_', (FakeEngineType,), {'name': 'x', 'options_type': Plain})())
        """,
    )
    (entry,) = shelf.load().plugins
    assert 'has options that are not made by option()' in entry.reason


def test_a_probe_that_says_nothing_is_an_engine_that_is_not_available():
    engine_type = FakeEngineType()
    engine_type.probe = lambda: None
    availability = probe(engine_type)
    assert not availability.available
    assert 'probe() gave nothing, expected an Availability' in availability.reason


@pytest.mark.parametrize(
    ('text', 'remedy'),
    [
        ('def', 'report it to its author, or uninstall it'),
        ('1 / 0', 'report it to its author, or uninstall it'),
        ('import not_installed', 'install what it needs, or uninstall it'),
    ],
)
def test_a_mistake_of_its_author_is_not_a_missing_package(shelf, text, remedy):
    shelf.add('wrong', text)
    (entry,) = shelf.load().plugins
    assert entry.remedy == remedy
