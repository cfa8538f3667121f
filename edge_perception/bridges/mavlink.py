# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Pack and read the few MAVLink messages that landing needs.

Packed here, not by pymavlink, which has ``TARGET_RELATIVE`` in no dialect and brings lxml.
Formats: https://mavlink.io/en/guide/serialization.html; message definitions ``common.xml`` and
``development.xml``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import struct
from typing import Any

SYSTEM, ONBOARD_COMPUTER = 1, 191
_V1, _V2 = 0xFE, 0xFD
_SIGNED, _SIGNATURE_BYTES = 0x01, 13


@dataclass(frozen=True, slots=True)
class _Layout:
    """
    One message on the wire.

    :param crc_extra: of its definition; sender and receiver with other fields do not match.
    :param fields: names in the order of the wire, with the number of values where it is not 1.
    """

    number: int
    crc_extra: int
    form: str
    fields: tuple[str | tuple[str, int], ...]


_LAYOUTS = {
    'HEARTBEAT': _Layout(
        *(0, 50, '<IBBBBB'),
        ('custom_mode', 'type', 'autopilot', 'base_mode', 'system_status', 'mavlink_version'),
    ),
    'ATTITUDE': _Layout(
        *(30, 39, '<Iffffff'),
        ('time_boot_ms', 'roll', 'pitch', 'yaw', 'rollspeed', 'pitchspeed', 'yawspeed'),
    ),
    'LOCAL_POSITION_NED': _Layout(
        *(32, 185, '<Iffffff'), ('time_boot_ms', 'x', 'y', 'z', 'vx', 'vy', 'vz')
    ),
    'TIMESYNC': _Layout(111, 34, '<qq', ('tc1', 'ts1')),
    'LANDING_TARGET': _Layout(
        *(149, 200, '<QfffffBBfff4fBB'),
        (
            *('time_usec', 'angle_x', 'angle_y', 'distance', 'size_x', 'size_y', 'target_num'),
            *('frame', 'x', 'y', 'z', ('q', 4), 'type', 'position_valid'),
        ),
    ),
    'TARGET_RELATIVE': _Layout(
        *(511, 28, '<Qfff3ff4f4fBBB'),
        (
            *('timestamp', 'x', 'y', 'z', ('pos_std', 3), 'yaw_std', ('q_target', 4)),
            *(('q_sensor', 4), 'id', 'frame', 'type'),
        ),
    ),
}
_NAMES = {layout.number: name for name, layout in _LAYOUTS.items()}


@dataclass(frozen=True, slots=True)
class MavlinkMessage:
    """
    One message that came.

    :param fields: by their names in the definition; arrays are tuples.
    """

    name: str
    system: int
    component: int
    fields: dict[str, Any]


class MavlinkWriter:
    """Packs messages as MAVLink 2, numbered one after the other; for one thread."""

    def __init__(self, system: int = SYSTEM, component: int = ONBOARD_COMPUTER) -> None:
        self._system, self._component = system, component
        self._sequence = 0

    def pack(self, name: str, **fields: Any) -> bytes:
        """Return one frame; every field of the message has to be given, arrays as sequences."""
        layout = _LAYOUTS[name]
        values: list[Any] = []
        for field in layout.fields:
            if isinstance(field, tuple):
                values += fields.pop(field[0])
            else:
                values.append(fields.pop(field))
        if fields:
            raise TypeError(f'{name} has no {", ".join(sorted(fields))}')
        # Zeros at the end are not sent, but for the first byte.
        payload = struct.pack(layout.form, *values).rstrip(b'\0') or b'\0'
        ids = bytes((self._sequence, self._system, self._component))
        body = bytes((len(payload), 0, 0)) + ids + layout.number.to_bytes(3, 'little') + payload
        self._sequence = (self._sequence + 1) % 256
        return bytes((_V2,)) + body + _checksum(body, layout.crc_extra)


class MavlinkReader:
    """
    Reads frames of MAVLink 1 and 2 out of the bytes that come; for one thread.

    :param damaged: bytes that belong to no frame, or to one whose checksum is wrong.
    """

    def __init__(self) -> None:
        self._left = b''
        self.damaged = 0

    def feed(self, data: bytes) -> Iterator[MavlinkMessage]:
        """Yield the messages that are complete now and known here; others are left out."""
        data = self._left + data
        start = 0
        while start < len(data):
            size = _frame_size(data, start)
            if size is None:
                start, self.damaged = start + 1, self.damaged + 1
                continue
            if start + size > len(data):
                break
            message = _read(data[start : start + size])
            if message is None:
                start, self.damaged = start + 1, self.damaged + 1
                continue
            if message.name:
                yield message
            start += size
        self._left = data[start:]


def _frame_size(data: bytes, start: int) -> int | None:
    """Return the bytes of the frame that begins here; None where none does."""
    if data[start] not in (_V1, _V2):
        return None
    head = data[start : start + 3].ljust(3, b'\0')
    if head[0] == _V1:
        return 8 + head[1]
    return 12 + head[1] + (_SIGNATURE_BYTES if head[2] & _SIGNED else 0)


def _read(frame: bytes) -> MavlinkMessage | None:
    """Return the message of a frame, without name where it is none of ours; None if damaged."""
    if frame[0] == _V1:
        length, (system, component), start = frame[1], frame[3:5], 6
        number = frame[5]
    else:
        length, (system, component), start = frame[1], frame[5:7], 10
        number = int.from_bytes(frame[7:10], 'little')
    name = _NAMES.get(number)
    if name is None:
        # Its checksum cannot be known; the length decides.
        return MavlinkMessage('', system, component, {})
    layout, end = _LAYOUTS[name], start + length
    if frame[end : end + 2] != _checksum(frame[1:end], layout.crc_extra):
        return None
    size = struct.calcsize(layout.form)
    values = list(struct.unpack(layout.form, frame[start:end][:size].ljust(size, b'\0')))
    fields: dict[str, Any] = {}
    for field in layout.fields:
        if isinstance(field, tuple):
            fields[field[0]], values = tuple(values[: field[1]]), values[field[1] :]
        else:
            fields[field] = values.pop(0)
    return MavlinkMessage(name, system, component, fields)


def _checksum(body: bytes, crc_extra: int) -> bytes:
    """Return the CRC-16/MCRF4XX of a frame without its first byte, and of its definition."""
    crc = 0xFFFF
    for byte in (*body, crc_extra):
        low = (byte ^ crc) & 0xFF
        low ^= (low << 4) & 0xFF
        crc = (crc >> 8) ^ (low << 8) ^ (low << 3) ^ (low >> 4)
    return struct.pack('<H', crc & 0xFFFF)
