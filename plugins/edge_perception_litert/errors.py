# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Explain errors of LiteRT in one sentence each."""

from __future__ import annotations

from pathlib import Path

from edge_perception.contract import ArtifactError
from edge_perception.contract import explained

EXPORT_AGAIN = 'copy the file again, or convert the model again'
OTHER_OPERATOR = (
    'convert the model with standard operators only, or name a library that has this one in the '
    'option delegate'
)

# What the runtime says (tflite-runtime 2.14 to LiteRT 2.3), what is wrong, what to do.
_EXPLANATIONS = (
    (
        r'Encountered unresolved custom op: (.+?)\.',
        'uses the custom operator {0}, which this runtime does not have',
        OTHER_OPERATOR,
    ),
    (
        r'Select TensorFlow op.*?(?:Node number \d+ \((?:Flex)?(\w+)\)|$)',
        'uses an operator of TensorFlow ({0}), which this runtime does not have',
        'convert the model with tf.lite.OpsSet.TFLITE_BUILTINS alone, or install tensorflow in '
        'place of ai-edge-litert and tflite-runtime',
    ),
    (
        r"Didn't find op for builtin opcode '(\w+)' version '(\d+)'",
        'uses version {1} of the operator {0}, which is newer than this runtime',
        'install a newer ai-edge-litert, or convert the model with an older converter',
    ),
    (
        r'not a valid Flatbuffer|model identifier|model allocation is null',
        'is not a TFLite file, or a part of it is missing',
        EXPORT_AGAIN,
    ),
    (
        r'(.*?)\s*Node number \d+ \(([\w-]+)\) failed to (?:prepare|invoke)',
        'has an operator {1} that is not valid: {0}',
        EXPORT_AGAIN,
    ),
)


def damaged(artifact: Path) -> ArtifactError:
    """Return the error for a file that cannot be read as a model."""
    reason = 'is not a TFLite file, or a part of it is missing'
    return ArtifactError(artifact, reason=reason, remedy=EXPORT_AGAIN)


def artifact_error(artifact: Path, text: str, *, runtime: str) -> ArtifactError:
    """Return the error for a file that the runtime refused with these words."""
    text = ' '.join(text.split())
    otherwise = f'{runtime} cannot load it: {text}', EXPORT_AGAIN
    reason, remedy = explained(text, _EXPLANATIONS) or otherwise
    return ArtifactError(artifact, reason=reason, remedy=remedy)
