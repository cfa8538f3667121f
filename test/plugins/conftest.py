# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""An engine to test, and a machine on which no file was tried before."""

from __future__ import annotations

import pytest

from edge_perception.contract.loading import load_trial
from test.plugins.engine_cases import case_of


@pytest.fixture
def case(request, monkeypatch):
    found = case_of(request.param)
    with found.machine(monkeypatch):
        yield found


@pytest.fixture
def nothing_was_tried(monkeypatch, tmp_path_factory):
    monkeypatch.setattr(load_trial, '_outcomes', {})
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
