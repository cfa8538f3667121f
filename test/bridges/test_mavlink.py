# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""MAVLink on the wire: frames that pymavlink 2.4.50 and mavgen made, in both directions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
import pytest

from edge_perception.bridges.mavlink import MavlinkReader
from edge_perception.bridges.mavlink import MavlinkWriter

# By name: the frame, and the fields that made it.
FRAMES = {
    'HEARTBEAT': (
        'fd0900000001bf00000004000000071208030330b1',
        {
            **{'type': 18, 'autopilot': 8, 'base_mode': 3, 'custom_mode': 4},
            **{'system_status': 3, 'mavlink_version': 3},
        }
        | {'type': 7, 'autopilot': 18, 'base_mode': 8},
    ),
    'ATTITUDE': (
        'fd1c00000001bf1e000040e20100cdcccc3dcdcc4cbe9a99993e0ad7233c0ad7a33c8fc2f5bccc59',
        {
            **{'time_boot_ms': 123456, 'roll': 0.1, 'pitch': -0.2, 'yaw': 0.3},
            **{'rollspeed': 0.01, 'pitchspeed': 0.02, 'yawspeed': -0.03},
        },
    ),
    'LOCAL_POSITION_NED': (
        'fd1c00000001bf20000040e201000000803f00000040000040c0cdcccc3dcdcc4c3e9a9999beb97d',
        {'time_boot_ms': 123456, 'x': 1, 'y': 2, 'z': -3, 'vx': 0.1, 'vy': 0.2, 'vz': -0.3},
    ),
    'TIMESYNC': (
        'fd1000000001bf6f0000000000000000000000002a36fe9c9717531b',
        {'tc1': 0, 'ts1': 1700000000000000000},
    ),
    'LANDING_TARGET': (
        'fd3c00000001bf95000087d6120000000000cdcccc3dcdcc4cbe000040409a99993e9a99993e000c0000003f'
        '000080be9a9939400000803f0000000000000000000000000201de20',
        {
            **{'time_usec': 1234567, 'target_num': 0, 'frame': 12, 'angle_x': 0.1},
            **{'angle_y': -0.2, 'distance': 3, 'size_x': 0.3, 'size_y': 0.3, 'x': 0.5},
            **{'y': -0.25, 'z': 2.9, 'q': (1, 0, 0, 0), 'type': 2, 'position_valid': 1},
        },
    ),
    'TARGET_RELATIVE': (
        'fd4700000001bfff010000401e18240a06000000003f000080be9a9939400ad7a33c0ad7a33ccdcc4c3d'
        '8fc2f53c0000803f000000000000000000000000000000000000000000000000000000000101027839',
        {
            **{'timestamp': 1700000000000000, 'x': 0.5, 'y': -0.25, 'z': 2.9, 'yaw_std': 0.03},
            **{'pos_std': (0.02, 0.02, 0.05), 'q_target': (1, 0, 0, 0), 'id': 1},
            **{'q_sensor': (0, 0, 0, 0), 'frame': 1, 'type': 2},
        },
    ),
}
EVERY_FRAME = b''.join(bytes.fromhex(frame) for frame, _ in FRAMES.values())


@pytest.mark.parametrize('name', FRAMES)
def test_the_bytes_are_those_of_the_reference(name):
    frame, fields = FRAMES[name]
    assert MavlinkWriter().pack(name, **fields).hex() == frame


@pytest.mark.parametrize('name', FRAMES)
def test_a_frame_of_the_reference_is_read(name):
    frame, fields = FRAMES[name]
    (message,) = MavlinkReader().feed(bytes.fromhex(frame))
    assert (message.name, message.system, message.component) == (name, 1, 191)
    assert set(message.fields) == set(fields)
    for field, value in fields.items():
        assert message.fields[field] == pytest.approx(value)


def test_a_frame_of_mavlink_1_is_read():
    frame = 'fe1c0001011e40e20100cdcccc3dcdcc4cbe9a99993e0ad7233c0ad7a33c8fc2f5bc000f'
    (message,) = MavlinkReader().feed(bytes.fromhex(frame))
    assert (message.name, message.system) == ('ATTITUDE', 1)
    assert message.fields['yaw'] == pytest.approx(0.3)


def test_frames_are_numbered():
    writer = MavlinkWriter()
    numbers = [writer.pack('TIMESYNC', tc1=0, ts1=1)[4] for _ in range(257)]
    assert numbers == [*range(256), 0]


@given(st.lists(st.integers(1, len(EVERY_FRAME) - 1)))
def test_messages_may_come_in_any_pieces(cuts):
    reader, names = MavlinkReader(), []
    places = sorted({0, *cuts, len(EVERY_FRAME)})
    for start, end in zip(places, places[1:]):
        names += [message.name for message in reader.feed(EVERY_FRAME[start:end])]
    assert names == list(FRAMES)
    assert not reader.damaged


@given(st.integers(0, len(EVERY_FRAME) - 1), st.integers(1, 255))
def test_a_damaged_byte_is_never_a_wrong_number(place, change):
    damaged = bytearray(EVERY_FRAME)
    damaged[place] ^= change
    right = {str(message) for message in MavlinkReader().feed(EVERY_FRAME)}
    for message in MavlinkReader().feed(bytes(damaged)):
        # The checksum does not cover where a message came from by accident: nothing else differs.
        assert str(message) in right


@given(st.binary(max_size=400))
def test_garbage_is_no_message_and_does_not_stay(data):
    reader = MavlinkReader()
    assert not [message for message in reader.feed(data) if message.name]
    (list(reader.feed(bytes(300))))
    assert [message.name for message in reader.feed(EVERY_FRAME)] == list(FRAMES)
