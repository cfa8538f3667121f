# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a look at one thing found, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad it is."""

    GREEN = 'green'
    YELLOW = 'yellow'
    RED = 'red'


@dataclass(frozen=True, slots=True)
class Check:
    """
    One line of a report.

    :param subject: what was looked at.
    :param found: what was found, in words.
    :param remedy: what mends it, as a command where there is one; empty when it is green.
    """

    subject: str
    level: Level
    found: str
    remedy: str = ''


def green(subject: str, found: str) -> Check:
    """Return a check that is well."""
    return Check(subject, Level.GREEN, found)


def not_finite_scores(share: float) -> str:
    """Return what is said of a frame where a share of the scores, 0 to 1, is not finite."""
    return (
        f'{share:.0%} of the scores are not finite (NaN or infinite) and are no detections; most '
        'often the precision of the model is too low for it, try fp32'
    )
