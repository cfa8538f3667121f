# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from edge_perception.contract import DecodeError
from edge_perception.contract import DecoderMismatchError
from test.decoders.network import make_decoder
from test.decoders.outputs import bind
from test.decoders.outputs import decode
from test.decoders.outputs import make_manifest
from test.decoders.outputs import specs

CELLS = (64, 16, 4)


def sides(*distances: float, bins: int = 8) -> np.ndarray:
    """Return logits whose expected values are these distances, in strides."""
    away = np.abs(np.arange(bins) - np.array(distances)[:, None])
    return np.log(np.maximum(1 - away, 1e-30)).astype(np.float32).reshape(-1)


def six_outputs(classes: int = 3, bins: int = 8) -> dict[str, np.ndarray]:
    """Return outputs with one object: the cell of stride 16 whose corner is at (32, 16)."""
    tensors = {f'cls_{n}': np.zeros((1, n, classes), np.float32) for n in CELLS}
    tensors |= {f'dis_{n}': np.zeros((1, n, 4 * bins), np.float32) for n in CELLS}
    tensors['cls_16'][0, 6, 2] = 0.7
    tensors['dis_16'][0, 6] = sides(1.25, 0.5, 0.5, 1, bins=bins)
    return tensors


def joined(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    parts = [np.concatenate([tensors[f'cls_{n}'], tensors[f'dis_{n}']], axis=2) for n in CELLS]
    return {'output': np.concatenate(parts, axis=1)}


def plus(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the same with the one cell of stride 64."""
    (output,) = joined(tensors).values()
    return {'output': np.concatenate([output, np.zeros_like(output[:, :1])], axis=1)}


@pytest.mark.parametrize(
    'rearranged, box',
    [
        (dict, [20, 16, 48, 40]),
        # A converter may change the order of the outputs.
        (lambda tensors: dict(sorted(tensors.items(), reverse=True)), [20, 16, 48, 40]),
        (joined, [20, 16, 48, 40]),
        (plus, [12, 8, 40, 32]),
    ],
)
def test_distances_become_a_box(rearranged, box):
    tensors = rearranged(six_outputs())
    decoder = bind(make_manifest('nanodet'), tensors)
    found = decode(decoder, tensors).detections
    np.testing.assert_allclose(found.xyxy, [box], atol=1e-4)
    np.testing.assert_allclose(found.score, [0.7])
    assert found.class_id.tolist() == [2]
    assert decoder.class_count == 3


@pytest.mark.parametrize(
    'count_from, corner', [('center', 20), ('center_pixel', 19.5), ('corner', 12)]
)
def test_where_distances_count_from(count_from, corner):
    tensors = six_outputs()
    decoder = bind(make_manifest('nanodet', count_from=count_from), tensors)
    assert decode(decoder, tensors).detections.xyxy[0, 0] == pytest.approx(corner, abs=1e-4)


def test_as_many_classes_as_distances():
    # 32 numbers everywhere: the scores come first.
    tensors = six_outputs(classes=32)
    decoder = bind(make_manifest('nanodet'), tensors)
    assert decoder.class_count == 32
    assert decode(decoder, tensors).detections.class_id.tolist() == [2]


def test_another_range_of_distances():
    tensors = six_outputs(bins=11)
    found = decode(bind(make_manifest('nanodet', reg_max=10), tensors), tensors).detections
    np.testing.assert_allclose(found.xyxy, [[20, 16, 48, 40]], atol=1e-4)
    with pytest.raises(DecoderMismatchError, match='the option reg_max is 7'):
        bind(make_manifest('nanodet'), tensors)


def test_boxes_end_at_the_border_of_the_input():
    tensors = six_outputs()
    tensors['dis_16'][0, 6] = sides(7, 7, 7, 7)
    found = decode(bind(make_manifest('nanodet'), tensors), tensors).detections
    assert found.xyxy.tolist() == [[0, 0, 64, 64]]


@pytest.mark.parametrize(
    'shapes',
    [
        {},
        {'output': (1, 84, 32)},
        {'output': (1, 80, 35)},
        {'cls_8': (1, 64, 3), 'dis_8': (1, 64, 32)},
        {
            f'{kind}_{n}': (1, n, 32 if kind == 'dis' else 3)
            for n in (16, 4)
            for kind in ('cls', 'dis')
        },
        {f'{kind}_{n}': (1, n, 3) for n in CELLS for kind in ('cls', 'dis')},
    ],
)
def test_other_outputs_are_refused(shapes):
    with pytest.raises(DecoderMismatchError) as caught:
        make_decoder(make_manifest('nanodet'), *specs(**shapes))
    message = str(caught.value)
    assert 'expected six outputs 1x64xclasses and 1x64x32' in message
    assert 'or one output 1x84x(classes + 32), for NanoDet-Plus 1x85x(classes + 32)' in message


def test_a_box_that_is_not_finite_is_an_error_and_not_an_empty_scene():
    tensors = six_outputs()
    tensors['dis_16'][0, 6, 1] = np.nan
    with pytest.raises(DecodeError, match='not finite'):
        decode(bind(make_manifest('nanodet'), tensors), tensors)


def test_an_empty_scene_has_no_objects():
    tensors = six_outputs()
    tensors['cls_16'][:] = 0
    found = decode(bind(make_manifest('nanodet'), tensors), tensors).detections
    assert found.xyxy.shape == (0, 4)
    assert found.xyxy.dtype == np.float32
