# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Hold the frames that wait for an engine, and decide whose turn it is.

* **The newest of each camera waits**, no other: an old image is a wrong one on a vehicle. A frame
  that was not taken is superseded by the next one of its camera.
* **Whose turn it is**: that of the camera with the earliest claim, which is the deadline (stamp
  plus budget) of its oldest frame since its last turn, superseded ones included. The deadline of
  the newest would not do: it moves away with each frame, and the camera with the longest budget
  would starve. Of equal claims, that of the camera whose last turn is longest ago is first.
* **A turn is used up by a frame that is started.** A camera whose frame was taken and refused
  keeps its claim. What becomes of a frame after its start is of no account here, so several may
  be out at once, also of one camera.
* **The least period** of a camera is counted from start to start.
* **The bound**: where frames are served one after the other, a camera with a frame waiting has its
  turn at the latest at its claim plus one service time of every camera. For: frames are not older
  than their budget when they arrive, so once the claim has passed, any camera that is served gets
  a later one for its next frame, and is behind this camera. What can come before it is the frame
  that is being served then, and one of each other camera. The bound holds under any load; whether
  the newest frame can still be in time is another question (admission).
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic
from typing import TypeVar

from edge_perception.runtime.admission import Probe
from edge_perception.runtime.budget import Deadline
from edge_perception.runtime.pipeline import Prepared

Message = TypeVar('Message')


@dataclass(slots=True)
class QueuedFrame(Generic[Message]):
    """
    Carry a message of a camera through queue and worker.

    :param camera: name of its camera.
    :param activation: number of the activation in which it came; its result is published in the
        same one, or never.
    :param taken_ns: monotonic time at which its turn came; set by the queue.
    :param refusal: why it is not worth starting, in words; empty when it is. Set by the worker.
    :param probe: as what it was admitted; ``converted_ns`` the monotonic time at which it was an
        image, and ``prepared`` what it is since it is in an input tensor. Set by its channel.
    """

    message: Message
    deadline: Deadline
    camera: str
    activation: int = 0
    taken_ns: int = 0
    refusal: str = ''
    probe: Probe = Probe.NONE
    converted_ns: int = 0
    prepared: Prepared | None = None


class FrameQueue(Generic[Message]):
    """
    Hold the newest frame of each camera, by the rules above; the time is an argument.

    Not guarded: threads that share it share a lock.

    :param min_periods_ns: for each camera by name, the least time between two starts.
    """

    def __init__(self, min_periods_ns: Mapping[str, int]) -> None:
        self._cameras = {name: _Waiting[Message](least) for name, least in min_periods_ns.items()}

    def put(self, frame: QueuedFrame[Message]) -> QueuedFrame[Message] | None:
        """
        Let a frame wait for its turn.

        :return: the frame that it supersedes, if any, to be counted.
        """
        camera = self._cameras[frame.camera]
        superseded, camera.frame = camera.frame, frame
        due_ns = frame.deadline.due_ns
        camera.claim_ns = due_ns if camera.claim_ns is None else min(due_ns, camera.claim_ns)
        return superseded

    def take(
        self,
        now_ns: int,
        *,
        most: int = 1,
        starts: Callable[[QueuedFrame[Message]], bool] | None = None,
    ) -> list[QueuedFrame[Message]]:
        """
        Take frames out in the order of their turns, one of each camera; empty when none may start.

        :param most: this number at most, those that are not started included.
        :param starts: told of each; returns whether it is started and so uses the turn up. Without
            it all are.
        """
        taken = []
        for frame in self.ready(now_ns)[:most]:
            camera = self._cameras[frame.camera]
            camera.frame = None
            frame.taken_ns = now_ns
            if starts is None or starts(frame):
                camera.claim_ns, camera.started_ns = None, now_ns
                camera.not_before_ns = now_ns + camera.min_period_ns
            taken.append(frame)
        return taken

    def ready(self, now_ns: int) -> list[QueuedFrame[Message]]:
        """Return the frames that may start, in the order of their turns; none is taken out."""
        ready = [
            (camera.claim_ns or 0, camera.started_ns, name)
            for name, camera in self._cameras.items()
            if camera.frame is not None and camera.not_before_ns <= now_ns
        ]
        frames = [self._cameras[name].frame for _, _, name in sorted(ready)]
        return [frame for frame in frames if frame is not None]

    def wait_ns(self, now_ns: int) -> int | None:
        """Return how long until a frame that waits may start; None when none waits."""
        times = [each.not_before_ns for each in self._cameras.values() if each.frame is not None]
        return max(min(times) - now_ns, 0) if times else None

    def clear(self) -> list[QueuedFrame[Message]]:
        """Take out all frames, and forget all claims."""
        frames = [each.frame for each in self._cameras.values() if each.frame is not None]
        for camera in self._cameras.values():
            camera.frame = camera.claim_ns = None
        return frames


@dataclass(slots=True)
class _Waiting(Generic[Message]):
    """One camera: what waits, its claim to a turn, and when it had the last one."""

    min_period_ns: int
    frame: QueuedFrame[Message] | None = None
    claim_ns: int | None = None
    not_before_ns: int = 0
    started_ns: int = 0
