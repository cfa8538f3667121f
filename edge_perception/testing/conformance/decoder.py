# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""D01 to D14: the clauses of decoders."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from itertools import chain
from typing import ClassVar

import numpy as np
import pytest

from edge_perception.contract import DecodeError
from edge_perception.contract import Decoder
from edge_perception.contract import DecoderMismatchError
from edge_perception.contract import ImageTransform
from edge_perception.contract import ModelManifest
from edge_perception.contract import parse_options
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from edge_perception.contract import TASKS
from edge_perception.contract import Tensor
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception.testing.conformance.clauses import check_options
from edge_perception.testing.conformance.clauses import check_sentence
from edge_perception.testing.conformance.clauses import Conformance
from edge_perception.testing.conformance.clauses import NAME
from edge_perception.testing.conformance.clauses import not_applicable
from edge_perception.testing.conformance.perceptions import arrays_of
from edge_perception.testing.conformance.perceptions import check_empty
from edge_perception.testing.conformance.perceptions import check_expected
from edge_perception.testing.conformance.perceptions import check_same
from edge_perception.testing.conformance.perceptions import check_shapes
from edge_perception.testing.conformance.perceptions import in_source

# Single numbers of one output that are replaced by NaN, evenly spread where there are more.
MOST_REPLACED = 256
VENDORS = ('onnxruntime', 'openvino', 'tensorrt', 'ai_edge_litert', 'tensorflow', 'torch')


class DecoderConformance(Conformance):
    """
    Proves a decoder.

    ::

        class TestMyDecoder(DecoderConformance):
            decoder_type = MyDecoder
            manifest = ModelManifest(..., decoder='mine')
            seen = {'boxes': ..., 'scores': ...}
            unseen = {'boxes': ..., 'scores': ...}

    :param manifest: with the options and the names that the decoder needs.
    :param seen: outputs with at least two objects (or classes, or one instance of keypoints)
        whose scores are all above ``selection.score_threshold``.
    :param unseen: outputs in which there is nothing.
    :param selection: lets everything in ``seen`` pass.
    :param expected: what ``seen`` shows, best score first, in pixels of the input, as the code of
        the model's origin has it; without it, D14 does not apply, and a decoder that moves every
        box by half a cell keeps all clauses.
    """

    _needed = ('decoder_type', 'manifest', 'seen', 'unseen')
    decoder_type: ClassVar[type[Decoder]]
    manifest: ClassVar[ModelManifest]
    vendor_modules: ClassVar[tuple[str, ...]] = VENDORS
    seen: ClassVar[Mapping[str, Tensor]]
    unseen: ClassVar[Mapping[str, Tensor]]
    selection: ClassVar[Selection] = Selection(score_threshold=0.1)
    expected: ClassVar[Perception | None] = None

    def make(self, outputs: Sequence[TensorSpec] | None = None) -> Decoder:
        """Return the decoder, bound to the outputs of ``seen`` or to others."""
        if outputs is None:
            outputs = _specs(self.seen)
        kind = self.decoder_type
        values = self.manifest.decoder_options
        options = parse_options(kind.options_type, values, owner=self.subject())
        return kind(self.manifest, outputs=tuple(outputs), options=options)

    def decode(
        self,
        tensors: Tensors,
        *,
        decoder: Decoder | None = None,
        transform: ImageTransform | None = None,
        selection: Selection | None = None,
    ) -> Perception:
        """Decode; unless a transform is given, for an image that is the input itself."""
        width, height = self.manifest.input.width, self.manifest.input.height
        return (decoder or self.make()).decode(
            tensors,
            transform=transform or ImageTransform(width, height, width, height),
            selection=selection or self.selection,
        )

    def test_d01_the_host_takes_it(self) -> None:
        """The host takes the decoder; importing it imports no library of an engine's vendor."""
        self._check_registered_without_vendor()

    def test_d02_name_tasks_and_options(self) -> None:
        """It has a name, tasks of those that there are, and options that are described."""
        assert NAME.fullmatch(self.decoder_type.name)
        decoder = self.make()
        assert decoder.tasks and decoder.tasks <= set(TASKS)
        check_options(self.decoder_type.options_type)

    @pytest.mark.parametrize('what', ['none', 'another', 'rank'])
    def test_d03_other_outputs_are_refused(self, what: str) -> None:
        """
        Outputs that are not of its family are a ``DecoderMismatchError`` when it is made.

        It names what came and what was expected.
        """
        strange = TensorSpec('strange', (3, 1, 4, 1, 5, 9), np.dtype(np.float32))
        fitting = _specs(self.seen)
        outputs: dict[str, Sequence[TensorSpec]] = {
            'none': [],
            'another': [strange],
            'rank': [TensorSpec(fitting[0].name, strange.shape, fitting[0].dtype), *fitting[1:]],
        }
        with pytest.raises(DecoderMismatchError) as caught:
            self.make(outputs[what])
        check_sentence(caught.value)
        for spec in outputs[what]:
            assert f'{spec.name} {spec.describe()}' in str(caught.value)

    def test_d04_its_tasks_are_filled(self) -> None:
        """Every task is filled at every call, with the dtypes and shapes of ``Perception``."""
        decoder = self.make()
        for tensors in (self.seen, self.unseen):
            perception = self.decode(tensors, decoder=decoder)
            filled = {task for task in TASKS if getattr(perception, task) is not None}
            assert filled == decoder.tasks
            check_shapes(perception, self.manifest, decoder=decoder)

    def test_d05_nothing_is_an_empty_result(self) -> None:
        """Where nothing is seen, arrays have no rows, and keep their other sizes."""
        check_empty(self.decode(self.unseen))
        with pytest.raises(AssertionError):
            check_empty(self.decode(self.seen))

    @pytest.mark.parametrize('rotation', [0, 90, 180, 270])
    def test_d06_results_are_in_pixels_of_the_source(self, rotation: int) -> None:
        """Results go back through the transform, also a rotated one, and are not clipped."""
        width, height = self.manifest.input.width, self.manifest.input.height
        transform = ImageTransform(
            source_width=300,
            source_height=200,
            input_width=width,
            input_height=height,
            scale_x=0.25,
            scale_y=0.5,
            # Most of the input is beside the image.
            offset_x=width * 0.75,
            offset_y=height * 0.5,
            rotation=rotation,
        )
        in_input = self.decode(self.seen)
        got = self.decode(self.seen, transform=transform)
        check_same(got, in_source(in_input, transform), mask=False)
        for pixels in (got.mask, got.instances):
            if pixels is not None:
                assert pixels.shape == (200, 300)

    def test_d07_numbers_that_are_not_finite_are_refused(self) -> None:
        """
        NaN in the outputs is a ``DecodeError``, never an empty result and never reported.

        Where it stands beside everything that is reported, the result is the same without it.
        That holds for all outputs being NaN, for one of them, and for single numbers. Scores may
        be no detections instead, at most half of them: ``Perception.not_finite`` is their share.
        """
        decoder = self.make()
        real = [name for name, each in self.seen.items() if each.dtype.kind == 'f']
        if not real:
            not_applicable('no output has real numbers')
        broken = {name: np.full_like(self.seen[name], np.nan) for name in real}
        with pytest.raises(DecodeError) as caught:
            self.decode({**self.seen, **broken}, decoder=decoder)
        check_sentence(caught.value)
        clean = self.decode(self.seen, decoder=decoder)
        of_one_output = ({**self.seen, name: broken[name]} for name in real)
        for tensors in chain(of_one_output, _with_one_nan(self.seen, real)):
            try:
                got = self.decode(tensors, decoder=decoder)
            except DecodeError:
                continue
            if not got.not_finite:
                check_same(got, clean)

    def test_d08_the_threshold_is_honored(self) -> None:
        """
        Nothing has a score below ``score_threshold``; it may change between two frames.

        Where keypoints are all that it gives, one below it is unseen: score 0, position NaN.
        """
        decoder = self.make()
        scores = _scores(self.decode(self.seen, decoder=decoder))
        if not scores.size:
            not_applicable('it gives no scores')
        for threshold in (0.0, float(np.median(scores)), 1.01):
            selection = Selection(score_threshold=threshold, class_ids=self.selection.class_ids)
            found = _scores(self.decode(self.seen, decoder=decoder, selection=selection))
            assert (found >= threshold).all()
            assert (found.size > 0) == (threshold <= scores.max())

    def test_d09_the_best_objects_of_the_wanted_classes_in_order(self) -> None:
        """``class_ids`` and ``max_detections`` are honored; the best score comes first."""
        decoder = self.make()
        if not decoder.tasks & {'detections', 'classes'}:
            not_applicable('it tells no classes')
        score, class_id = _ranked(self.decode(self.seen, decoder=decoder))
        assert len(score) > 1, 'seen has to show at least two objects or classes'
        assert (np.diff(score) <= 0).all()
        best = Selection(score_threshold=self.selection.score_threshold, max_detections=1)
        assert _ranked(self.decode(self.seen, decoder=decoder, selection=best))[0] == score[:1]
        for wanted in (set(), {int(class_id[-1])}):
            only = Selection(
                score_threshold=self.selection.score_threshold, class_ids=frozenset(wanted)
            )
            found = _ranked(self.decode(self.seen, decoder=decoder, selection=only))[1]
            assert set(found.tolist()) == wanted

    def test_d10_tensors_are_not_changed(self) -> None:
        """Tensors may be read only, and are not changed."""
        tensors = {name: each.copy() for name, each in self.seen.items()}
        for each in tensors.values():
            each.setflags(write=False)
        self.decode(tensors)
        for name, each in tensors.items():
            np.testing.assert_array_equal(each, self.seen[name])

    def test_d11_results_are_new_arrays(self) -> None:
        """Results share no memory with the tensors or with the results of other frames."""
        decoder = self.make()
        tensors = {name: each.copy() for name, each in self.seen.items()}
        first = self.decode(tensors, decoder=decoder)
        second = self.decode(tensors, decoder=decoder)
        for one in arrays_of(first):
            for other in (*tensors.values(), *arrays_of(second)):
                assert not np.shares_memory(one, other)

    def test_d12_frames_do_not_depend_on_each_other(self) -> None:
        """The same outputs give the same result, whatever came between."""
        decoder = self.make()
        first = self.decode(self.seen, decoder=decoder)
        self.decode(self.unseen, decoder=decoder)
        check_same(self.decode(self.seen, decoder=decoder), first)

    def test_d13_sizes_that_are_known_late(self) -> None:
        """
        Where an output has -1 in its shape, the decoder looks at the size that comes.

        Or refuses it when it is made.
        """
        outputs = [
            TensorSpec(name, (*each.shape[:1], *[-1] * (each.ndim - 1)), each.dtype)
            for name, each in self.seen.items()
        ]
        try:
            decoder = self.make(outputs)
        except DecoderMismatchError:
            return
        check_same(self.decode(self.seen, decoder=decoder), self.decode(self.seen))

    def test_d14_what_is_seen_is_what_is_there(self) -> None:
        """Where ``expected`` is declared, objects, points, scores and classes are those."""
        if self.expected is None:
            not_applicable('no expected result is declared')
        check_expected(self.decode(self.seen), self.expected)


def _specs(tensors: Tensors) -> list[TensorSpec]:
    return [TensorSpec(name, each.shape, each.dtype) for name, each in tensors.items()]


def _with_one_nan(tensors: Tensors, names: Sequence[str]) -> Iterator[Tensors]:
    """Yield the tensors with one number replaced by NaN, for each number that is not 0."""
    for name in names:
        places = np.flatnonzero(tensors[name])
        step = -(-len(places) // MOST_REPLACED) or 1
        for place in places[::step]:
            broken = tensors[name].copy()
            broken.reshape(-1)[place] = np.nan
            yield {**tensors, name: broken}


def _scores(perception: Perception) -> Tensor:
    """Return the scores of everything that was seen."""
    parts = (perception.detections, perception.classes)
    scores = [part.score for part in parts if part is not None]
    if perception.keypoints is not None and not scores:
        seen = ~np.isnan(perception.keypoints.xy).any(axis=2)
        assert (perception.keypoints.score[~seen] == 0).all()
        scores = [perception.keypoints.score[seen]]
    return np.concatenate(scores) if scores else np.zeros(0)


def _ranked(perception: Perception) -> tuple[Tensor, Tensor]:
    part = perception.detections if perception.detections is not None else perception.classes
    assert part is not None
    return part.score, part.class_id
