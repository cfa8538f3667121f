# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is said to an autopilot, and when the bridge is silent; time is that of the test."""

from __future__ import annotations

from contextlib import suppress
import os
import socket

import numpy as np
import pytest

from edge_perception.bridges.autopilot import AutopilotBridge
from edge_perception.bridges.link import open_link
from edge_perception.bridges.mavlink import MavlinkReader
from edge_perception.bridges.mavlink import MavlinkWriter
from edge_perception.bridges.measurement_rules import MeasurementRules
from edge_perception.bridges.vehicle_frames import TargetMeasurement
from edge_perception.bridges.vehicle_state import NotSentError
from edge_perception.contract import ConfigurationError

MS = 1_000_000
# Of this computer and of the autopilot, which was started a minute ago.
OURS, THEIRS = 1_700_000_000_000 * MS, 60_000 * MS


class Talk:
    """A bridge and the autopilot at the other end; time passes in steps of 10 ms."""

    def __init__(self, kind='px4', *, axes='body_frd', system=1, boot_ns=THEIRS):
        self.said, self.sent = {}, []
        self.now, self.boot_ns = OURS, boot_ns
        self.answers, self.states_delay_ms, self.heart = True, 0, True
        self._writer, self._reader = MavlinkWriter(system, component=1), MavlinkReader()
        self.bridge = AutopilotBridge(
            kind,
            rules=MeasurementRules(500 * MS),
            say=lambda code, text: self.said.setdefault(code, text),
            axes=axes,
        )

    @property
    def theirs_ns(self):
        return self.now - OURS + self.boot_ns

    def pass_ms(self, milliseconds):
        for _ in range(0, milliseconds, 10):
            self.now += 10 * MS
            self._hear(self.bridge.tick(self.now))
            if self.heart and self.now // MS % 500 == 0:
                fields = {'type': 2, 'autopilot': 12, 'base_mode': 0, 'custom_mode': 0}
                self.say('HEARTBEAT', **fields, system_status=4, mavlink_version=3)
            if self.now // MS % 20 == 0 and self.states_delay_ms is not None:
                self.say_state(self.theirs_ns // MS - self.states_delay_ms)
        return self

    def say_state(self, boot_ms):
        rates = {'rollspeed': 0, 'pitchspeed': 0, 'yawspeed': 0}
        self.say('ATTITUDE', time_boot_ms=boot_ms, roll=0, pitch=0, yaw=0, **rates)
        # It flies north with 1 m/s: the position tells the time for which it was taken.
        place = {'x': boot_ms / 1000 - 60, 'y': 0, 'z': -5, 'vx': 1, 'vy': 0, 'vz': 0}
        self.say('LOCAL_POSITION_NED', time_boot_ms=boot_ms, **place)

    def say(self, name, **fields):
        self.receive(self._writer.pack(name, **fields))

    def receive(self, data):
        self._hear(self.bridge.received(data, self.now))

    def measure(self, *, age_ms=40, position=(1.0, 2.0, 5.0), covariance=None):
        """Let a measurement arrive; return its stamp."""
        stamp = self.now - int(age_ms * MS)
        covariance = 0.01 * np.eye(6) if covariance is None else covariance
        measured = TargetMeasurement(stamp, np.array(position), np.eye(3), covariance)
        self._hear(self.bridge.measured(measured, self.now))
        return stamp

    def _hear(self, frames):
        for frame in frames:
            (message,) = self._reader.feed(frame)
            if message.name in ('LANDING_TARGET', 'TARGET_RELATIVE'):
                self.sent.append(message.fields)
            elif message.name == 'TIMESYNC' and self.answers and not message.fields['tc1']:
                self.say('TIMESYNC', tc1=self.theirs_ns, ts1=message.fields['ts1'])


def test_px4_gets_the_position_at_the_stamp_of_the_image():
    talk = Talk().pass_ms(1000)
    stamp = talk.measure(age_ms=55)
    (sent,) = talk.sent
    assert (sent['frame'], sent['position_valid']) == (1, 1)
    assert sent['time_usec'] == stamp // 1000
    assert [sent[axis] for axis in 'xyz'] == pytest.approx((0.945 + 1, 2, 0), abs=2e-3)


@pytest.mark.parametrize(
    ('kind', 'axes', 'number'), [('ardupilot', 'body_frd', 12), ('ardupilot', 'local_frd', 20)]
)
def test_ardupilot_gets_it_in_the_axes_asked_for(kind, axes, number):
    talk = Talk(kind, axes=axes).pass_ms(1000)
    talk.measure()
    (sent,) = talk.sent
    assert (sent['frame'], sent['type']) == (number, 2)
    assert sent['distance'] == pytest.approx(30**0.5)


def test_the_estimator_of_px4_gets_deviations():
    talk = Talk('px4_vte').pass_ms(1000)
    talk.measure(covariance=np.diag([0.01, 0.04, 0.09, 0.01, 0.01, 0.25]))
    (sent,) = talk.sent
    assert sent['pos_std'] == pytest.approx((0.1, 0.2, 0.3))
    assert (sent['yaw_std'], sent['q_sensor']) == (0.5, (0, 0, 0, 0))


def test_a_measurement_waits_for_the_state_that_comes_after_it():
    talk = Talk()
    talk.states_delay_ms = 80
    talk.pass_ms(1000)
    # Faster than the states are late: none may push out another.
    stamps = []
    for _ in range(4):
        stamps.append(talk.measure(age_ms=30))
        talk.pass_ms(30)
    talk.pass_ms(100)
    assert [sent['time_usec'] for sent in talk.sent] == [stamp // 1000 for stamp in stamps]
    assert 'state' not in talk.said


@pytest.mark.parametrize('axes', ['local_frd', ''])
def test_a_late_attitude_makes_silence(axes):
    talk = Talk('ardupilot', axes=axes) if axes else Talk()
    talk.states_delay_ms = 300
    talk.pass_ms(1000)
    talk.measure()
    talk.pass_ms(400)
    assert talk.sent == []
    assert 'ms older than the image' in talk.said['state']


@pytest.mark.parametrize('gap_ms', [80, 120])
def test_a_gap_of_the_attitude_around_the_image_makes_silence_from_50_ms(gap_ms):
    talk = Talk().pass_ms(1000)
    talk.states_delay_ms = None
    last = talk.theirs_ns // MS
    talk.pass_ms(gap_ms // 2)
    stamp = talk.now
    talk.pass_ms(gap_ms // 2)
    talk.say_state(last + gap_ms)
    if gap_ms < 100:
        talk.measure(age_ms=(talk.now - stamp) / MS)
        assert len(talk.sent) == 1
        return
    with pytest.raises(NotSentError, match='gap of 120 ms'):
        talk.measure(age_ms=(talk.now - stamp) / MS)


def test_without_timesync_px4_gets_nothing():
    talk = Talk()
    talk.answers = False
    talk.pass_ms(2000)
    with pytest.raises(NotSentError, match='TIMESYNC'):
        talk.measure()
    assert talk.sent == []


@pytest.mark.parametrize('jump_ms', [-50_000, 50_000])
def test_states_of_another_clock_are_not_mixed_in(jump_ms):
    talk = Talk().pass_ms(1000)
    talk.boot_ns += jump_ms * MS
    for _ in range(30):
        talk.pass_ms(50)
        with suppress(NotSentError):
            talk.measure(age_ms=40)
    assert 'clock' in talk.said and len(talk.sent) > 10
    for sent in talk.sent:
        flown = (sent['time_usec'] * 1000 - OURS + talk.boot_ns) / 1e9 - 60
        assert sent['x'] == pytest.approx(flown + 1, abs=2e-3)


def test_another_system_is_not_listened_to_and_named():
    talk = Talk('ardupilot', system=3).pass_ms(1000)
    assert 'system 3, expected 1' in talk.said['system_id']
    with pytest.raises(NotSentError, match='heartbeat of system 1'):
        talk.measure()


def test_a_lost_link_is_noticed_and_found_again():
    talk = Talk('ardupilot').pass_ms(1000)
    talk.heart = False
    talk.pass_ms(3000)
    with pytest.raises(NotSentError, match='no heartbeat'):
        talk.measure()
    talk.heart = True
    talk.pass_ms(500)
    talk.measure()
    assert len(talk.sent) == 1


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        ({'age_ms': 501}, 'at most 500 ms'),
        ({'age_ms': -6}, 'in the future'),
        ({'position': (1, np.nan, 3)}, 'not finite'),
        ({'covariance': np.full((6, 6), np.inf)}, 'not finite'),
        ({'position': (1, 1e300, 3)}, '1e.300 m'),
        ({'covariance': -np.eye(6)}, '-1'),
        ({'covariance': 1e80 * np.eye(6)}, '1e.80'),
    ],
)
def test_bad_measurements_are_not_sent(given, words):
    talk = Talk('ardupilot').pass_ms(1000)
    with pytest.raises(NotSentError, match=words):
        talk.measure(**given)
    talk.pass_ms(100)
    talk.measure()
    assert len(talk.sent) == 1


@pytest.mark.parametrize('age_ms', [40, 60])
def test_an_image_is_sent_once_and_never_an_older_one(age_ms):
    talk = Talk('ardupilot').pass_ms(1000)
    talk.measure(age_ms=40)
    with pytest.raises(NotSentError, match='not newer'):
        talk.measure(age_ms=age_ms)


def test_a_clock_of_ours_that_is_set_back_does_not_end_it():
    talk = Talk('ardupilot').pass_ms(10_000)
    talk.measure()
    talk.now -= 5000 * MS
    talk.measure()
    assert len(talk.sent) == 2


def test_damaged_bytes_are_left_out():
    talk = Talk('ardupilot').pass_ms(1000)
    talk.receive(bytes(range(256)) * 4)
    heartbeat = bytearray(MavlinkWriter(7, component=1).pack('TIMESYNC', tc1=5, ts1=6))
    heartbeat[12] ^= 1
    talk.receive(bytes(heartbeat))
    talk.pass_ms(500)
    talk.measure()
    assert len(talk.sent) == 1


@pytest.mark.parametrize(('kind', 'warned'), [('ardupilot', True), ('px4_vte', False)])
def test_gaps_in_which_ardupilot_begins_anew_are_named(kind, warned):
    talk = Talk(kind).pass_ms(1000)
    for pause in (100, 600):
        talk.measure()
        talk.pass_ms(pause)
    talk.measure()
    assert ('gap' in talk.said) == warned


def test_a_serial_line_carries_bytes_both_ways():
    ours, theirs = os.openpty()
    link = open_link(f'serial:{os.ttyname(theirs)}:57600')
    try:
        assert link.receive() == b''
        link.send(b'\xfd\x00\n')
        assert os.read(ours, 10) == b'\xfd\x00\n'
        os.write(ours, b'\r\x03answer')
        assert link.receive() == b'\r\x03answer'
    finally:
        link.close()
        os.close(ours)
        os.close(theirs)


def test_two_ends_may_name_each_other():
    ports = []
    for _ in range(2):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(('127.0.0.1', 0))
            ports.append(free.getsockname()[1])
    one, other = ports
    first, second = (
        open_link(f'udp:127.0.0.1:{there}@{here}') for here, there in (ports, ports[::-1])
    )
    try:
        first.send(b'one')
        assert second.receive() == b'one'
        with pytest.raises(ConfigurationError, match='does not open'):
            open_link(f'udp:127.0.0.1:{other}@{one}')
    finally:
        first.close()
        second.close()


def test_a_serial_line_that_was_unplugged_is_opened_again(tmp_path):
    ours, theirs = os.openpty()
    line = tmp_path / 'line'
    line.symlink_to(os.ttyname(theirs))
    link = open_link(f'serial:{line}:57600')
    os.close(theirs)
    os.close(ours)
    line.unlink()
    assert link.receive() == link.receive() == b''
    with pytest.raises(OSError, match='unplugged'):
        link.send(b'to nobody')
    ours, theirs = os.openpty()
    line.symlink_to(os.ttyname(theirs))
    assert link.receive() == b''
    link.send(b'to the autopilot')
    assert os.read(ours, 100) == b'to the autopilot'
    link.close()
    os.close(ours)
    os.close(theirs)
