# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Which decoder a draft chooses from shapes and metadata, and when it asks."""

from __future__ import annotations

import re

import pytest

from edge_perception.contract import Decoder
from edge_perception.contract import Guess
from edge_perception.contract import ModelDescription
from edge_perception.contract import PluginError
from edge_perception.contract import UNANSWERED
from edge_perception.decoders import DECODERS
from edge_perception.models.drafting import draft_manifest
from test.models.drafting_rig import CELLS
from test.models.drafting_rig import complete
from test.models.drafting_rig import draft
from test.models.drafting_rig import EXPORT
from test.models.drafting_rig import exported
from test.models.drafting_rig import IMAGE
from test.models.drafting_rig import specs
from test.support.raising import raises


class Masks(Decoder):
    """A decoder of a stranger, for what none of ours reads."""

    name = 'masks'
    tasks = frozenset({'detections'})

    @classmethod
    def guess(cls, facts):
        fits = facts.task == 'segment' and facts.only_shape[1:2] == (4 + len(facts.labels) + 32,)
        options = {'protos': len(facts.labels)}
        return Guess('masks', certain=True, options=options) if fits else None

    def _decode(self, tensors, transform, selection):
        raise NotImplementedError


def test_a_decoder_of_a_plugin_drafts_what_it_reads():
    description = ModelDescription(
        specs(IMAGE, prefix='in'), specs((1, 38, CELLS)), {**EXPORT, 'task': 'segment'}
    )
    made = draft_manifest(description, source='net.onnx', decoders=[*DECODERS, Masks])
    manifest = complete(made)
    assert (manifest.decoder, manifest.decoder_options) == ('masks', {'protos': 2})
    assert made.unsupported == ()


class Broken(Masks):
    name = 'broken'

    @classmethod
    def guess(cls, facts):
        raise KeyError('shape')


def test_a_decoder_that_fails_to_guess_is_blamed():
    description = ModelDescription(specs(IMAGE, prefix='in'), specs((1, 1000)))
    with raises(PluginError, "decoder 'broken'"):
        draft_manifest(description, source='net.onnx', decoders=[*DECODERS, Broken])


def test_yolov5_carries_metadata_without_a_task_and_is_not_mistaken():
    known = {'stride': '32', 'names': "{0: 'person'}"}
    made = draft((1, 3 * CELLS, 6), **known)
    assert made.values['decoder'] == {'name': 'yolox', 'options': {'decoded': True}}
    assert 'looks like YOLOv5' in '; '.join(made.unknown)


@pytest.mark.parametrize(
    ('outputs', 'decoders'),
    [
        ([(1, 300, 6)], ['rtdetr', 'yolo']),  # two classes, or finished rows
        ([(1, CELLS, 112)], ['nanodet', 'yolox']),
        ([(1, 17, 160, 160)], ['heatmap', 'segmentation']),
    ],
)
def test_of_two_decoders_that_fit_none_is_chosen(outputs, decoders):
    made = draft(*outputs)
    assert made.values['decoder'] == {'name': UNANSWERED}
    (question,) = (each for each in made.unknown if 'how the outputs are decoded' in each)
    assert re.findall(r"\('(\w+)'\)", question) == decoders
    assert made.habits == {}


@pytest.mark.parametrize(
    ('names', 'width', 'metadata', 'decoder'),
    [
        ("{0: 'a', 1: 'b'}", 6, {'description': 'Ultralytics rtdetr-l model'}, 'rtdetr'),
        ("{0: 'a', 1: 'b'}", 6, {'description': 'my own', 'end2end': 'False'}, 'rtdetr'),
        ("{0: 'a', 1: 'b'}", 6, {'description': 'my own', 'end2end': 'True'}, 'yolo'),
        ("{0: 'a', 1: 'b'}", 6, {'description': 'Ultralytics YOLOv10n model'}, 'yolo'),
        ("{0: 'a', 1: 'b'}", 6, {'description': 'my own'}, UNANSWERED),
        ("{0: 'a', 1: 'b', 2: 'c'}", 7, {'description': 'my own'}, 'rtdetr'),
        ("{0: 'a', 1: 'b', 2: 'c'}", 6, {'description': 'my own'}, 'yolo'),
    ],
)
def test_metadata_tells_rtdetr_from_finished_rows(names, width, metadata, decoder):
    made = exported((1, 300, width), names=names, **metadata)
    assert made.values['decoder']['name'] == decoder
    if decoder == 'rtdetr':
        assert complete(made).input.resize == 'stretch'


@pytest.mark.parametrize('shape', [(-1, 7), (-1, 6), (5, 7)])
def test_rows_that_are_found_are_no_classes(shape):
    assert draft(shape).values['decoder'] == {'name': UNANSWERED}
    open_batch = draft((-1, 7), image=(-1, 3, 640, 640))
    assert open_batch.values['decoder'] == {'name': 'classifier'}


def test_what_yolox_decodes_itself_is_asked():
    made = draft((1, CELLS, 85))
    assert made.values['decoder']['options'] == {'decoded': UNANSWERED}
    assert any('decoded' in each for each in made.unknown)


@pytest.mark.parametrize(
    ('outputs', 'decoder'),
    [
        ([(1, CELLS, 85)], 'yolox'),
        ([(1, 84, CELLS)], 'yolo'),
        ([(1, 84, 34000)], 'yolo'),  # strides 4 to 32
        ([(1, 100, 6)], 'yolo'),
        (
            [(1, cells, 80) for cells in (6400, 1600, 400)]
            + [(1, cells, 32) for cells in (6400, 1600, 400)],
            'nanodet',
        ),
        ([(1, cells, width) for width in (1, 1, 4, 10) for cells in (6400, 1600, 400)], 'yunet'),
        ([(1, 10, 4), (1, 10), (1, 10), (1,)], 'ssd'),
        ([(1, 10), (1, 10, 4), (1,), (1, 10)], 'ssd'),
        ([(1, 1, 17, 3)], 'movenet'),
        ([(1, 1000)], 'classifier'),
        ([(1, 1000, 1, 1)], 'classifier'),
        ([(1, 21, 640, 640)], 'segmentation'),
        ([(1, 640, 640, 21)], 'segmentation'),
    ],
)
def test_shapes_give_families_away_as_a_guess(outputs, decoder):
    made = draft(*outputs)
    assert made.values['decoder']['name'] == decoder
    assert any(f'the decoder {decoder!r} is a guess' in each for each in made.unknown)


@pytest.mark.parametrize('outputs', [[], [(7,)], [(1, 5, 5, 5, 5)], [(1, 3, 7, 9)], [(2, 3)] * 5])
def test_strange_outputs_are_no_guess(outputs):
    made = draft(*outputs)
    assert made.values['decoder']['name'] == UNANSWERED
    assert any('how the outputs are decoded' in each for each in made.unknown)
