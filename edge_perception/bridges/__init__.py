# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""From measurements of a target to autopilots and docking: one module for each consumer."""
