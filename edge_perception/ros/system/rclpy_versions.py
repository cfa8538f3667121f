# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The one place for what differs between versions of rclpy, or is not public in any of them."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import time
from typing import Any

from rclpy import clock as _clock
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.subscription import Subscription

# In rclpy.clock_type from Jazzy on, and here in every version.
ClockType = _clock.ClockType  # type: ignore[attr-defined]
# What every failure inside of rcl raises; rclpy gives it no public name.
RCLError: type[Exception] = rclpy_implementation.RCLError


def parameter_overrides(node: Node) -> Mapping[str, Any]:
    """
    Return the parameters that were given from outside, declared or not.

    No version has a public way to them that does not also declare them, and declaring them all
    would hide a misspelled name.
    """
    overrides: Mapping[str, Any] = node._parameter_overrides
    return overrides


def waiting(subscription: Subscription, *, most: int) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """
    Take messages that have arrived, oldest first, with the information about each.

    No version has a public way to take one outside of an executor. Thread: the executor's.

    :param most: so many at most.
    """
    for _ in range(most):
        with subscription.handle:
            taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
        if taken is None:
            return
        yield taken


def informed(take: Callable[[Any, Any], None]) -> Callable[..., None]:
    """
    Return a callback for subscriptions that also gets the information about a message.

    From Iron on rclpy hands it to every callback with a second argument. Before, the moment of
    the arrival stands for that of the publication.
    """
    if hasattr(Subscription, 'CallbackType'):
        return take
    return lambda message: take(message, {'source_timestamp': time.time_ns()})
