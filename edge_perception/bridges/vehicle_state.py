# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Where the vehicle was at the stamp of an image, from what its autopilot sends."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from edge_perception.bridges.mavlink import MavlinkMessage
from edge_perception.bridges.vehicle_frames import Floats
from edge_perception.bridges.vehicle_frames import from_rpy

# A sample that is farther from the stamp says too little of where the vehicle was.
MAX_GAP_NS = 50_000_000
_SAMPLES = 256
# Exchanges of TIMESYNC of which the quickest counts; the first estimate needs some.
_EXCHANGES, _ENOUGH = 10, 3
# An offset that moves by more is a clock that was set, not one that drifts.
_JUMP_NS = 100_000_000


class NotSentError(Exception):
    """Nothing may be sent for a measurement; the text says why, and what to do."""


class NotYetKnownError(NotSentError):
    """The state of the vehicle at the stamp may still come."""


@dataclass(frozen=True, slots=True)
class VehicleState:
    """
    The vehicle at one moment.

    :param rotation: float64 (3, 3), FRD to NED.
    :param position: float64 (3,), NED of its local origin, meters.
    """

    rotation: Floats
    position: Floats


class VehicleClock:
    """
    The clock of the autopilot, by TIMESYNC: https://mavlink.io/en/services/timesync.html.

    Of the last exchanges that with the shortest way there and back counts, as it leaves the least
    doubt about how the time was spent.
    """

    def __init__(self) -> None:
        self._exchanges: deque[tuple[int, int]] = deque(maxlen=_EXCHANGES)
        # How often the clock of the autopilot was set.
        self.jumps = 0

    @property
    def known(self) -> bool:
        """Whether enough exchanges were made since the start, or since the clock was set."""
        return len(self._exchanges) >= _ENOUGH

    def answered(self, *, asked_ns: int, theirs_ns: int, now_ns: int) -> bool:
        """
        Take an answer.

        :return: whether the clock of the autopilot was set; states that came before are void.
        """
        there_and_back = now_ns - asked_ns
        if there_and_back < 0:
            return False
        offset = theirs_ns - (asked_ns + now_ns) // 2
        jumped = self.known and abs(offset - self._offset_ns()) > _JUMP_NS + there_and_back
        if jumped:
            self._exchanges.clear()
            self.jumps += 1
        self._exchanges.append((there_and_back, offset))
        return jumped

    def theirs_ns(self, ours_ns: int) -> int:
        """Return a time of this computer by the clock of the autopilot."""
        return ours_ns + self._offset_ns()

    def _offset_ns(self) -> int:
        return min(self._exchanges)[1]


class VehicleStates:
    """The last seconds of a vehicle's attitude and position, by the clock of its autopilot."""

    def __init__(self) -> None:
        self._attitudes: deque[tuple[int, Floats]] = deque(maxlen=_SAMPLES)
        self._positions: deque[tuple[int, Floats]] = deque(maxlen=_SAMPLES)

    def clear(self) -> None:
        """Forget all: the clock of the autopilot was set."""
        self._attitudes.clear()
        self._positions.clear()

    def take(self, message: MavlinkMessage) -> None:
        """Take a message; others than ATTITUDE and LOCAL_POSITION_NED are left out."""
        fields = message.fields
        if message.name == 'ATTITUDE':
            values = np.array([fields[name] for name in ('roll', 'pitch', 'yaw')])
            _append(self._attitudes, fields['time_boot_ms'] * 1_000_000, values)
        elif message.name == 'LOCAL_POSITION_NED':
            values = np.array([fields[name] for name in ('x', 'y', 'z')])
            _append(self._positions, fields['time_boot_ms'] * 1_000_000, values)

    def attitude(self, theirs_ns: int) -> Floats:
        """
        Return the rotation from FRD to NED at a time of the autopilot's clock.

        :raises NotSentError: it is not known then.
        """
        before, after, share = _around(self._attitudes, theirs_ns, 'ATTITUDE')
        first, second = from_rpy(*before), from_rpy(*after)
        turn = cv2.Rodrigues(first.T @ second)[0]
        return np.asarray(first @ cv2.Rodrigues(turn * share)[0], np.float64)

    def at(self, theirs_ns: int) -> VehicleState:
        """
        Return attitude and position at a time of the autopilot's clock, never extrapolated.

        :raises NotSentError: one of the two is not known then.
        """
        rotation = self.attitude(theirs_ns)
        before, after, share = _around(self._positions, theirs_ns, 'LOCAL_POSITION_NED')
        return VehicleState(rotation, before + share * (after - before))


def _append(samples: deque[tuple[int, Floats]], time_ns: int, values: Floats) -> None:
    if not np.isfinite(values).all() or (samples and time_ns == samples[-1][0]):
        return
    if samples and time_ns < samples[-1][0]:
        # Sent late: a state between two others, which are there without it.
        if samples[-1][0] - time_ns < _JUMP_NS:
            return
        samples.clear()
    samples.append((time_ns, values))


def _around(
    samples: deque[tuple[int, Floats]], time_ns: int, name: str
) -> tuple[Floats, Floats, float]:
    """Return the samples before and after a time, and the share of the way between them."""
    if not samples:
        raise NotYetKnownError(
            f'the autopilot sends no {name}; let it stream the message at 30 Hz or more'
        )
    index = bisect_left(samples, time_ns, key=lambda sample: sample[0])
    if index == len(samples):
        late_ms = (time_ns - samples[-1][0]) / 1e6
        raise NotYetKnownError(f'the newest {name} is {late_ms:.0f} ms older than the image')
    (after_ns, after), (before_ns, before) = samples[index], samples[max(index - 1, 0)]
    if after_ns == time_ns:
        return after, after, 0.0
    if index == 0:
        raise NotSentError(f'the oldest {name} is newer than the image')
    if max(after_ns - time_ns, time_ns - before_ns) > MAX_GAP_NS:
        gap_ms = (after_ns - before_ns) / 1e6
        raise NotSentError(
            f'{name} has a gap of {gap_ms:.0f} ms around the image; let the autopilot stream it '
            'at 30 Hz or more'
        )
    return before, after, (time_ns - before_ns) / (after_ns - before_ns)
