# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Model families that judge the image as a whole or each pixel."""

from __future__ import annotations
