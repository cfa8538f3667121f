# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Subscribe to topics of Gazebo Classic without its libraries.

Gazebo's transport is protobuf over TCP: every message is 8 hexadecimal digits with the length of
what follows. The master tells where the publisher of a topic listens; a client that sends it the
packet ``sub`` gets its messages. The definitions come with ``libgazebo-dev``, as a descriptor set
made by ``protoc``. Protocol: gazebo/transport/{Connection,ConnectionManager,Publication}.cc.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
import socket
import threading
from typing import Any

from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory

LENGTH_DIGITS = 8
# What a client of Gazebo says about where it publishes; we publish nothing.
NOWHERE = ('127.0.0.1', 1)
# Packets in which the master names the publisher of a topic.
NAMED = ('publisher_subscribe', 'publisher_advertise')


class MessageTypes:
    """
    The message types of one version of Gazebo.

    :param descriptors: file with the set that ``protoc --descriptor_set_out`` made.
    """

    def __init__(self, descriptors: Path) -> None:
        self._pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes()).file:
            self._pool.Add(file)

    def type(self, name: str) -> Any:
        """Return the class of a message, e.g. ``ImageStamped``."""
        descriptor = self._pool.FindMessageTypeByName(f'gazebo.msgs.{name}')
        return message_factory.GetMessageClass(descriptor)


class Client:
    """
    Follows topics until it is closed.

    ``closed`` is set as well when Gazebo has ended, or a receiver has failed.

    :param port: of the master on this machine.
    :raises OSError: no master is there.
    """

    def __init__(self, messages: MessageTypes, *, port: int) -> None:
        self.closed = threading.Event()
        self._messages = messages
        self._receivers: dict[str, tuple[str, Callable[[Any], None]]] = {}
        self._lock = threading.Lock()
        self._sockets = [socket.create_connection(('127.0.0.1', port), timeout=10.0)]
        self._sockets[0].settimeout(None)
        self._start(self._follow_master)

    def subscribe(self, topic: str, type_name: str, receive: Callable[[Any], None]) -> None:
        """
        Have a function called with every message of a topic.

        :param topic: full name, e.g. ``/gazebo/landing/world_stats``.
        :param receive: called in a thread of this topic's own.
        """
        with self._lock:
            self._receivers[topic] = (type_name, receive)
        self._send(self._sockets[0], 'subscribe', self._subscription(topic))

    def close(self) -> None:
        """Let go of all topics."""
        self.closed.set()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _subscription(self, topic: str) -> Any:
        host, port = NOWHERE
        kind = f'gazebo.msgs.{self._receivers[topic][0]}'
        return self._messages.type('Subscribe')(topic=topic, host=host, port=port, msg_type=kind)

    def _follow_master(self) -> None:
        packets, places = self._messages.type('Packet'), self._messages.type('Publish')
        while True:
            packet = packets.FromString(_read(self._sockets[0]))
            if packet.type not in NAMED:
                continue
            place = places.FromString(packet.serialized_data)
            with self._lock:
                known = place.topic in self._receivers
            if known:
                self._start(partial(self._follow_topic, place))

    def _follow_topic(self, place: Any) -> None:
        type_name, receive = self._receivers[place.topic]
        kind = self._messages.type(type_name)
        connection = socket.create_connection((place.host, place.port))
        self._sockets.append(connection)
        self._send(connection, 'sub', self._subscription(place.topic))
        while True:
            receive(kind.FromString(_read(connection)))

    def _start(self, follow: Callable[[], None]) -> None:
        def run() -> None:
            try:
                # Gazebo has ended, or we have.
                with suppress(OSError, EOFError):
                    follow()
            finally:
                self.closed.set()

        threading.Thread(target=run, name='gazebo', daemon=True).start()

    def _send(self, connection: socket.socket, kind: str, message: Any) -> None:
        packet = self._messages.type('Packet')(
            type=kind, serialized_data=message.SerializeToString()
        )
        packet.stamp.sec = packet.stamp.nsec = 0
        data = packet.SerializeToString()
        connection.sendall(f'{len(data):0{LENGTH_DIGITS}X}'.encode('ascii') + data)


def _read(connection: socket.socket) -> bytes:
    return _take(connection, int(_take(connection, LENGTH_DIGITS), 16))


def _take(connection: socket.socket, count: int) -> bytes:
    """
    Read exactly ``count`` bytes.

    :raises EOFError: the other side has closed.
    """
    data = bytearray(count)
    view = memoryview(data)
    while view:
        got = connection.recv_into(view)
        if not got:
            raise EOFError
        view = view[got:]
    return bytes(data)
