# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Parameter files as a real node reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rclpy

from edge_perception.ros.parameters.node_parameters import NodeConfig
from tools.reference_tables import own_host


def read(
    *paths: Path | str, namespace: str = '/'
) -> tuple[NodeConfig, dict[str, dict[str, Any]], list[str]]:
    """Return configuration, engine options and problems of a node that starts with files."""
    from edge_perception.ros.parameters.reading import Parameters

    flags = [part for path in paths for part in ('--params-file', str(path))]
    context = rclpy.Context()
    rclpy.init(args=['--ros-args', *flags], context=context)
    try:
        node = rclpy.create_node('perception', context=context, namespace=namespace)
        try:
            given = Parameters(node, engines=own_host().engines, stages=own_host().stages).read()
            return given.config, dict(given.engine_options), given.problems
        finally:
            node.destroy_node()
    finally:
        rclpy.try_shutdown(context=context)
