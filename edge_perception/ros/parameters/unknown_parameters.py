# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Says which given parameters nobody reads: a misspelled one must not pass in silence."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from itertools import takewhile
import sys

from rclpy.node import Node
from rclpy.utilities import remove_ros_args

from edge_perception.contract import ConfigurationError
from edge_perception.contract.fields import did_you_mean
from edge_perception.ros.parameters.parameter_headers import unread_files
from edge_perception.ros.system.rclpy_versions import parameter_overrides

# Parameters that rclpy itself reads.
RCLPY = ('use_sim_time', 'start_type_description_service')
RCLPY_PREFIX = 'qos_overrides.'


def unknown_parameter(name: str, known: Iterable[str]) -> str:
    """Return in words that there is no such parameter, with the nearest one."""
    return f'{name}: unknown parameter{did_you_mean(name, known)}'


def unknown_parameters(
    node: Node, known: Iterable[str], *, why_unused: Callable[[str], str] = lambda name: ''
) -> tuple[list[str], list[str]]:
    """
    Return in sentences what was given to a node and is no parameter of it.

    :param why_unused: returns why a parameter is not used although it is spelled well; empty where
        that is not so.
    :return: what looks misspelled, and what does not: a file may hold parameters of other nodes.
    """
    names = list(known)
    misspelled, foreign = [], []
    for name in parameter_overrides(node):
        if name in names or name in RCLPY or name.startswith(RCLPY_PREFIX):
            continue
        sentence = unknown_parameter(name, names)
        if why := why_unused(name):
            foreign.append(f'{name}: not used, {why}')
        elif did_you_mean(name, names):
            misspelled.append(sentence)
        else:
            foreign.append(f'{sentence}, not used')
    return misspelled, foreign


def refuse_misspelled(node: Node, known: Iterable[str]) -> None:
    """
    Warn of parameters that are not used.

    :raises ConfigurationError: some look misspelled.
    """
    misspelled, foreign = unknown_parameters(node, known)
    for sentence in foreign:
        node.get_logger().warning(sentence)
    if misspelled:
        raise ConfigurationError('parameter', misspelled)


def warn_of_unknown(node: Node, known: Iterable[str]) -> None:
    """Warn of everything that was given and is no parameter of a node."""
    for sentences in unknown_parameters(node, known):
        for sentence in sentences:
            node.get_logger().warning(sentence)


def warn_of_arguments(node: Node, arguments: list[str] | None) -> None:
    """
    Warn of arguments that reach no one: without ``--ros-args``, or in files for other nodes.

    :param arguments: None for those of the process.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if unused := remove_ros_args(given):
        # Of -p NAME:=VALUE only -p is left: rcl takes the rest for the remapping of a topic.
        typed = list(takewhile(lambda each: each != '--ros-args', given)) or unused
        node.get_logger().warning(
            f'arguments are not used: {" ".join(typed)}; parameters come after --ros-args, as in '
            '--ros-args -p NAME:=VALUE'
        )
    for sentence in unread_files(given, node.get_fully_qualified_name()):
        node.get_logger().warning(sentence)
