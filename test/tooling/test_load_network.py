# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edge_perception.contract import Frame
from edge_perception.models.assembly import assemble
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request
from edge_perception.tooling.benchmark.synthetic_network import CLASSES
from edge_perception.tooling.benchmark.synthetic_network import NAME
from edge_perception.tooling.benchmark.synthetic_network import size_to_rate
from edge_perception.tooling.benchmark.synthetic_network import write_model


def layers(folder) -> int:
    graph = onnx.load(folder / f'{NAME}.onnx').graph
    return sum(node.op_type == 'Conv' for node in graph.node)


def test_the_network_is_a_model_like_any_other(tmp_path):
    pytest.importorskip('onnxruntime', reason='needs ONNX Runtime to run the network')
    folder = write_model(tmp_path / 'load', layers=3)
    assembled = assemble(PluginHost(), Request(model=str(folder), engine='onnxruntime'))
    frame = Frame(np.full((48, 64, 3), 128, np.uint8))
    result = assembled.pipeline.process(frame, selection=assembled.selection)
    assembled.pipeline.engine.deactivate()
    classes = result.perception.classes
    assert classes is not None and 0 < len(classes.score) <= CLASSES


def test_it_is_sized_until_a_frame_takes_the_period_of_the_rate(tmp_path):
    # A machine on which a layer takes 0.7 ms, and everything else 2 ms.
    folder, rate = size_to_rate(
        tmp_path / 'load', rate_hz=20, measure_ms=lambda path: 2 + 0.7 * layers(path)
    )
    assert rate == pytest.approx(20, rel=0.03)
    assert layers(folder) == pytest.approx(48 / 0.7, abs=2)


def test_on_a_machine_that_cannot_be_so_fast_it_has_one_layer(tmp_path):
    folder, rate = size_to_rate(tmp_path / 'load', rate_hz=100, measure_ms=lambda path: 50.0)
    assert rate == 20
    assert layers(folder) >= 1
