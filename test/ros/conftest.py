# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What tests of the node share."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from test.support.fake_node import fake_node
from test.support.graph import graph
from test.support.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Make a node with parameters; everything ends with the test."""
    contexts = []

    def make(**arguments: Any) -> World:
        context = graph(fake_node(tmp_path, **arguments))
        contexts.append(context)
        return World(*context.__enter__())

    yield make
    for context in contexts:
        context.__exit__(None, None, None)
