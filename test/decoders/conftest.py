# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

import pytest

from test.decoders.network import Network
from tools.model_folders import model_folder


@pytest.fixture
def engine(request) -> dict[str, str]:
    """Return the name of the engine as an option of ``open_model``; modules choose by mark."""
    return {'engine': request.param} if hasattr(request, 'param') else {}


@pytest.fixture
def open_model(shared_data, tmp_path, engine) -> Iterator[Callable[..., Network]]:
    """Open a real model by the name of its folder in tools/model_folders."""
    opened = []

    def open_(name: str, kind: type[Network] = Network, **options) -> Network:
        network = kind(model_folder(name, shared_data, tmp_path), **engine, **options)
        opened.append(network)
        return network

    yield open_
    for network in opened:
        network.engine.deactivate()
