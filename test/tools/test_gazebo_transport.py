# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The client of Gazebo's transport against a master that speaks it, and starts that fail."""

from __future__ import annotations

from pathlib import Path
import queue
import socket
import sys
import threading

from google.protobuf import descriptor_pb2
import pytest

from edge_perception.simulation.nodes.processes import Process
from test.support.raising import raises
from tools.gazebo import __main__ as gazebo_main
from tools.gazebo import folder
from tools.gazebo.folder import GazeboError
from tools.gazebo.folder import make_folder
from tools.gazebo.simulator import free_port
from tools.gazebo.simulator import wait_for
from tools.gazebo.transport import Client
from tools.gazebo.transport import MessageTypes

PATIENCE_S = 30.0
TOPIC = '/gazebo/landing/pose'
# Fields of those messages of Gazebo 11 that the client itself uses: name, number, type.
STRING, UINT32, BYTES, INT32 = 9, 13, 12, 5
FIELDS = {
    'Time': (('sec', 1, INT32), ('nsec', 2, INT32)),
    'Packet': (
        ('stamp', 1, '.gazebo.msgs.Time'),
        ('type', 2, STRING),
        ('serialized_data', 3, BYTES),
    ),
    'Subscribe': (
        *(('topic', 1, STRING), ('host', 2, STRING), ('port', 3, UINT32)),
        ('msg_type', 4, STRING),
    ),
    'Publish': (
        *(('topic', 1, STRING), ('msg_type', 2, STRING), ('host', 3, STRING)),
        ('port', 4, UINT32),
    ),
}


@pytest.fixture
def messages(tmp_path) -> MessageTypes:
    """Return what ``protoc`` makes of Gazebo's definitions."""
    file = descriptor_pb2.FileDescriptorProto(name='gazebo.proto', package='gazebo.msgs')
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            added = message.field.add(name=field, number=number, label=2)  # required
            if isinstance(kind, str):
                added.type, added.type_name = 11, kind
            else:
                added.type = kind
    path = tmp_path / 'gazebo.desc'
    path.write_bytes(descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString())
    return MessageTypes(path)


class Master:
    """
    Names itself as the publisher of whatever is asked for, and publishes two times.

    :param stays: it does not end then, but with the client.
    """

    def __init__(self, messages: MessageTypes, *, stays: bool = False) -> None:
        self._messages = messages
        self._stays = stays
        self._server = socket.create_server(('127.0.0.1', 0))
        self.port = self._server.getsockname()[1]
        self.packets: queue.Queue = queue.Queue()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        make = self._messages.type
        control, _ = self._server.accept()
        self._send(control, self._packet('version_init', b'gazebo 11'))
        asked = make('Subscribe').FromString(self._read(control))
        place = make('Publish')(
            topic=asked.topic, msg_type=asked.msg_type, host='127.0.0.1', port=self.port
        )
        self._send(control, self._packet('publisher_subscribe', place.SerializeToString()))
        topic, _ = self._server.accept()
        self._read(topic)
        for second in (1, 2):
            self._send(topic, make('Time')(sec=second, nsec=0).SerializeToString())
        if self._stays:
            control.recv(1)
        self._server.close()
        topic.close()
        control.close()

    def _packet(self, kind: str, data: bytes) -> bytes:
        stamp = self._messages.type('Time')(sec=0, nsec=0)
        packet = self._messages.type('Packet')(type=kind, serialized_data=data, stamp=stamp)
        return packet.SerializeToString()

    def _read(self, connection: socket.socket) -> bytes:
        file = connection.makefile('rb')
        packet = self._messages.type('Packet').FromString(file.read(int(file.read(8), 16)))
        self.packets.put(packet.type)
        return packet.serialized_data

    def _send(self, connection: socket.socket, data: bytes) -> None:
        connection.sendall(b'%08x' % len(data) + data)


def test_messages_of_a_topic_arrive_in_order_until_gazebo_ends(messages):
    master = Master(messages)
    client = Client(messages, port=master.port)
    got: queue.Queue = queue.Queue()
    client.subscribe(TOPIC, 'Time', got.put)
    assert [got.get(timeout=PATIENCE_S).sec for _ in range(2)] == [1, 2]
    assert [master.packets.get(timeout=PATIENCE_S) for _ in range(2)] == ['subscribe', 'sub']
    assert client.closed.wait(PATIENCE_S)


def test_a_message_that_nobody_can_use_ends_it_although_gazebo_goes_on(messages, monkeypatch):
    """As when the images have another format: a flight would wait for more of them."""
    said: queue.Queue = queue.Queue()
    monkeypatch.setattr(threading, 'excepthook', said.put)
    master = Master(messages, stays=True)
    client = Client(messages, port=master.port)

    def receive(message: object) -> None:
        raise ValueError('pixel format: got 7')

    client.subscribe(TOPIC, 'Time', receive)
    assert client.closed.wait(PATIENCE_S)
    assert str(said.get(timeout=PATIENCE_S).exc_value) == 'pixel format: got 7'
    client.close()


def test_without_a_master_it_says_so_at_once(messages):
    with pytest.raises(ConnectionRefusedError):
        Client(messages, port=free_port())


def start(tmp_path: Path, code: str) -> Process:
    command = [sys.executable, '-c', code]
    return Process('Gazebo', command, log=tmp_path / 'gazebo.log', environment={})


def test_a_start_that_fails_is_told_with_the_last_words(tmp_path):
    process = start(tmp_path, 'import sys; print("no display"); sys.exit(3)')
    with pytest.raises(GazeboError) as caught:
        wait_for(process, port=free_port())
    assert 'Gazebo ended with status 3' in str(caught.value)
    assert str(caught.value).endswith('no display')


def test_a_process_that_does_not_listen_to_ctrl_c_is_killed_with_its_children(tmp_path):
    code = (
        'import os, signal, subprocess, sys, time\n'
        'signal.signal(signal.SIGINT, signal.SIG_IGN)\n'
        'child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])\n'
        'print(child.pid, flush=True)\n'
        'time.sleep(600)\n'
    )
    process = start(tmp_path, code)
    pause = threading.Event()
    while not process.output().strip():
        pause.wait(0.02)
    process.kill()
    assert process.status() is not None
    status = Path('/proc', process.output().strip(), 'status')
    for _ in range(500):
        if not status.exists() or 'State:\tZ' in status.read_text():
            return
        pause.wait(0.02)
    raise AssertionError('the child lives on')


@pytest.mark.parametrize(
    ('user', 'tools', 'word'),
    [(1000, folder.NEEDED, 'root'), (0, ('unshare', 'chroot'), 'debootstrap')],
)
def test_why_there_is_no_gazebo_is_told(tmp_path, monkeypatch, user, tools, word):
    monkeypatch.setattr(folder.os, 'geteuid', lambda: user)
    monkeypatch.setattr(folder.shutil, 'which', lambda name: name if name in tools else None)
    with raises(GazeboError, word):
        make_folder(tmp_path, say=lambda words: None)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_leaves_only_its_log(tmp_path, monkeypatch):
    """As when the mirror does not answer: the last line of the log is said."""
    monkeypatch.setattr(folder, 'why_not', lambda: '')
    monkeypatch.setattr(folder, '_mirror', lambda: [])
    monkeypatch.setattr(folder, 'NAMESPACES', ())
    monkeypatch.setattr(folder, 'HERE', tmp_path)
    (tmp_path / 'build.sh').write_text('mkdir -p "$1/dev"; echo "E: no mirror"; exit 1\n')
    build = tmp_path / 'build'
    with raises(GazeboError, 'E: no mirror'):
        make_folder(build, say=lambda words: None)
    assert [path.name for path in build.iterdir()] == ['folder.log']


def test_a_folder_that_exists_is_used(tmp_path):
    (tmp_path / 'bullseye').mkdir()
    assert make_folder(tmp_path, say=lambda words: None) == tmp_path / 'bullseye'


def test_ci_is_told_why_it_cannot_run(monkeypatch, capsys):
    monkeypatch.setattr(gazebo_main, 'why_not', lambda: 'no root')
    monkeypatch.setattr(gazebo_main.shutil, 'which', lambda name: None)
    assert gazebo_main.main() == 1
    assert capsys.readouterr().out == 'Not run: no root\n'


def test_ci_is_told_that_no_mirror_answers_unless_the_folder_is_there(
    monkeypatch, capsys, tmp_path
):
    debootstrap = tmp_path / 'bin' / 'debootstrap'
    debootstrap.parent.mkdir()
    debootstrap.write_text('#!/bin/sh\necho "E: Failed getting release file" >&2\nexit 1\n')
    debootstrap.chmod(0o755)
    monkeypatch.setenv('PATH', f'{debootstrap.parent}:/usr/bin:/bin')
    monkeypatch.setattr(gazebo_main, 'why_not', lambda: '')
    monkeypatch.setattr(gazebo_main, 'BUILD', tmp_path)
    monkeypatch.setattr(gazebo_main.shutil, 'which', lambda name: None)
    assert gazebo_main.main() == 1
    said = capsys.readouterr().out
    assert said.startswith('Not run: ') and said.endswith('E: Failed getting release file\n')
    (tmp_path / folder.RELEASE).mkdir()
    assert gazebo_main.main() == 0
