# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Watch whether images come as they should: none, too few, from two cameras, or changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from statistics import median_low

from rclpy.node import Node

from edge_perception.ros.input.camera_input import CameraInput
from edge_perception.ros.input.camera_input import ImageMessage
from edge_perception.ros.input.silence import LARGE_IMAGES
from edge_perception.ros.input.silence import why_silent
from edge_perception.ros.system.endpoints import owner
from edge_perception.runtime.budget import Clock

# How long a camera may be silent before something is said, and the longest that a slow one may: a
# camera that was unplugged for an hour is not slow.
PATIENCE_NS = 3_000_000_000
LONGEST_PATIENCE_NS = 60_000_000_000
# A camera may be silent for so many of its usual intervals.
INTERVALS = 3
# Different changes of an image that are told of in one activation.
MOST_CHANGES = 8
# Characters of a frame_id or encoding in a sentence; one of 1 MB was logged eight times.
LONGEST_NAME = 100
# Share of images that may be lost before the node before something is said.
TOLERATED_LOSS = 0.05


class CameraWatch:
    """
    Watch one camera. Methods run in the thread of the executor.

    :param say: logs a sentence as a warning; every state is said once.
    :param tell: logs that all is well again.
    :param clock: monotonic nanoseconds.
    """

    def __init__(
        self,
        node: Node,
        camera: CameraInput,
        *,
        say: Callable[[str], object],
        tell: Callable[[str], object],
        clock: Clock,
    ) -> None:
        self._node = node
        self._camera = camera
        self._say = say
        self._tell = tell
        self._clock = clock
        self._intervals_ns: deque[int] = deque(maxlen=9)
        self._changes: set[str] = set()
        self._since_ns = 0
        self._published_ns: int | None = None
        self._came = self._silent = False
        self._look_of_image: tuple[object, ...] | None = None
        # What is wrong now, in words; empty when nothing is.
        self.problem = ''

    def begin(self) -> None:
        """Count from now; the camera has just been subscribed to."""
        self._intervals_ns.clear()
        self._changes.clear()
        self._since_ns = self._clock()
        self._published_ns = None
        self._came = self._silent = False
        self._look_of_image = None
        self.problem = ''

    def image(self, message: ImageMessage) -> bool:
        """Note an image; tell whether the camera was restarted or is another one."""
        now_ns = self._clock()
        restarted = self._came and self._silent
        if self._came:
            self._intervals_ns.append(now_ns - self._since_ns)
            if self._silent:
                seconds = (now_ns - self._since_ns) / 1e9
                self._tell(f'{self._camera.topic}: images come again after {seconds:.1f} s')
        if self._silent:
            self._silent, self.problem = False, ''
        self._since_ns, self._came = now_ns, True
        look = _look(message)
        if self._look_of_image not in (None, look):
            restarted = True
            self._say_change(
                f'{self._camera.topic}: images are {_words(look)} from now on, '
                f'they were {_words(self._look_of_image)}'
            )
        self._look_of_image = look
        return restarted

    def check(self) -> None:
        """Look for what is wrong, and say each thing once. Called about once a second."""
        now_ns, publishers = self._clock(), self._camera.publishers()
        self._published_ns = (self._published_ns or now_ns) if publishers else None
        silent_ns = now_ns - self._since_ns
        self._silent = silent_ns >= self._patience_ns()
        # A driver may take seconds from its start to its first image.
        starting = not self._came and now_ns - (self._published_ns or 0) < PATIENCE_NS
        if self._silent:
            problem = why_silent(
                self._node,
                self._camera,
                silent_s=silent_ns / 1e9,
                came=self._came,
                starting=starting,
            )
        else:
            problem = self._losses() or self._second_publisher()
        # Figures stand in parentheses and change; they are said once.
        if problem and problem.partition(' (')[0] != self.problem.partition(' (')[0]:
            self._say(problem)
        self.problem = problem

    def _patience_ns(self) -> int:
        """Return how long this camera may be silent, by its usual interval."""
        usual_ns = median_low(self._intervals_ns) if self._intervals_ns else 0
        return min(max(PATIENCE_NS, INTERVALS * usual_ns), LONGEST_PATIENCE_NS)

    def _losses(self) -> str:
        lost, of = self._camera.lost_lately
        if lost <= TOLERATED_LOSS * of:
            return ''
        return (
            f'{self._camera.topic}: images are lost before they reach this node '
            f'({lost} of the last {of}, {lost / of:.0%}); {LARGE_IMAGES}'
        )

    def _second_publisher(self) -> str:
        if self._camera.publishers() < 2:
            return ''
        topic = self._camera.topic
        names = sorted(map(owner, self._node.get_publishers_info_by_topic(topic)))
        return f'{topic}: {len(names)} publishers ({", ".join(names)}); remap all but one of them'

    def _say_change(self, sentence: str) -> None:
        """Say each change once: two cameras on one topic change with every image."""
        if sentence not in self._changes and len(self._changes) < MOST_CHANGES:
            self._changes.add(sentence)
            self._say(sentence)


def _look(message: ImageMessage) -> tuple[object, ...]:
    size = (getattr(message, 'width', None), getattr(message, 'height', None))
    kind = getattr(message, 'encoding', None) or getattr(message, 'format', '')
    return (*size, kind, message.header.frame_id)


def _words(look: tuple[object, ...] | None) -> str:
    if look is None:
        return 'unknown'
    width, height, kind, frame_id = look
    size = f'{width}x{height} ' if width is not None else ''
    return f'{size}{_shortened(kind)} in {_shortened(frame_id) or "no frame"}'


def _shortened(name: object) -> str:
    """Return a name that a message may make as long as it likes, for the log."""
    words = str(name)
    return words if len(words) <= LONGEST_NAME else f'{words[:LONGEST_NAME]}...'
