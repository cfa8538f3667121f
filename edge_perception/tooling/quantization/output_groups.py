# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Divide outputs into groups of like numbers, and measure how wrong each group is.

One figure over an output that holds boxes (0 to 640) and scores (0 to 1) says nothing of the
scores: they can all be zero at 40 dB. So outputs are divided as their decoder reads them.
Outputs that list finished objects have no groups: their rows are in the order of the scores, and
one object more or less moves all that follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
import math

import numpy as np
import numpy.typing as npt

from edge_perception.contract import ModelManifest
from edge_perception.contract import Tensor
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception.contract.boxes import cell_totals

SCORES = 'class scores'
CLEAR_SHARE = 0.5  # of the best score in the image: from there on an object may be clear
PERFECT_DB = 200.0  # stands for no difference at all

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Group:
    """
    A part of an output.

    :param axis: along which the numbers of one cell lie.
    :param start: first index along it; ``stop`` the one after the last, None for all.
    """

    output: str
    name: str
    axis: int = -1
    start: int = 0
    stop: int | None = None

    def of(self, tensor: Tensor) -> Values:
        """Return the numbers of this group, (cells, numbers)."""
        moved = np.moveaxis(tensor, self.axis, -1)[..., self.start : self.stop]
        return np.asarray(moved, np.float64).reshape(-1, moved.shape[-1])


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """
    How far one group is from the reference.

    :param snr_db: power of the reference over power of the difference.
    :param class_agreement: of scores: share of the clear cells with the same best class; None
        where there is no choice of classes.
    """

    output: str
    group: str
    snr_db: float
    class_agreement: float | None = None


class GroupMeter:
    """
    Adds up the differences of one group over images.

    :param threshold: scores below it are no objects, so their classes do not matter.
    """

    def __init__(self, group: Group, *, threshold: float = 0.0) -> None:
        self.group = group
        self._threshold = threshold
        self._signal = self._noise = 0.0
        self._clear = self._same = 0
        self.numbers = 0  # that were compared so far

    def add(self, reference: Tensor, candidate: Tensor) -> None:
        """Take one image."""
        ours, theirs = self.group.of(reference), self.group.of(candidate)
        self.numbers += ours.size
        self._signal += float(np.square(ours).sum())
        self._noise += float(np.square(ours - theirs).sum())
        if self.group.name == SCORES and ours.shape[1] > 1:
            best = ours.max(axis=1)
            clear = best >= max(CLEAR_SHARE * best.max(), self._threshold)
            self._clear += int(clear.sum())
            self._same += int((ours.argmax(axis=1) == theirs.argmax(axis=1))[clear].sum())

    def figures(self) -> GroupFigures:
        """Return what was measured so far; not a number where nothing was."""
        agreement = self._same / self._clear if self._clear else None
        snr = _decibel(self._signal, self._noise) if self.numbers else math.nan
        return GroupFigures(self.group.output, self.group.name, snr, agreement)


def groups_of(manifest: ModelManifest, outputs: Sequence[TensorSpec]) -> Iterator[Group]:
    """Give the groups of all outputs of the reference, none of those with finished objects."""
    for spec in outputs:
        if manifest.decoder == 'yolox':
            yield Group(spec.name, 'boxes', stop=4)
            yield Group(spec.name, 'objectness', start=4, stop=5)
            yield Group(spec.name, SCORES, start=5)
        elif manifest.decoder == 'yolo' and len(spec.shape) == 3:
            yield from _yolo(manifest, spec)
        elif manifest.decoder == 'nanodet' and len(spec.shape) == 3:
            yield from _nanodet(manifest, spec, joined=len(outputs) == 1)
        elif manifest.decoder not in ('ssd', 'rtdetr'):
            yield Group(spec.name, SCORES if manifest.decoder == 'classifier' else 'all')


def pair_outputs(
    reference: Sequence[TensorSpec], candidate: Sequence[TensorSpec]
) -> dict[str, str]:
    """
    Return which output of the candidate stands for which of the reference; by name, else by shape.

    Converters give outputs new names; a shape that occurs once tells who is who. Outputs of one
    name and another shape are not compared: converters turn axes as well.
    """
    shapes = {spec.name: spec.shape for spec in candidate}
    pairs = {
        spec.name: spec.name
        for spec in reference
        if spec.name in shapes and _fit(spec.shape, shapes[spec.name])
    }
    if len(pairs) == len(reference):
        return pairs
    pairs = {}
    for spec in reference:
        fitting = [other.name for other in candidate if other.shape == spec.shape]
        alike = [other.name for other in reference if other.shape == spec.shape]
        if len(fitting) == len(alike) == 1:
            pairs[spec.name] = fitting[0]
    return pairs


def compare_outputs(
    meters: Sequence[GroupMeter], pairs: Mapping[str, str], *, reference: Tensors, other: Tensors
) -> None:
    """Add one image to all meters whose output both have."""
    for meter in meters:
        name = meter.group.output
        if name in pairs and reference[name].shape == other[pairs[name]].shape:
            meter.add(reference[name], other[pairs[name]])


def _fit(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Tell whether two shapes may be the same; -1 stands for any size."""
    sizes = zip(shape, other)
    return len(shape) == len(other) and all(a == b or -1 in (a, b) for a, b in sizes)


def _yolo(manifest: ModelManifest, spec: TensorSpec) -> Iterator[Group]:
    """Divide boxes, scores and keypoints of cells."""
    pose = len(manifest.keypoint_names) * _option(manifest, 'keypoint_values', 3)
    layout = _yolo_layout(manifest, spec, pose)
    if layout == 'end_to_end':
        return
    axis = 1 if layout == 'channels_first' else 2
    yield Group(spec.name, 'boxes', axis=axis, stop=4)
    yield Group(spec.name, SCORES, axis=axis, start=4, stop=-pose or None)
    if pose:
        yield Group(spec.name, 'keypoints', axis=axis, start=-pose)


def _yolo_layout(manifest: ModelManifest, spec: TensorSpec, pose: int) -> str:
    """Return the layout, found as the decoder finds it."""
    wanted = str(manifest.decoder_options.get('layout', 'auto'))
    if wanted != 'auto':
        return wanted
    cells = cell_totals(manifest.input.width, manifest.input.height)
    _, first, last = spec.shape
    if last in cells:
        return 'channels_first'
    if first in cells:
        return 'channels_last'
    if last == 6 + pose:
        return 'end_to_end'
    return 'channels_last' if last == 4 + len(manifest.labels) + pose else 'channels_first'


def _nanodet(manifest: ModelManifest, spec: TensorSpec, *, joined: bool) -> Iterator[Group]:
    """Divide scores and the four distributions of cells, which have an output each or one."""
    sides = 4 * (_option(manifest, 'reg_max', 7) + 1)
    if joined:
        yield Group(spec.name, SCORES, stop=-sides)
        yield Group(spec.name, 'boxes', start=-sides)
    else:
        yield Group(spec.name, 'boxes' if spec.shape[-1] == sides else SCORES)


def _option(manifest: ModelManifest, name: str, usual: int) -> int:
    """Return an option of the decoder, which will itself refuse what is no number."""
    value = manifest.decoder_options.get(name, usual)
    return value if isinstance(value, int) else usual


def _decibel(signal: float, noise: float) -> float:
    if not noise:
        return PERFECT_DB
    if not signal or not math.isfinite(noise):
        return -PERFECT_DB
    return min(PERFECT_DB, 10 * math.log10(signal / noise))
