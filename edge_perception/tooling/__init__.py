# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Offline work on models: looking into them; nothing here runs on the vehicle."""

from __future__ import annotations
