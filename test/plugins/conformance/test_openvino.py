# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

from edge_perception_openvino.engine import OpenVinoEngineType
from edge_perception_openvino.library import load_library

from edge_perception.contract import Capabilities
from edge_perception.testing.conformance import EngineConformance
from edge_perception.testing.conformance import save_onnx
from edge_perception.testing.conformance import TinyNetwork
from edge_perception.testing.conformance.engine.engine_files import EngineFileClauses


class TestOpenVino(EngineConformance):
    engine_type = OpenVinoEngineType()
    vendor_modules = ('openvino',)
    options = {'threads': 1}
    # The processor computes float16 in float32; rounding of inputs and outputs stays.
    parity = {'fp32': 1e-5, 'fp16': 2e-3, 'int8': 0.02}

    def make_stale_artifact(self, folder: Path) -> Path:
        # OpenVINO takes ONNX of any version; its own files have one that it looks at.
        path = folder / 'stale.xml'
        path.write_text('<?xml version="1.0"?>\n<net name="stale" version="99"></net>\n')
        path.with_suffix('.bin').touch()
        return path


class IrType(OpenVinoEngineType):
    artifact_suffixes = ('.xml',)
    capabilities = Capabilities(dynamic_shapes=True)


class TestIr(EngineFileClauses):
    """The two files of its own format."""

    engine_type = IrType()
    plugin_module = 'edge_perception_openvino'
    options = {'threads': 1}
    make_stale_artifact = TestOpenVino.make_stale_artifact

    def make_artifact(self, network: TinyNetwork, precision: str, path: Path) -> None:
        library = load_library()
        source = path.with_suffix('.onnx')
        save_onnx(network, source)
        library.serialize(library.Core().read_model(str(source)), str(path))
        source.unlink()
