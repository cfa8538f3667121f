# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Per-camera state used by the worker: pipeline, policy, admission, counters."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic

from edge_perception.contract import DecoderError
from edge_perception.contract import Frame
from edge_perception.contract import ImageError
from edge_perception.contract import NotFiniteError
from edge_perception.contract import Selection
from edge_perception.contract import Tensors
from edge_perception.contract.errors import in_words
from edge_perception.runtime.accounts import FrameAccounts
from edge_perception.runtime.admission import Admission
from edge_perception.runtime.admission import Probe
from edge_perception.runtime.budget import age_in_words
from edge_perception.runtime.budget import Clock
from edge_perception.runtime.budget import Deadline
from edge_perception.runtime.budget import NS_PER_MINUTE
from edge_perception.runtime.budget import NS_PER_MS
from edge_perception.runtime.frame_queue import Message
from edge_perception.runtime.frame_queue import QueuedFrame
from edge_perception.runtime.pipeline import Pipeline
from edge_perception.runtime.pipeline import Result
from edge_perception.runtime.statistics import RollingWindow

# A result is not published when less of its budget is left than publishing took lately, but never
# more than this share is kept back: one hiccup must not silence a camera.
PUBLISHING_SHARE = 20
PUBLISHING_WINDOW = 64
# No camera is so far behind, and few clocks are.
RECORDING_NS = 60 * NS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class CameraHooks(Generic[Message]):
    """
    What a channel calls; all of it in the thread of the worker, ``report`` in any.

    :param convert: message to frame; raises ``ImageError``.
    :param compose: makes the messages of a result; what it returns publishes them.
    :param report: told why a frame was dropped: reason and sentence.
    :param afterwards: told of each result that was published, when its time has been taken: for
        what is not urgent, such as an image for people.
    """

    convert: Callable[[Message], Frame]
    compose: Callable[[QueuedFrame[Message], Result], Callable[[], None]]
    report: Callable[[str, str], None]
    afterwards: Callable[[QueuedFrame[Message], Result], None]


@dataclass(frozen=True, slots=True)
class CameraPolicy:
    """
    Rules of one camera.

    :param publish_late: results are published although their budget is used up, and frames are
        started as long as a bit of it is left.
    :param min_period_ns: time between the starts of two frames, at least.
    """

    publish_late: bool = False
    min_period_ns: int = 0


class CameraChannel(Generic[Message]):
    """
    One camera in the worker: it brings a message to its publication, or its drop.

    :param name: of the camera.
    :param pipeline: with the engine that all channels of a worker share.
    :param selection: which objects to report; may be replaced while running.
    """

    def __init__(
        self,
        name: str,
        pipeline: Pipeline,
        *,
        hooks: CameraHooks[Message],
        selection: Selection,
        policy: CameraPolicy,
        clock: Clock,
    ) -> None:
        self.name = name
        self.pipeline = pipeline
        self.selection = selection
        self.policy = policy
        self.accounts = FrameAccounts()
        self.admission = Admission(expected_ns=pipeline.warm_up_ns)
        self.age_ms = RollingWindow()
        names = ('convert', *pipeline.timed, 'publish')
        self.stage_ms = {name: RollingWindow() for name in names}
        self._hooks = hooks
        self._clock = clock
        self._publishing_ns = deque([0], maxlen=PUBLISHING_WINDOW)

    def refusal(self, deadline: Deadline, *, now_ns: int) -> str:
        """Return why a frame is not worth starting, in words; empty when it is, and is started."""
        if deadline.passed(now_ns):
            age_ns = deadline.age_ns(now_ns)
            guess = ' (a recording?)' if age_ns > RECORDING_NS else ''
            return f'the frame was {age_in_words(age_ns)} old before it was started{guess}'
        left_ns = deadline.left_ns(now_ns)
        if self.unlimited(deadline) or self.admission.admits(left_ns, now_ns=now_ns):
            return ''
        return (
            f'the frame had {left_ns / NS_PER_MS:.0f} ms left when its turn came, and a frame '
            f'takes {self.admission.p95_ns / NS_PER_MS:.0f} ms'
        )

    def starts(self, queued: QueuedFrame[Message]) -> bool:
        """Tell whether a frame whose turn has come is started, and note on it why it is not."""
        queued.refusal = self.refusal(queued.deadline, now_ns=queued.taken_ns)
        queued.probe = Probe.NONE if self.unlimited(queued.deadline) else self.admission.probe
        return not queued.refusal

    def unlimited(self, deadline: Deadline) -> bool:
        """Tell whether a frame is started whatever is left of its budget."""
        return not deadline.budget_ns or self.policy.publish_late

    def prepare(self, queued: QueuedFrame[Message], buffers: Tensors, *, row: int) -> bool:
        """
        Make a message a frame in an input tensor; False when it was dropped.

        :param row: where in a batch.
        :raises EngineError: the tensor is not what was promised; the frame is not accounted for.
        """
        try:
            frame = self._converted(queued.message)
            queued.converted_ns = self._clock()
            queued.prepared = self.pipeline.prepare(frame, buffers, row=row)
            return True
        except ImageError as error:
            self.drop('bad_image', str(error))
            return False

    def finish(
        self,
        queued: QueuedFrame[Message],
        tensors: Tensors,
        *,
        current: Callable[[], bool],
        delivery: AbstractContextManager[object],
        extra_ns: int = 0,
    ) -> bool:
        """
        Bring a frame that was computed to its end: published or dropped.

        :param tensors: outputs of the engine for this frame alone.
        :param current: tells whether results are still wanted.
        :param delivery: lock without which what ``current`` tells may change.
        :param extra_ns: by how much longer than a frame alone it was to take in its batch.
        :return: whether the engine is known to have worked.
        :raises NotFiniteError: the outputs are no numbers; the frame is not accounted for yet.
        """
        assert queued.prepared is not None
        try:
            result = self.pipeline.finish(queued.prepared, tensors, selection=self.selection)
        except NotFiniteError:
            raise
        except DecoderError as error:
            self.drop('decode_failed', str(error))
            return True
        except Exception as error:  # a mistake of ours or of a plugin must not end the thread
            self.drop('decode_failed', f'a stage failed unexpectedly: {in_words(error)}')
            return False
        published, in_time = self._finish(queued, result, current, delivery)
        now_ns = self._clock()
        service_ns = max(now_ns - queued.taken_ns - extra_ns, 0)
        self.admission.record(service_ns, in_time=in_time, now_ns=now_ns, probe=queued.probe)
        self.stage_ms['convert'].add((queued.converted_ns - queued.taken_ns) / NS_PER_MS)
        if published:
            self._afterwards(queued, result)
        return True

    def drop(self, reason: str, sentence: str) -> None:
        """Count a frame as dropped, and say why."""
        self.accounts.drop(reason)
        self._hooks.report(reason, sentence)

    def _converted(self, message: Message) -> Frame:
        try:
            return self._hooks.convert(message)
        except ImageError:
            raise
        except Exception as error:  # whatever a message holds, it must not end the thread
            raise ImageError(f'cannot be read: {in_words(error)}') from error

    def _finish(
        self,
        queued: QueuedFrame[Message],
        result: Result,
        current: Callable[[], bool],
        delivery: AbstractContextManager[object],
    ) -> tuple[bool, bool]:
        """Publish a result, unless it is late or unwanted; tells both, published and in time."""
        begun_ns = self._clock()
        try:
            publish = self._hooks.compose(queued, result)
            with delivery:
                return self._deliver(queued.deadline, result, current, publish, begun_ns)
        except Exception as error:
            # Publishing fails when the node is torn down meanwhile; anything else is a mistake.
            reason = 'publish_failed' if current() else 'inactive'
            self.drop(reason, f'the result could not be published: {in_words(error)}')
            return False, True

    def _deliver(
        self,
        deadline: Deadline,
        result: Result,
        current: Callable[[], bool],
        publish: Callable[[], None],
        begun_ns: int,
    ) -> tuple[bool, bool]:
        now_ns = self._clock()
        late = deadline.passed(now_ns + self._reserve_ns(deadline))
        if not current():
            self.accounts.drop('inactive')
        elif late and not self.policy.publish_late:
            age = age_in_words(deadline.age_ns(now_ns))
            self.drop('overrun', f'the result was {age} old when it was ready')
        else:
            publish()
            done_ns = self._clock()
            self._published(result.times, deadline, done_ns)
            self._publishing_ns.append(done_ns - now_ns)
            self.stage_ms['publish'].add((done_ns - begun_ns) / NS_PER_MS)
            return True, not late
        return False, not late

    def _afterwards(self, queued: QueuedFrame[Message], result: Result) -> None:
        try:
            self._hooks.afterwards(queued, result)
        except Exception as error:  # the frame is accounted for, and the next one has to come
            self._hooks.report('afterwards', f'something after the result failed: {error}')

    def _published(self, times: Mapping[str, int], deadline: Deadline, now_ns: int) -> None:
        self.accounts.publish(late=deadline.passed(now_ns))
        self.age_ms.add(deadline.age_ns(now_ns) / NS_PER_MS)
        for name, taken_ns in times.items():
            self.stage_ms[name].add(taken_ns / NS_PER_MS)

    def _reserve_ns(self, deadline: Deadline) -> int:
        """Return what of the budget is kept back for publishing."""
        return min(max(self._publishing_ns), deadline.budget_ns // PUBLISHING_SHARE)
