# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests that every engine plugin shares need to know of each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextlib import nullcontext
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path

from edge_perception_litert.engine import LiteRtEngineType
from edge_perception_onnxruntime.engine import OnnxRuntimeEngineType
from edge_perception_openvino.engine import OpenVinoEngineType
from edge_perception_tensorrt.engine import TensorRtEngineType
import numpy as np
import onnx
import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import Engine
from edge_perception.contract import EngineType
from edge_perception.contract import ModelManifest
from edge_perception.contract import parse_options
from test.plugins import lite_networks
from test.support import networks
from test.support.raising import raises
from test.support.tensorrt_stubs import nvidia_machine
from test.support.tensorrt_stubs.behavior import plan_of


@dataclass(frozen=True)
class EngineCase:
    """
    One engine.

    :param package: of the vendor; the tests are skipped where it is missing.
    :param save_onnx: makes an artifact of an ONNX file; None where the engine takes no ONNX.
    :param machine: stands for a machine with the hardware of the engine.
    """

    engine_type: EngineType
    package: str
    layout: str = 'nchw'
    save_onnx: Callable[[Path], Path] | None = lambda path: path
    machine: Callable[[pytest.MonkeyPatch], AbstractContextManager] = lambda patch: nullcontext()

    @property
    def suffix(self) -> str:
        return self.engine_type.artifact_suffixes[0]

    def manifest(self, **recipe) -> ModelManifest:
        shape = networks.SHAPE if self.layout == 'nchw' else lite_networks.SHAPE
        return networks.manifest_for(shape, layout=self.layout, **recipe)

    def save_identity(self, folder: Path, *, dtype: str = 'float32', shape=()) -> Path:
        """Return an artifact that copies its input."""
        shape = shape or self.manifest().input.shape
        if self.save_onnx is None:
            return lite_networks.save_identity(folder / 'net.tflite', shape, dtype)
        kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.save_onnx(networks.save_identity(folder / 'net.onnx', kind, shape))

    def create(self, path: Path, manifest: ModelManifest | None = None, **options) -> Engine:
        kind = self.engine_type.options_type
        if 'threads' in kind.__dataclass_fields__:
            options = {'threads': 1, **options}
        parsed = parse_options(kind, options, owner=self.engine_type.name)
        return self.engine_type.create(manifest or self.manifest(), path, parsed)


def _save_plan(path: Path) -> Path:
    plan = path.with_suffix('.engine')
    plan.write_bytes(plan_of(onnx.load(path)))
    return plan


CASES = {
    'onnxruntime': EngineCase(OnnxRuntimeEngineType(), 'onnxruntime'),
    'openvino': EngineCase(OpenVinoEngineType(), 'openvino'),
    'litert': EngineCase(LiteRtEngineType(), 'ai_edge_litert', layout='nhwc', save_onnx=None),
    'tensorrt': EngineCase(
        TensorRtEngineType(), '', save_onnx=_save_plan, machine=lambda patch: nvidia_machine(patch)
    ),
}
# TensorRT is only read for files that say that it made them, and needs a GPU for that.
TRIED = ('onnxruntime', 'openvino', 'litert')


def case_of(name: str) -> EngineCase:
    """Return a case; skips where the library of the vendor is missing."""
    case = CASES[name]
    if case.package:
        pytest.importorskip(case.package, reason=f'{case.package} is not installed')
    return replace(case)


def refused(case: EngineCase, path: Path, *, describe: bool = True) -> ArtifactError:
    """Return the error of ``create``, which ``describe`` gives as well."""
    with pytest.raises(ArtifactError) as caught:
        case.create(path)
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)
    if describe:
        with raises(ArtifactError, path.name):
            case.engine_type.describe(path)
    return caught.value
