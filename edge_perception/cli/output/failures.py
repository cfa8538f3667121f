# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Errors as a user of the commands sees them: one sentence each, no traceback."""

from __future__ import annotations

import sys

from edge_perception.tooling.notes import heading
from edge_perception.tooling.notes import RED

# Exit status: it could not be done; it was asked for wrongly; the gate refuses an artifact.
FAILED, WRONG, REJECTED = 1, 2, 3
# Packages that no installer can demand, because a robot has them in several guises.
PACKAGES = {
    'cv2': 'apt install python3-opencv, or pip install opencv-python-headless',
    'rich': 'apt install python3-rich, or pip install rich',
}


def report(error: Exception) -> int | None:
    """
    Say what is wrong on standard error.

    :return: the exit status; None when the error is not one that users can mend, and nothing was
        said.
    """
    package = (error.name or '').split('.')[0] if isinstance(error, ModuleNotFoundError) else ''
    if package in PACKAGES:
        say('missing_package', f'the package {package} is missing, {PACKAGES[package]}')
        return WRONG
    from edge_perception.contract import DecodeError
    from edge_perception.contract import EdgePerceptionError
    from edge_perception.contract import InferenceError

    if not isinstance(error, EdgePerceptionError):
        return None
    for code, sentence in error.sentences():
        say(code, sentence)
    return FAILED if isinstance(error, (InferenceError, DecodeError)) else WRONG


def say(code: str, sentence: str) -> None:
    """
    Write one error to standard error.

    Not by click.echo, which finds its way past the progress bar and writes into its middle.
    """
    print(heading('error', RED) + f' [{code}]: {sentence}', file=sys.stderr, flush=True)
