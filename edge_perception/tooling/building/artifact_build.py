# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Build an artifact of a model in a workspace: prepare the ONNX, then call the builder."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from pathlib import Path
import shutil
from typing import Any

import numpy as np

from edge_perception.contract import Builder
from edge_perception.contract import BuildError
from edge_perception.contract import BuildPlan
from edge_perception.contract import BuildReport
from edge_perception.contract import dump_manifest
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception.contract.manifest import REAL_DTYPES
from edge_perception.models.artifact_directories import key_of
from edge_perception.models.finding import Model
from edge_perception.models.plugin_checks import mistakes_of
from edge_perception.tooling.building.artifact_cache import NO_ROOM
from edge_perception.tooling.building.calibration_images import CalibrationSet
from edge_perception.tooling.building.folding import fold_preprocessing
from edge_perception.tooling.building.simplify import library
from edge_perception.tooling.building.simplify import simplify
from edge_perception.tooling.building.simplify import to_half
from edge_perception.tooling.gate.gate_limits import limits_for
from edge_perception.tooling.quantization.layer_noise import Layers
from edge_perception.tooling.quantization.quantize import FLAVORS
from edge_perception.tooling.quantization.quantize import quantize
from edge_perception.tooling.quantization.quantize import sensitive_layers

# Rises when the same model would become another artifact without any version changing.
RECIPE = 2
TOOLS = ('onnx', 'onnxslim', 'onnxruntime', 'onnxconverter-common')

Progress = Callable[[str, float | None], object]  # what is done; which share of it, if known
Samples = Callable[[], Iterator[Tensors]]
AFTERWARDS = ('computing ranges', None)


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """
    What a user asks to have built.

    :param full_int8: quantize the head and every layer.
    :param fold_preprocessing: put normalization, order of colors and layout into the artifact.
    """

    model: Model
    builder: Builder
    precision: str
    calibration: CalibrationSet | None = None
    options: Options = field(default_factory=Options)
    full_int8: bool = False
    fold_preprocessing: bool = False

    def __post_init__(self) -> None:
        """
        Check what can be checked at once.

        :raises BuildError: the target has no such precision, calibration is missing, or the
            preprocessing cannot be folded.
        """
        name = self.builder.name
        if self.precision not in self.builder.precisions:
            known = ', '.join(self.builder.precisions)
            raise BuildError(f'target {name}: got precision {self.precision}, expected {known}')
        if self.precision == 'int8' and self.calibration is None:
            raise BuildError(
                f'target {name}: int8 needs images of what the camera will see, expected '
                '--calibration FOLDER'
            )
        dtype = self.model.manifest.input.dtype
        if self.fold_preprocessing and dtype not in REAL_DTYPES:
            raise BuildError(
                f'--fold-preprocessing: got input.dtype {dtype} in the manifest, expected float32 '
                'or float16; there is nothing to fold, leave it out'
            )
        if self.fold_preprocessing and not self.builder.folds_preprocessing:
            raise BuildError(
                f'target {name}: takes no --fold-preprocessing, expected a target whose artifacts '
                'are ONNX, e.g. onnxruntime or openvino; leave it out or choose such a target'
            )

    def plan(self, source: Path) -> BuildPlan:
        """Return the plan for a prepared source; without samples, which need the file."""
        files = self.calibration.files if self.calibration and self.precision == 'int8' else ()
        return BuildPlan(
            manifest=self.model.manifest,
            source=source,
            precision=self.precision,
            calibration=files,
            options=self.options,
        )

    @property
    def may_keep_float(self) -> bool:
        """Whether the builder may be asked to leave layers in float."""
        return self.precision == 'int8' and self.builder.keeps_float and not self.full_int8

    @property
    def form(self) -> str:
        """
        Form in which the builder takes the source.

        :raises PluginError: its author's code fails.
        """
        with _mistakes_of(self.builder):
            return self.builder.source_form(self.precision)

    def engine_options(self) -> Mapping[str, Any]:
        """
        Return the options without which the engine cannot load the artifact.

        :raises PluginError: the code of the builder's author fails.
        """
        with _mistakes_of(self.builder):
            return dict(self.builder.engine_options(self.options))

    def ingredients(self) -> Mapping[str, Any]:
        """
        Return everything that artifact and gate depend on beside what ``ModelDigest`` holds.

        :raises EdgePerceptionError: the builder cannot say.
        """
        calibrated = self.precision == 'int8' and self.calibration is not None
        manifest = dump_manifest(self.model.manifest)
        with _mistakes_of(self.builder):
            fingerprint = dict(self.builder.fingerprint(self.plan(self.model.source)))
        return {
            'target': self.builder.name,
            'precision': self.precision,
            'form': self.form,
            'recipe': RECIPE,
            'tools': {name: _version(name) for name in TOOLS},
            'fingerprint': fingerprint,
            'calibration': self.calibration.digest if calibrated and self.calibration else '',
            'options': asdict(self.options),
            'full_int8': self.full_int8,
            'fold_preprocessing': self.fold_preprocessing,
            'selection': manifest.get('selection'),
            'limits': limits_for(self.model.manifest, self.precision),
        }

    def entry_name(self) -> str:
        """Return the name of the entry in the cache directory of the model."""
        return f'{self.precision}-{self.builder.name}-{key_of(self.ingredients())}'


def build(
    request: BuildRequest, workspace: Path, progress: Progress, keep_float_db: float | None = None
) -> BuildReport:
    """
    Make the artifact of an request.

    :param workspace: a folder for this request, in which everything is written.
    :param keep_float_db: rank the layers by the noise of INT8, and keep as many in float as the
        outputs need for this signal to noise ratio; None for none.
    :return: the artifact, alone in a folder inside the workspace.
    :raises BuildError: with what failed and what to do.
    """
    source = workspace / 'source.onnx'
    manifest = request.model.manifest
    progress('simplifying', None)
    simplified = simplify(request.model.source, source, manifest)
    samples = None
    if request.calibration is not None and request.precision == 'int8':
        samples = _counted(request.calibration, source, manifest, progress)
    prepared, notes = _in_form(request, source, samples, progress)
    head = (
        () if request.full_int8 else tuple(Layers(library('onnx').load(str(source)).graph).head())
    )
    keep_float: tuple[str, ...] = ()
    if keep_float_db is not None and samples is not None:
        keep_float = sensitive_layers(
            source, samples=samples, manifest=manifest, wanted_db=keep_float_db, progress=progress
        )
    plan = replace(request.plan(prepared), samples=samples, head=head, keep_float=keep_float)
    folder = workspace / 'made'
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    progress(f'building for {request.builder.name}', None)
    with _mistakes_of(request.builder):
        report = request.builder.build(plan, folder)
        _check(report, folder, request.builder)
    if request.fold_preprocessing:
        folded = fold_preprocessing(report.artifact, manifest.input)
        notes += (f'takes uint8 {manifest.input.folded().color}, and normalizes itself',)
        report = replace(report, artifact=folded)
    return replace(report, notes=(simplified, *notes, *report.notes))


def _in_form(
    request: BuildRequest, source: Path, samples: Samples | None, progress: Progress
) -> tuple[Path, tuple[str, ...]]:
    """Return the source in the form that the builder wants, and what to know of it."""
    form = request.form
    if form == 'float16':
        progress('converting to float16', None)
        prepared = source.with_name('half.onnx')
        to_half(source, prepared)
        return prepared, ()
    if form not in FLAVORS:
        return source, ()
    assert samples is not None
    progress('quantizing', None)
    prepared = source.with_name('quantized.onnx')
    notes = quantize(
        source,
        prepared,
        form=form,
        samples=samples,
        manifest=request.model.manifest,
        full_int8=request.full_int8,
        progress=progress,
    )
    return prepared, notes


def _mistakes_of(builder: Builder) -> AbstractContextManager[None]:
    return mistakes_of(f'target {builder.name}:', failed='its builder failed', foreseen=_foreseen)


def _foreseen(error: Exception) -> bool:
    # That of a full disk is said of the disk, not of the builder.
    full = isinstance(error, OSError) and error.errno in NO_ROOM
    return full or isinstance(error, EdgePerceptionError)


def _counted(
    calibration: CalibrationSet, source: Path, manifest: ModelManifest, progress: Progress
) -> Samples:
    """Return what gives the samples; quantizers work on each as they take it, so it tells."""
    # A simplified source has one input.
    name = library('onnx').load(str(source), load_external_data=False).graph.input[0].name
    spec = TensorSpec(name, manifest.input.shape, np.dtype(manifest.input.dtype))
    total = calibration.count()

    def counted() -> Iterator[Tensors]:
        for index, sample in enumerate(calibration.tensors(manifest, spec), start=1):
            # Who takes the last one may not ask whether there are more.
            progress(*(('calibrating', index / total) if index < total else AFTERWARDS))
            yield sample
        progress(*AFTERWARDS)

    return counted


def _check(report: BuildReport, folder: Path, builder: Builder) -> None:
    """Refuse an artifact outside of the workspace, with another suffix, or none."""
    artifact = report.artifact
    if folder not in artifact.parents or not artifact.exists():
        raise BuildError(
            f'target {builder.name}: its builder gave {artifact}, expected a file or '
            'folder in its workspace; report it to its author'
        )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ''
