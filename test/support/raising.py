# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Expect errors by class, attributes, and the names and numbers in their message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

E = TypeVar('E', bound=Exception)


@contextmanager
def raises(
    kind: type[E], *names: object, **attributes: object
) -> Iterator[pytest.ExceptionInfo[E]]:
    """
    Expect an error whose message names each of these, in any order, and whose attributes fit.

    :param names: parameters, files, keys, values and commands; never the words around them.
    """
    with pytest.raises(kind) as raised:
        yield raised
    error = raised.value
    missing = [str(name) for name in names if str(name) not in str(error)]
    assert not missing, f'{str(error)!r} does not name {missing}'
    assert {name: getattr(error, name) for name in attributes} == attributes
    del error, raised  # the traceback holds this frame: it would keep alive what the test releases
