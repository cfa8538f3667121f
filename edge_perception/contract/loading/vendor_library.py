# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Import the library of a vendor, and explain what it says when it fails."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
import re

from edge_perception.contract.errors import EngineUnavailableError
from edge_perception.contract.errors import in_words


@contextmanager
def vendor_import(engine: str, library: str, *, install: str, repair: str) -> Iterator[None]:
    """
    Raise what goes wrong while a library is imported as ``EngineUnavailableError``.

    :param engine: name of the engine, for messages.
    :param library: name of the library, for messages.
    :param install: remedy where a Python package is missing.
    :param repair: remedy where it is there and cannot be loaded.
    :raises EngineUnavailableError: the block raises an exception.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        reason = f'the Python package {error.name} is not installed'
        raise EngineUnavailableError(engine, reason=reason, remedy=install) from error
    except Exception as error:  # e.g. a library of the system is missing
        reason = f'{library} cannot be imported: {in_words(error)}'
        raise EngineUnavailableError(engine, reason=reason, remedy=repair) from error


def explained(
    text: str, table: Sequence[tuple[str, str, str]], **names: str
) -> tuple[str, str] | None:
    """
    Return reason and remedy for what a library says; None where no pattern is found in it.

    :param text: message of the library, in one line.
    :param table: regular expression, reason and remedy. In the reason ``{0}`` is the first group
        that matched, ``{1}`` the second, ``{name}`` one of ``names``.
    """
    for pattern, reason, remedy in table:
        found = re.search(pattern, text)
        if found:
            details = [each or 'unnamed' for each in found.groups() if each is not None]
            return reason.format(*details, 'unnamed', **names), remedy
    return None
