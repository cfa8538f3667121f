# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The one place for what differs between versions of rclpy, or is not public in any of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rclpy import clock as _clock
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node

# In rclpy.clock_type from Jazzy on, and here in every version.
ClockType = _clock.ClockType  # type: ignore[attr-defined]
# What every failure inside of rcl raises; rclpy gives it no public name.
RCLError: type[Exception] = rclpy_implementation.RCLError


def parameter_overrides(node: Node) -> Mapping[str, Any]:
    """
    Return the parameters that were given from outside, declared or not.

    No version has a public way to them that does not also declare them, and declaring them all
    would hide a misspelt name.
    """
    overrides: Mapping[str, Any] = node._parameter_overrides
    return overrides
