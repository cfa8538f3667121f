# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""From a name or path to a loaded model: manifest, artifact, proof, plugins, engine."""

from __future__ import annotations
