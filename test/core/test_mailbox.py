# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import threading

import pytest

from edge_perception.core.mailbox import Mailbox

PATIENCE_S = 30


def test_the_newest_item_takes_the_place_of_the_one_before():
    mailbox: Mailbox[str] = Mailbox()
    assert mailbox.put('first') is None
    assert mailbox.put('second') == 'first'
    assert mailbox.take() == 'second'
    assert mailbox.put('third') is None


def test_clearing_hands_out_what_waits():
    mailbox: Mailbox[str] = Mailbox()
    assert mailbox.clear() is None
    mailbox.put('item')
    assert mailbox.clear() == 'item'
    assert mailbox.clear() is None


def test_a_closed_mailbox_gives_what_it_still_has_and_then_nothing():
    mailbox: Mailbox[str] = Mailbox()
    mailbox.put('item')
    mailbox.close()
    assert mailbox.take() == 'item'
    assert mailbox.take() is None


@pytest.mark.parametrize(
    ('wake', 'taken'), [(lambda mailbox: mailbox.put('item'), 'item'), (Mailbox.close, None)]
)
def test_a_thread_that_waits_is_woken(wake, taken):
    mailbox: Mailbox[str] = Mailbox()
    results = []
    thread = threading.Thread(target=lambda: results.append(mailbox.take()), daemon=True)
    thread.start()
    wake(mailbox)
    thread.join(PATIENCE_S)
    assert results == [taken]


def test_no_item_is_lost_or_doubled_between_threads():
    mailbox: Mailbox[int] = Mailbox()
    taken, replaced = [], []

    def take() -> None:
        while (item := mailbox.take()) is not None:
            taken.append(item)

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    for item in range(2000):
        replaced.append(mailbox.put(item))
    mailbox.close()
    thread.join(PATIENCE_S)
    lost = [item for item in replaced if item is not None]
    assert sorted(taken + lost) == list(range(2000))
    assert taken == sorted(taken)
    assert taken[-1] == 1999
