# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The command ``edge-perception demo``: a camera, a node, and somebody who watches them."""

from __future__ import annotations

from edge_perception.cli.simulation.demo.command import command

__all__ = ['command']
