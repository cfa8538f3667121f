# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import struct
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from edge_perception.simulation import pad
from test.docs.markdown import fenced

POINTS_PER_MILLIMETRE = 72 / 25.4


def page_sizes(data: bytes) -> list[tuple[float, float]]:
    boxes = re.findall(rb'/MediaBox\[0 0 ([\d.]+) ([\d.]+)\]', data)
    return [tuple(round(float(v) / POINTS_PER_MILLIMETRE, 1) for v in box) for box in boxes]


def test_a_pdf_has_one_page_of_the_size_of_the_pad(invoke, tmp_path):
    result = invoke('pad', '--size', 0.6, '--out', tmp_path / 'pad.pdf')
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f'{tmp_path / "pad.pdf"}: 600 x 600 mm\n'
    data = (tmp_path / 'pad.pdf').read_bytes()
    assert data.startswith(b'%PDF-')
    assert page_sizes(data) == [(600.0, 600.0)]


@pytest.mark.parametrize(
    ('paper', 'sheets', 'size'), [('a4', 12, (210.0, 297.0)), ('A3', 6, (297.0, 420.0))]
)
def test_a_large_pad_is_tiled_over_sheets(invoke, tmp_path, paper, sheets, size):
    out = tmp_path / 'pad.PDF'
    result = invoke('pad', '--size', 0.6, '--out', out, '--paper', paper)
    assert result.exit_code == 0, result.stderr
    assert f'on {sheets} sheets of {paper.lower()}' in result.stdout
    assert {tuple(sorted(page)) for page in page_sizes(out.read_bytes())} == {size}
    assert len(page_sizes(out.read_bytes())) == sheets


def test_an_svg_has_its_size(invoke, tmp_path):
    assert invoke('pad', '--size', 0.25, '--out', tmp_path / 'pad.svg').exit_code == 0
    root = ElementTree.parse(tmp_path / 'pad.svg').getroot()
    assert (root.get('width'), root.get('height')) == ('250mm', '250mm')


@pytest.mark.parametrize('dpi', [None, 100])
def test_a_png_has_its_size_and_the_drawing(invoke, tmp_path, dpi):
    given = ('--dpi', dpi) if dpi else ()
    out = tmp_path / 'new' / 'pad.png'
    assert invoke('pad', '--size', 0.2, '--out', out, *given).exit_code == 0
    image = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)
    assert image.shape[0] == pytest.approx(0.2 / 0.0254 * (dpi or 150), rel=0.02)
    assert np.array_equal(image, pad.raster(image.shape[0]))
    data = out.read_bytes()
    per_metre, _, unit = struct.unpack_from('>IIB', data, data.index(b'pHYs') + 4)
    assert unit == 1
    assert image.shape[0] / per_metre == pytest.approx(0.2, abs=0.0005)


@pytest.mark.parametrize(
    ('given', 'sentence'),
    [
        (('--size', 0.6, '--out', 'pad.jpg'), "--out got 'pad.jpg', expected a file that ends in"),
        (('--size', 0.6, '--out', 'pad'), "--out got 'pad', expected a file that ends in"),
        (('--size', 0, '--out', 'pad.pdf'), "'--size': 0.0 is not in the range"),
        (('--size', 'nan', '--out', 'pad.pdf'), '--size got nan, expected 0.02 to 20'),
        (('--size', 100, '--out', 'pad.pdf'), "'--size': 100.0 is not in the range"),
        (('--size', 1, '--out', 'pad.pdf', '--paper', 'a5'), "'a5' is not one of"),
        (('--size', 1, '--out', 'pad.svg', '--paper', 'a4'), '--paper only goes with .pdf'),
        (('--size', 1, '--out', 'pad.svg', '--dpi', 100), '--dpi only goes with .png'),
        (('--size', 20, '--out', 'pad.png', '--dpi', 1200), 'million pixels, expected at most'),
        (('--out', 'pad.pdf'), "Missing option '--size'"),
    ],
)
def test_a_mistake_is_a_sentence_and_writes_nothing(
    invoke, tmp_path, monkeypatch, given, sentence
):
    monkeypatch.chdir(tmp_path)
    result = invoke('pad', *given)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_a_sentence(invoke, tmp_path):
    (tmp_path / 'file').touch()
    result = invoke('pad', '--size', 0.6, '--out', tmp_path / 'file' / 'pad.pdf')
    assert result.exit_code == 2
    assert 'cannot be written' in result.stderr


def test_the_commands_of_the_document(invoke, repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [
        line.split()
        for block in fenced(repository / 'docs' / 'demo.md')
        if block.language == 'sh' and 'not run' not in block.markers
        for line in block.text.splitlines()
    ]
    assert len(lines) == 4
    for program, *arguments in lines:
        assert program == 'edge-perception'
        assert invoke(*arguments).exit_code == 0
        assert (tmp_path / arguments[arguments.index('--out') + 1]).stat().st_size > 500
