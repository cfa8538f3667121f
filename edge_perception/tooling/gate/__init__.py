# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Compares an artifact with its reference."""

from __future__ import annotations
