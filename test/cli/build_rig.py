# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A model that is built in a moment, and what the command says when it does nothing."""

from __future__ import annotations

from pathlib import Path

MANIFEST = {
    'manifest_version': 1,
    'name': 'net',
    'source': {'file': 'net.onnx'},
    'input': {'width': 6, 'height': 4, 'scale': 0.0001, 'resize': 'stretch'},
    'decoder': {'name': 'heatmap', 'options': {'layout': 'nchw'}},
    'keypoints': ['a', 'b'],
    'selection': {'score_threshold': 0.01},
}


def build(invoke, folder: Path, *extra: object, target: str = 'onnxruntime'):
    return invoke('build', folder, '--target', target, *extra)


def refused(result, left) -> str:
    """Return the one sentence of a command that did nothing."""
    assert result.exit_code == 2, result.output
    sentences = [line for line in result.stderr.splitlines() if line.startswith('error')]
    assert len(sentences) == 1
    assert left() == []
    return sentences[0]
