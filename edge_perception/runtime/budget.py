# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
How old a frame is, and how old its result may be.

The age on arrival is the clock of ROS minus the stamp of the image, once; from then on only a
monotonic clock counts, so that a clock that is set does not make frames younger or older.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# Returns nanoseconds that never go back; ``time.monotonic_ns`` outside of tests.
Clock = Callable[[], int]

NS_PER_MS = 1_000_000
NS_PER_MINUTE = 60_000 * NS_PER_MS
# Above a minute milliseconds say nothing to anybody; a year is the mean one.
LARGE_UNITS = (
    ('years', 525_960 * NS_PER_MINUTE),
    ('days', 1440 * NS_PER_MINUTE),
    ('hours', 60 * NS_PER_MINUTE),
    ('minutes', NS_PER_MINUTE),
)
# Older than this, with a budget, a frame was not late: its stamp counts from another start.
OTHER_START_NS = 60 * NS_PER_MINUTE
# A stamp below is no date but counts from a start, of a machine or of a process: 2000-01-01.
EARLIEST_DATE_NS = 946_684_800_000 * NS_PER_MS
BAD_STAMP_POLICIES = ('drop', 'arrival')
# A camera without a budget has its turn as if it had this one: somebody who takes results of any
# age must neither starve nor starve others.
TURN_WITHOUT_BUDGET_NS = 1000 * NS_PER_MS


def age_in_words(age_ns: int, *, digits: int = 0) -> str:
    """
    Return a time in the unit that people would choose: milliseconds, minutes ... years.

    :param digits: of milliseconds, after the point.
    """
    for unit, unit_ns in LARGE_UNITS:
        if age_ns >= unit_ns:
            return f'{age_ns / unit_ns:.1f} {unit}'
    return f'{age_ns / NS_PER_MS:.{digits}f} ms'


@dataclass(frozen=True, slots=True)
class Deadline:
    """
    The moment until which the result of one frame is worth publishing.

    :param arrival_ns: monotonic time at which the frame arrived.
    :param age_on_arrival_ns: how old it was then.
    :param budget_ns: how old its result may be; 0 stands for any age.
    """

    arrival_ns: int
    age_on_arrival_ns: int
    budget_ns: int

    @property
    def due_ns(self) -> int:
        """Monotonic time at which the turn of the frame should have come."""
        if not self.budget_ns:
            return self.arrival_ns + TURN_WITHOUT_BUDGET_NS
        return self.arrival_ns - self.age_on_arrival_ns + self.budget_ns

    def age_ns(self, now_ns: int) -> int:
        """Return the age of the frame at a monotonic time."""
        return self.age_on_arrival_ns + now_ns - self.arrival_ns

    def left_ns(self, now_ns: int) -> int:
        """Return what is left of the budget at a monotonic time; negative when it has passed."""
        return self.budget_ns - self.age_ns(now_ns)

    def passed(self, now_ns: int) -> bool:
        """Tell whether the budget is used up at a monotonic time."""
        return self.budget_ns > 0 and self.age_ns(now_ns) > self.budget_ns


@dataclass(frozen=True, slots=True)
class Arrival:
    """
    What the budget says of a frame that has just arrived.

    :param deadline: None when the frame must be dropped because of its stamp.
    :param stamp_problem: what is wrong with the stamp, in words; empty when it is right.
    :param cause: what is to blame for that: ``stamp``, ``clock`` (there is no time yet), or
        ``start`` (camera and node count from different moments); empty when nothing is wrong.
    """

    deadline: Deadline | None
    stamp_problem: str = ''
    cause: str = ''


class LatencyBudget:
    """
    Judges the stamps of one camera. Called from the thread that receives.

    Time that is set, paused or begins anew costs one frame at most: a stamp is compared with the
    clock and with the stamp before it, and with nothing else.

    :param budget_ms: how old a published result may be, counted from the stamp; 0 for any age.
    :param on_bad_stamp: ``drop`` the frame, or count its age from its ``arrival``.
    :param stamp_tolerance_ms: a stamp so far in the future counts as now.
    :param clock: monotonic nanoseconds.
    """

    def __init__(
        self, *, budget_ms: float, on_bad_stamp: str, stamp_tolerance_ms: float, clock: Clock
    ) -> None:
        self.budget_ms = budget_ms
        self._drop_bad = on_bad_stamp == 'drop'
        # Both may be changed while running; the tolerance e.g. to the period of a simulated clock.
        self.tolerance_ns = int(stamp_tolerance_ms * NS_PER_MS)
        self._clock = clock
        self._last_stamp_ns = 0

    def begin_anew(self) -> None:
        """Forget the last stamp, because the clock was set back."""
        self._last_stamp_ns = 0

    def arrive(self, stamp_ns: int, *, now_ns: int) -> Arrival:
        """
        Judge one frame.

        :param stamp_ns: its stamp.
        :param now_ns: the clock of ROS, which the stamp is compared with.
        """
        age_ns = now_ns - stamp_ns
        cause, problem = self._judge(stamp_ns, age_ns=age_ns, now_ns=now_ns)
        # Kept for bad stamps as well: after a camera or a recording starts anew, only the first
        # frame is older than the one before it.
        # A stamp from the future is no measure for those that come after it.
        if age_ns >= -self.tolerance_ns:
            self._last_stamp_ns = stamp_ns
        if problem and self._drop_bad:
            return Arrival(deadline=None, stamp_problem=problem, cause=cause)
        deadline = Deadline(
            arrival_ns=self._clock(),
            age_on_arrival_ns=0 if problem else max(age_ns, 0),
            budget_ns=int(self.budget_ms * NS_PER_MS),
        )
        return Arrival(deadline=deadline, stamp_problem=problem, cause=cause)

    def _judge(self, stamp_ns: int, *, age_ns: int, now_ns: int) -> tuple[str, str]:
        """Return what is to blame and what is wrong with a stamp; empty when nothing is."""
        if now_ns <= 0:
            return 'clock', 'cannot be judged: simulated time has not begun, no /clock has come'
        if stamp_ns == 0:
            return 'stamp', 'is zero'
        if age_ns < -self.tolerance_ns:
            future = f'is {age_in_words(-age_ns, digits=1)} in the future'
            return 'stamp' if -age_ns < OTHER_START_NS else 'start', future
        if stamp_ns < self._last_stamp_ns:
            back = age_in_words(self._last_stamp_ns - stamp_ns, digits=1)
            return 'stamp', f'is {back} older than the one before'
        if self.budget_ms and age_ns > OTHER_START_NS:
            began = f' ({age_in_words(stamp_ns)} since its clock began)'
            return 'start', (
                f'is {age_in_words(age_ns)} old{began if stamp_ns < EARLIEST_DATE_NS else ""}'
            )
        return '', ''
