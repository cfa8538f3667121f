# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""An ONNX in float16 whose inputs and outputs stay as they are."""

from __future__ import annotations

from pathlib import Path
import warnings

from edge_perception.contract import BuildError
from edge_perception.tooling.building.simplify import library
from edge_perception.tooling.building.simplify import save


def to_half(source: Path, target: Path) -> None:
    """
    Write a float16 version of a simplified ONNX.

    :raises BuildError: the library is missing, or an operator cannot be converted.
    """
    onnx = library('onnx')
    float16 = library('onnxconverter_common.float16')
    try:
        with warnings.catch_warnings():
            # One for each weight that is too small for float16; the gate tells whether it matters.
            warnings.simplefilter('ignore')
            model = float16.convert_float_to_float16(
                onnx.load(str(source)), keep_io_types=True, disable_shape_infer=False
            )
    except Exception as error:
        words = ' '.join(str(error).split())[:300]
        raise BuildError(f'{source.name}: cannot be converted to float16: {words}') from error
    # The types that were written down for what lies between two converted nodes are old ones.
    del model.graph.value_info[:]
    save(onnx, model, target)
