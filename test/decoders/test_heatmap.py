# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest

from edge_perception.contract import DecodeError
from edge_perception.contract import DecoderMismatchError
from edge_perception.contract import ImageTransform
from edge_perception.contract import Selection
from test.decoders.network import make_decoder
from test.decoders.outputs import bind
from test.decoders.outputs import decode
from test.decoders.outputs import make_manifest
from test.decoders.outputs import specs

NAMES = ('nose', 'tail')
WIDTH, HEIGHT, STEP = 48, 64, 4


def gaussian(x: float, y: float, *, peak: float = 1.0, sigma: float = 2.0) -> np.ndarray:
    """Return a map whose maximum lies at continuous cell coordinates x, y."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    away = (columns - x) ** 2 + (rows - y) ** 2
    return (peak * np.exp(-away / (2 * sigma**2))).astype(np.float32)


def heat(*maps: np.ndarray, layout: str = 'nchw') -> dict[str, np.ndarray]:
    stack = np.stack(maps)[None]
    return {
        'heat': stack if layout == 'nchw' else np.ascontiguousarray(stack.transpose(0, 2, 3, 1))
    }


def manifest(**options):
    return make_manifest(
        'heatmap', width=WIDTH * STEP, height=HEIGHT * STEP, keypoints=NAMES, **options
    )


places = st.tuples(st.floats(1.6, WIDTH - 1.6), st.floats(1.6, HEIGHT - 1.6))


@settings(max_examples=60, deadline=None)
@given(places, places, st.sampled_from(['nchw', 'nhwc']))
def test_positions_are_found_between_the_cells(nose, tail, layout):
    tensors = heat(gaussian(*nose, peak=0.9), gaussian(*tail, peak=0.7), layout=layout)
    found = decode(bind(manifest(), tensors), tensors).keypoints
    # A hundredth of a cell.
    np.testing.assert_allclose(found.xy, [np.array([nose, tail]) * STEP], atol=0.01 * STEP)
    assert ((found.score > 0.6) & (found.score <= 0.9)).all()


def test_a_peak_at_the_border_stays_in_its_cell():
    tensors = heat(gaussian(0.2, 0.2), gaussian(WIDTH - 0.2, HEIGHT - 0.2))
    found = decode(bind(manifest(), tensors), tensors).keypoints
    expected = np.array([[0.5, 0.5], [WIDTH - 0.5, HEIGHT - 0.5]]) * STEP
    np.testing.assert_allclose(found.xy[0], expected, atol=1e-3)


def test_targets_that_lie_at_the_corners_of_cells():
    # Cell 10 belongs to the pixel with index 40, whose center is at 40.5.
    tensors = heat(gaussian(10.5, 20.5), gaussian(10.75, 20.5))
    found = decode(bind(manifest(grid='corner'), tensors), tensors).keypoints
    np.testing.assert_allclose(found.xy[0], [[40.5, 80.5], [41.5, 80.5]], atol=0.01)


def test_unseen_keypoints_have_no_position():
    tensors = heat(gaussian(10, 10, peak=0.9), gaussian(20, 20, peak=0.2))
    decoder = bind(manifest(), tensors)
    found = decode(decoder, tensors, Selection(score_threshold=0.5)).keypoints
    assert found.xy.shape == (1, 2, 2)
    assert np.isfinite(found.xy[0, 0]).all()
    assert np.isnan(found.xy[0, 1]).all()
    assert found.score[0].tolist() == [pytest.approx(0.9, abs=0.06), 0]
    assert found.xy.dtype == found.score.dtype == np.float32


def test_no_keypoint_is_no_instance():
    tensors = heat(np.zeros((HEIGHT, WIDTH), np.float32), gaussian(20, 20, peak=0.2))
    found = decode(bind(manifest(), tensors), tensors, Selection(score_threshold=0.5)).keypoints
    assert found.xy.shape == (0, 2, 2)
    assert found.score.shape == (0, 2)


def test_logits_become_scores():
    tensors = heat(gaussian(10.5, 20.5, peak=8) - 4, gaussian(30.5, 30.5, peak=8) - 6)
    found = decode(bind(manifest(activation='sigmoid'), tensors), tensors).keypoints
    np.testing.assert_allclose(
        found.score, [[1 / (1 + np.exp(-4)), 1 / (1 + np.exp(-2))]], rtol=1e-5
    )
    np.testing.assert_allclose(
        found.xy[0], np.array([[10.5, 20.5], [30.5, 30.5]]) * STEP, atol=1e-3
    )


def test_values_beside_a_peak_may_be_negative():
    sharp = np.full((HEIGHT, WIDTH), -0.1, np.float32)
    sharp[20, 10] = 0.8
    tensors = heat(sharp, sharp)
    found = decode(bind(manifest(), tensors), tensors).keypoints
    np.testing.assert_allclose(found.xy[0, 0], [10.5 * STEP, 20.5 * STEP])


def test_letterbox_and_rotation_are_undone():
    # A source of 500x400, turned by 270 degrees to 400x500, shrunk by 2, beside it 16 pixels.
    transform = ImageTransform(
        500, 400, WIDTH * STEP, HEIGHT * STEP, 0.44, 0.44, offset_x=8, offset_y=18, rotation=270
    )
    tensors = heat(gaussian(10, 20), gaussian(30, 40))
    found = decode(bind(manifest(), tensors), tensors, transform=transform).keypoints
    x, y = (40 - 8) / 0.44, (80 - 18) / 0.44
    np.testing.assert_allclose(found.xy[0, 0], [500 - y, x], atol=0.1)


@pytest.mark.parametrize(
    'shapes',
    [{}, {'heat': (1, 3, 64, 48)}, {'heat': (2, 64, 48)}, {'heat': (1, 64, 48, 3)}],
)
def test_other_outputs_are_refused(shapes):
    with pytest.raises(DecoderMismatchError, match='1x2xHxW or 1xHxWx2, a map for each keypoint'):
        make_decoder(manifest(), *specs(**shapes))


def test_numbers_that_are_not_finite_are_an_error_and_not_an_unseen_keypoint():
    tensors = heat(*[np.full((HEIGHT, WIDTH), np.nan, np.float32)] * 2)
    with pytest.raises(DecodeError, match='not finite'):
        decode(bind(manifest(), tensors), tensors)


def test_logits_that_the_manifest_calls_scores_are_an_error():
    tensors = heat(gaussian(10, 20, peak=8), gaussian(30, 40, peak=8) - 4)
    with pytest.raises(DecodeError, match='scores up to .*, expected 0 to 1; set activation: sig'):
        decode(bind(manifest(), tensors), tensors)


def test_a_peak_that_overshoots_has_score_1():
    tensors = heat(gaussian(10.5, 20.5, peak=1.2), gaussian(30, 40))
    found = decode(bind(manifest(), tensors), tensors).keypoints
    assert found.score[0, 0] == 1


def test_infinity_is_no_certain_keypoint():
    tensors = heat(gaussian(10, 20), gaussian(30, 40))
    tensors['heat'][0, 0, 5, 5] = np.inf
    found = decode(bind(manifest(activation='sigmoid'), tensors), tensors)
    assert np.isnan(found.keypoints.xy[0, 0]).all()
    assert found.keypoints.score[0, 0] == 0 < found.keypoints.score[0, 1]
    assert found.not_finite == 0.5
