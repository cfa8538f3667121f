# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A multirotor that lands on the pad, and autopilots as they take a landing target."""
