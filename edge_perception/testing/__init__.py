# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What authors of plugins and users of the node test with."""

from __future__ import annotations

from edge_perception.testing.fakes import FakeClock
from edge_perception.testing.fakes import FakeDecoder
from edge_perception.testing.fakes import FakeEngine
from edge_perception.testing.fakes import FakeEngineType

__all__ = ['FakeClock', 'FakeDecoder', 'FakeEngine', 'FakeEngineType']
