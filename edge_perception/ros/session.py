# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What exists between ``configure`` and ``cleanup``: engine, worker and cameras."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

from rclpy.node import Node

from edge_perception.contract import check_input
from edge_perception.contract import ConfigurationError
from edge_perception.contract import EngineError
from edge_perception.contract import InferenceError
from edge_perception.models.assembly import Assembled
from edge_perception.models.golden_image import golden_image
from edge_perception.models.request import make_selection
from edge_perception.ros.camera import Camera
from edge_perception.ros.input.camera_input import ImageMessage
from edge_perception.ros.input.simulated_time import SimulatedTime
from edge_perception.ros.input.transform_input import TransformInput
from edge_perception.ros.output.debug_image import DebugOptions
from edge_perception.ros.parameters.node_parameters import make_request
from edge_perception.ros.parameters.node_parameters import NodeConfig
from edge_perception.runtime.budget import Clock
from edge_perception.runtime.canary import Canary
from edge_perception.runtime.pipeline import Pipeline
from edge_perception.runtime.preprocessing import Preprocessor
from edge_perception.runtime.throughput.batching import Batching
from edge_perception.runtime.throughput.batching import measure_batches
from edge_perception.runtime.worker import Worker


class Session:
    """
    One configured model at work. Methods run in the executor's thread unless they say otherwise.

    :param config: what counts for the node.
    :param cameras: what counts for each camera that is configured, by its name.
    :param assembled: with an active engine, which the session frees in the end.
    :param give_up: called in the thread of the worker when the engine failed too often.
    :param idle: called in the thread of the worker when it has nothing to do.
    """

    def __init__(
        self,
        node: Node,
        *,
        config: NodeConfig,
        cameras: Mapping[str, NodeConfig],
        assembled: Assembled,
        give_up: Callable[[str], None],
        idle: Callable[[], None],
        clock: Clock,
    ) -> None:
        self.model = assembled.model
        self.engine_name = assembled.engine
        self.artifact = assembled.artifact
        self.device = assembled.pipeline.engine.device
        self._engine = assembled.pipeline.engine
        self.computed = assembled.pipeline.engine.precision
        self.active = False
        # Switched by the service ``~/enable``.
        self.enabled = True
        # Before the thread of the worker owns the engine.
        canary = _make_canary(assembled, config, clock) if config.canary_period_s else None
        most = min(config.max_batch, len(cameras))
        batching = _make_batching(node, assembled, most, clock) if most > 1 else None
        self.cameras: list[Camera] = []
        transforms = TransformInput(node)
        try:
            for name, own in cameras.items():
                camera = Camera(
                    node,
                    name=name,
                    config=own,
                    assembled=assembled,
                    transforms=transforms,
                    clock=clock,
                )
                self.cameras.append(camera)
            _check_topics(node, self.cameras)
        except BaseException:
            for camera in self.cameras:
                camera.close()
            raise
        self._worker: Worker[ImageMessage] = Worker(
            assembled.pipeline.engine,
            [camera.channel for camera in self.cameras],
            give_up=give_up,
            max_engine_failures=config.max_engine_failures,
            idle=idle,
            clock=clock,
            overlap=config.overlap,
            batching=batching,
            canary=canary,
        )
        self._worker.start()
        self._simulated_time = SimulatedTime(
            node, self.cameras, automatic=config.stamp_tolerance_ms < 0
        )

    def activate(self) -> None:
        """Publish the labels and let frames in."""
        self.active = self.enabled = True
        self._open()

    def deactivate(self) -> None:
        """Let no frame in and no result out; does not wait for a busy engine."""
        self.active = False
        self._shut()

    def _open(self) -> None:
        self._simulated_time.open()
        self._worker.resume()
        for camera in self.cameras:
            camera.activate(self._worker)

    def _shut(self) -> None:
        self._simulated_time.close()
        for camera in self.cameras:
            camera.deactivate()
        self._worker.pause()

    def close(self) -> None:
        """Take the topics back and let the worker free the engine when it is idle."""
        self._worker.stop()
        self.deactivate()
        for camera in self.cameras:
            camera.close()

    def prepare(
        self, cameras: Mapping[str, NodeConfig], debug: DebugOptions
    ) -> Callable[[], None]:
        """
        Check parameters that may change while running.

        :return: makes them take effect, which cannot fail.
        :raises EdgePerceptionError: they do not fit the model; nothing was changed.
        """
        selections = {
            name: make_selection(make_request(config, {}, {}), self.model)
            for name, config in cameras.items()
        }

        def apply() -> None:
            # By name, so that each camera has its own whatever their order is.
            for camera in self.cameras:
                camera.debug_image.options = debug
                if camera.name in cameras:
                    camera.update(cameras[camera.name], selections[camera.name])

        return apply

    def enable(self, wanted: bool) -> None:
        """Let frames in, or none, while active; the next activation lets them in."""
        if wanted == self.enabled:
            return
        self.enabled = wanted
        if wanted:
            self._open()
        else:
            self._shut()

    def check(self) -> None:
        """Look whether images come."""
        if self.active and self.enabled:
            for camera in self.cameras:
                camera.check()

    def join(self, timeout_s: float) -> bool:
        """Wait until the engine is free; False when it is still busy after the time."""
        return self._worker.join(timeout_s)

    @property
    def ended(self) -> bool:
        """Whether no frame can be served any more, because a plugin ended the worker."""
        return self._worker.ended

    @property
    def health(self) -> Mapping[str, float]:
        """What the engine said last of its device, by name."""
        return self._worker.health

    @property
    def health_problem(self) -> str:
        """Why the engine could not say it, in words; empty where it could."""
        return self._worker.health_problem

    @property
    def condition(self) -> str:
        """What is wrong with the engine's process now, in words; empty when nothing is."""
        return self._engine.condition

    @property
    def busy_s(self) -> float:
        """For how long the engine has been working on one frame, seconds; 0 when it is idle."""
        return self._worker.busy_ns() / 1e9


def _check_topics(node: Node, cameras: Sequence[Camera]) -> None:
    """
    Refuse to read what the node publishes, or images and CameraInfo from one topic.

    ROS knows one type for a topic in a node, and would fail with the first subscription.

    :raises ConfigurationError: with every parameter that names such a topic.
    """
    own = {each.topic_name for each in node.publishers}
    images = {topic for camera in cameras for topic in camera.input.topics}
    problems = []
    for camera in cameras:
        infos = [camera.stage_topics.topics(stage).get('camera_info') for stage in camera.stages]
        for parameter, topics, taken, words in (
            ('image_topic', camera.input.topics, own, 'this node publishes itself'),
            ('camera_info_topic', infos, own, 'this node publishes itself'),
            ('camera_info_topic', infos, images, 'images are read from'),
        ):
            for topic in [each for each in topics if each in taken][:1]:
                name = f'{camera.name}.{parameter}' if camera.name else parameter
                problems.append(
                    f'{name}: got {topic}, which {words}; set image_topic and camera_info_topic '
                    'to what the camera publishes'
                )
    if problems:
        raise ConfigurationError('parameter', problems)


def _make_batching(node: Node, assembled: Assembled, most: int, clock: Clock) -> Batching | None:
    """Return what puts cameras together, or None and say why it cannot be done."""
    engine = assembled.pipeline.engine
    try:
        if engine.batches == (1,):
            raise InferenceError(
                f'{assembled.engine} takes one frame at a time of this model; export it with an '
                'open batch, or take another engine'
            )
        return Batching(measure_batches(engine, most=most, clock=clock))
    except EngineError as error:
        node.get_logger().warning(f'max_batch has no effect: {error}')
        return None


def _make_canary(assembled: Assembled, config: NodeConfig, clock: Clock) -> Canary:
    """
    Return what checks the engine, which gives its first answers here.

    :raises ConfigurationError: there is no image, or none that tells a working engine.
    """
    manifest, shared = assembled.model.manifest, assembled.pipeline
    spec = check_input(manifest, shared.engine.inputs)
    # Without stages, and with a preprocessor that keeps no table of the size of the cameras.
    pipeline = Pipeline(
        shared.engine,
        decoder=shared.decoder,
        preprocessor=Preprocessor(manifest.input, spec=spec),
        input_name=spec.name,
        clock=clock,
    )
    canary = Canary(
        pipeline,
        golden_image(assembled.model, config.canary_image),
        selection=assembled.selection,
        period_ns=int(config.canary_period_s * 1e9),
        clock=clock,
    )
    if not canary.tells:
        raise ConfigurationError(
            'parameter',
            [
                'canary_period_s: the model sees the same in its golden image as in a gray one; '
                'name another image with canary_image'
            ],
        )
    return canary
