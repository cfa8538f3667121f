# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Commands of the simulation."""

from __future__ import annotations
