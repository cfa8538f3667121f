# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The parameters of the node: declaration, check, reading."""

from __future__ import annotations
