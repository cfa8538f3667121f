# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The commands: the one place where everything is put together."""

from __future__ import annotations
