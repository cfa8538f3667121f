# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Instance masks of a network whose prototypes are disks, so that its masks are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_perception.contract import DecodeError
from edge_perception.contract import ImageTransform
from edge_perception.contract import Selection
from edge_perception.models.records import perceived
from test.decoders.outputs import bind
from test.decoders.outputs import decode
from test.decoders.outputs import make_manifest

SIDE, CELLS, GRID, PROTOTYPES = 128, 336, 32, 32
# Center and radius, in pixels of the input; they overlap. The box of the second cuts its disk.
DISKS = ((40, 60, 24), (70, 60, 20))
BOXES = ((40, 60, 50, 50), (70, 50, 42, 20))
SAME = ImageTransform(SIDE, SIDE, SIDE, SIDE)


def outputs(*, layout: str, last: bool, scores=(0.9, 0.7)) -> dict[str, np.ndarray]:
    y, x = (np.mgrid[:GRID, :GRID] + 0.5) * SIDE / GRID
    prototypes = np.zeros((1, PROTOTYPES, GRID, GRID), np.float32)
    for index, (cx, cy, radius) in enumerate(DISKS):
        prototypes[0, index] = 2 * (radius - np.hypot(x - cx, y - cy))
    rows = []
    for index, ((cx, cy, width, height), score) in enumerate(zip(BOXES, scores)):
        box = [cx, cy, width, height]
        if layout == 'end_to_end':
            box = [cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2]
        # Half of the prototype: its logit is above 0 in the same places.
        rows.append([*box, score, *[0] * (layout == 'end_to_end'), *0.5 * np.eye(32)[index]])
    output = np.zeros((1, 300 if layout == 'end_to_end' else CELLS, len(rows[0])), np.float32)
    output[0, 7 : 7 + len(rows)] = rows
    if layout == 'channels_first':
        output = output.transpose(0, 2, 1)
    if last:
        prototypes = np.moveaxis(prototypes, 1, -1)
    # In some exports the prototypes come first.
    return {'proto': prototypes, 'output0': output}


def see(tensors, *, layout: str, last: bool, transform=SAME, **selection):
    form = 'nhwc' if last else 'nchw'
    manifest = make_manifest('yolo', width=SIDE, height=SIDE, labels=('disk',), layout=form)
    manifest = replace(manifest, decoder_options={'layout': layout})
    return decode(bind(manifest, tensors), tensors, Selection(**selection), transform)


def truth(transform: ImageTransform, *scores: float) -> np.ndarray:
    """Return the instances pixel by pixel, each mapped to the input by brute force."""
    height, width = transform.source_height, transform.source_width
    side = transform.input_width
    grid = np.stack(np.meshgrid(np.arange(0, side, 0.25), np.arange(0, side, 0.25)), -1) + 0.125
    source = np.floor(transform.points_to_source(grid)).astype(int)
    inside = ((source >= 0) & (source < [width, height])).all(-1)
    expected = np.zeros((height, width), int)
    for row in np.argsort(scores, kind='stable'):
        (cx, cy, radius), (bx, by, bw, bh) = DISKS[row], BOXES[row]
        shown = np.hypot(grid[..., 0] - cx, grid[..., 1] - cy) < radius
        shown &= (abs(grid - [bx, by]) < [bw / 2, bh / 2]).all(-1) & inside
        expected[source[shown][:, 1], source[shown][:, 0]] = row + 1
    return expected


@pytest.mark.parametrize('last', [False, True])
@pytest.mark.parametrize('layout', ['channels_first', 'channels_last', 'end_to_end'])
def test_masks_are_the_disks_cut_to_their_boxes(layout, last):
    found = see(outputs(layout=layout, last=last), layout=layout, last=last)
    assert found.instances.dtype == np.uint16
    assert np.mean(found.instances == truth(SAME, 0.9, 0.7)) > 0.985
    # The better one is on top, and in a box alone there is nothing.
    assert found.instances[60, 58] == 1 and found.instances[45, 80] == 2
    assert found.instances[72, 70] == found.instances[36, 18] == 0


@pytest.mark.parametrize('rotation', [0, 90, 180, 270])
@pytest.mark.parametrize('scale', [0.5, 2.0])
def test_masks_go_back_to_the_source(rotation, scale):
    """A frame of another size in a letterbox, of a camera that is mounted turned."""
    across, down = (int(size / scale) for size in (128, 96))
    width, height = (across, down) if rotation % 180 == 0 else (down, across)
    transform = ImageTransform(width, height, SIDE, SIDE, scale, scale, 0, 16, rotation)
    tensors = outputs(layout='channels_first', last=False)
    found = see(tensors, layout='channels_first', last=False, transform=transform)
    assert found.instances.shape == (height, width)
    assert np.mean(found.instances == truth(transform, 0.9, 0.7)) > 0.97


def test_numbers_are_rows_of_the_published_detections():
    tensors = outputs(layout='end_to_end', last=False, scores=(0.5, 0.8))
    found = see(tensors, layout='end_to_end', last=False)
    np.testing.assert_allclose(found.detections.score, [0.8, 0.5])
    assert found.instances[45, 80] == 1 and found.instances[60, 30] == 2
    alone = see(tensors, layout='end_to_end', last=False, score_threshold=0.6)
    assert set(np.unique(alone.instances)) == {0, 1}
    nothing = see(tensors, layout='end_to_end', last=False, score_threshold=0.95)
    assert nothing.instances.shape == (SIDE, SIDE) and not nothing.instances.any()


def test_polygons_of_the_record_outline_the_masks():
    tensors = outputs(layout='channels_first', last=False)
    found = see(tensors, layout='channels_first', last=False)
    rows = perceived(found, make_manifest('yolo'))['detections']
    (outline,) = rows[0]['polygons']
    reach = np.hypot(*(np.array(outline) - DISKS[0][:2]).T)
    assert reach.min() > 22 and reach.max() < 25


@pytest.mark.parametrize('name', ['proto', 'output0'])
def test_a_mask_that_is_not_finite_is_an_error(name):
    tensors = outputs(layout='channels_first', last=False)
    if name == 'proto':
        tensors[name][0, 0, 15, 10] = np.nan
    else:
        tensors[name][0, 5, 7] = np.nan
    with pytest.raises(DecodeError, match='not finite'):
        see(tensors, layout='channels_first', last=False)
