# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""S01 to S11: the clauses of stages."""

from __future__ import annotations

from collections.abc import Mapping
import copy
from dataclasses import replace
from typing import Any
from typing import ClassVar

import numpy as np
import pytest

from edge_perception.contract import Boxes3D
from edge_perception.contract import DecodeError
from edge_perception.contract import Detections
from edge_perception.contract import ModelManifest
from edge_perception.contract import ObjectPose
from edge_perception.contract import OUTPUT_KINDS
from edge_perception.contract import parse_options
from edge_perception.contract import Perception
from edge_perception.contract import Stage
from edge_perception.contract import STAGE_TASKS
from edge_perception.contract import StageInputs
from edge_perception.testing.conformance.clauses import check_options
from edge_perception.testing.conformance.clauses import check_sentence
from edge_perception.testing.conformance.clauses import Conformance
from edge_perception.testing.conformance.clauses import NAME
from edge_perception.testing.conformance.clauses import not_applicable
from edge_perception.testing.conformance.decoder import VENDORS
from edge_perception.testing.conformance.perceptions import arrays_of
from edge_perception.testing.conformance.perceptions import check_empty
from edge_perception.testing.conformance.perceptions import check_same
from edge_perception.testing.conformance.resources import check_growth

FRAMES = 300
# Bytes that may stay behind after that many frames.
MOST_MEMORY = 4_000_000
IMAGES = {
    'image bgr8': (np.uint8, 3),
    'image mono8': (np.uint8, 2),
    'image mono16': (np.uint16, 2),
    'image 32FC1': (np.float32, 2),
}
EXTRAS = {'detections': Detections, 'boxes_3d': Boxes3D, 'pose': ObjectPose}


class StageConformance(Conformance):
    """
    Proves a stage.

    ::

        class TestMyStage(StageConformance):
            stage_type = MyStage
            manifest = ModelManifest(...)
            frames = [StageInputs(...), StageInputs(...)]
            unseen = StageInputs(...)

    :param manifest: of a model to which the stage applies with ``options``.
    :param frames: two or more of one camera, in which it finds something.
    :param unseen: what it needs is there, and holds nothing.
    """

    _needed = ('stage_type', 'manifest', 'frames', 'unseen')
    stage_type: ClassVar[type[Stage]]
    manifest: ClassVar[ModelManifest]
    options: ClassVar[Mapping[str, Any]] = {}
    vendor_modules: ClassVar[tuple[str, ...]] = VENDORS
    frames: ClassVar[list[StageInputs]]
    unseen: ClassVar[StageInputs]

    def make(self) -> Stage:
        """Return the stage as a camera gets it."""
        kind = self.stage_type
        options = parse_options(kind.options_type, self.options, owner=self.subject())
        assert kind.applies(self.manifest, options) is True
        return kind(self.manifest, options=options)

    def results(self, stage: Stage | None = None) -> list[Perception]:
        """Return what it makes of the frames, one after the other."""
        stage = stage or self.make()
        return [stage.run(inputs) for inputs in self.frames]

    def test_s01_the_host_takes_it(self) -> None:
        """The host takes the stage; importing it imports no library of an engine's vendor."""
        self._check_registered_without_vendor()

    def test_s02_it_declares_what_there_is(self) -> None:
        """Tasks and needs are fields of ``Perception``, outputs are of the known kinds."""
        stage = self.make()
        assert (stage.tasks | stage.needs) <= set(STAGE_TASKS)
        assert stage.tasks or stage.publishes, 'it gives nothing'
        assert set(stage.publishes.values()) <= set(OUTPUT_KINDS)
        assert all(NAME.fullmatch(name) for name in (*stage.publishes, *stage.reads.images))
        assert all(name.strip('/ ') == name != '' for name in stage.reads.transforms)
        check_options(self.stage_type.options_type)

    def test_s03_it_gives_what_it_declares(self) -> None:
        """Every task is filled at every call; extras are declared, and of their kind."""
        stage = self.make()
        for perception in (*self.results(stage), stage.run(self.unseen)):
            assert all(getattr(perception, task) is not None for task in stage.tasks)
            assert set(perception.extras) <= set(stage.publishes)
            for topic, value in perception.extras.items():
                kind = stage.publishes[topic]
                if kind in EXTRAS:
                    assert isinstance(value, EXTRAS[kind])
                else:
                    assert (value.dtype, value.ndim) == IMAGES[kind]

    def test_s04_it_leaves_alone_what_it_does_not_declare(self) -> None:
        """Fields that are not its tasks, and the extras of stages before, are passed on."""
        inputs = self.frames[0]
        mine = {'extras_of_another': np.zeros(1)}
        given = replace(inputs, perception=replace(inputs.perception, extras=mine))
        stage = self.make()
        got = stage.run(given)
        for field in set(STAGE_TASKS) - stage.tasks:
            assert getattr(got, field) is getattr(inputs.perception, field)
        assert got.extras['extras_of_another'] is mine['extras_of_another']

    def test_s05_nothing_is_an_empty_result(self) -> None:
        """Where nothing was seen, arrays have no rows, and there are no poses."""
        stage = self.make()
        for _ in range(2):
            got = stage.run(self.unseen)
            check_empty(got)
            assert got.poses == ()

    def test_s06_a_failure_is_an_error(self) -> None:
        """
        Where what it needs is missing, it raises ``DecodeError``; never an empty result.

        The next frame works.
        """
        stage = self.make()
        needs = sorted(stage.needs - {'poses'})
        if not needs:
            not_applicable('it needs nothing that can be missing')
        for need in needs:
            lacking: Any = {need: None}
            without = replace(self.frames[0].perception, **lacking)
            with pytest.raises(DecodeError) as caught:
                stage.run(replace(self.frames[0], perception=without))
            check_sentence(caught.value)
            stage.run(self.frames[0])

    def test_s07_what_has_not_come_is_said(self) -> None:
        """Without what it reads of other topics it goes on, and ``problem`` says what lacks."""
        stage = self.make()
        reads = stage.reads
        wanted = (*reads.transforms, *(['angular_rate'] if reads.angular_rate else []))
        if not (reads.calibration or reads.images or wanted):
            not_applicable('it reads no other topic')
        nothing: dict[str, Any] = {'calibration': None, 'images': {}, 'transforms': {}}
        missing = dict.fromkeys(wanted, 'nothing has come so far')
        for inputs in self.frames:
            stage.run(replace(inputs, **nothing, angular_rate=None, missing=missing))
        assert stage.problem
        self.results(stage)
        assert not stage.problem

    def test_s08_what_it_does_not_declare_it_does_not_read(self) -> None:
        """Without ``Reads.image``, and so on, other pixels or none of it give the same."""
        expected, stage = self.results(), self.make()
        reads = stage.reads
        for inputs, perception in zip(self.frames, expected):
            pixels = inputs.frame.image if reads.image else 255 - inputs.frame.image
            undeclared: dict[str, Any] = {} if reads.calibration else {'calibration': None}
            undeclared |= {} if reads.images else {'images': {}}
            undeclared |= {'candidates': None} if reads.candidates is None else {}
            undeclared |= {} if reads.transforms else {'transforms': {}}
            undeclared |= {} if reads.angular_rate else {'angular_rate': None}
            frame = replace(inputs.frame, image=pixels)
            check_same(stage.run(replace(inputs, frame=frame, **undeclared)), perception)

    def test_s09_inputs_are_not_changed(self) -> None:
        """Arrays may be read only, are not changed, and results of other frames stay."""
        frames = copy.deepcopy(self.frames)
        for array in arrays_of(tuple(frames)):
            array.setflags(write=False)
        stage = self.make()
        results = [stage.run(inputs) for inputs in frames]
        kept = copy.deepcopy(results)
        stage.run(self.unseen)
        self.results(stage)
        for one, other in zip((*frames, *results), (*self.frames, *kept)):
            for got, expected in zip(arrays_of(one), arrays_of(other)):
                np.testing.assert_array_equal(got, expected)

    def test_s10_cameras_and_runs_do_not_depend_on_each_other(self) -> None:
        """The same frames give the same, beside another camera's stage and after a reset."""
        expected = self.results()
        stage, other = self.make(), self.make()
        for inputs, perception in zip(self.frames, expected):
            other.run(self.unseen)
            check_same(stage.run(inputs), perception)
            other.run(inputs)
        stage.reset()
        for got, perception in zip(self.results(stage), expected):
            check_same(got, perception)

    def test_s11_frames_leave_nothing_behind(self) -> None:
        """Three hundred frames leave no thread, file handle or memory behind."""
        stage = self.make()
        settle = FRAMES // len(self.frames)
        check_growth(lambda: self.results(stage), times=settle, settle=settle, memory=MOST_MEMORY)
