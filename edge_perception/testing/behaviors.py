# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Behaviors of a ``FakeEngine`` for a frame: answer, take time, fail, hang, or these in turn."""

from __future__ import annotations

from collections.abc import Callable
import threading

from edge_perception.contract import Tensor
from edge_perception.testing.fakes import FakeClock

Behavior = Callable[[], object]


def answers(**outputs: Tensor | None) -> Behavior:
    """Return these arrays as the outputs of the frame; None stands for one that is missing."""
    return lambda: outputs


def takes(milliseconds: float, clock: FakeClock) -> Behavior:
    """Let time pass on a clock."""
    return lambda: clock.advance_ms(milliseconds)


def fails(error: Exception) -> Behavior:
    """Raise an error."""

    def fail() -> None:
        raise error

    return fail


class Hangs:
    """
    Keep the frame inside until ``release`` is called; then frames pass.

    :param entered: set when a frame is inside.
    """

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._released = threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        self._released.wait()

    def release(self) -> None:
        """Let the frame go on."""
        self._released.set()


def in_turn(*behaviors: Behavior) -> Behavior:
    """Do one of them for each frame, in order; the last one stays."""
    rest = list(behaviors)

    def behave() -> object:
        return (rest.pop(0) if len(rest) > 1 else rest[0])()

    return behave
