# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The topics on which results are published."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from functools import partial
from typing import Any

from geometry_msgs.msg import PoseWithCovarianceStamped
import numpy as np
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Classification
from vision_msgs.msg import Detection2DArray
from vision_msgs.msg import Detection3DArray
from vision_msgs.msg import LabelInfo
from vision_msgs.msg import VisionInfo

from edge_perception.contract import ConfigurationError
from edge_perception.contract import Detections
from edge_perception.contract import OUTPUT_KINDS
from edge_perception.contract import Perception
from edge_perception.contract import Stage
from edge_perception.models.assembly import Assembled
from edge_perception.pose import object_box
from edge_perception.ros.output import pose_messages
from edge_perception.ros.output import result_messages as messages
from edge_perception.ros.output.image_messages import image_message
from edge_perception.ros.parameters.node_parameters import NodeConfig
from edge_perception.ros.system import qos

# Field of Perception to topics and types.
TOPICS: dict[str, tuple[tuple[str, type], ...]] = {
    'detections': (('~/detections', Detection2DArray),),
    'keypoints': (('~/keypoints', Detection2DArray),),
    'classes': (('~/classification', Classification),),
    'mask': (('~/segmentation', Image),),
    'instances': (('~/instances', Image),),
    'poses': (('~/pose', PoseWithCovarianceStamped), ('~/detections_3d', Detection3DArray)),
}
TF_TOPIC = '/tf'
# First words of ``OUTPUT_KINDS`` to types, for what stages publish besides.
EXTRA_TYPES = {
    'detections': Detection2DArray,
    'boxes_3d': Detection3DArray,
    'pose': PoseWithCovarianceStamped,
    'image': Image,
}
DTYPES = {'bgr8': np.uint8, 'mono8': np.uint8, 'mono16': np.uint16, '32FC1': np.float32}
# A stage that measures boxes in space publishes them here, in the place of those of the poses.
BOXES_3D = 'detections_3d', 'boxes_3d'
# Topics below the node's own name that are not there for stages.
TAKEN = {
    *(topic.removeprefix('~/') for topics in TOPICS.values() for topic, _ in topics),
    *('label_info', 'vision_info', 'debug_image'),
}

# A Perception in which the fields that the model promises are there; ``Decoder.decode`` checks it.
Filled = Any
# Makes a message of a result; None when there is nothing to publish.
Make = Callable[[Filled, Header], Any]


def topic_of(topic: str, camera: str) -> str:
    """Return the topic of a camera: ``~/detections`` is ``~/front/detections`` of ``front``."""
    return topic.replace('~/', f'~/{camera}/') if camera else topic


class Outputs:
    """
    The publishers of one model.

    Made and closed in the thread of the executor; ``compose`` and what it returns are called by
    the worker.

    :param camera: name of one of several cameras, which goes into the names of the topics.
    :param assembled: its tasks decide which topics there are.
    """

    def __init__(
        self,
        node: Node,
        *,
        camera: str,
        assembled: Assembled,
        config: NodeConfig,
    ) -> None:
        _check_extras(assembled.pipeline.stages)
        self._node = node
        self._manifest = assembled.model.manifest
        self._config = config
        self._child_frame_id = config.tf_child_frame_id or self._manifest.name
        if camera:
            # A frame has one parent.
            self._child_frame_id = f'{camera}_{self._child_frame_id}'
        self._score_threshold = assembled.selection.score_threshold
        self._object_box = object_box(self._manifest)
        stages = assembled.pipeline.stages
        theirs = {f'~/{topic}' for stage in stages for topic in stage.publishes}
        self._outputs = self._results(assembled.pipeline.tasks, camera, theirs)
        for stage in stages:
            for topic, kind in stage.publishes.items():
                word, _, encoding = kind.partition(' ')
                publisher = node.create_publisher(
                    EXTRA_TYPES[word], topic_of(f'~/{topic}', camera), qos.RESULT
                )
                self._outputs.append((publisher, partial(self._extra, topic, word, encoding)))
        self._label_info = node.create_publisher(
            LabelInfo, topic_of('~/label_info', camera), qos.LATCHED
        )
        self._vision_info = node.create_publisher(
            VisionInfo, topic_of('~/vision_info', camera), qos.LATCHED
        )

    def _results(
        self, tasks: frozenset[str], camera: str, theirs: set[str]
    ) -> list[tuple[Publisher, Make]]:
        """
        Return publishers of what the model gives, each with what makes its messages.

        :param theirs: topics that stages publish.
        """
        node = self._node
        makers: dict[str, Make] = {
            '~/detections': self._detections,
            '~/keypoints': self._keypoints,
            '~/classification': self._classification,
            '~/segmentation': self._segmentation,
            '~/instances': self._instances,
            '~/pose': self._pose,
            '~/detections_3d': self._detections_3d,
        }
        results: list[tuple[Publisher, Make]] = [
            (
                node.create_publisher(message_type, topic_of(topic, camera), qos.RESULT),
                makers[topic],
            )
            for task, topics in TOPICS.items()
            if task in tasks
            for topic, message_type in topics
            if topic not in theirs
        ]
        if 'poses' in tasks and self._config.publish_tf:
            broadcaster = node.create_publisher(TFMessage, TF_TOPIC, qos.TF)
            results.append((broadcaster, self._transform))
        return results

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

    def tell_threshold(self, threshold: float) -> None:
        """Publish the labels anew where the threshold has changed."""
        if threshold != self._score_threshold:
            self._score_threshold = threshold
            self.publish_labels()

    def compose(self, perception: Perception, *, header: Header) -> Callable[[], None]:
        """
        Make the messages of everything that was perceived in one frame, also when it is nothing.

        :return: publishes them.
        """
        messages_made = [(each, make(perception, header)) for each, make in self._outputs]

        def publish() -> None:
            for publisher, message in messages_made:
                if message is not None:
                    publisher.publish(message)

        return publish

    def close(self) -> None:
        """Take the topics back."""
        for publisher, _ in self._outputs:
            self._node.destroy_publisher(publisher)
        self._node.destroy_publisher(self._label_info)
        self._node.destroy_publisher(self._vision_info)

    def _extra(
        self, topic: str, word: str, encoding: str, perception: Filled, header: Header
    ) -> Any:
        """Return what a stage publishes besides; None where it gave nothing."""
        value = perception.extras.get(topic)
        if value is None:
            return None
        if word == 'image':
            if value.dtype != DTYPES[encoding]:
                raise ValueError(f'~/{topic}: got {value.dtype}, expected {encoding}')
            return image_message(value, header=header, encoding=encoding)
        if word == 'pose':
            return pose_messages.pose_message(value, header=header)
        if word == 'boxes_3d':
            return pose_messages.boxes_3d_message(
                value,
                detections=perception.detections,
                header=header,
                labels=self._manifest.labels,
                class_id_format=self._config.class_id_format,
            )
        return self._detections_message(value, header)

    def _detections(self, perception: Filled, header: Header) -> Any:
        return self._detections_message(perception.detections, header)

    def _detections_message(self, detections: Detections, header: Header) -> Any:
        return messages.detections_message(
            detections,
            header=header,
            labels=self._manifest.labels,
            class_id_format=self._config.class_id_format,
        )

    def _keypoints(self, perception: Filled, header: Header) -> Any:
        return messages.keypoints_message(
            perception.keypoints, header=header, names=self._manifest.keypoint_names
        )

    def _classification(self, perception: Filled, header: Header) -> Any:
        return messages.classification_message(
            perception.classes,
            header=header,
            labels=self._manifest.labels,
            class_id_format=self._config.class_id_format,
        )

    def _segmentation(self, perception: Filled, header: Header) -> Any:
        return messages.segmentation_message(perception.mask, header=header)

    def _instances(self, perception: Filled, header: Header) -> Any:
        return image_message(perception.instances, encoding='mono16', header=header)

    def _pose(self, perception: Filled, header: Header) -> Any:
        """Return the pose of the best object; a pose that does not exist is not published."""
        if not perception.poses:
            return None
        return pose_messages.pose_message(perception.poses[0], header=header)

    def _detections_3d(self, perception: Filled, header: Header) -> Any:
        return pose_messages.detections_3d_message(
            perception.poses,
            detections=perception.detections,
            header=header,
            object_box=self._object_box,
            labels=self._manifest.labels,
            class_id_format=self._config.class_id_format,
        )

    def _transform(self, perception: Filled, header: Header) -> Any:
        if not header.frame_id:
            return None  # a transform needs its parent; the camera says it
        if not perception.poses:
            return None
        return pose_messages.transform_message(
            perception.poses[0],
            header=header,
            child_frame_id=self._child_frame_id,
        )


def _check_extras(stages: Sequence[Stage]) -> None:
    """
    Check the topics that stages declare.

    :raises ConfigurationError: one is taken, or of an unknown kind.
    """
    taken = TAKEN - {BOXES_3D[0]}
    for stage in stages:
        for topic, kind in stage.publishes.items():
            is_taken = topic in taken or (topic == BOXES_3D[0] and kind != BOXES_3D[1])
            if is_taken or kind not in OUTPUT_KINDS:
                why = 'which is taken' if is_taken else f'expected {", ".join(OUTPUT_KINDS)}'
                problem = f'publishes {kind!r} on ~/{topic}, {why}; report it to its author'
                raise ConfigurationError(f'stage {stage.name!r}', [problem])
            taken.add(topic)
