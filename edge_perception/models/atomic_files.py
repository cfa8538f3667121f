# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path

from edge_perception.contract import ConfigurationError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """
    Give a temporary file beside a path, which takes its place when the block ends well.

    When the block fails the temporary file is removed, and what was at the path stays.

    :raises ConfigurationError: the folder or the file cannot be written.
    """
    temporary = path.with_name(f'.{path.stem}.{os.getpid()}.partial{path.suffix}')
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        with writing(path):
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """
    Turn what the operating system refuses in the block into a sentence about the path.

    :raises ConfigurationError: the file cannot be written.
    """
    try:
        yield
    except OSError as error:
        problem = f'cannot be written: {error.strerror or error}'
        raise ConfigurationError(str(path), [problem]) from error
