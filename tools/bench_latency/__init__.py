# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The latency contract of the node, measured: the benchmark of ``make bench-latency``.

Cameras are processes of their own, images go over DDS, and an engine that can do so many frames
in a second is a real network that was sized to that rate at the start. Whether a result was within
its budget is judged at the moment at which the middleware took it from the node, by its own time
stamp, and not by what the node says of itself.
"""
