# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Commands for models and artifacts."""

from __future__ import annotations
