# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
What authors of plugins and users of the node test with.

The conformance kit is ``edge_perception.testing.conformance``, which needs pytest.
"""

from __future__ import annotations

from edge_perception.testing.behaviors import answers
from edge_perception.testing.behaviors import fails
from edge_perception.testing.behaviors import Hangs
from edge_perception.testing.behaviors import in_turn
from edge_perception.testing.behaviors import takes
from edge_perception.testing.fakes import FakeClock
from edge_perception.testing.fakes import FakeDecoder
from edge_perception.testing.fakes import FakeEngine
from edge_perception.testing.fakes import FakeEngineType

__all__ = [
    'FakeClock',
    'FakeDecoder',
    'FakeEngine',
    'FakeEngineType',
    'Hangs',
    'answers',
    'fails',
    'in_turn',
    'takes',
]
