# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Commands that perceive, and that say what could."""

from __future__ import annotations
