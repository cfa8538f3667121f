# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import dataclass

from edge_perception.contract import option
from edge_perception.contract import Options


@dataclass(frozen=True, slots=True)
class MyEngineOptions(Options):
    """Each is a parameter ``engine_options.myengine.<name>`` of the node."""

    threads: int = option(
        0, 'threads that compute one frame; 0 leaves it to the runtime', minimum=0, maximum=256
    )
