# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How large an image becomes, where it goes, and its resizing."""

from __future__ import annotations
