# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Subscribes to a camera, raw or compressed, and hands its messages on, the pixels untouched."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image

from edge_perception.contract import Frame
from edge_perception.ros.input.compressed_images import compressed_to_frame
from edge_perception.ros.input.compressed_images import SizeLimit
from edge_perception.ros.input.losses import Losses
from edge_perception.ros.input.raw_images import check_frame_id
from edge_perception.ros.input.raw_images import image_to_frame
from edge_perception.ros.system import qos
from edge_perception.ros.system.endpoints import COMPRESSED_TYPE
from edge_perception.ros.system.endpoints import IMAGE_TYPE
from edge_perception.ros.system.endpoints import is_reliable
from edge_perception.ros.system.rclpy_versions import ClockType
from edge_perception.ros.system.rclpy_versions import informed
from edge_perception.ros.system.rclpy_versions import waiting
from edge_perception.runtime.sample_range import SampleRange

ImageMessage: TypeAlias = Image | CompressedImage

# How often ``auto`` looks whether a camera has appeared or changed; a look is a few questions to
# the local graph.
SEARCH_PERIOD_S = 0.5


def to_frame(message: ImageMessage, *, limit: SizeLimit, sample_range: SampleRange) -> Frame:
    """
    Convert an image message.

    :param limit: a larger compressed image is refused before it is decoded.
    :param sample_range: reduces samples of 16 bits; of this camera.
    :raises ImageError: whatever is wrong with the message.
    """
    check_frame_id(message.header.frame_id)
    if isinstance(message, CompressedImage):
        return compressed_to_frame(message, limit=limit, sample_range=sample_range)
    return image_to_frame(message, sample_range=sample_range)


class CameraInput:
    """
    The subscription to one camera. All methods run in the thread of the executor.

    :param topic: topic of the raw images; compressed ones are at ``<resolved topic>/compressed``.
    :param transport: ``raw``, ``compressed``, or ``auto``: the first one that somebody publishes.
    :param reliability: one of ``qos.RELIABILITIES``; ``auto`` does as the publisher does.
    :param receive: called with each message; must neither work nor wait.
    """

    def __init__(
        self,
        node: Node,
        *,
        topic: str,
        transport: str,
        reliability: str,
        receive: Callable[[ImageMessage], None],
    ) -> None:
        self._node = node
        self._receive = receive
        suffix = '/compressed'
        if topic.endswith(suffix) and transport != 'raw':
            topic, transport = topic.removesuffix(suffix), 'compressed'
        self._transport = transport
        self._reliability = reliability
        # Whether messages are asked for that nothing may be lost of.
        self.reliable = reliability == 'reliable'
        self.raw_topic = node.resolve_topic_name(topic)
        self._topics = {'raw': self.raw_topic, 'compressed': self.raw_topic + suffix}
        self._losses = Losses(self.publishers)
        self._subscription: Subscription | None = None
        self._search: Timer | None = None
        self._compressed_seen = False
        self.topic = self._topics['compressed' if transport == 'compressed' else 'raw']

    @property
    def lost_before_node(self) -> int | None:
        """How many images were published and did not arrive; None where nobody can tell."""
        return self._losses.count

    @property
    def lost_lately(self) -> tuple[int, int]:
        """How many of the latest images were lost on the way, and of how many."""
        return self._losses.lately

    @property
    def subscribed(self) -> bool:
        """Whether a subscription exists; ``auto`` waits for a publisher first."""
        return self._subscription is not None

    @property
    def topics(self) -> Mapping[str, str]:
        """Where images may come from, and of which type they have to be there."""
        types = {'raw': IMAGE_TYPE, 'compressed': COMPRESSED_TYPE}
        wanted = types if self._transport == 'auto' else (self._transport,)
        return {self._topics[transport]: types[transport] for transport in wanted}

    def describe(self) -> str:
        """Return in words what the camera is doing."""
        if self.subscribed:
            return f'listening to {self.topic}'
        return 'waiting for a publisher of ' + ' or '.join(self._topics.values())

    def open(self) -> None:
        """Subscribe, or look for a publisher from now on."""
        self._compressed_seen = False
        if self._transport != 'auto':
            self._subscribe(self._transport)
            if self._reliability != 'auto':
                return
        self._look()
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._search = self._node.create_timer(SEARCH_PERIOD_S, self._look, clock=steady)

    def close(self) -> None:
        """Unsubscribe."""
        if self._search is not None:
            self._node.destroy_timer(self._search)
            self._search = None
        self._unsubscribe()

    def publishers(self) -> int:
        """Return how many publishers the topic has that is listened to."""
        return int(self._node.count_publishers(self.topic))

    def _look(self) -> None:
        """
        Subscribe to what is published; raw is preferred because it costs no decoding.

        A camera may come back with the other transport or reliability, so looking never ends.
        """
        if self.subscribed and self.publishers():
            self._follow_reliability()
            return
        if self._transport != 'auto':
            return
        published = {
            transport: bool(self._node.count_publishers(topic))
            for transport, topic in self._topics.items()
        }
        # A driver publishes both, and the compressed topic may be discovered first: that one is
        # taken only when it is still alone at the next look.
        if published['raw'] or (published['compressed'] and self._compressed_seen):
            self._subscribe('raw' if published['raw'] else 'compressed')
        self._compressed_seen = published['compressed']

    def _subscribe(self, transport: str) -> None:
        if self.subscribed and self.topic == self._topics[transport]:
            return
        self._unsubscribe()
        self.topic = self._topics[transport]
        if self._reliability == 'auto':
            self.reliable = bool(self._all_reliable())
        message_type = Image if transport == 'raw' else CompressedImage
        self._subscription = self._node.create_subscription(
            message_type,
            self.topic,
            informed(self._take),
            qos.camera(reliable=self.reliable),
        )

    def _follow_reliability(self) -> None:
        """Subscribe anew where the publishers are not what they were: no profile can change."""
        if self._reliability == 'auto' and self._all_reliable() not in (None, self.reliable):
            self._unsubscribe()
            self._subscribe('raw' if self.topic == self._topics['raw'] else 'compressed')

    def _all_reliable(self) -> bool | None:
        """Tell whether all publishers repeat what is lost; None where there are none."""
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        return all(map(is_reliable, publishers)) if publishers else None

    def _take(self, message: ImageMessage, info: Mapping[str, Any]) -> None:
        """Take what has arrived up to now: the executor gives the oldest first."""
        self._losses.note(info)
        self._receive(message)
        if self._subscription is not None:
            for newer, its_info in waiting(self._subscription, most=qos.CAMERA.depth):
                self._losses.note(its_info)
                self._receive(newer)

    def _unsubscribe(self) -> None:
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
            self._losses.begin_anew()
