# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Write notes and errors for people to standard error; imports nothing heavy."""

from __future__ import annotations

import sys
from typing import TextIO

RED, YELLOW = 31, 33  # ANSI colors


def note(sentence: str) -> None:
    """Write something to standard error that is no error but has to be known."""
    _write('note', YELLOW, f': {sentence}')


def tell(line: object, *, file: TextIO | None = None) -> None:
    """Write a line that the caller asked for to standard output, or to another stream."""
    print(_printable(str(line)), file=file, flush=True)


def say(code: str, sentence: str) -> None:
    """
    Write one error to standard error.

    Not by click.echo, which finds its way past the progress bar and writes into its middle.
    """
    _write('error', RED, f' [{code}]: {sentence}')


def _write(word: str, color: int, rest: str) -> None:
    """Write a line whose first word is bold and colored on a terminal."""
    heading = f'\x1b[{color}m\x1b[1m{word}\x1b[0m' if sys.stderr.isatty() else word
    print(heading + _printable(rest), file=sys.stderr, flush=True)


def _printable(text: str) -> str:
    # The contract imports NumPy, for which nobody who asks for help should wait.
    from edge_perception.contract.errors import printable

    return printable(text, lines=True)
