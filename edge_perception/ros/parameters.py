# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The parameters of the node, declared as data.

From the fields of ``NodeConfig`` the node declares its parameters, checks values, and makes the
frozen configuration that everything else reads. Options of engines are added to them under
``engine.<name>.<option>``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from edge_perception.contract import EngineType
from edge_perception.contract import option
from edge_perception.contract import option_specs
from edge_perception.contract import OptionError
from edge_perception.contract import Options
from edge_perception.contract import OptionSpec
from edge_perception.contract.fields import did_you_mean
from edge_perception.core.artifacts import ArtifactWish
from edge_perception.core.artifacts import PRECISIONS
from edge_perception.core.assembly import Request
from edge_perception.core.budget import BAD_STAMP_POLICIES
from edge_perception.ros.camera_parameters import camera_specs
from edge_perception.ros.camera_parameters import CameraConfig
from edge_perception.ros.camera_parameters import CameraOptions
from edge_perception.ros.camera_parameters import name_problems
from edge_perception.ros.camera_parameters import usable
from edge_perception.ros.messages import CLASS_ID_FORMATS
from edge_perception.ros.rclpy_versions import parameter_overrides

FROM_MODEL = -1
# Without simulated time; with it one period of /clock.
STAMP_TOLERANCE_MS = 20.0
# Parameters that hold the name of a topic.
TOPICS = ('image_topic', 'camera_info_topic')
# What other values than -1 have to be at least, and how that is said.
UNLESS_FROM_MODEL: dict[str, tuple[float, str]] = {
    'score_threshold': (0, 'a number from 0 to 1'),
    'iou_threshold': (0, 'a number from 0 to 1'),
    'max_detections': (1, 'a whole number of at least 1'),
    'stamp_tolerance_ms': (0, 'a number of at least 0'),
    'latency_budget_ms': (0, 'a number of at least 0'),
    'max_rate': (0, 'a number of at least 0'),
}
# Parameters that rclpy itself reads.
RCLPY = ('use_sim_time', 'start_type_description_service')
RCLPY_PREFIX = 'qos_overrides.'


@dataclass(frozen=True, slots=True)
class NodeConfig(Options):
    """Values of all parameters at the time of ``configure``, but for those of the engines."""

    model: str = option('', 'path of a model folder, or name of a model')
    engine: str = option(
        'onnxruntime', 'name of the inference engine; auto: the best that can load the model'
    )
    artifact: str = option('', 'file that the engine loads; empty: found beside the model')
    precision: str = option(
        '',
        'precision of the artifact; empty: the most exact that there is',
        choices=('', *PRECISIONS),
    )
    allow_unverified: bool = option(
        False, 'load an artifact that nobody has compared with the reference, and keep warning'
    )
    autostart: bool = option(False, 'configure and activate at start, and after a respawn')
    cameras: tuple[str, ...] = option(
        (), 'names of several cameras, each with its own parameters and topics; empty: one camera'
    )
    image_topic: str = option(
        'image_raw', 'topic of the camera; compressed images are looked for below it'
    )
    image_transport: str = option(
        'auto', 'how images arrive', choices=('auto', 'raw', 'compressed')
    )
    camera_info_topic: str = option(
        '', 'topic of the CameraInfo, for poses; empty: camera_info beside the image topic'
    )
    frame_id: str = option('', 'frame_id of the results; empty: that of the image')
    rotate: int = option(
        0,
        'how far the camera is turned clockwise, seen from behind, degrees',
        choices=(0, 90, 180, 270),
    )
    max_rate: float = option(
        0.0, 'frames processed in a second at most, Hz; 0: as many as possible', minimum=0.0
    )
    max_image_megapixels: float = option(
        50.0, 'larger compressed images are refused before they are decoded', minimum=0.01
    )
    latency_budget_ms: float = option(
        500.0, 'how old a published result may be, ms from its stamp; 0: any age', minimum=0.0
    )
    publish_late: bool = option(False, 'publish results although their budget is used up')
    on_bad_stamp: str = option(
        'drop',
        'frames with a zero, future or backward stamp: drop, or count their age from arrival',
        choices=BAD_STAMP_POLICIES,
    )
    stamp_tolerance_ms: float = option(
        -1.0,
        'a stamp so far in the future counts as now, ms; '
        f'-1: {STAMP_TOLERANCE_MS:g}, and with use_sim_time one period of /clock',
        minimum=-1.0,
    )
    score_threshold: float = option(
        FROM_MODEL * 1.0,
        'objects with a lower score are left out; -1: as the model says',
        minimum=-1.0,
        maximum=1.0,
    )
    iou_threshold: float = option(
        FROM_MODEL * 1.0,
        'of two boxes of one class that overlap more, the weaker goes; -1: as the model says',
        minimum=-1.0,
        maximum=1.0,
    )
    max_detections: int = option(
        FROM_MODEL, 'objects of one frame at most; -1: as the model says', minimum=-1
    )
    classes: tuple[str, ...] = option(
        (), 'names or indices of the only classes to report; empty: all'
    )
    class_id_format: str = option(
        'name', 'what class_id of a result holds', choices=CLASS_ID_FORMATS
    )
    publish_tf: bool = option(False, 'publish the pose of the best object on /tf as well')
    tf_child_frame_id: str = option('', 'frame of the object on /tf; empty: the name of the model')
    max_engine_failures: int = option(
        5, 'so many failures of the engine in a row end the node', minimum=1
    )


def make_request(config: NodeConfig, engine_options: Mapping[str, Mapping[str, Any]]) -> Request:
    """Return what the parameters ask for; -1 leaves the choice to the model."""
    return Request(
        model=config.model,
        engine=config.engine,
        engine_options=engine_options,
        artifact=ArtifactWish(
            path=config.artifact,
            precision=config.precision,
            allow_unverified=config.allow_unverified,
        ),
        rotation=config.rotate,
        score_threshold=None if config.score_threshold < 0 else config.score_threshold,
        iou_threshold=None if config.iou_threshold < 0 else config.iou_threshold,
        max_detections=None if config.max_detections < 0 else config.max_detections,
        classes=config.classes,
    )


def engine_parameters(engines: Mapping[str, EngineType]) -> tuple[OptionSpec, ...]:
    """Return the options of every engine under the names that their parameters have."""
    return tuple(
        replace(spec, name=f'engine.{name}.{spec.name}')
        for name in sorted(engines)
        for spec in option_specs(engines[name].options_type)
    )


class Parameters:
    """
    Declares the parameters of a node and reads them. Used from the thread of the executor.

    Types are left open in the declaration, so that a wrong type in a file ends in a sentence from
    ``read`` and not in an exception while the node is made.
    """

    def __init__(self, node: Node, *, engines: Mapping[str, EngineType]) -> None:
        self._node = node
        self._engines = tuple(engines)
        self._own = {spec.name: spec for spec in option_specs(NodeConfig)}
        self._specs = {**self._own, **{spec.name: spec for spec in engine_parameters(engines)}}
        self._cameras: dict[str, OptionSpec] = {}
        for spec in self._specs.values():
            self._declare(spec)
        self._declare_cameras(node.get_parameter('cameras').value)

    def read(self) -> tuple[NodeConfig, dict[str, dict[str, Any]], list[str]]:
        """
        Return the configuration, the options of each engine, and what is wrong with them.

        A wrong value is replaced by its default, so that everything else can be checked as well.
        """
        self._declare_cameras(self._node.get_parameter('cameras').value)
        problems = self._unknown()
        values = self._values(self._specs, problems)
        config = NodeConfig(**{name: values[name] for name in self._own})
        options: dict[str, dict[str, Any]] = {}
        for engine in self._engines:
            prefix = f'engine.{engine}.'
            options[engine] = {
                name.removeprefix(prefix): value
                for name, value in values.items()
                if name.startswith(prefix)
            }
        return config, options, problems

    def read_cameras(self, config: NodeConfig) -> tuple[list[CameraConfig], list[str]]:
        """Return each camera, one without a name if none is named, and what is wrong with them."""
        if not config.cameras:
            return [_the_only_camera(config)], []
        problems = name_problems(config.cameras)
        problems += [
            f'{name}: has no effect with cameras, set <name>.{name} instead'
            for name in TOPICS
            if getattr(config, name) != self._own[name].default
        ]
        cameras = []
        for name in usable(config.cameras):
            values = self._values(camera_specs([name]), problems)
            own = {key.rpartition('.')[2]: value for key, value in values.items()}
            cameras.append(_one_of_several(name, CameraOptions(**own), config))
        return cameras, problems

    def check(self, name: str, value: Any) -> str:
        """Return what is wrong with a value of a parameter; empty when nothing is."""
        spec = self._specs.get(name) or self._cameras.get(name)
        if spec is None:
            return ''
        try:
            checked = spec.check(_plain(value, spec))
        except OptionError as error:
            return str(error)
        kind = name.rpartition('.')[2] if name in self._cameras else name
        if kind in UNLESS_FROM_MODEL and checked != FROM_MODEL:
            least, words = UNLESS_FROM_MODEL[kind]
            fits = float(str(checked)) >= least
            return '' if fits else f'{name}: got {checked}, expected -1 or {words}'
        return self._topic_problem(name, str(checked)) if kind in TOPICS and checked else ''

    def known(self, name: str) -> bool:
        """Tell whether a parameter is one of the node's own or of an engine."""
        return name in self._specs or name in self._cameras

    def _values(self, specs: Mapping[str, OptionSpec], problems: list[str]) -> dict[str, Any]:
        """Return the values of parameters, and add what is wrong with them to the problems."""
        values: dict[str, Any] = {}
        for name, spec in specs.items():
            value = _plain(self._node.get_parameter(name).value, spec)
            problem = self.check(name, value)
            values[name] = spec.default if problem else spec.check(value)
            problems += [problem] if problem else []
        return values

    def _declare_cameras(self, names: Any) -> None:
        """Declare the parameters of cameras that were not known before."""
        if not isinstance(names, (list, tuple)):
            return  # said when it is read
        for name, spec in camera_specs(usable(filter(_is_text, names))).items():
            if name not in self._cameras:
                self._cameras[name] = spec
                self._declare(spec)

    def _declare(self, spec: OptionSpec) -> None:
        default = list(spec.default) if isinstance(spec.default, tuple) else spec.default
        self._node.declare_parameter(spec.name, default, _descriptor(spec))

    def _topic_problem(self, name: str, topic: str) -> str:
        try:
            self._node.resolve_topic_name(topic)
        except Exception:  # rclpy raises an exception of its own for each kind of mistake
            return (
                f'{name}: got {topic!r}, expected the name of a topic: letters, digits, _ and /, '
                'no part of it empty or beginning with a digit'
            )
        return ''

    def _unknown(self) -> list[str]:
        """Return what looks misspelt; a file may hold parameters of other nodes as well."""
        problems = []
        for name in parameter_overrides(self._node):
            if self.known(name) or name in RCLPY or name.startswith(RCLPY_PREFIX):
                continue
            if hint := did_you_mean(name, [*self._specs, *self._cameras]):
                problems.append(f'{name}: unknown parameter{hint}')
            else:
                self._node.get_logger().warning(f'{name}: unknown parameter, not used')
        return problems


def _the_only_camera(config: NodeConfig) -> CameraConfig:
    return CameraConfig(
        name='',
        image_topic=config.image_topic,
        camera_info_topic=config.camera_info_topic,
        latency_budget_ms=config.latency_budget_ms,
        frame_id=config.frame_id,
        rotate=config.rotate,
        max_rate=config.max_rate,
    )


def _one_of_several(name: str, own: CameraOptions, config: NodeConfig) -> CameraConfig:
    """Return a camera with what the node says where nothing is said for it."""
    budget_ms, max_rate = own.latency_budget_ms, own.max_rate
    return CameraConfig(
        name=name,
        image_topic=own.image_topic or f'{name}/image_raw',
        camera_info_topic=own.camera_info_topic,
        latency_budget_ms=config.latency_budget_ms if budget_ms < 0 else budget_ms,
        frame_id=own.frame_id or config.frame_id,
        rotate=config.rotate if own.rotate < 0 else own.rotate,
        max_rate=config.max_rate if max_rate < 0 else max_rate,
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _plain(value: Any, spec: OptionSpec) -> Any:
    """Return a value of ROS as options know it; an empty list arrives as bytes, or as nothing."""
    if spec.kind is tuple and value is not None and not isinstance(value, str):
        return tuple(value)
    return () if spec.kind is tuple and value is None else value


def _descriptor(spec: OptionSpec) -> ParameterDescriptor:
    # Ranges are given in words only: rclpy would check numeric ones itself, raise while the node
    # is made, and so hide everything else that is wrong.
    return ParameterDescriptor(
        name=spec.name,
        description=spec.description,
        additional_constraints=spec.expected(),
        dynamic_typing=True,
    )
