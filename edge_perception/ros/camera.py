# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One camera of the node: its topics, its stamps, its way into the worker and out again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
import time

from rclpy.node import Node
from std_msgs.msg import Header

from edge_perception.contract import check_input
from edge_perception.contract import Frame
from edge_perception.contract import Selection
from edge_perception.models.assembly import Assembled
from edge_perception.ros.input.camera_info import CalibrationInput
from edge_perception.ros.input.camera_info import camera_info_beside
from edge_perception.ros.input.camera_info import RECTIFIED
from edge_perception.ros.input.camera_input import CameraInput
from edge_perception.ros.input.camera_input import ImageMessage
from edge_perception.ros.input.camera_input import to_frame
from edge_perception.ros.input.camera_watch import CameraWatch
from edge_perception.ros.input.compressed_images import SizeLimit
from edge_perception.ros.input.pose_doubts import frame_doubt
from edge_perception.ros.input.raw_images import stamp_ns
from edge_perception.ros.input.stage_topics import StageTopics
from edge_perception.ros.input.transform_input import TransformInput
from edge_perception.ros.log_once import LogOnce
from edge_perception.ros.output.debug_image import DebugImage
from edge_perception.ros.output.debug_image import TOPIC as DEBUG_TOPIC
from edge_perception.ros.output.publishers import Outputs
from edge_perception.ros.output.publishers import topic_of
from edge_perception.ros.parameters.node_parameters import NodeConfig
from edge_perception.ros.parameters.node_parameters import STAMP_TOLERANCE_MS
from edge_perception.runtime.accounts import BoxDoubts
from edge_perception.runtime.accounts import DROP_REASONS
from edge_perception.runtime.budget import Arrival
from edge_perception.runtime.budget import Clock
from edge_perception.runtime.budget import Deadline
from edge_perception.runtime.budget import LatencyBudget
from edge_perception.runtime.budget import NS_PER_MS
from edge_perception.runtime.camera_channel import CameraChannel
from edge_perception.runtime.camera_channel import CameraHooks
from edge_perception.runtime.camera_channel import CameraPolicy
from edge_perception.runtime.findings import not_finite_scores
from edge_perception.runtime.frame_queue import QueuedFrame
from edge_perception.runtime.pipeline import Pipeline
from edge_perception.runtime.pipeline import Result
from edge_perception.runtime.preprocessing import Preprocessor
from edge_perception.runtime.sample_range import SampleRange
from edge_perception.runtime.worker import Worker

# A camera may send its first CameraInfo, or another input of a stage, after its first images.
STAGE_PATIENCE_NS = 3_000_000_000

# Different sentences of one kind that are logged, where it is not one: a camera that changes from
# one bad encoding to another should be told again.
LOG_VARIANTS = {'bad_image': 3, 'pose': 3, 'stage': 5}

# How long the executor pauses after it has handed a frame to a worker that waited for it.
HEAD_START_S = 0.0003

# What to do about frames that are dropped, where there is something to do.
REMEDIES = {
    'stale': 'raise latency_budget_ms (0 accepts any age, e.g. for a recording), use a faster '
    'engine, or check that the clocks of camera and node agree',
    'overrun': 'raise latency_budget_ms, use a faster engine or model, or set publish_late',
}
# The same for stamps, by the policy that is in force.
BAD_STAMP_REMEDIES = {
    'drop': 'on_bad_stamp is drop: such frames are dropped; correct the driver of the camera or '
    'the clocks of the machines, or set it to arrival, which counts their age from their arrival',
    'arrival': 'on_bad_stamp is arrival: the age of such frames is counted from their arrival; '
    'correct the driver of the camera or the clocks of the machines',
}


class Camera:
    """
    Methods run in the executor's thread unless they say otherwise.

    :param name: part of the names of its topics; empty where it is the only one.
    :param config: what counts for this camera.
    :param transforms: shared by the cameras, for stages that read them.
    :param channel: its frames in the worker, and what became of them.
    """

    def __init__(
        self,
        node: Node,
        *,
        name: str,
        config: NodeConfig,
        assembled: Assembled,
        transforms: TransformInput,
        clock: Clock,
    ) -> None:
        self.name = name
        self.budget_ms = config.latency_budget_ms
        self._node = node
        self._frame_id = config.frame_id
        self._on_bad_stamp = config.on_bad_stamp
        self._size_limit = SizeLimit(int(config.max_image_megapixels * 1e6))
        self._sample_range = SampleRange(config.mono16_range)
        self._publish_tf = config.publish_tf
        self._box_doubts = BoxDoubts(assembled.model.manifest.input)
        # What makes poses wrong though there are some, in words; empty when nothing does.
        self.pose_doubt = ''
        self._arrival: Arrival | None = None
        self._clock = clock
        self._activated_ns = 0
        self._worker: Worker[ImageMessage] | None = None
        # The last result, and what tells its age; replaced by the worker, read by any thread.
        self.last: tuple[Deadline, Result] | None = None
        self._warnings = LogOnce(node.get_logger().warning, variants=LOG_VARIANTS)
        self._budget = _make_budget(config, clock)
        self.input = self._make_input(config)
        self._watch = self._make_watch()
        pipeline = _make_pipeline(assembled, name, config)
        self.stages = pipeline.stages
        self.stage_topics = self._make_stage_topics(config, transforms)
        pipeline.suppliers = self.stage_topics.suppliers
        # What may fail comes first, so that a configure that fails leaves no topics behind.
        self._outputs = Outputs(node, camera=name, assembled=assembled, config=config)
        self.debug_image = DebugImage(
            node,
            topic=topic_of(DEBUG_TOPIC, name),
            manifest=assembled.model.manifest,
            engine=assembled.engine,
        )
        self.channel = self._make_channel(pipeline, config, assembled.selection)
        # What the last diagnostics reported; they judge what has come since.
        self.reported = self.channel.accounts.counts()

    def activate(self, worker: Worker[ImageMessage]) -> None:
        """Publish the labels and let frames in."""
        self._worker = worker
        self._warnings.forget()
        self._activated_ns = self._clock()
        self._outputs.publish_labels()
        self.input.open()
        self._watch.begin()
        self.channel.pipeline.reset()
        self.stage_topics.open()

    def deactivate(self) -> None:
        """Let no frame in."""
        self.input.close()
        self.stage_topics.close()

    def close(self) -> None:
        """Take the topics back."""
        self.deactivate()
        self._outputs.close()
        self.debug_image.close()

    def update(self, config: NodeConfig, selection: Selection) -> None:
        """Take parameters that may change while running."""
        self.budget_ms = self._budget.budget_ms = config.latency_budget_ms
        self.channel.policy = replace(self.channel.policy, publish_late=config.publish_late)
        self.channel.selection = selection
        self._outputs.tell_threshold(selection.score_threshold)

    def check(self) -> None:
        """Look whether images and CameraInfo come, and say once why images do not."""
        self._watch.check()
        self.stage_topics.check()

    @property
    def input_problem(self) -> str:
        """Why no images come, in words; empty when they do."""
        return self._watch.problem

    def tolerate(self, tolerance_ns: int) -> None:
        """Take stamps so far in the future as now."""
        self._budget.tolerance_ns = tolerance_ns

    def clock_was_set_back(self) -> None:
        """Compare no stamp with those of before; stages forget what they saw."""
        self._budget.begin_anew()
        self.stage_topics.forget()
        self.channel.pipeline.reset()

    @property
    def budget_problem(self) -> str:
        """Why hardly any frame can be in time, in words; empty when they can."""
        needed_ms = self.channel.admission.p95_ns / NS_PER_MS
        if self.channel.policy.publish_late or not 0 < self.budget_ms < needed_ms:
            return ''
        return (
            f'latency_budget_ms is {self.budget_ms:g}, but a frame takes {needed_ms:.1f} ms; '
            'raise it, use a faster engine or a smaller model, or set publish_late'
        )

    def say(self, reason: str, sentence: str, *, counted: bool = True) -> None:
        """Say once why frames are dropped, or what else is wrong. Thread: any."""
        if not self._node.context.ok():
            return  # a signal ends the process: ROS goes first, and what is at work then fails
        remedy = REMEDIES.get(reason)
        advice = f'; {remedy}' if remedy else ''
        self._warnings.say(
            reason,
            f'{self.input.topic}: {sentence}{advice}',
            counted=counted and reason in DROP_REASONS,
        )

    def _make_input(self, config: NodeConfig) -> CameraInput:
        return CameraInput(
            self._node,
            topic=config.image_topic,
            transport=config.image_transport,
            reliability=config.qos,
            receive=self._receive,
        )

    def _make_watch(self) -> CameraWatch:
        log = self._node.get_logger()
        return CameraWatch(
            self._node, self.input, say=log.warning, tell=log.info, clock=self._clock
        )

    def _make_channel(
        self, pipeline: Pipeline, config: NodeConfig, selection: Selection
    ) -> CameraChannel[ImageMessage]:
        return CameraChannel(
            self.name,
            pipeline,
            hooks=CameraHooks(
                convert=self._convert,
                compose=self._compose,
                report=self.say,
                afterwards=self._afterwards,
            ),
            selection=selection,
            policy=CameraPolicy(
                publish_late=config.publish_late,
                min_period_ns=int(min(1e9 / config.max_rate, 1e18)) if config.max_rate else 0,
            ),
            clock=self._clock,
        )

    def _make_stage_topics(self, config: NodeConfig, transforms: TransformInput) -> StageTopics:
        topic = config.camera_info_topic or camera_info_beside(self.input.raw_topic)
        rectified = self.input.raw_topic.rpartition('/')[2].startswith(RECTIFIED)
        self._calibration = CalibrationInput(
            self._node,
            topic=topic,
            rectified=rectified,
            center_limit=config.camera_info_center_limit,
        )
        return StageTopics(
            self._node,
            self.stages,
            camera=self.name,
            frame_id=self._frame_id,
            calibration=self._calibration,
            transforms=transforms,
        )

    def _receive(self, message: ImageMessage) -> None:
        accounts = self.channel.accounts
        accounts.receive()
        if self._watch.image(message):
            self.channel.pipeline.reset()
        arrival = self._budget.arrive(
            stamp_ns(message.header),
            now_ns=self._node.get_clock().now().nanoseconds,
        )
        self._arrival = arrival
        # The advice asks the graph, which takes longer than to drop a frame.
        if arrival.stamp_problem and self._warnings.wants('bad_stamp'):
            # Only what is dropped is counted.
            self.say('bad_stamp', self.stamp_problem, counted=arrival.deadline is None)
        if arrival.deadline is None:
            accounts.drop('bad_stamp')
            return
        assert self._worker is not None
        was_busy = self._worker.busy
        self._worker.submit(self.channel, message, arrival.deadline)
        if not was_busy:
            # The executor goes on with its wait set and would keep the interpreter's lock from the
            # worker: it got a frame after 0.39 ms, and after 0.15 ms when the executor lets it.
            time.sleep(HEAD_START_S)

    @property
    def stamp_problem(self) -> str:
        """What is wrong with the stamp of the last image, in words; empty when nothing is."""
        if self._arrival is None or not self._arrival.stamp_problem:
            return ''
        advice = self._cure_of_stamps(self._arrival.cause)
        return f'the stamp of an image {self._arrival.stamp_problem}; {advice}'

    def _cure_of_stamps(self, cause: str) -> str:
        """Return what to do about a stamp, by what is to blame for it. Thread: the executor's."""
        if cause == 'clock':
            return 'start what publishes /clock, or set use_sim_time to false'
        simulated = self._node.get_parameter('use_sim_time').value
        if cause == 'start' and not simulated and self._node.count_publishers('/clock'):
            return '/clock is published: set use_sim_time to true'
        return BAD_STAMP_REMEDIES[self._on_bad_stamp]

    def _compose(self, queued: QueuedFrame[ImageMessage], result: Result) -> Callable[[], None]:
        """Make the messages of a result. Thread: the worker's."""
        self._say_stage_problems()
        if share := result.perception.not_finite:
            self.say('not_finite', not_finite_scores(share), counted=False)
        self._box_doubts.look(result)
        if self.box_problem:
            self.say('boxes', self.box_problem, counted=False)
        header = self._header(queued.message)
        self._look_at_geometry(result.frame, header.frame_id)
        return self._outputs.compose(result.perception, header=header)

    def _afterwards(self, queued: QueuedFrame[ImageMessage], result: Result) -> None:
        """Remember a result, and draw it for those who look at it. Thread: the worker's."""
        self.last = queued.deadline, result
        if not self.debug_image.wanted(self._clock()):
            return
        header = self._header(queued.message)
        perception, frame = result.perception, result.frame
        now_ns = self._clock()
        self.debug_image.publish(
            frame,
            perception,
            header=header,
            age_ms=queued.deadline.age_ns(now_ns) / NS_PER_MS,
            now_ns=now_ns,
        )

    def _header(self, message: ImageMessage) -> Header:
        header = message.header
        if not self._frame_id:
            return header
        return Header(stamp=header.stamp, frame_id=self._frame_id)

    def _say_stage_problems(self) -> None:
        for stage in self.stages:
            problem = self.stage_topics.problem(stage)
            waited_ns = self._clock() - self._activated_ns
            if problem and (self.stage_topics.complete(stage) or waited_ns > STAGE_PATIENCE_NS):
                # Figures stand in parentheses and change; they are said once.
                words = f'{stage.name}: {problem}'
                self._warnings.say('stage', words, key=words.partition(' (')[0], counted=False)

    def _look_at_geometry(self, frame: Frame, frame_id: str) -> None:
        """Say once what makes the poses wrong that are published."""
        if any(stage.reads.calibration for stage in self.stages):
            doubt = frame_doubt(frame_id, publish_tf=self._publish_tf)
            self.pose_doubt = doubt or self._calibration.doubt(frame)
            if self.pose_doubt:
                self._warnings.say('pose', self.pose_doubt, counted=False)

    @property
    def box_problem(self) -> str:
        """What no boxes of an image are like, and why; empty when they may be right."""
        return self._box_doubts.problem

    @property
    def image_problem(self) -> str:
        """Why images show hardly anything, in words; empty when they do."""
        problem = self._sample_range.problem
        return problem and f'{self.input.topic}: {problem}; set mono16_range to percentile'

    def _convert(self, message: ImageMessage) -> Frame:
        """Make the frame of a message. Thread: the worker's."""
        frame = to_frame(message, limit=self._size_limit, sample_range=self._sample_range)
        if self.image_problem:
            self._warnings.say('levels', self.image_problem, counted=False)
        return frame


def _make_budget(config: NodeConfig, clock: Clock) -> LatencyBudget:
    tolerance_ms = config.stamp_tolerance_ms
    return LatencyBudget(
        budget_ms=config.latency_budget_ms,
        on_bad_stamp=config.on_bad_stamp,
        stamp_tolerance_ms=STAMP_TOLERANCE_MS if tolerance_ms < 0 else tolerance_ms,
        clock=clock,
    )


def _make_pipeline(assembled: Assembled, name: str, config: NodeConfig) -> Pipeline:
    """Return the pipeline of a camera; only the engine and its decoder are shared."""
    if not name:
        return assembled.pipeline
    manifest = assembled.model.manifest
    spec = check_input(manifest, assembled.pipeline.engine.inputs)
    return assembled.pipeline.for_camera(
        preprocessor=Preprocessor(manifest.input, spec=spec, rotation=config.rotate),
    )
