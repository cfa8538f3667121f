# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Iterator
import gc
import weakref

import pytest

from edge_perception.runtime.garbage import Collector
from edge_perception.runtime.garbage import OVERDUE
from edge_perception.runtime.garbage import WORTH_A_LOOK


class Knot:
    """Only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collector() -> Iterator[Collector]:
    taken = Collector()
    taken.take_over()
    yield taken
    taken.give_back()


def test_nothing_is_collected_until_somebody_is_idle(collector):
    knot = weakref.ref(Knot())
    kept = [[] for _ in range(WORTH_A_LOOK)]
    assert knot() is not None
    collector.idle()
    assert knot() is None
    assert len(kept) == WORTH_A_LOOK


def test_a_few_objects_are_not_worth_a_look(collector):
    gc.collect()
    knot = weakref.ref(Knot())
    collector.idle()
    assert knot() is not None


def test_when_nobody_is_ever_idle_it_is_done_all_the_same(collector):
    gc.collect()
    knot = weakref.ref(Knot())
    collector.overdue()
    assert knot() is not None
    kept = [[] for _ in range(OVERDUE)]
    collector.overdue()
    assert knot() is None
    assert len(kept) == OVERDUE


def test_what_exists_is_left_aside_and_given_back():
    collector = Collector()
    collector.take_over()
    assert gc.get_freeze_count() > 0
    assert not gc.isenabled()
    collector.give_back()
    assert gc.get_freeze_count() == 0
    assert gc.isenabled()
