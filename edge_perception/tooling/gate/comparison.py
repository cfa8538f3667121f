# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Compare an artifact with its reference on real images, output by output and object by object.

The reference is the ONNX of the model on ONNX Runtime, on the processor, in float32. Nothing is
skipped in silence: an output that cannot be paired, and images that show nothing, are problems.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from math import ceil
from typing import Any

from edge_perception.contract import ConfigurationError
from edge_perception.contract import Decoder
from edge_perception.contract import Frame
from edge_perception.contract import Perception
from edge_perception.contract import Tensors
from edge_perception.models.assembly import Assembled
from edge_perception.runtime.dequantization import real_outputs
from edge_perception.tooling.gate.agreement import Agreement
from edge_perception.tooling.gate.agreement import compare
from edge_perception.tooling.gate.agreement import generous
from edge_perception.tooling.gate.gate_limits import AT_LEAST
from edge_perception.tooling.gate.gate_limits import Limits
from edge_perception.tooling.gate.gate_limits import MEASURES
from edge_perception.tooling.gate.gate_limits import passes
from edge_perception.tooling.gate.gate_limits import Share
from edge_perception.tooling.quantization import output_groups

SHOWN_IMAGES = 6  # the worst ones, in the report


@dataclass(frozen=True, slots=True)
class Comparison:
    """One image as reference and candidate see it."""

    name: str
    frame: Frame
    reference: Perception
    candidate: Perception
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class LimitCheck:
    """
    One figure beside its limit.

    :param subject: what was measured: a task, or a group of an output.
    :param count: where the value is a share: how many; None elsewhere.
    :param of: and of how many.
    :param unit: and of what, in words.
    """

    subject: str
    name: str
    value: float
    limit: float
    passed: bool
    count: int | None = None
    of: int | None = None
    unit: str = ''

    @property
    def measured(self) -> str:
        """The value in words, with the count behind a share."""
        counted = '' if self.count is None else f' ({self.count} of {self.of})'
        return f'{self.value:.4g}{counted}'

    @property
    def needed(self) -> int:
        """How many it takes that a single one does not break the limit."""
        counts = self.of is not None and self.limit > 0
        return ceil(round(1 / self.limit, 6)) if counts else 0

    def sentence(self) -> str:
        """Return the figure in words, for one that fails."""
        bound = 'at least' if self.name in AT_LEAST else 'at most'
        return f'{self.subject}: {self.name} is {self.measured}, expected {bound} {self.limit:g}'


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """
    How the gate judged.

    :param worst: the images that differ most, the worst first.
    :param computed: in which the engine of the candidate says that it computed; may be empty.
    :param notes: what is to be known beside the figures.
    """

    precision: str
    images: int
    checks: tuple[LimitCheck, ...]
    groups: tuple[output_groups.GroupFigures, ...]
    agreement: Agreement
    worst: tuple[Comparison, ...]
    notes: tuple[str, ...] = ()
    computed: str = ''

    @property
    def problems(self) -> tuple[str, ...]:
        """Why it did not pass, a sentence each; empty when it passed."""
        return tuple(check.sentence() for check in self.checks if not check.passed)

    @property
    def passed(self) -> bool:
        """Whether the artifact may be released."""
        return not self.problems

    def values(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            'precision': self.precision,
            'passed': self.passed,
            'problems': list(self.problems),
            'notes': list(self.notes),
            **self.figures(),
        }

    def figures(self) -> dict[str, Any]:
        """Return what was measured, for the proof."""
        return {
            'images': self.images,
            'outputs': [asdict(group) for group in self.groups],
            'checks': [asdict(check) for check in self.checks],
            'agreement': asdict(self.agreement),
        }


def with_labels(
    verdict: GateVerdict, *, reference_ap: float, candidate_ap: float, limits: Limits
) -> GateVerdict:
    """
    Return a verdict that also judges by labeled images; AP from 0 to 1.

    :raises ConfigurationError: the reference has no AP that could fall.
    """
    if not reference_ap > 0:
        problem = (
            f'the AP of the reference is {reference_ap:g}, so the labels prove nothing; give '
            'annotations with objects of the classes of the model, on the images of --images'
        )
        raise ConfigurationError('--dataset', [problem])
    drop, limit = reference_ap - candidate_ap, limits['labels']['ap_drop']
    check = LimitCheck('labels', 'ap_drop', drop, limit, passes('ap_drop', drop, limit))
    note = f'AP is {candidate_ap:.4f}, that of the reference {reference_ap:.4f}'
    return replace(verdict, checks=(*verdict.checks, check), notes=(*verdict.notes, note))


class Gate:
    """
    Compares two assembled models, image by image.

    :param limits: by task and name.
    :raises ConfigurationError: the two do not see the same things.
    """

    def __init__(
        self, reference: Assembled, candidate: Assembled, *, precision: str, limits: Limits
    ) -> None:
        self._sides = _Side(reference), _Side(candidate)
        self._precision = precision
        self._computed = candidate.pipeline.engine.precision
        self._limits = limits
        self._threshold = reference.selection.score_threshold
        specs = [tuple(spec.real() for spec in each.pipeline.engine.outputs)
                 for each in (reference, candidate)]  # fmt: skip
        self._outputs = [spec.name for spec in specs[0]]
        self._pairs = output_groups.pair_outputs(*specs)
        groups = list(output_groups.groups_of(reference.model.manifest, specs[0]))
        self._finished = set(self._outputs) - {each.output for each in groups}
        self._meters = [
            output_groups.GroupMeter(each, threshold=self._threshold)
            for each in groups
            if each.output in self._pairs
        ]
        self._tasks = reference.pipeline.tasks
        self._agreements: list[tuple[Agreement, float]] = []
        self._worst: list[Comparison] = []

    def add(self, name: str, frame: Frame) -> Agreement:
        """
        Take one image.

        :raises EngineError: an engine failed.
        :raises DecoderError: outputs cannot be decoded.
        """
        (tensors, ours), (others, theirs) = (side.see(frame) for side in self._sides)
        output_groups.compare_outputs(self._meters, self._pairs, reference=tensors, other=others)
        agreement = compare(ours, theirs, threshold=self._threshold)
        self._agreements.append((agreement, float(max(frame.width, frame.height))))
        self._worst.append(Comparison(name, frame, ours, theirs, agreement))
        self._worst.sort(key=lambda each: _badness(each.agreement), reverse=True)
        del self._worst[SHOWN_IMAGES:]
        return agreement

    def verdict(self) -> GateVerdict:
        """
        Judge what was seen.

        :raises ConfigurationError: there was no image, or the reference sees nothing in them.
        """
        total = Agreement()
        for agreement, _ in self._agreements:
            total = total.merged(agreement)
        self._require_content(total)
        groups = tuple(meter.figures() for meter in self._meters if meter.numbers)
        checks = (*self._check_groups(groups), *self._check_results(total))
        notes = (*self._not_compared(groups), *_too_few(checks))
        return GateVerdict(
            precision=self._precision,
            images=len(self._agreements),
            checks=checks,
            groups=groups,
            agreement=total,
            worst=tuple(self._worst),
            notes=notes,
            computed=self._computed,
        )

    def _require_content(self, total: Agreement) -> None:
        if not self._agreements:
            raise ConfigurationError('the gate', ['got no image, expected some'])
        if self._tasks & {'detections', 'keypoints', 'classes'} and not total.reference:
            problem = (
                f'the reference sees nothing in {len(self._agreements)} images, so they prove '
                'nothing; give images that show objects of the model'
            )
            raise ConfigurationError('the gate', [problem])

    def _not_compared(self, groups: Iterable[output_groups.GroupFigures]) -> Iterator[str]:
        measured = {each.output for each in groups}
        for name in self._outputs:
            why = 'has no counterpart of its shape'
            if name in self._finished:
                why = 'lists finished objects, of which no row has its place'
            if name not in measured:
                yield f'output {name!r} {why}; it was judged by what is decoded from it'

    def _check_groups(self, groups: Iterable[output_groups.GroupFigures]) -> Iterable[LimitCheck]:
        limits = self._limits['outputs']
        for group in groups:
            subject = f'output {group.output!r}, {group.group}'
            yield self._check(subject, 'snr_db', group.snr_db, limits)
            if group.class_agreement is not None:
                yield self._check(subject, 'class_agreement', group.class_agreement, limits)

    def _check_results(self, total: Agreement) -> Iterable[LimitCheck]:
        for task in sorted(self._tasks):
            for name, measure in MEASURES.get(task, {}).items():
                # Boxes with keypoints are counted once.
                counted = task == 'keypoints' and 'detections' in self._tasks
                if not (counted and name in MEASURES['detections']):
                    value = measure(total, self._agreements)
                    check = self._check(task, name, value, self._limits[task])
                    if isinstance(measure, Share):
                        count, of = measure.parts(total)
                        check = replace(check, count=count, of=of, unit=measure.unit)
                    yield check

    @staticmethod
    def _check(subject: str, name: str, value: float, limits: Any) -> LimitCheck:
        return LimitCheck(subject, name, value, limits[name], passes(name, value, limits[name]))


class _Side:
    """One of the two, and the tensors that its decoder got last."""

    def __init__(self, assembled: Assembled) -> None:
        self._pipeline = assembled.pipeline
        self._selection = generous(assembled.selection)
        self._tap = _Tap(assembled.pipeline.decoder)
        self._pipeline.decoder = self._tap  # type: ignore[assignment]

    def see(self, frame: Frame) -> tuple[Tensors, Perception]:
        perception = self._pipeline.process(frame, selection=self._selection).perception
        return self._tap.tensors, perception


class _Tap:
    """Stands in for a decoder and keeps what it was given."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self.tensors: Tensors = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)

    def decode(self, tensors: Tensors, **rest: Any) -> Perception:
        self.tensors = real_outputs(tensors, ())
        return self._decoder.decode(tensors, **rest)


def _too_few(checks: Iterable[LimitCheck]) -> Iterator[str]:
    """Say of which shares a single object is more than the limit: they decide by chance."""
    weak = [each for each in checks if each.of is not None and each.of < each.needed]
    for subject, unit in dict.fromkeys((each.subject, each.unit) for each in weak):
        those = [each for each in weak if (each.subject, each.unit) == (subject, unit)]
        yield (
            f'{subject}: {max(each.of or 0 for each in those)} {unit} are too few for '
            f'{", ".join(each.name for each in those)}: a single one breaks the limit; give '
            f'images with {max(each.needed for each in those)} {unit} or more'
        )


def _badness(agreement: Agreement) -> tuple[float, ...]:
    wrong = agreement.missed + agreement.false_positives + agreement.class_flips
    points = agreement.keypoints_missed + agreement.keypoints_false
    return wrong, points, agreement.mask_share, agreement.keypoint_px, 1 - agreement.worst_iou
