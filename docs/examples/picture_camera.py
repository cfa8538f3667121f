# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Publish a picture as a camera would, until the perception node has answered, and show the answer.

Usage: python3 docs/examples/picture_camera.py PICTURE
"""

from __future__ import annotations

from array import array
import sys

import cv2
import rclpy
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.task import Future
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

PERIOD_S = 0.2


class PictureCamera(Node):
    """A camera that sees one picture; ``answered`` is set by the first detections."""

    def __init__(self, name: str) -> None:
        super().__init__('picture_camera')
        pixels = cv2.imread(name, cv2.IMREAD_COLOR)
        if pixels is None:
            raise SystemExit(f'{name}: is not a picture that OpenCV can read')
        self._image = Image(encoding='bgr8', height=pixels.shape[0], width=pixels.shape[1])
        self._image.step = 3 * self._image.width
        # Not bytes, and not the array of NumPy: rclpy checks those element by element.
        self._image.data = array('B', pixels.tobytes())
        self._image.header.frame_id = 'camera_optical_frame'
        self.answered: Future = Future()
        self._publisher = self.create_publisher(Image, 'image_raw', qos_profile_sensor_data)
        self.create_subscription(Detection2DArray, 'perception/detections', self._show, 5)
        self.create_timer(PERIOD_S, self._publish)

    def _publish(self) -> None:
        self._image.header.stamp = self.get_clock().now().to_msg()
        self._publisher.publish(self._image)

    def _show(self, message: Detection2DArray) -> None:
        if self.answered.done():
            return
        self.get_logger().info(f'{len(message.detections)} objects')
        for detection in message.detections:
            seen, box = detection.results[0].hypothesis, detection.bbox
            center = box.center.position
            self.get_logger().info(
                f'{seen.class_id} {seen.score:.2f}: center {center.x:.0f}, {center.y:.0f}, '
                f'size {box.size_x:.0f} x {box.size_y:.0f}'
            )
        self.answered.set_result(None)


def main() -> None:
    rclpy.init()
    camera = PictureCamera(sys.argv[1])
    try:
        rclpy.spin_until_future_complete(camera, camera.answered)
    except KeyboardInterrupt:
        pass
    finally:
        camera.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
