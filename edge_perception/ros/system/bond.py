# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A bond with the lifecycle manager of Nav2, which notices by it that the node is gone."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from rclpy.node import Node

# As the nodes of Nav2 have them.
TOPIC = 'bond'
PERIOD_S, TIMEOUT_S = 0.1, 4.0


def bond_problem(wanted: bool) -> str:
    """Return why a node can have no bond, in words; empty when it can, or none is wanted."""
    if not wanted or find_spec('bondpy'):
        return ''
    return (
        'bond: the package bondpy is missing; install it (apt install ros-<distro>-bondpy), or '
        'set bond to false and bond_timeout of the lifecycle manager to 0.0'
    )


def make_bond(node: Node) -> Any:
    """Return a bond that has begun, under the name by which the manager knows the node."""
    from bondpy.bondpy import Bond

    bond = Bond(topic=TOPIC, id=node.get_name(), node=node)
    bond.set_heartbeat_period(PERIOD_S)
    bond.set_heartbeat_timeout(TIMEOUT_S)
    bond.start()
    return bond
