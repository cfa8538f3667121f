# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import struct
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from edge_perception.simulation import landing_pad as pad
from edge_perception.tooling.pad_drawing import PAPER
from edge_perception.tooling.pad_drawing import pdf
from edge_perception.tooling.pad_drawing import png
from edge_perception.tooling.pad_drawing import sheets
from edge_perception.tooling.pad_drawing import svg
from test.support.pdf_pages import page_rectangles
from test.support.pdf_pages import page_sizes
from test.support.raising import raises


def filled(rectangles, *, pixels: int = 240) -> np.ndarray:
    """Draw black rectangles (left, top, width, height; shares of the side) on white."""
    image = np.full((pixels, pixels), 255, np.uint8)
    for left, top, width, height in np.array(list(rectangles)) * pixels:
        image[round(top) : round(top + height), round(left) : round(left + width)] = 0
    return image


def test_svg_has_the_physical_size_and_the_drawing():
    root = ElementTree.fromstring(svg(0.6))
    assert (root.get('width'), root.get('height')) == ('600mm', '600mm')
    path = root.find('{http://www.w3.org/2000/svg}path').get('d')
    number = r'(-?[\d.]+)'
    found = re.findall(rf'M{number} {number}h{number}v{number}', path)
    drawn = filled(np.array(found, float) / 600)
    assert np.array_equal(drawn, pad.raster(240))


@pytest.mark.parametrize('side', [0.2, 0.6, 1.0])
def test_png_knows_its_size(side):
    data = png(side, dots_per_inch=100)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    place = data.index(b'pHYs') + 4
    across, down, unit = struct.unpack('>IIB', data[place : place + 9])
    assert (across, unit) == (down, 1)
    assert image.shape[0] == image.shape[1]
    assert image.shape[0] / across == pytest.approx(side, rel=1e-3)
    assert set(np.unique(image)) == {0, 255}


def test_pdf_is_one_page_of_the_size_of_the_pad():
    data = pdf(0.6)
    assert page_sizes(data) == [pytest.approx((600, 600), abs=0.01)]
    drawn = filled(np.array(page_rectangles(data)[0]) / 600)
    assert np.array_equal(drawn, pad.raster(240))


@pytest.mark.parametrize('paper', PAPER)
@pytest.mark.parametrize('side', [0.15, 0.6, 1.0])
def test_tiles_put_together_are_the_drawing(paper, side):
    data = pdf(side, paper=paper)
    tiles = sheets(side, paper=paper)
    sizes = page_sizes(data)
    assert len(sizes) == len(tiles)
    assert sorted(sizes[0]) == pytest.approx(sorted(PAPER[paper]), abs=0.01)
    put_together = []
    for tile, rectangles in zip(tiles, page_rectangles(data)):
        for left, top, width, height in rectangles:
            # 10 mm are left free on every side.
            assert left >= 10 - 1e-6
            assert top >= 10 - 1e-6
            assert left + width <= sizes[0][0] - 10 + 0.01
            assert top + height <= sizes[0][1] - 10 + 0.01
            put_together.append((left - 10 + tile.left, top - 10 + tile.top, width, height))
    assert np.array_equal(filled(np.array(put_together) / (1000 * side)), pad.raster(240))


def test_sheets_are_named_by_row_and_column():
    names = [sheet.name for sheet in sheets(0.6, paper='a4')]
    assert names[0] == 'A1'
    assert len(set(names)) == len(names)


@pytest.mark.parametrize('side', [0.0, -1.0, float('nan'), float('inf')])
def test_a_side_that_is_no_length_is_refused(side):
    for make in (svg, png, pdf):
        with raises(ValueError, 'side'):
            make(side)


def test_unknown_paper_is_refused_with_those_that_are_known():
    with raises(ValueError, 'b5'):
        pdf(0.6, paper='b5')


def test_the_same_pad_is_the_same_file():
    assert pdf(0.6, paper='a4') == pdf(0.6, paper='a4')
