# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import logging

import pytest

from edge_perception.contract import CONTRACT_VERSION
from edge_perception.models import plugin_checks
from edge_perception.models.plugin_host import PluginEntry
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.plugin_host import probe
from edge_perception.testing import FakeEngineType
from test.models.plugin_shelf import GOOD
from test.models.plugin_shelf import RAISING_HOOK


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
