# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Put the node under storms of malformed input, and measure what becomes of it."""
