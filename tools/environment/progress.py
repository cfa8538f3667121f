# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One line for each step of a set-up: what it does, about how long, and how long it took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import time


class Progress:
    """Counts and times the steps; `total` is the number of steps to come."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.count = 0
        self.started = time.monotonic()

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        self.count += 1
        print(f'[{self.count}/{self.total}] {text} ... ', end='', flush=True)
        started = time.monotonic()
        try:
            yield
        except BaseException:
            print('stopped', flush=True)
            raise
        print(f'done in {time.monotonic() - started:.0f} s', flush=True)

    def close(self, text: str) -> None:
        print(f'{text} after {time.monotonic() - self.started:.0f} s', flush=True)
