# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How fast an engine is, alone and in the node."""

from __future__ import annotations
