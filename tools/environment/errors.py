# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What stops a set-up."""

from __future__ import annotations


class SetupError(Exception):
    """Something that the user can mend; one sentence for each problem."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__('\n'.join(problems))
