# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from edge_perception_litert.engine import LiteRtEngineType
from edge_perception_litert.options import LiteRtOptions
from edge_perception_openvino.engine import OpenVinoEngineType
from edge_perception_openvino.options import OpenVinoOptions
import pytest

from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.models.finding import Model
from edge_perception.tooling.building.sidecars import proof_of
from edge_perception.tooling.gate.agreement import Agreement
from edge_perception.tooling.gate.comparison import GateVerdict
from edge_perception.tooling.variants import Variant


@pytest.mark.parametrize(
    ('engine_type', 'options', 'computed'),
    [
        (OpenVinoEngineType(), None, 'fp32'),
        (OpenVinoEngineType(), OpenVinoOptions(precision='bf16'), 'bf16'),
        (OpenVinoEngineType(), OpenVinoOptions(device='MYRIAD'), 'fp16'),
        (LiteRtEngineType(), LiteRtOptions(), 'fp32'),
        (LiteRtEngineType(), LiteRtOptions(delegate='libvx_delegate.so'), 'fp16'),
    ],
)
def test_a_proof_says_in_what_the_engine_computed(tmp_path, engine_type, options, computed):
    source = tmp_path / 'net.onnx'
    source.write_bytes(b'')
    manifest = ModelManifest(
        name='net', source='net.onnx', decoder='fake', input=InputRecipe(width=4, height=4)
    )
    model = Model(folder=tmp_path, manifest=manifest, source=source)
    verdict = GateVerdict('int8', 1, (), (), Agreement(), ())
    variant = Variant(model, engine_type.name, source)
    options = options or engine_type.options_type()
    assert proof_of(variant, engine_type, verdict, options=options).computed == computed
