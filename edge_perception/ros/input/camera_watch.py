# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Why no image comes, or why images are not what they were, in sentences.

Silence is what people complain of most: a topic that nobody publishes, a publisher whose quality
of service does not fit, images that are too large for the transport. All of that can be read off
the graph, so it is.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence

from rclpy.node import Node
from rclpy.topic_endpoint_info import TopicEndpointInfo

from edge_perception.contract.fields import did_you_mean
from edge_perception.ros.input.camera_input import CameraInput
from edge_perception.ros.input.camera_input import ImageMessage
from edge_perception.ros.system.endpoints import COMPRESSED_TYPE
from edge_perception.ros.system.endpoints import IMAGE_TYPES
from edge_perception.ros.system.endpoints import is_reliable
from edge_perception.ros.system.endpoints import owner
from edge_perception.runtime.budget import Clock

# How long a camera may be silent before something is said.
PATIENCE_NS = 3_000_000_000
# The longest that a camera can earn by being slow: one that was unplugged for an hour is not slow.
LONGEST_PATIENCE_NS = 60_000_000_000
# So many different changes of an image are told of in one activation.
MOST_CHANGES = 8
LARGE_IMAGES = (
    'images that are too large for the transport are lost: set FASTDDS_DEFAULT_PROFILES_FILE to '
    'config/fastdds_large_images.xml of edge_perception in the process of the camera driver'
)


class CameraWatch:
    """
    Watches one camera. Methods run in the thread of the executor.

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
        self._since_ns = 0
        self._came = False
        self._look_of_image: tuple[object, ...] | None = None
        self._patience_ns = PATIENCE_NS
        self._changes: set[str] = set()
        self.problem = ''

    def begin(self) -> None:
        """Count from now; the camera has just been subscribed to."""
        self._since_ns = self._clock()
        self._came = False
        self._look_of_image = None
        self._patience_ns = PATIENCE_NS
        self._changes.clear()
        self.problem = ''

    def image(self, message: ImageMessage) -> None:
        """Take note of an image."""
        now_ns = self._clock()
        if self._came and self.problem:
            silent_ns = now_ns - self._since_ns
            self._tell(f'{self._camera.topic}: images come again after {silent_ns / 1e9:.1f} s')
            # A camera that is as slow as that by nature is not told of with each image.
            self._patience_ns = max(self._patience_ns, min(2 * silent_ns, LONGEST_PATIENCE_NS))
        self._since_ns, self._came, self.problem = now_ns, True, ''
        look = _look(message)
        if self._look_of_image not in (None, look):
            self._say_change(
                f'{self._camera.topic}: images are {_words(look)} from now on, '
                f'they were {_words(self._look_of_image)}'
            )
        self._look_of_image = look

    def check(self) -> None:
        """Look whether images come, and say once why they do not."""
        silent_ns = self._clock() - self._since_ns
        if silent_ns < self._patience_ns:
            return
        problem = self._why_silent(silent_ns / 1e9)
        # How long it has been silent is said once, with the first sentence.
        if problem.partition(' (')[0] != self.problem.partition(' (')[0]:
            self._say(problem)
        self.problem = problem

    def _say_change(self, sentence: str) -> None:
        """Say each change once: two cameras on one topic change with every image."""
        if sentence not in self._changes and len(self._changes) < MOST_CHANGES:
            self._changes.add(sentence)
            self._say(sentence)

    def _why_silent(self, silent_s: float) -> str:
        topic = self._camera.topic
        publishers = [each for name in self._camera.topics for each in self._publishers(name)]
        if wrong := self._wrong_type():
            return wrong
        if not publishers:
            return self._nobody(topic)
        deaf = self._camera.reliable and [each for each in publishers if not is_reliable(each)]
        if deaf:
            return (
                f'{topic}: {owner(deaf[0])} publishes best effort, this node asks for reliable, '
                'so they do not connect; set qos to auto or best_effort'
            )
        if self._came:
            return f'{topic}: the camera has stopped (no image for {silent_s:.0f} s)'
        return (
            f'{topic}: {owner(publishers[0])} publishes it and no image arrives '
            f'({silent_s:.0f} s); {LARGE_IMAGES}'
        )

    def _publishers(self, topic: str) -> Sequence[TopicEndpointInfo]:
        publishers: Sequence[TopicEndpointInfo] = self._node.get_publishers_info_by_topic(topic)
        return publishers

    def _wrong_type(self) -> str:
        """Return in words that a topic carries something else; empty when none does."""
        raw = self._camera.raw_topic
        for compressed in set(self._camera.topics) - {raw}:
            for each in self._publishers(raw):
                if each.topic_type == COMPRESSED_TYPE:
                    return (
                        f'{raw}: {owner(each)} publishes compressed images here, which are looked '
                        f'for at {compressed}; remap its topic to that name'
                    )
        for topic, expected in self._camera.topics.items():
            for each in self._publishers(topic):
                if each.topic_type != expected:
                    return (
                        f'{topic}: is published by {owner(each)} as {each.topic_type}, expected '
                        f'{expected}; set image_topic to the topic of a camera'
                    )
        return ''

    def _nobody(self, topic: str) -> str:
        others = self._image_topics()
        if not others:
            return f'{topic}: nobody publishes it, and there is no other topic with images; ' + (
                'start the camera'
            )
        hint = did_you_mean(topic, others) or f', there are {", ".join(others)}'
        return f'{topic}: nobody publishes it{hint}; set image_topic'

    def _image_topics(self) -> Sequence[str]:
        """Return the topics on which other nodes publish images."""
        return sorted(
            name
            for name, types in self._node.get_topic_names_and_types()
            if set(types) & set(IMAGE_TYPES)
            and name not in self._camera.topics
            and any(map(self._of_others, self._node.get_publishers_info_by_topic(name)))
        )

    def _of_others(self, publisher: TopicEndpointInfo) -> bool:
        return owner(publisher) != self._node.get_fully_qualified_name()


def _look(message: ImageMessage) -> tuple[object, ...]:
    size = (getattr(message, 'width', None), getattr(message, 'height', None))
    kind = getattr(message, 'encoding', None) or getattr(message, 'format', '')
    return (*size, kind, message.header.frame_id)


def _words(look: tuple[object, ...] | None) -> str:
    if look is None:
        return 'unknown'
    width, height, kind, frame_id = look
    size = f'{width}x{height} ' if width is not None else ''
    return f'{size}{kind} in {frame_id or "no frame"}'
