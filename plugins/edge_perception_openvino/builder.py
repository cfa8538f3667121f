# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
ONNX files for OpenVINO 2022.3 to 2026.

Not its own format: 2022.3 cannot read what 2026 writes, and an ONNX is one file where that format
is two. INT8 comes from NNCF, which corrects the biases: with all but its head in INT8 YOLOX-nano
keeps 74 of its 76 objects on 20 photographs.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
import io
import logging
from pathlib import Path
from typing import Any
from typing import ClassVar

from edge_perception.contract import Availability
from edge_perception.contract import Builder
from edge_perception.contract import BuildError
from edge_perception.contract import BuildPlan
from edge_perception.contract import BuildReport
from edge_perception.contract import option
from edge_perception.contract import Options
from edge_perception.contract import Tensors
from edge_perception.contract.builder import package_version
from edge_perception_openvino.engine import OpenVinoEngineType
from edge_perception_openvino.library import ENGINE
from edge_perception_openvino.library import load_library
from edge_perception_openvino.library import release
from edge_perception_openvino.library import runtime_version

# The first release whose Python package has the names that NNCF wants.
NNCF_NEEDS = (2023, 1)
VERSION = '1'  # rises when the same source would become another artifact
FORMS = {'fp32': 'float32', 'fp16': 'float16', 'int8': 'float32'}


@dataclass(frozen=True, slots=True)
class OpenVinoBuilderOptions(Options):
    """Options of the target."""

    preset: str = option(
        'mixed',
        'how activations are quantized: mixed (unsigned where that is more exact), or performance '
        '(all symmetric)',
        choices=('mixed', 'performance'),
    )


class OpenVinoBuilder(Builder):
    """ONNX in float32 or float16, or in INT8 by NNCF."""

    name = ENGINE
    suffix = '.onnx'
    precisions: ClassVar[tuple[str, ...]] = ('fp32', 'fp16', 'int8')
    options_type: ClassVar[type[Options]] = OpenVinoBuilderOptions
    keeps_float = True
    folds_preprocessing = True

    def probe(self) -> Availability:
        """Tell whether OpenVINO is here."""
        return OpenVinoEngineType().probe()

    def source_form(self, precision: str) -> str:
        """Return float32 also for INT8, which NNCF makes from it."""
        return FORMS[precision]

    def fingerprint(self, plan: BuildPlan) -> Mapping[str, str]:
        """Return the versions; an ONNX runs on any device."""
        marks = {'builder': VERSION, 'openvino': self.probe().runtime, 'device': 'any'}
        if plan.precision == 'int8':
            marks['nncf'] = package_version('nncf') or 'missing'
        return marks

    def build(self, plan: BuildPlan, workspace: Path) -> BuildReport:
        """Quantize by NNCF, or take the source as it was prepared."""
        artifact = workspace / f'{plan.manifest.name}_{plan.precision}{self.suffix}'
        versions = {'openvino': self.probe().runtime}
        if plan.precision != 'int8':
            return BuildReport(plan.copy_source(artifact), versions)
        _quantize(plan, artifact)
        versions['nncf'] = package_version('nncf')
        notes: tuple[str, ...] = ()
        if plan.head:
            notes = (f'{len(plan.head)} operators behind the last convolutions stay in float',)
        if plan.keep_float:
            notes += (
                f'{len(plan.keep_float)} operators that lost too much in INT8 stay in float',
            )
        return BuildReport(artifact, versions, notes)


class MyriadBuilder(OpenVinoBuilder):
    """
    ONNX in float16 for a Myriad stick; OpenVINO 2022.3 is the last version that supports it.

    The opset to which the host brings every source is one that 2022.3 reads. The build needs
    OpenVINO to prove the file, and no stick, which compiles the file for itself.
    """

    name = 'myriad'
    precisions = ('fp16',)
    engine = ENGINE
    options_type = Options
    keeps_float = False
    folds_preprocessing = False  # nobody has tried what the stick says to bytes

    def source_form(self, precision: str) -> str:
        """Return float16, the only thing that the stick computes in."""
        return 'float16'

    def build(self, plan: BuildPlan, workspace: Path) -> BuildReport:
        """Take the source as it was prepared."""
        artifact = workspace / f'{plan.manifest.name}_myriad{self.suffix}'
        note = 'it was proven on the CPU; verify it once more with the stick: -o device=MYRIAD'
        versions = {'openvino': self.probe().runtime}
        return BuildReport(plan.copy_source(artifact), versions, (note,))


def _quantize(plan: BuildPlan, artifact: Path) -> None:
    if find_spec('nncf') is None or find_spec('onnx') is None:
        raise BuildError('the Python package nncf is missing; install it: pip install nncf onnx')
    assert plan.samples is not None
    assert isinstance(plan.options, OpenVinoBuilderOptions)
    library = load_library()  # first, because it hides the package that reports to its vendor
    if release(library) < NNCF_NEEDS:
        raise BuildError(
            f'INT8 needs NNCF, which needs OpenVINO 2023.1 or newer, and this is '
            f'{runtime_version(library)}; build on a machine with a newer one, or take '
            '--precision fp16'
        )
    with _quiet():
        import nncf
        import onnx

        samples = _Samples(plan.samples)
        scope: dict[str, Any] = {}
        kept = list(dict.fromkeys((*plan.head, *plan.keep_float)))
        if kept:
            scope['ignored_scope'] = nncf.IgnoredScope(names=kept)
        try:
            model = nncf.quantize(
                onnx.load(str(plan.source)),
                nncf.Dataset(samples),
                preset=nncf.QuantizationPreset(plan.options.preset),
                subset_size=len(samples),
                **scope,
            )
        except Exception as error:
            words = ' '.join(str(error).split())[:300]
            raise BuildError(f'nncf cannot quantize {plan.manifest.name}: {words}') from error
        onnx.save(model, str(artifact))


class _Samples:
    """Calibration images as NNCF takes them: one at a time, and several times over."""

    def __init__(self, samples: Callable[[], Iterator[Tensors]]) -> None:
        self._samples = samples
        self._count = sum(1 for _ in samples())

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Tensors]:
        for sample in self._samples():
            yield {name: tensor.copy() for name, tensor in sample.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep NNCF from writing warnings, and progress bars into the results of a command."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(level)
