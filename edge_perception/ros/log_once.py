# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Says a thing once, however often it happens."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
import threading


class LogOnce:
    """
    Logs the first occurrence of each kind of event; methods may be called from any thread.

    :param log: takes a sentence, e.g. the warning method of a logger.
    :param variants: how many different sentences of a kind are logged; one of those not named.
    """

    def __init__(self, log: Callable[[str], object], *, variants: Mapping[str, int]) -> None:
        self._log = log
        self._variants = variants
        self._said: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def say(self, kind: str, sentence: str, *, key: str = '', counted: bool = True) -> None:
        """
        Log a sentence unless enough of its kind was said before.

        :param key: what makes it another sentence than those before; empty: all of it.
        :param counted: whether somebody counts further ones, under the name of the kind.
        """
        with self._lock:
            said = self._said.setdefault(kind, set())
            if (key or sentence) in said or len(said) >= self._variants.get(kind, 1):
                return
            said.add(key or sentence)
        words = f'said once, then only counted as {kind}' if counted else 'said once'
        self._log(f'{sentence} ({words})')

    def wants(self, kind: str) -> bool:
        """Tell whether a further sentence of a kind might be logged; else it need not be made."""
        with self._lock:
            return len(self._said.get(kind, ())) < self._variants.get(kind, 1)

    def forget(self) -> None:
        """Start anew, so that everything is said once more."""
        with self._lock:
            self._said.clear()
