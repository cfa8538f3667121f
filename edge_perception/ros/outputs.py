# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The topics on which results are published."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification
from vision_msgs.msg import Detection2DArray
from vision_msgs.msg import LabelInfo
from vision_msgs.msg import VisionInfo

from edge_perception.contract import ModelManifest
from edge_perception.contract import Perception
from edge_perception.ros import messages
from edge_perception.ros import qos

# Field of Perception to topic and type.
TOPICS = {
    'detections': ('~/detections', Detection2DArray),
    'keypoints': ('~/keypoints', Detection2DArray),
    'classes': ('~/classification', Classification),
    'mask': ('~/segmentation', Image),
}


class Outputs:
    """
    The publishers of one model.

    Made and closed in the thread of the executor; ``publish`` is called by the worker.

    :param tasks: fields of ``Perception`` that the decoder fills; each gets a topic.
    :param class_id_format: ``name`` or ``index``.
    """

    def __init__(
        self,
        node: Node,
        *,
        manifest: ModelManifest,
        tasks: frozenset[str],
        class_id_format: str,
        score_threshold: float,
    ) -> None:
        self._node = node
        self._manifest = manifest
        self._class_id_format = class_id_format
        self._score_threshold = score_threshold
        self._publishers = {
            task: node.create_publisher(message_type, topic, qos.RESULT)
            for task, (topic, message_type) in TOPICS.items()
            if task in tasks
        }
        self._label_info = node.create_publisher(LabelInfo, '~/label_info', qos.LATCHED)
        self._vision_info = node.create_publisher(VisionInfo, '~/vision_info', qos.LATCHED)

    def publish_labels(self) -> None:
        """Publish the names of the classes, latched."""
        header = Header(stamp=self._node.get_clock().now().to_msg())
        self._label_info.publish(
            messages.label_info_message(
                self._manifest.labels, header=header, threshold=self._score_threshold
            )
        )
        self._vision_info.publish(
            messages.vision_info_message(
                self._manifest, header=header, label_topic=self._label_info.topic_name
            )
        )

    def publish(self, perception: Perception, *, header: Header) -> None:
        """Publish everything that was perceived in one frame, also when it is nothing."""
        labels, style = self._manifest.labels, self._class_id_format
        for task, publisher in self._publishers.items():
            value = getattr(perception, task)
            if task == 'detections':
                message = messages.detections_message(
                    value, header=header, labels=labels, class_id_format=style
                )
            elif task == 'keypoints':
                message = messages.keypoints_message(
                    value, header=header, names=self._manifest.keypoint_names
                )
            elif task == 'classes':
                message = messages.classification_message(
                    value, header=header, labels=labels, class_id_format=style
                )
            else:
                message = messages.segmentation_message(value, header=header)
            publisher.publish(message)

    def close(self) -> None:
        """Take the topics back."""
        publishers: list[Publisher] = [
            *self._publishers.values(),
            self._label_info,
            self._vision_info,
        ]
        for publisher in publishers:
            self._node.destroy_publisher(publisher)
