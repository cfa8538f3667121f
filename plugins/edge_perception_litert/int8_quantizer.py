# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Quantize TFLite files to INT8 by ai-edge-quantizer, also where it alone loses too much or fails.

It follows the range of each tensor by a moving average in which an image counts for a twentieth,
so values that few images have are clipped: with the same 18 of 113 layers in float the light
person detector misses 3 of its 19 objects, and none with the whole range, as here. It also fails
on some operators, which then stay in float, or are quantized afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
import io
import logging
from pathlib import Path
import re
import sys
from typing import Any
import warnings

from edge_perception.contract import BuildError
from edge_perception_litert.tflite_fold import fold_operators
from edge_perception_litert.tflite_fold import FOLDED
from edge_perception_litert.tflite_fold import padded_tensors
from edge_perception_litert.tflite_graph import HEAVY
from edge_perception_litert.tflite_graph import output_names
from edge_perception_litert.tflite_graph import read_model
from edge_perception_litert.tflite_graph import rename_outputs
from edge_perception_litert.tflite_graph import tensors_of_kinds
from edge_perception_litert.tflite_graph import write_model

SIGNATURE = 'serving_default'


def quantize_int8(
    artifact: Path, *, samples: Sequence[dict[str, Any]], in_float: Sequence[str]
) -> tuple[str, ...]:
    """
    Quantize weights and activations of a TFLite in place, and return notes for the user.

    :param samples: inputs by name, as the file takes them.
    :param in_float: names of the tensors whose operators stay in float.
    :raises BuildError: the quantizer fails with convolutions alone, too.
    """
    model = read_model(artifact)
    with quiet_quantizer():
        try:
            ranges = _ranges(artifact, samples, padded_tensors(model))
        except Exception as error:
            raise BuildError(f'it cannot calibrate: {_words(error)}') from error
        kept = [*in_float, *tensors_of_kinds(model, lambda kind: kind in FOLDED)]
        notes: tuple[str, ...] = ()
        try:
            content = _quantized(artifact, ranges, kept)
        except Exception as error:
            notes = (f'only convolutions are in INT8; other operators fail: {_words(error)}',)
            kept = [*in_float, *tensors_of_kinds(model, lambda kind: kind not in HEAVY)]
            try:
                content = _quantized(artifact, ranges, kept)
            except Exception as second:
                raise BuildError(_words(second)) from second
    artifact.write_bytes(content)
    changed = read_model(artifact)
    fold_operators(changed)
    # Where one output stays in float, it names those that do not by what it puts behind them.
    rename_outputs(changed, output_names(model))
    write_model(changed, artifact)
    return notes


def _ranges(
    artifact: Path, samples: Sequence[dict[str, Any]], padded: dict[str, str]
) -> dict[str, Any]:
    """
    Return the smallest and largest number of each tensor over all samples.

    :param padded: tensors with padding, and what they are without; to be told apart, because the
        padding of a maximum is the smallest number there is.
    """
    from ai_edge_quantizer import calibrator
    from ai_edge_quantizer.utils import qsv_utils

    worker = calibrator.Calibrator(
        str(artifact), num_threads=2, qsv_update_func=qsv_utils.min_max_update
    )
    worker.calibrate({SIGNATURE: samples}, _recipe(()))
    ranges: dict[str, Any] = worker.get_model_qsvs()
    for outcome, source in padded.items():
        ranges[outcome] = ranges[source]
    return ranges


def _quantized(artifact: Path, ranges: dict[str, Any], kept: Sequence[str]) -> bytes:
    from ai_edge_quantizer import quantizer

    worker = quantizer.Quantizer(str(artifact), _recipe(kept).get_quantization_recipe())
    result = worker.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)


def _recipe(kept: Sequence[str]) -> Any:
    """
    Return static INT8 quantization for all operators except some.

    :param kept: names of the tensors that these give.
    """
    from ai_edge_quantizer import recipe
    from ai_edge_quantizer import recipe_manager

    manager = recipe_manager.RecipeManager()
    everything = recipe.TFLOperationName.ALL_SUPPORTED
    manager.add_static_config('.*', everything, activation_num_bits=8, weight_num_bits=8)
    if kept:
        manager.add_quantization_config(
            f'(^|;)({"|".join(map(re.escape, kept))})(;|$)',
            everything,
            algorithm_key=recipe.AlgorithmName.NO_QUANTIZE,
        )
    return manager


@contextmanager
def quiet_quantizer() -> Iterator[None]:
    """Keep what the quantizer prints, and its bars, away from our own output."""
    level, streams = logging.root.manager.disable, (sys.stdout, sys.stderr)
    logging.disable(logging.WARNING)
    sys.stdout = sys.stderr = io.StringIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        sys.stdout, sys.stderr = streams
        logging.disable(level)


def _words(error: Exception) -> str:
    return ' '.join(str(error).split())[:300]
