# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Images, calibration and time: from topics to frames."""

from __future__ import annotations
