# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Images of a ground with a landing pad."""

from __future__ import annotations
