# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Look at ROS in a child process, and find the setting that keeps it from starting.

A domain that does not exist, a middleware that is not installed or a missing home end the process
that starts ROS, by an exception or at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import asdict
import os
import tempfile
from typing import Any

from edge_perception.runtime.findings import Check
from edge_perception.runtime.findings import Level
from edge_perception.tooling.child_process import ChildFailedError
from edge_perception.tooling.child_process import values_from
from edge_perception.tooling.machine_checks import examine

# Looking for nodes takes eight seconds.
QUIET_S = 60.0
# Settings that keep ROS from starting where they are wrong, and what to do about each.
REMEDIES = {
    'ROS_DOMAIN_ID': 'set it to an integer from 0 to 232, or unset it',
    'RMW_IMPLEMENTATION': 'install that middleware, or unset it',
    'HOME': 'set it to the folder of the user',
    'ROS_LOG_DIR': 'set it to a folder that can be written, or unset it',
    'ROS_HOME': 'set it to a folder that can be written, or unset it',
    'ROS_AUTOMATIC_DISCOVERY_RANGE': 'set it to LOCALHOST, SUBNET, OFF or SYSTEM_DEFAULT',
    'ROS_STATIC_PEERS': 'correct or unset it',
    'ROS_SECURITY_ENABLE': 'create the enclave, or unset it',
    'FASTRTPS_DEFAULT_PROFILES_FILE': 'correct the file, or unset it',
    'FASTDDS_DEFAULT_PROFILES_FILE': 'correct the file, or unset it',
    'CYCLONEDDS_URI': 'correct or unset it',
}


def ros_checks() -> list[Check]:
    """Return what is found in ROS, or the setting with which it does not start."""
    try:
        found = list(values_from(__name__, 'look', quiet_s=QUIET_S))
    except ChildFailedError as error:
        return [_blamed(str(error))]
    return [Check(**{**each, 'level': Level(each['level'])}) for each in found]


def look() -> Iterator[dict[str, Any]]:
    """Start ROS and give what is found, as JSON has it; for the child."""
    try:
        from edge_perception.ros.system import ros_checks as ros
    except ModuleNotFoundError as error:
        found = f'{error.name or error} cannot be imported: the node does not run here'
        remedy = 'source a ROS 2 distribution; commands without the node work as they are'
        checks = [Check('ROS', Level.YELLOW, found, remedy)]
    else:
        ros.start()
        checks = examine([ros.settings, ros.graph])
    for check in checks:
        yield {**asdict(check), 'level': check.level.value}


def start() -> Iterator[str]:
    """Start ROS and end it; for the child."""
    from edge_perception.ros.system import ros_checks as ros

    ros.start()
    yield 'started'


def _blamed(reason: str) -> Check:
    """Return the setting without which ROS starts, each tried alone."""
    with tempfile.TemporaryDirectory() as home:
        for name, remedy in REMEDIES.items():
            given = os.environ.get(name)
            if name == 'HOME' and not (given and os.path.isdir(given)):
                other = {**os.environ, 'HOME': home}
            elif given and name != 'HOME':
                other = {key: value for key, value in os.environ.items() if key != name}
            else:
                continue
            if _starts(other):
                shown = f'is {given!r}' if given else 'is not set'
                found = f'{shown}: ROS does not start so, and does otherwise; {reason}'
                return Check(name, Level.RED, found, remedy)
    suspects = [name for name in REMEDIES if name != 'HOME' and os.environ.get(name)]
    remedy = f'check {", ".join(suspects)}' if suspects else 'source the ROS distribution again'
    return Check('ROS', Level.RED, f'does not start: {reason}', remedy)


def _starts(environ: Mapping[str, str]) -> bool:
    try:
        return list(values_from(__name__, 'start', quiet_s=QUIET_S, environ=environ)) == [
            'started'
        ]
    except ChildFailedError:
        return False
