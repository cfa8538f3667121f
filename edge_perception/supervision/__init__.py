# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Engines in a process of their own, which may crash or hang without the process of the node."""

from __future__ import annotations
