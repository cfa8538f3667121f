# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Measure the table of docs/engines.md: every target that runs here, in every precision.

::

    python -m tools.engines --data ../shared/data --write

builds what is not built yet, with the commands that users have, and needs a quiet machine. Models
and images come from the folder of shared data; the landing pad is rendered.
"""
