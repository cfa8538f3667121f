# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is said to an autopilot and heard from it, without ROS and without a socket."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from edge_perception.bridges import landing_target
from edge_perception.bridges.mavlink import MavlinkMessage
from edge_perception.bridges.mavlink import MavlinkReader
from edge_perception.bridges.mavlink import MavlinkWriter
from edge_perception.bridges.measurement_rules import MeasurementRules
from edge_perception.bridges.vehicle_frames import TargetMeasurement
from edge_perception.bridges.vehicle_state import NotSentError
from edge_perception.bridges.vehicle_state import NotYetKnownError
from edge_perception.bridges.vehicle_state import VehicleClock
from edge_perception.bridges.vehicle_state import VehicleStates

AUTOPILOTS = ('ardupilot', 'px4', 'px4_vte')
# Axes of the LANDING_TARGET of ArduPilot by the name of the parameter.
AXES = ('body_frd', 'local_frd')
_HEARTBEAT_NS = 1_000_000_000
# As long as the autopilots themselves wait for a companion.
_LINK_LOST_NS = 3_000_000_000
_TIMESYNC_NS = 100_000_000
# A state that has not come after so long is late: the measurement is not sent.
_PATIENCE_NS, _MOST_WAITING = 100_000_000, 16
# ArduPilot begins anew after a gap of half a second in the first two seconds (AC_PrecLand).
_FIRST_NS, _GAP_NS = 2_000_000_000, 500_000_000
_ONBOARD_CONTROLLER, _NO_AUTOPILOT, _ACTIVE, _VERSION = 18, 8, 4, 3


class AutopilotBridge:
    """
    Turns measurements into the bytes that one autopilot accepts; for one thread.

    :param kind: one of ``AUTOPILOTS``.
    :param axes: one of ``AXES``; only ArduPilot takes it.
    :param system_id: of the autopilot; others on the link are not listened to.
    :param say: told once of each thing that is wrong, with a code.
    """

    def __init__(
        self,
        kind: str,
        *,
        rules: MeasurementRules,
        say: Callable[[str, str], None],
        axes: str = 'body_frd',
        target_num: int = 0,
        system_id: int = 1,
    ) -> None:
        self._kind, self._axes = kind, axes
        self._rules, self._say = rules, say
        self._target_num, self._system_id = target_num, system_id
        self._writer, self._reader = MavlinkWriter(system_id), MavlinkReader()
        self._clock, self._states = VehicleClock(), VehicleStates()
        self._heard_ns: int | None = None
        self._heartbeat_ns = self._timesync_ns = -_LINK_LOST_NS
        # Oldest first, with the time until which each waits; a slow link is several images late.
        self._waiting: deque[tuple[int, TargetMeasurement]] = deque(maxlen=_MOST_WAITING)
        self._begun_ns = self._last_ns = 0
        self.ages_ns: deque[int] = deque(maxlen=300)

    @property
    def needs_state(self) -> bool:
        """Whether attitude and clock of the autopilot go into each message."""
        return self._kind == 'px4' or (self._kind == 'ardupilot' and self._axes == 'local_frd')

    def linked(self, now_ns: int) -> bool:
        """Whether a heartbeat of the autopilot came lately."""
        return self._heard_ns is not None and now_ns - self._heard_ns < _LINK_LOST_NS

    def tick(self, now_ns: int) -> list[bytes]:
        """Return what has to be sent without being asked; call it ten times a second or more."""
        frames = []
        if now_ns - self._heartbeat_ns >= _HEARTBEAT_NS:
            self._heartbeat_ns = now_ns
            frames.append(self._pack('HEARTBEAT', _HEARTBEAT))
        if self.needs_state and now_ns - self._timesync_ns >= _TIMESYNC_NS:
            self._timesync_ns = now_ns
            frames.append(self._pack('TIMESYNC', {'tc1': 0, 'ts1': now_ns}))
        return frames

    def received(self, data: bytes, now_ns: int) -> list[bytes]:
        """Take bytes of the link; return answers, and a measurement that waited for them."""
        frames = []
        for message in self._reader.feed(data):
            if message.system != self._system_id:
                self._foreign(message)
            elif message.name == 'HEARTBEAT' and message.fields['autopilot'] != _NO_AUTOPILOT:
                self._heard_ns = now_ns
            elif message.name == 'TIMESYNC':
                frames += self._synchronized(message.fields, now_ns)
            else:
                self._states.take(message)
        for _ in range(len(self._waiting)):
            try:
                frames += self._sent(*self._waiting.popleft(), now_ns)
            except NotSentError as silence:
                self._say('state', f'a measurement was not sent: {silence}')
        return frames

    def measured(self, measurement: TargetMeasurement, now_ns: int) -> list[bytes]:
        """
        Return the message for a measurement; none while the state of the vehicle may still come.

        :param measurement: in FRD from the vehicle's origin.
        :raises NotSentError: nothing may be sent for it.
        """
        self._rules.check(measurement, now_ns)
        if not self.linked(now_ns):
            raise NotSentError(
                f'no heartbeat of system {self._system_id} for 3 s; check the connection, and the '
                'parameter system_id'
            )
        self._watch_gaps(measurement.stamp_ns)
        return self._sent(now_ns + _PATIENCE_NS, measurement, now_ns)

    def _sent(self, until_ns: int, measurement: TargetMeasurement, now_ns: int) -> list[bytes]:
        try:
            name, fields = self._message(measurement)
        except NotYetKnownError:
            if now_ns > until_ns:
                raise
            self._waiting.append((until_ns, measurement))
            return []
        self.ages_ns.append(now_ns - measurement.stamp_ns)
        return [self._pack(name, fields)]

    def _message(self, body: TargetMeasurement) -> tuple[str, dict[str, Any]]:
        number = self._target_num
        if self._kind == 'px4_vte':
            return 'TARGET_RELATIVE', landing_target.target_relative(body, target_num=number)
        if not self.needs_state:
            return 'LANDING_TARGET', landing_target.body_frd(body, target_num=number)
        if not self._clock.known:
            raise NotSentError(
                'the autopilot does not answer TIMESYNC, so its attitude at the stamp of an image '
                'is not known; use a link that carries it both ways'
            )
        theirs_ns = self._clock.theirs_ns(body.stamp_ns)
        if self._kind == 'px4':
            vehicle = self._states.at(theirs_ns)
            return 'LANDING_TARGET', landing_target.local_ned(body, vehicle, target_num=number)
        attitude = self._states.attitude(theirs_ns)
        return 'LANDING_TARGET', landing_target.local_frd(body, attitude, target_num=number)

    def _synchronized(self, fields: Mapping[str, int], now_ns: int) -> list[bytes]:
        if not fields['tc1']:
            # The autopilot asks: it converts the stamps of targets by the answer.
            return [self._pack('TIMESYNC', {'tc1': now_ns, 'ts1': fields['ts1']})]
        if self._clock.answered(asked_ns=fields['ts1'], theirs_ns=fields['tc1'], now_ns=now_ns):
            self._states.clear()
            self._say('clock', 'the clock of the autopilot was set; its states begin anew')
        return []

    def _watch_gaps(self, stamp_ns: int) -> None:
        """Say that ArduPilot will not begin to land, with images as rare as they are."""
        gap_ns, self._last_ns = stamp_ns - self._last_ns, stamp_ns
        if gap_ns <= _GAP_NS:
            return
        too_early = self._begun_ns and stamp_ns - gap_ns - self._begun_ns < _FIRST_NS
        if self._kind == 'ardupilot' and too_early:
            self._say(
                'gap',
                f'{gap_ns / 1e9:.1f} s between two measurements; ArduPilot begins anew after '
                'gaps of 0.5 s within its first 2 s: raise the rate, or keep the target in view',
            )
        self._begun_ns = stamp_ns

    def _foreign(self, message: MavlinkMessage) -> None:
        if message.name == 'HEARTBEAT' and message.fields['autopilot'] != _NO_AUTOPILOT:
            self._say(
                'system_id',
                f'the autopilot on this link is system {message.system}, expected '
                f'{self._system_id}; set the parameter system_id',
            )

    def _pack(self, name: str, fields: Mapping[str, Any]) -> bytes:
        return self._writer.pack(name, **fields)


_HEARTBEAT = {
    'custom_mode': 0,
    'type': _ONBOARD_CONTROLLER,
    'autopilot': _NO_AUTOPILOT,
    'base_mode': 0,
    'system_status': _ACTIVE,
    'mavlink_version': _VERSION,
}
