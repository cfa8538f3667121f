# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Declares parameters at the node and reads them.

From the fields of ``NodeConfig`` the node declares its parameters, checks values, and makes the
frozen configuration that everything else reads. Options of engines and stages are added to them
under ``engine_options.<engine>.<option>`` and ``stage_options.<stage>.<option>``.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
import sys
from types import MappingProxyType
from typing import Any

from rcl_interfaces.msg import FloatingPointRange
from rcl_interfaces.msg import IntegerRange
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from edge_perception.contract import EngineType
from edge_perception.contract import OptionError
from edge_perception.contract import Options
from edge_perception.contract import Stage
from edge_perception.models.request import option_parameter
from edge_perception.ros.output.debug_image import DebugOptions
from edge_perception.ros.parameters.camera_parameters import camera_problems
from edge_perception.ros.parameters.camera_parameters import camera_specs
from edge_perception.ros.parameters.camera_parameters import config_of_camera
from edge_perception.ros.parameters.camera_parameters import not_among_cameras
from edge_perception.ros.parameters.camera_parameters import usable
from edge_perception.ros.parameters.declaration import parameter_specs
from edge_perception.ros.parameters.declaration import ParameterSpec
from edge_perception.ros.parameters.node_parameters import NodeConfig
from edge_perception.ros.parameters.unknown_parameters import RCLPY
from edge_perception.ros.parameters.unknown_parameters import RCLPY_PREFIX
from edge_perception.ros.parameters.unknown_parameters import unknown_parameter
from edge_perception.ros.parameters.unknown_parameters import unknown_parameters

DEBUG = 'debug.'
NOTHING: Mapping[str, Any] = MappingProxyType({})
TYPES = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
    tuple: Parameter.Type.STRING_ARRAY,
}
ARRAYS = {int: Parameter.Type.INTEGER_ARRAY, float: Parameter.Type.DOUBLE_ARRAY}
# How a descriptor says a range, and what stands for no bound.
RANGES: dict[type, tuple[str, Any, Any]] = {
    int: ('integer_range', IntegerRange, (1 << 63) - 1),
    float: ('floating_point_range', FloatingPointRange, sys.float_info.max),
}


@dataclass(frozen=True, slots=True)
class Given:
    """
    What the parameters say.

    :param cameras: configuration of each camera by its name, which is empty where it is the only
        one.
    :param engine_options: by engine, then by option.
    :param stage_options: the same for stages.
    :param problems: what is wrong with them, in sentences.
    """

    config: NodeConfig
    cameras: Mapping[str, NodeConfig]
    engine_options: Mapping[str, Mapping[str, Any]]
    stage_options: Mapping[str, Mapping[str, Any]]
    debug: DebugOptions
    problems: list[str]


def grouped_specs(kind: str, owners: Mapping[str, type[Options]]) -> list[ParameterSpec]:
    """Return the options of every engine, or of what else has some, as parameters."""
    return [
        spec
        for owner in sorted(owners)
        for spec in parameter_specs(owners[owner], option_parameter(kind, owner, ''))
    ]


def node_specs(
    engines: Mapping[str, EngineType], stages: Mapping[str, type[Stage]]
) -> dict[str, list[ParameterSpec]]:
    """Return the parameters of the node, without those of cameras, by the table they stand in."""
    engine_options = {name: engine.options_type for name, engine in engines.items()}
    stage_options = {name: stage.options_type for name, stage in stages.items()}
    return {
        'parameters': list(parameter_specs(NodeConfig)),
        'debug-parameters': list(parameter_specs(DebugOptions, DEBUG)),
        'engine-parameters': grouped_specs('engine', engine_options),
        'stage-parameters': grouped_specs('stage', stage_options),
    }


class Parameters:
    """
    Declares the parameters of a node and reads them. Used from the thread of the executor.

    Types are left open in the declaration, so that a wrong type in a file ends in a sentence from
    ``read`` and not in an exception while the node is made.
    """

    def __init__(
        self,
        node: Node,
        *,
        engines: Mapping[str, EngineType],
        stages: Mapping[str, type[Stage]],
    ) -> None:
        self._node = node
        self._engines, self._stages = tuple(engines), tuple(stages)
        tables = node_specs(engines, stages).values()
        self._specs = {spec.name: spec for each in tables for spec in each}
        # No name may be a dotted beginning of another: ros2 param dump fails at it.
        firsts = {name.partition('.')[0] for name in self._specs}
        self._taken = firsts | {*RCLPY, RCLPY_PREFIX.rstrip('.')}
        self._cameras: dict[str, ParameterSpec] = {}
        for spec in self._specs.values():
            self._declare(spec)
        self._declare_cameras()

    def read(self, pending: Mapping[str, Any] = NOTHING, *, cameras: Iterable[str] = ()) -> Given:
        """
        Return what the parameters say, and what is wrong with them.

        A wrong value is replaced by its default, so that everything else can be checked as well.

        :param pending: values that are about to be set.
        :param cameras: names of those to read; none stands for those that are named now.
        """
        self._declare_cameras()
        # Said when configured; not again with every value that is set.
        problems, foreign = ([], []) if pending else self.unknown()
        for sentence in foreign:
            self._node.get_logger().warning(sentence)
        values = {name: self._value(spec, problems, pending) for name, spec in self._specs.items()}
        config = NodeConfig(**_beginning(values, ''))
        problems += camera_problems(config, self._taken)
        names = list(cameras) or usable(config.cameras, self._taken)
        own = {
            name: self._value(spec, problems, pending)
            for name, spec in camera_specs(filter(None, names)).items()
        }
        return Given(
            config=config,
            cameras={
                name: config_of_camera(name, config, own) if name else config
                for name in names or ['']
            },
            engine_options={
                engine: _beginning(values, option_parameter('engine', engine, ''))
                for engine in self._engines
            },
            stage_options={
                stage: _beginning(values, option_parameter('stage', stage, ''))
                for stage in self._stages
            },
            debug=DebugOptions(**_beginning(values, DEBUG)),
            problems=problems,
        )

    def check(self, name: str, value: Any) -> str:
        """Return what is wrong with a value of a parameter; empty when nothing is."""
        spec = self._spec(name)
        try:
            checked = spec.check(_plain(value, spec)) if spec else ''
        except OptionError as error:
            return str(error)
        needed = spec and spec.topic and (checked or spec.default)
        return self._topic_problem(name, str(checked)) if needed else ''

    def late(self, name: str) -> bool:
        """Tell whether a parameter of ours takes effect with the next configure only."""
        spec = self._spec(name)
        return spec is not None and not spec.live

    def unknown(self) -> tuple[list[str], list[str]]:
        """Return what was given and looks misspelled, and what was given for nothing else."""
        return unknown_parameters(self._node, self._known(), why_unused=not_among_cameras)

    def refusal(self, parameter: Parameter) -> str:
        """Return why a parameter is not set: there is none, or it would go; else nothing."""
        if not self._node.has_parameter(parameter.name):
            return unknown_parameter(parameter.name, self._known())
        deleted = parameter.type_ == Parameter.Type.NOT_SET
        return f'{parameter.name}: cannot be deleted, set a value instead' if deleted else ''

    def describe(self, descriptor: ParameterDescriptor) -> ParameterDescriptor:
        """
        Return a descriptor with the type and the range of the parameter for the tools of ROS.

        rclpy does not keep them: it would check them itself, raise while the node is made, and so
        hide everything else that is wrong.
        """
        spec = self._spec(descriptor.name)
        return descriptor if spec is None else _descriptor(spec, with_range=True)

    def _spec(self, name: str) -> ParameterSpec | None:
        return self._specs.get(name) or self._cameras.get(name)

    def _known(self) -> list[str]:
        return [*self._specs, *self._cameras]

    def _value(self, spec: ParameterSpec, problems: list[str], pending: Mapping[str, Any]) -> Any:
        """Return the value of a parameter, and add what is wrong with it to the problems."""
        value: Any = pending.get(spec.name, spec.default)
        # The parameters of a camera that is about to be named are declared later.
        if spec.name not in pending and self._node.has_parameter(spec.name):
            value = self._node.get_parameter(spec.name).value
        if problem := self.check(spec.name, value):
            problems.append(problem)
            return spec.default
        return spec.check(_plain(value, spec))

    def _declare_cameras(self) -> None:
        """Declare the parameters of cameras that were not known before."""
        names = self._node.get_parameter('cameras').value
        if not isinstance(names, (list, tuple)):
            return  # said when it is read
        texts = [name for name in names if isinstance(name, str)]
        for name, spec in camera_specs(usable(texts, self._taken)).items():
            if name not in self._cameras:
                self._cameras[name] = spec
                self._declare(spec)

    def _declare(self, spec: ParameterSpec) -> None:
        default = list(spec.default) if isinstance(spec.default, tuple) else spec.default
        value: Any = self._node.declare_parameter(spec.name, default, _descriptor(spec)).value
        if spec.kind is tuple and not value and isinstance(value, list):
            # rclpy takes an empty list for one of bytes.
            empty: Parameter[list[str]] = Parameter(spec.name, Parameter.Type.STRING_ARRAY, [])
            self._node.set_parameters([empty])

    def _topic_problem(self, name: str, topic: str) -> str:
        try:
            self._node.resolve_topic_name(topic)
        except Exception:  # rclpy raises an exception of its own for each kind of mistake
            return (
                f'{name}: got {topic!r}, expected the name of a topic: letters, digits, _ and /, '
                'no part of it empty or beginning with a digit'
            )
        return ''


def _beginning(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return the values of the parameters right below a prefix by the rest of their names."""
    below = {n.removeprefix(prefix): value for n, value in values.items() if n.startswith(prefix)}
    return {name: value for name, value in below.items() if '.' not in name}


def _plain(value: Any, spec: ParameterSpec) -> Any:
    """Return a value of ROS as options know it; an empty list may arrive as nothing."""
    if spec.kind is tuple and value is None:
        return ()
    return tuple(value) if isinstance(value, (list, array)) else value


def _descriptor(spec: ParameterSpec, *, with_range: bool = False) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(
        name=spec.name,
        type=(
            ARRAYS.get(spec.item_kind, TYPES[tuple]) if spec.kind is tuple else TYPES[spec.kind]
        ).value,
        description=spec.meaning,
        additional_constraints=spec.expected(),
        dynamic_typing=True,
    )
    if with_range and (spec.lowest is not None or spec.maximum is not None):
        field, message, largest = RANGES[spec.kind]
        low = spec.kind(-largest if spec.lowest is None else spec.lowest)
        high = spec.kind(largest if spec.maximum is None else spec.maximum)
        setattr(descriptor, field, [message(from_value=low, to_value=high)])
    return descriptor
