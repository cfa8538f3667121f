# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Bytes to and from an autopilot: UDP to one address that the user named, or a serial line."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
import os
import socket
import termios
import tty

from edge_perception.contract import ConfigurationError
from edge_perception.contract.errors import in_words

FORMS = 'udp:HOST:PORT, udp:HOST:PORT@LOCAL_PORT or serial:DEVICE:BAUD'
_CHUNK, _MAX_PORT = 65536, 65535


class Link(ABC):
    """A connection that never waits; for one thread."""

    @abstractmethod
    def send(self, frame: bytes) -> None:
        """
        Send one frame.

        :raises OSError: it could not be sent; a later one may.
        """

    @abstractmethod
    def receive(self) -> bytes:
        """Return what has come, nothing when nothing has."""

    @abstractmethod
    def close(self) -> None:
        """Give the connection back."""


def open_link(connection: str) -> Link:
    """
    Open what the parameter ``connection`` names.

    :raises ConfigurationError: it names nothing, or what it names does not open.
    """
    kind, _, rest = connection.partition(':')
    rest, _, local = rest.partition('@') if kind == 'udp' else (rest, '', '')
    place, _, number = rest.rpartition(':')
    numbers = number.isdecimal() and (local or '0').isdecimal()
    if kind not in ('udp', 'serial') or not place or not numbers:
        problem = f'got {connection!r}, expected {FORMS}'
        raise ConfigurationError('connection', [problem])
    try:
        if kind == 'serial':
            return _Serial(place, int(number))
        return _Udp(place, int(number), int(local or 0))
    except (OSError, termios.error) as error:
        problem = f'{connection} does not open: {in_words(error)}'
        raise ConfigurationError('connection', [problem]) from None


class _Udp(Link):
    """Connected: nothing else is sent to, and nothing else is heard."""

    def __init__(self, host: str, port: int, local_port: int) -> None:
        if max(port, local_port) > _MAX_PORT:
            # Resolving an address would take the rest of a division.
            raise OSError(f'ports are at most {_MAX_PORT}')
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.bind(('', local_port))
            self._socket.connect(address)
        except OSError:
            self._socket.close()
            raise

    def send(self, frame: bytes) -> None:
        self._socket.send(frame)

    def receive(self) -> bytes:
        chunks = []
        while True:
            try:
                chunks.append(self._socket.recv(_CHUNK))
            except ConnectionRefusedError:
                # Nobody listened to what was sent before; somebody may later.
                continue
            except OSError:
                return b''.join(chunks)

    def close(self) -> None:
        self._socket.close()


class _Serial(Link):
    """A serial line without flow control, 8N1; opened again when it was unplugged."""

    def __init__(self, device: str, baud: int) -> None:
        speed = getattr(termios, f'B{baud}', None)
        if speed is None:
            raise OSError(f'{baud} is no speed of serial lines here, expected e.g. 921600')
        self._device, self._speed = device, speed
        self._line: int | None = self._opened()

    def send(self, frame: bytes) -> None:
        if self._line is None:
            raise OSError(f'{self._device} is unplugged')
        os.write(self._line, frame)

    def receive(self) -> bytes:
        try:
            if self._line is None:
                self._line = self._opened()
            data = os.read(self._line, _CHUNK)
        except BlockingIOError:
            return b''
        except (OSError, termios.error):
            data = b''
        if not data:  # nothing at all, and not only nothing yet
            self.close()
        return data

    def close(self) -> None:
        if self._line is not None:
            os.close(self._line)
            self._line = None

    def _opened(self) -> int:
        line = os.open(self._device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            tty.setraw(line)
            attributes = termios.tcgetattr(line)
            attributes[4] = attributes[5] = self._speed
            termios.tcsetattr(line, termios.TCSANOW, attributes)
        except BaseException:
            os.close(line)
            raise
        return line
