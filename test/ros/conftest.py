# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What tests of the node share."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest

from test.support.fake_node import fake_node
from test.support.world import World
from test.support.world import worlds


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Make a node with parameters; everything ends with the test."""
    with worlds() as make:
        yield lambda **arguments: make(fake_node(tmp_path, **arguments))
