# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable

import pytest

from test.decoders.network import Network
from test.models import model_folder


@pytest.fixture
def open_model(shared_data, tmp_path) -> Callable[..., Network]:
    """Open a real model by the name of its folder in test/models."""

    def open_(name: str, kind: type[Network] = Network, **options) -> Network:
        return kind(model_folder(name, shared_data, tmp_path), **options)

    return open_
