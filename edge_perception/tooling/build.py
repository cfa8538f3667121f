# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""From a model to an artifact in a workspace: prepare the ONNX, then let the builder work."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
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
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception.core.models import Model
from edge_perception.core.shelves import key_of
from edge_perception.tooling.calibration import CalibrationSet
from edge_perception.tooling.calibration import count_samples
from edge_perception.tooling.calibration import sampler
from edge_perception.tooling.half import to_half
from edge_perception.tooling.layers import Layers
from edge_perception.tooling.quantise import FLAVOURS
from edge_perception.tooling.quantise import quantise
from edge_perception.tooling.quantise import sensitive_layers
from edge_perception.tooling.simplify import library
from edge_perception.tooling.simplify import simplify
from edge_perception.tooling.thresholds import limits_for

# Rises when the same model would become another artifact without any version changing.
RECIPE = 2
TOOLS = ('onnx', 'onnxslim', 'onnxruntime', 'onnxconverter-common')

Progress = Callable[[str, float | None], object]  # what is done; which share of it, if known
Samples = Callable[[], Iterator[Tensors]]
AFTERWARDS = ('computing 8 bits', None)


@dataclass(frozen=True, slots=True)
class Order:
    """
    What somebody wants to have built.

    :param whole: force the head and every layer into 8 bits.
    """

    model: Model
    builder: Builder
    precision: str
    calibration: CalibrationSet | None = None
    options: Options = field(default_factory=Options)
    whole: bool = False

    def __post_init__(self) -> None:
        """
        Check what can be checked at once.

        :raises BuildError: the target has no such precision, or calibration is missing.
        """
        name = self.builder.name
        if self.precision not in self.builder.precisions:
            known = ', '.join(self.builder.precisions)
            raise BuildError(f'target {name}: got precision {self.precision}, expected {known}')
        if self.precision == 'int8' and self.calibration is None:
            raise BuildError(
                f'target {name}: int8 needs pictures of what the camera will see; name a folder '
                'with --calibration'
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
    def may_spare(self) -> bool:
        """Whether the builder quantises by itself, and may be asked to leave layers in float."""
        by_itself = self.builder.source_form(self.precision) not in FLAVOURS
        return self.precision == 'int8' and by_itself and not self.whole

    def ingredients(self) -> Mapping[str, Any]:
        """
        Return everything that the artifact depends on beside the model, its weights and its input.

        :raises BuildError: the builder cannot say.
        """
        calibrated = self.precision == 'int8' and self.calibration is not None
        assert not calibrated or self.calibration is not None
        return {
            'target': self.builder.name,
            'precision': self.precision,
            'form': self.builder.source_form(self.precision),
            'recipe': RECIPE,
            'tools': {name: _version(name) for name in TOOLS},
            'fingerprint': dict(self.builder.fingerprint(self.plan(self.model.source))),
            'calibration': self.calibration.digest if calibrated and self.calibration else '',
            'options': asdict(self.options),
            'whole': self.whole,
            'decoder': self.model.manifest.decoder,
            'limits': limits_for(self.model.manifest, self.precision),
        }

    def entry_name(self) -> str:
        """Return the name of the entry on the shelf of the model."""
        return f'{self.precision}-{self.builder.name}-{key_of(self.ingredients())}'


def build(
    order: Order, workspace: Path, progress: Progress, *, spare_db: float | None = None
) -> BuildReport:
    """
    Make the artifact of an order.

    :param workspace: a folder for this order, in which everything is written.
    :param spare_db: look for layers that 8 bits cannot carry, and ask for as many in float as the
        outputs need for this signal to noise ratio; None for none.
    :return: the artifact, alone in a folder inside the workspace.
    :raises BuildError: with what failed and what to do.
    """
    source = workspace / 'source.onnx'
    manifest = order.model.manifest
    progress('simplifying', None)
    notes = [simplify(order.model.source, source, manifest)]
    samples = None
    if order.calibration is not None and order.precision == 'int8':
        samples = _counted(order.calibration, _image_input(source, manifest), manifest, progress)
    form = order.builder.source_form(order.precision)
    prepared = source
    if form == 'float16':
        progress('converting to float16', None)
        prepared = workspace / 'half.onnx'
        to_half(source, prepared)
    elif form in FLAVOURS:
        assert samples is not None
        progress('quantising', None)
        prepared = workspace / 'quantised.onnx'
        notes += quantise(
            source,
            prepared,
            form=form,
            samples=samples,
            manifest=manifest,
            whole=order.whole,
            progress=progress,
        )
    head = () if order.whole else tuple(Layers(library('onnx').load(str(source)).graph).head())
    spared: tuple[str, ...] = ()
    if spare_db is not None and samples is not None:
        spared = sensitive_layers(
            source, samples=samples, manifest=manifest, wanted_db=spare_db, progress=progress
        )
    plan = replace(order.plan(prepared), samples=samples, head=head, spared=spared)
    folder = workspace / 'made'
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    progress(f'building for {order.builder.name}', None)
    report = order.builder.build(plan, folder)
    _check(report, folder, order.builder)
    return replace(report, notes=(*notes, *report.notes))


def _counted(
    calibration: CalibrationSet, spec: TensorSpec, manifest: ModelManifest, progress: Progress
) -> Samples:
    """Return what gives the samples; quantisers work on each as they take it, so it tells."""
    total = count_samples(calibration.files)
    samples = sampler(calibration.files, manifest, spec)

    def counted() -> Iterator[Tensors]:
        for index, sample in enumerate(samples(), start=1):
            # Who takes the last one may not ask whether there are more.
            progress(*(('calibrating', index / total) if index < total else AFTERWARDS))
            yield sample
        progress(*AFTERWARDS)

    return counted


def _image_input(source: Path, manifest: ModelManifest) -> TensorSpec:
    graph = library('onnx').load(str(source), load_external_data=False).graph
    name = manifest.input.name or graph.input[0].name
    return TensorSpec(name, manifest.input.shape, np.dtype(manifest.input.dtype))


def _check(report: BuildReport, folder: Path, builder: Builder) -> None:
    """Refuse what a builder must not do, whoever wrote it."""
    artifact = report.artifact
    if folder not in artifact.parents or not artifact.is_file():
        raise BuildError(
            f'target {builder.name}: its builder gave {artifact}, expected a file in its '
            'workspace; report it to its author'
        )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ''
