# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What exists between ``configure`` and ``cleanup``: engine, worker, camera and outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import partial
import time

from rclpy.node import Node
from std_msgs.msg import Header

from edge_perception.core.accounts import FrameAccounts
from edge_perception.core.assembly import Assembled
from edge_perception.core.budget import Clock
from edge_perception.core.budget import LatencyBudget
from edge_perception.core.pipeline import StageTimes
from edge_perception.core.statistics import RollingWindow
from edge_perception.core.worker import Delivery
from edge_perception.core.worker import Parcel
from edge_perception.core.worker import Worker
from edge_perception.core.worker import WorkerHooks
from edge_perception.core.worker import WorkerPolicy
from edge_perception.pose import PlanarObjectStage
from edge_perception.ros.calibration import CalibrationInput
from edge_perception.ros.calibration import camera_info_beside
from edge_perception.ros.calibration import RECTIFIED
from edge_perception.ros.camera_input import CameraInput
from edge_perception.ros.camera_input import ImageMessage
from edge_perception.ros.camera_input import to_frame
from edge_perception.ros.images import stamp_ns
from edge_perception.ros.log_once import LogOnce
from edge_perception.ros.outputs import Outputs
from edge_perception.ros.parameters import NodeConfig

# A camera may send its first CameraInfo after its first images.
CAMERA_INFO_PATIENCE_NS = 3_000_000_000

# Different sentences of one kind that are logged, where it is not one: a camera that changes from
# one bad encoding to another should be told again.
LOG_VARIANTS = {'bad_image': 3, 'pose': 3}

# How long the executor pauses after it has handed a frame to the worker.
HEAD_START_S = 0.0003

# What to do about frames that are dropped, where there is something to do.
REMEDIES = {
    'stale': 'raise latency_budget_ms (0 accepts any age, e.g. for a recording), use a faster '
    'engine, or check that the clocks of camera and node agree',
    'overrun': 'raise latency_budget_ms, use a faster engine or model, or set publish_late',
    'bad_stamp': 'mend the driver of the camera, or set on_bad_stamp to arrival',
}


class Session:
    """
    One configured model at work. Methods run in the executor's thread unless they say otherwise.

    :param assembled: with an active engine, which the session frees in the end.
    :param give_up: called in the thread of the worker when the engine failed too often.
    """

    def __init__(
        self,
        node: Node,
        *,
        config: NodeConfig,
        assembled: Assembled,
        give_up: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._node = node
        self._config = config
        self._clock = clock
        self._activated_ns = 0
        self.model = assembled.model
        self.engine_name = config.engine
        self.active = False
        self.accounts = FrameAccounts()
        # What the last diagnostics reported; they judge what has come since.
        self.reported = self.accounts.counts()
        self.age_ms = RollingWindow()
        self.stage_ms = {field.name: RollingWindow() for field in fields(StageTimes)}
        self._warnings = LogOnce(node.get_logger().warning, variants=LOG_VARIANTS)
        self._budget = _make_budget(config, clock)
        self.camera = CameraInput(
            node,
            topic=config.image_topic,
            transport=config.image_transport,
            receive=self._receive,
        )
        self._planar = [
            stage for stage in assembled.pipeline.stages if isinstance(stage, PlanarObjectStage)
        ]
        self.calibration = self._make_calibration() if self._planar else None
        # What may fail comes first, so that a configure that fails leaves no topics behind.
        self._outputs = Outputs(node, assembled=assembled, config=config)
        self._worker = self._make_worker(assembled, give_up)

    def activate(self) -> None:
        """Publish the labels and let frames in."""
        self.active = True
        self._warnings.forget()
        self._activated_ns = self._clock()
        self._outputs.publish_labels()
        self._worker.resume()
        self.camera.open()
        if self.calibration is not None:
            self.calibration.open()

    def deactivate(self) -> None:
        """Let no frame in and no result out; does not wait for a busy engine."""
        self.active = False
        self.camera.close()
        if self.calibration is not None:
            self.calibration.close()
        self._worker.pause()

    def close(self) -> None:
        """Take the topics back and let the worker free the engine when it is idle."""
        self._worker.stop()
        self.deactivate()
        self._outputs.close()

    def join(self, timeout_s: float) -> bool:
        """Wait until the engine is free; False when it is still busy after the time."""
        return self._worker.join(timeout_s)

    @property
    def busy_s(self) -> float:
        """For how long the engine has been working on one frame, seconds; 0 when it is idle."""
        return self._worker.busy_ns() / 1e9

    @property
    def pose_problem(self) -> str:
        """Why objects get no pose, in words; empty when they do, or when the model has none."""
        return next((stage.problem for stage in self._planar if stage.problem), '')

    def _make_worker(
        self, assembled: Assembled, give_up: Callable[[str], None]
    ) -> Worker[ImageMessage]:
        config = self._config
        hooks: WorkerHooks[ImageMessage] = WorkerHooks(
            convert=partial(to_frame, max_pixels=int(config.max_image_megapixels * 1e6)),
            deliver=self._deliver,
            report=self._say,
            give_up=give_up,
        )
        policy = WorkerPolicy(
            publish_late=config.publish_late,
            max_engine_failures=config.max_engine_failures,
            min_period_ns=int(min(1e9 / config.max_rate, 1e18)) if config.max_rate else 0,
        )
        return Worker(
            assembled.pipeline,
            hooks=hooks,
            policy=policy,
            selection=assembled.selection,
            accounts=self.accounts,
            clock=self._clock,
        )

    def _make_calibration(self) -> CalibrationInput:
        topic = self._config.camera_info_topic or camera_info_beside(self.camera.raw_topic)
        rectified = self.camera.raw_topic.rpartition('/')[2].startswith(RECTIFIED)
        return CalibrationInput(
            self._node,
            topic=topic,
            rectified=rectified,
            stages=self._planar,
        )

    def _receive(self, message: ImageMessage) -> None:
        self.accounts.receive()
        arrival = self._budget.arrive(
            stamp_ns(message.header),
            now_ns=self._node.get_clock().now().nanoseconds,
        )
        if arrival.stamp_problem:
            self._say('bad_stamp', f'the stamp of an image {arrival.stamp_problem}')
        if arrival.deadline is None:
            self.accounts.drop('bad_stamp')
        else:
            self._worker.submit(Parcel(message=message, deadline=arrival.deadline))
            # The executor goes on with its wait set and would keep the interpreter's lock from the
            # worker: it got a frame after 0.39 ms, and after 0.15 ms when the executor lets it.
            time.sleep(HEAD_START_S)

    def _deliver(self, delivery: Delivery[ImageMessage]) -> None:
        """Publish a result. Thread: the worker's."""
        header = delivery.message.header
        if self._config.frame_id:
            header = Header(stamp=header.stamp, frame_id=self._config.frame_id)
        self._outputs.publish(delivery.processed.perception, header=header)
        self._say_why_no_pose()
        self.age_ms.add(delivery.age_ns / 1e6)
        times = delivery.processed.times
        for stage, window in self.stage_ms.items():
            window.add(getattr(times, stage) / 1e6)

    def _say_why_no_pose(self) -> None:
        if self.calibration is None or not self.pose_problem:
            return
        waited_ns = self._clock() - self._activated_ns
        if self.calibration.received or waited_ns > CAMERA_INFO_PATIENCE_NS:
            self._warnings.say('pose', f'no pose: {self.pose_problem}')

    def _say(self, reason: str, sentence: str) -> None:
        """Say once why frames are dropped. Thread: any."""
        remedy = REMEDIES.get(reason)
        advice = f'; {remedy}' if remedy else ''
        self._warnings.say(reason, f'{self.camera.topic}: {sentence}{advice}')


def _make_budget(config: NodeConfig, clock: Clock) -> LatencyBudget:
    return LatencyBudget(
        budget_ms=config.latency_budget_ms,
        on_bad_stamp=config.on_bad_stamp,
        stamp_tolerance_ms=config.stamp_tolerance_ms,
        clock=clock,
    )
