# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The benchmarks of ``make bench`` and ``make bench-latency``.

One harness runs the node, or an echo that takes its place, with cameras; all are processes of
their own, and images go over DDS. What is compared is measured in turns, so that a machine whose
speed drifts hits all alike.
"""
