# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Options of the command line, in the types that they have."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from edge_perception.contract import option
from edge_perception.contract import Options
from edge_perception.testing import FakeEngineType
from edge_perception.tooling.assignments import assignment
from edge_perception.tooling.assignments import parse_assignments


@dataclass(frozen=True, slots=True)
class Lists(Options):
    mean: tuple[float, ...] = option((0.5,), 'of each channel')
    cores: tuple[int, ...] = option((0,), 'to run on')
    names: tuple[str, ...] = option((), 'of providers')


class Listing(FakeEngineType):
    options_type = Lists


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('mean=0.5, 1', (0.5, 1.0)),
        ('cores=2,3', (2, 3)),
        ('names=cpu,gpu', ('cpu', 'gpu')),
        ('cores=two', ('two',)),  # refused by the check of the options
    ],
)
def test_lists_have_the_type_of_their_items(text, value):
    parsed = parse_assignments([text], {'fake': Listing()}, chosen='fake')
    name = text.partition('=')[0]
    assert parsed == {'fake': {name: value}}
    typed = assignment(name, value)
    assert parse_assignments([typed], {'fake': Listing()}, chosen='fake') == parsed
