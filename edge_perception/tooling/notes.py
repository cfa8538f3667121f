# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Notes for people on standard error; imports nothing heavy."""

from __future__ import annotations

import sys

RED, YELLOW = 31, 33  # ANSI colors


def note(sentence: str) -> None:
    """Write something to standard error that is no error but has to be known."""
    print(heading('note', YELLOW) + f': {sentence}', file=sys.stderr, flush=True)


def heading(word: str, color: int) -> str:
    """Return the first word of a line on standard error, bold and colored on a terminal."""
    return f'\x1b[{color}m\x1b[1m{word}\x1b[0m' if sys.stderr.isatty() else word
