# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Report errors to users of the commands: one sentence each, no traceback."""

from __future__ import annotations

from edge_perception.tooling.notes import say

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

    :return: the exit status; None, with nothing said, for an error that users cannot fix.
    """
    package = (error.name or '').split('.')[0] if isinstance(error, ModuleNotFoundError) else ''
    if package in PACKAGES:
        say('missing_package', f'the package {package} is missing, {PACKAGES[package]}')
        return WRONG
    from edge_perception.contract import ConfigurationError
    from edge_perception.contract import DecodeError
    from edge_perception.contract import EdgePerceptionError
    from edge_perception.contract import InferenceError

    if isinstance(error, OSError) and error.filename and error.strerror:
        say(ConfigurationError.code, f'{error.filename}: {error.strerror}')
        return WRONG
    if not isinstance(error, EdgePerceptionError):
        return None
    for code, sentence in error.sentences():
        say(code, sentence)
    return FAILED if isinstance(error, (InferenceError, DecodeError)) else WRONG
