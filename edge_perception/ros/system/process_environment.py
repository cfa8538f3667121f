# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Variables for processes that we start ourselves, each only where the user has chosen nothing.

No variable of the process that asks is changed: a camera driver or RViz beside us keeps its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

PROFILE = 'config/fastdds_large_images.xml'
# The same with sockets on the loopback interface only.
LOOPBACK_PROFILE = 'config/fastdds_this_machine.xml'
PROFILE_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
# The variable got its present name with the release of ROS that has rclpy 8.
FIRST_NEW_RCLPY = 8
# Each of them says where other processes are looked for.
DISCOVERY_VARIABLES = (
    'ROS_AUTOMATIC_DISCOVERY_RANGE',
    'ROS_LOCALHOST_ONLY',
    'ROS_STATIC_PEERS',
    'ROS_DISCOVERY_SERVER',
)


def on_this_machine(environment: Mapping[str, str]) -> dict[str, str]:
    """
    Return what keeps a process from finding, and being found by, other machines.

    :param environment: of the user.
    """
    if any(name in environment for name in DISCOVERY_VARIABLES):
        return {}
    if environment.get('ROS_DISTRO') == 'humble':
        return {'ROS_LOCALHOST_ONLY': '1'}
    return {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}


def discovery_limit(environment: Mapping[str, str]) -> str:
    """Return what keeps this process from finding other computers, in words; empty if nothing."""
    if environment.get('ROS_LOCALHOST_ONLY') == '1':
        return 'discovery is limited to this computer by ROS_LOCALHOST_ONLY=1'
    reach = environment.get('ROS_AUTOMATIC_DISCOVERY_RANGE', '').upper()
    if reach == 'LOCALHOST':
        return 'discovery is limited to this computer by ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST'
    return 'discovery is off by ROS_AUTOMATIC_DISCOVERY_RANGE=OFF' if reach == 'OFF' else ''


def transport_profile(environment: Mapping[str, str]) -> dict[str, str]:
    """
    Return what lets large images get through from a process that publishes them.

    Where discovery is limited to this machine, its sockets are bound to the loopback interface.

    :param environment: of the user, with what ``on_this_machine`` adds.
    """
    # Needs ROS, and this module is imported by commands that work without it.
    from edge_perception.ros.system.shared_files import find_shared

    if any(name in environment for name in PROFILE_VARIABLES):
        return {}
    new = int(version('rclpy').split('.')[0]) >= FIRST_NEW_RCLPY
    kept_here = discovery_limit(environment) and 'ROS_STATIC_PEERS' not in environment
    profile = LOOPBACK_PROFILE if kept_here else PROFILE
    return {PROFILE_VARIABLES[0 if new else 1]: str(find_shared(profile))}
