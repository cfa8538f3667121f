# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A stage that does what a test says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge_perception.contract import Perception
from edge_perception.contract import Stage
from edge_perception.contract import StageInputs


def passing(inputs: StageInputs) -> Perception:
    """Add nothing."""
    return inputs.perception


def stage_type(
    name: str, run: Callable[[StageInputs], Perception] = passing, **attributes: Any
) -> type[Stage]:
    """Return a stage that applies to every model, with attributes of the class."""
    methods = {
        'applies': classmethod(lambda cls, manifest, options: True),
        '_run': lambda self, inputs: run(inputs),
    }
    return type('Given', (Stage,), {'name': name, **methods, **attributes})
