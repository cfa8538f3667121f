# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The command ``edge-perception score``."""

from __future__ import annotations

from edge_perception.cli.simulation.score.command import command

__all__ = ['command']
