# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from edge_perception.runtime.mailbox import Mailbox


def test_the_newest_item_takes_the_place_of_the_one_before():
    mailbox: Mailbox[str] = Mailbox()
    assert not mailbox.waiting
    assert mailbox.put('first', due_ns=1) is None
    assert mailbox.put('second', due_ns=2) == 'first'
    assert mailbox.waiting
    assert mailbox.take() == 'second'
    assert not mailbox.waiting
    assert mailbox.take() is None
    assert mailbox.put('third', due_ns=3) is None


def test_a_replaced_item_leaves_its_claim_to_a_turn_to_the_one_that_took_its_place():
    mailbox: Mailbox[str] = Mailbox()
    mailbox.put('first', due_ns=10)
    mailbox.put('second', due_ns=20)
    assert mailbox.due_ns == 10
    # Taken and found not worth starting: the camera has had no turn yet.
    mailbox.take()
    mailbox.put('third', due_ns=30)
    assert mailbox.due_ns == 10
    mailbox.take()
    mailbox.served()
    mailbox.put('fourth', due_ns=40)
    assert mailbox.due_ns == 40


def test_of_two_claims_the_earlier_counts_whatever_the_order():
    mailbox: Mailbox[str] = Mailbox()
    mailbox.put('first', due_ns=20)
    mailbox.put('second', due_ns=10)
    assert mailbox.due_ns == 10
