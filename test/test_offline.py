# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Nothing leaves the machine: the commands use no network at all, the node only that of DDS."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

from test.support.graph import Spinner
from test.support.graph import Tester
from test.support.graph import until
from test.support.process import node_process
from tools.model_folders import model_folder

SOURCE = Path(__file__).with_name('socket_log.c')
CLI = [sys.executable, '-m', 'edge_perception.cli.main']


@pytest.fixture(scope='module')
def preload(tmp_path_factory) -> Path:
    """Compile the library that writes down what a process does with the network."""
    compiler = shutil.which('cc') or shutil.which('gcc')
    if compiler is None:
        pytest.skip('no C compiler to make the library that watches the network')
    library = tmp_path_factory.mktemp('preload') / 'socket_log.so'
    command = [compiler, '-shared', '-fPIC', '-o', str(library), str(SOURCE), '-ldl']
    subprocess.run(command, check=True)
    return library


@pytest.fixture
def network(preload, tmp_path, monkeypatch) -> Callable[[], set[str]]:
    """Watch all processes that are started from now on; returns what they did so far."""
    log = tmp_path / 'network'
    monkeypatch.setenv('LD_PRELOAD', str(preload))
    monkeypatch.setenv('SOCKET_LOG', str(log))
    return lambda: set(log.read_text().splitlines()) if log.exists() else set()


def test_the_watch_sees_a_connection(network):
    code = "import socket; socket.create_connection(('localhost', 9), timeout=1)"
    subprocess.run([sys.executable, '-c', code], stderr=subprocess.DEVNULL, check=False)
    assert {'lookup localhost', 'socket stream', 'connect 127.0.0.1'} <= network()


@pytest.mark.parametrize('command', ['run', 'inspect', 'inspect --draft', 'plugins', 'pad'])
def test_command_uses_no_network(command, shared_data, tmp_path, network):
    folder = model_folder('yolox_nano', shared_data, tmp_path)
    picture = shared_data / 'coco_cc20' / 'images' / '000000252219.jpg'
    draft = ['--output', str(tmp_path / 'draft.yaml')] if 'draft' in command else []
    model = str(folder / 'yolox_nano.onnx' if 'draft' in command else folder)
    places = {
        'run': [model, str(picture)],
        'inspect': [model],
        'plugins': [],
        'pad': ['--size', '0.2', '--out', str(tmp_path / 'pad.pdf')],
    }
    verb = command.split()
    done = subprocess.run(
        [*CLI, *verb, *places[verb[0]], *draft], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout, 'the command did nothing'
    assert network() == set()


def test_node_talks_to_nobody_but_dds_on_this_machine(shared_data, tmp_path, network):
    folder = model_folder('yolox_nano', shared_data, tmp_path)
    spinner = Spinner()
    try:
        tester = Tester(spinner)
        with node_process(tmp_path / 'log', model=folder, autostart=True) as process:
            until(tester.state, lambda state: state == 'active')
            assert process.stop() == 0, process.log
    finally:
        spinner.close()
    assert_nobody_but_dds(network())


def test_demo_talks_to_nobody_but_dds_on_this_machine(tmp_path, network):
    done = subprocess.run(
        [*CLI, 'demo', '--seconds', '3', '--out', str(tmp_path / 'demo')],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert_nobody_but_dds(network())


def assert_nobody_but_dds(seen: set[str]) -> None:
    assert 'socket datagram' in seen, 'DDS was not seen, so the watch does not work'
    assert 'socket stream' not in seen
    for each in seen - {'socket datagram'}:
        what, _, target = each.partition(' ')
        assert what in ('send', 'connect'), each
        address = ip_address(target)
        assert address.is_loopback or address.is_multicast or address in own_addresses(), each


def own_addresses() -> set[object]:
    """Return the addresses of this machine; sending to them does not leave it."""
    import psutil

    return {
        ip_address(each.address.partition('%')[0])
        for addresses in psutil.net_if_addrs().values()
        for each in addresses
        if each.family.name in ('AF_INET', 'AF_INET6')
    }
