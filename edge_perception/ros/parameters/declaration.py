# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Declares the parameters of the node and reads them.

From the fields of ``NodeConfig`` the node declares its parameters, checks values, and makes the
frozen configuration that everything else reads. Options of engines are added to them under
``engine.<name>.<option>``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from edge_perception.contract import EngineType
from edge_perception.contract import option_specs
from edge_perception.contract import OptionError
from edge_perception.contract import OptionSpec
from edge_perception.ros.output.debug_image import DebugOptions
from edge_perception.ros.parameters.camera_parameters import camera_specs
from edge_perception.ros.parameters.camera_parameters import CameraConfig
from edge_perception.ros.parameters.camera_parameters import CameraOptions
from edge_perception.ros.parameters.camera_parameters import name_problems
from edge_perception.ros.parameters.camera_parameters import not_among_cameras
from edge_perception.ros.parameters.camera_parameters import usable
from edge_perception.ros.parameters.node_parameters import FROM_MODEL
from edge_perception.ros.parameters.node_parameters import NodeConfig
from edge_perception.ros.parameters.unknown_parameters import unknown_parameter
from edge_perception.ros.parameters.unknown_parameters import unknown_parameters

# Parameters that hold the name of a topic.
TOPICS = ('image_topic', 'camera_info_topic')
# The one of them that may not be empty.
REQUIRED_TOPIC = 'image_topic'
# What other values than -1 have to be at least, and how that is said.
UNLESS_FROM_MODEL: dict[str, tuple[float, str]] = {
    'score_threshold': (0, 'a number from 0 to 1'),
    'iou_threshold': (0, 'a number from 0 to 1'),
    'max_detections': (1, 'a whole number of at least 1'),
    'stamp_tolerance_ms': (0, 'a number of at least 0'),
    'latency_budget_ms': (0, 'a number of at least 0'),
    'max_rate': (0, 'a number of at least 0'),
}
# Parameters that take effect while the node runs; others with the next configure.
LIVE = (
    'score_threshold',
    'iou_threshold',
    'max_detections',
    'classes',
    'latency_budget_ms',
    'publish_late',
)
DEBUG = 'debug.'
NOTHING: Mapping[str, Any] = MappingProxyType({})


def engine_parameters(engines: Mapping[str, EngineType]) -> tuple[OptionSpec, ...]:
    """Return the options of every engine under the names that their parameters have."""
    return tuple(
        replace(spec, name=f'engine.{name}.{spec.name}')
        for name in sorted(engines)
        for spec in option_specs(engines[name].options_type)
    )


def debug_specs() -> dict[str, OptionSpec]:
    """Return the parameters of the debug image by their full names."""
    return {
        DEBUG + spec.name: replace(spec, name=DEBUG + spec.name)
        for spec in option_specs(DebugOptions)
    }


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
        others = {spec.name: spec for spec in engine_parameters(engines)}
        self._specs = {**self._own, **debug_specs(), **others}
        self._cameras: dict[str, OptionSpec] = {}
        for spec in self._specs.values():
            self._declare(spec)
        self._declare_cameras(node.get_parameter('cameras').value)

    def read(
        self, pending: Mapping[str, Any] = NOTHING
    ) -> tuple[NodeConfig, dict[str, dict[str, Any]], list[str]]:
        """
        Return the configuration, the options of each engine, and what is wrong with them.

        A wrong value is replaced by its default, so that everything else can be checked as well.

        :param pending: values that are about to be set.
        """
        self._declare_cameras(self._node.get_parameter('cameras').value)
        # Said when configured; not again with every value that is set.
        problems = [] if pending else self._warn_of_unknown()
        values = self._values(self._specs, problems, pending)
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

    def read_debug(self, pending: Mapping[str, Any] = NOTHING) -> DebugOptions:
        """Return what is set for the debug image; wrong values were said by ``read``."""
        values = self._values(debug_specs(), [], pending)
        return DebugOptions(**{name.removeprefix(DEBUG): each for name, each in values.items()})

    def read_cameras(
        self, config: NodeConfig, pending: Mapping[str, Any] = NOTHING
    ) -> tuple[list[CameraConfig], list[str]]:
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
            values = self._values(camera_specs([name]), problems, pending)
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
        needed = kind in TOPICS and (checked or name == REQUIRED_TOPIC)
        return self._topic_problem(name, str(checked)) if needed else ''

    def live(self, name: str) -> bool:
        """Tell whether a parameter takes effect at once."""
        own = name.rpartition('.')[2] if name in self._cameras else name
        return own in LIVE or name.startswith(DEBUG)

    def known(self, name: str) -> bool:
        """Tell whether a parameter is one of the node's own or of an engine."""
        return name in self._specs or name in self._cameras

    def unknown(self) -> tuple[list[str], list[str]]:
        """Return what was given and looks misspelled, and what was given for nothing else."""
        known = [*self._specs, *self._cameras]
        return unknown_parameters(self._node, known, why_unused=not_among_cameras)

    def undeclared(self, name: str) -> str:
        """Return that there is no such parameter, in words; empty when there is."""
        if self._node.has_parameter(name):
            return ''
        return unknown_parameter(name, [*self._specs, *self._cameras])

    def _values(
        self, specs: Mapping[str, OptionSpec], problems: list[str], pending: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the values of parameters, and add what is wrong with them to the problems."""
        values: dict[str, Any] = {}
        for name, spec in specs.items():
            value = _plain(self._given(spec, pending), spec)
            problem = self.check(name, value)
            values[name] = spec.default if problem else spec.check(value)
            problems += [problem] if problem else []
        return values

    def _given(self, spec: OptionSpec, pending: Mapping[str, Any]) -> Any:
        if spec.name in pending:
            return pending[spec.name]
        # The parameters of a camera that is about to be named are declared later.
        there = self._node.has_parameter(spec.name)
        return self._node.get_parameter(spec.name).value if there else spec.default

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

    def _warn_of_unknown(self) -> list[str]:
        """Warn of parameters that are not used, and return what looks misspelled."""
        misspelled, foreign = self.unknown()
        for sentence in foreign:
            self._node.get_logger().warning(sentence)
        return misspelled


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
    if spec.name == 'cpu_affinity' and type(value) is int:
        return str(value)  # one core alone looks like a number
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
