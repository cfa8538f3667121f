# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What ``edge-perception doctor`` looks at in ROS: settings, transport, running nodes, topics."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
import os
import time

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.utilities import get_rmw_implementation_identifier

from edge_perception.ros.output.publishers import TOPICS
from edge_perception.ros.system.endpoints import IMAGE_TYPES
from edge_perception.ros.system.endpoints import is_reliable
from edge_perception.ros.system.endpoints import LABELS
from edge_perception.ros.system.endpoints import LABELS_TYPE
from edge_perception.ros.system.endpoints import namesakes
from edge_perception.ros.system.endpoints import owner
from edge_perception.ros.system.process_environment import PROFILE_VARIABLES
from edge_perception.runtime.findings import Check
from edge_perception.runtime.findings import green
from edge_perception.runtime.findings import Level

DISTRIBUTIONS = ('humble', 'jazzy', 'kilted', 'lyrical')
# Other nodes are found one after the other; when nothing new came for so long, all are.
QUIET_S = 3.0
DISCOVERY_S = 8.0
POLL_S = 0.1
# What every node of ours has in every state: a service, and a status in /diagnostics.
SERVICE, ENGINE_STATUS = '/save_frame', ': engine'


def settings(environ: Mapping[str, str] = os.environ) -> list[Check]:
    """Look at the distribution, the middleware and what the environment asks of it."""
    middleware = get_rmw_implementation_identifier()
    report = [
        _distribution(environ),
        green('middleware', f'{middleware}, domain {environ.get("ROS_DOMAIN_ID") or 0}'),
    ]
    if environ.get('FASTDDS_BUILTIN_TRANSPORTS') == 'LARGE_DATA':
        report.append(
            Check(
                'transport',
                Level.RED,
                'FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA: a process with it and one without it '
                'never find each other',
                'unset FASTDDS_BUILTIN_TRANSPORTS',
            )
        )
    for name in PROFILE_VARIABLES:
        path = environ.get(name)
        if path and not os.path.isfile(path):
            report.append(Check('transport', Level.RED, f'{name}: no file {path}', 'correct it'))
        elif path:
            report.append(green('transport', f'{name} is {path}'))
    if middleware == 'rmw_fastrtps_cpp' and not any(map(environ.get, PROFILE_VARIABLES)):
        report.append(
            green(
                'transport',
                'Fast DDS as it comes; set config/fastdds_large_images.xml in the driver of the '
                'camera, or images of 640x480 and more are lost',
            )
        )
    reach = environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE') or 'not set'
    if environ.get('ROS_LOCALHOST_ONLY') == '1':
        reach = 'LOCALHOST (by ROS_LOCALHOST_ONLY)'
    report.append(green('discovery', f'range {reach}'))
    return report


def start() -> None:
    """Start a node and end it; raises, or ends the process, where a setting does not allow it."""
    with _a_node():
        pass


def graph() -> list[Check]:
    """Look for cameras and for nodes of ours, for some seconds, and change nothing."""
    with _a_node() as node:
        reports = _discover(node)
        return [*_cameras(node), *_nodes(node), *_told(node, reports)]


@contextmanager
def _a_node() -> Iterator[Node]:
    context = rclpy.Context()
    context.init()
    try:
        node = Node(
            'edge_perception_doctor',
            context=context,
            start_parameter_services=False,
            enable_rosout=False,
        )
        try:
            yield node
        finally:
            node.destroy_node()
    finally:
        context.try_shutdown()


def _discover(node: Node) -> dict[str, DiagnosticStatus]:
    """Wait until no new node comes; return the last status of each name in /diagnostics."""
    known: object = None
    reports: dict[str, DiagnosticStatus] = {}
    node.create_subscription(
        DiagnosticArray,
        '/diagnostics',
        lambda message: reports.update({each.name: each for each in message.status}),
        10,
    )
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    started = changed = time.monotonic()
    while time.monotonic() - started < DISCOVERY_S and (
        time.monotonic() - changed < QUIET_S
        or any(name + ENGINE_STATUS not in reports for name in _ours(node))
    ):
        executor.spin_once(timeout_sec=POLL_S)
        now = [
            (name, node.count_publishers(name), node.count_subscribers(name))
            for name, _ in node.get_topic_names_and_types()
        ]
        if now != known:
            known, changed = now, time.monotonic()
    executor.shutdown()
    return reports


def _distribution(environ: Mapping[str, str]) -> Check:
    name = environ.get('ROS_DISTRO', '')
    try:
        libraries = f'rclpy {version("ros-rclpy")} from PyPI'
    except PackageNotFoundError:
        libraries = 'rclpy of the distribution'
    if name and name not in DISTRIBUTIONS:
        known = ', '.join(DISTRIBUTIONS)
        return Check('ROS', Level.YELLOW, f'{name}, {libraries}', f'tested are {known}')
    return green('ROS', f'{name or "no distribution sourced"}, {libraries}')


def _cameras(node: Node) -> list[Check]:
    topics = node.get_topic_names_and_types()
    names = sorted(name for name, types in topics if set(types) & set(IMAGE_TYPES))
    report = []
    for name in names:
        publishers = node.get_publishers_info_by_topic(name)
        if not publishers:
            readers = {each.node_name for each in node.get_subscriptions_info_by_topic(name)}
            words = f'no node publishes it, {", ".join(sorted(readers))} waits for it'
            report.append(
                Check(
                    f'topic {name}', Level.YELLOW, words, 'start the camera, or correct the name'
                )
            )
            continue
        for publisher in publishers:
            words = 'reliable' if is_reliable(publisher) else 'best effort'
            report.append(green(f'topic {name}', f'published by {publisher.node_name}, {words}'))
    return report or [Check('cameras', Level.YELLOW, 'no topic with images', 'start the camera')]


def _nodes(node: Node) -> list[Check]:
    there = dict(node.get_topic_names_and_types())
    results = [topic.removeprefix('~') for topics in TOPICS.values() for topic, _ in topics]
    report = []
    for name, types in sorted(there.items()):
        if LABELS_TYPE not in types or not name.endswith(LABELS):
            continue
        near = [name.removesuffix(LABELS) + each for each in results]
        words = '; '.join(
            f'{topic}, {node.count_subscribers(topic)} listen'
            for topic in near
            if node.count_publishers(topic)
        )
        owners = list(map(owner, node.get_publishers_info_by_topic(name)))
        report += [green(f'node {each}', f'publishes {words or name}') for each in owners]
    return report


def _ours(node: Node) -> set[str]:
    """Return the full names of the perception nodes in any state."""
    names = [name for name, _ in node.get_service_names_and_types()]
    return {name.removesuffix(SERVICE) for name in names if name.endswith(SERVICE)}


def _told(node: Node, reports: Mapping[str, DiagnosticStatus]) -> list[Check]:
    """Return what running nodes of ours say of their cameras and of themselves."""
    ours = _ours(node)
    twice = {f'name of {each}': namesakes(node, each) for each in sorted(ours)}
    report = []
    for subject, words in twice.items():
        if words:
            found, _, remedy = words.partition('; ')
            report.append(Check(subject, Level.YELLOW, found, remedy))
    for name, status in sorted(reports.items()):
        owner_name, _, subject = name.partition(': ')
        if owner_name in ours and subject != 'name' and status.level != DiagnosticStatus.OK:
            level = Level.RED if status.level == DiagnosticStatus.ERROR else Level.YELLOW
            found, _, remedy = status.message.partition('; ')
            report.append(Check(f'{subject} of {owner_name}', level, found, remedy))
    return report
