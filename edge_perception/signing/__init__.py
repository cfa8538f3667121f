# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Signed model folders: who may decide what a vehicle sees."""
