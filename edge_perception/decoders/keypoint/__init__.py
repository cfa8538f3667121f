# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Model families that give keypoints."""

from __future__ import annotations
