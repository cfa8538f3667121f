# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
import errno
import os
from pathlib import Path
import shlex
import struct
import sys
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from edge_perception.contract import Calibration
from edge_perception.contract import Frame
from edge_perception.contract import load_manifest
from edge_perception.models.artifact_directories import cache_directory
from edge_perception.models.assembly import assemble
from edge_perception.models.finding import find_model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request
from edge_perception.pose import object_width
from edge_perception.simulation import landing_pad as pad
from edge_perception.simulation.approach import Approach
from edge_perception.simulation.rendering.pinhole import PinholeCamera
from edge_perception.simulation.rendering.quick_renderer import QuickRenderer
from edge_perception.simulation.views import FIELD_OF_VIEW
from edge_perception.tooling import pad_model
from test.docs.markdown import fenced
from test.support.pdf_pages import page_sizes


def test_a_pdf_has_one_page_of_the_size_of_the_pad(invoke, tmp_path):
    result = invoke('pad', '--size', 0.6, '--out', tmp_path / 'pad.pdf')
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f'{tmp_path / "pad.pdf"}: 600 x 600 mm\n'
    data = (tmp_path / 'pad.pdf').read_bytes()
    assert data.startswith(b'%PDF-')
    assert page_sizes(data) == [pytest.approx((600.0, 600.0), abs=0.01)]


@pytest.mark.parametrize(
    ('paper', 'sheets', 'size'), [('a4', 12, (210.0, 297.0)), ('A3', 6, (297.0, 420.0))]
)
def test_a_large_pad_is_tiled_over_sheets(invoke, tmp_path, paper, sheets, size):
    out = tmp_path / 'pad.PDF'
    result = invoke('pad', '--size', 0.6, '--out', out, '--paper', paper)
    assert result.exit_code == 0, result.stderr
    assert f'on {sheets} sheets of {paper.lower()}' in result.stdout
    sizes = page_sizes(out.read_bytes())
    assert sizes == [sizes[0]] * sheets
    assert sorted(sizes[0]) == pytest.approx(size, abs=0.01)


def test_an_svg_has_its_size(invoke, tmp_path):
    assert invoke('pad', '--size', 0.25, '--out', tmp_path / 'pad.svg').exit_code == 0
    root = ElementTree.parse(tmp_path / 'pad.svg').getroot()
    assert (root.get('width'), root.get('height')) == ('250mm', '250mm')


@pytest.mark.parametrize(('suffix', 'package'), [('pdf', 'matplotlib'), ('png', 'PIL')])
def test_without_matplotlib_it_says_what_to_install(
    invoke, tmp_path, monkeypatch, suffix, package
):
    monkeypatch.setitem(sys.modules, package, None)
    result = invoke('pad', '--size', 0.2, '--out', tmp_path / f'pad.{suffix}')
    assert result.exit_code == 2
    assert 'pip install matplotlib' in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('dpi', [None, 100])
def test_a_png_has_its_size_and_the_drawing(invoke, tmp_path, dpi):
    given = ('--dpi', dpi) if dpi else ()
    out = tmp_path / 'new' / 'pad.png'
    assert invoke('pad', '--size', 0.2, '--out', out, *given).exit_code == 0
    image = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)
    assert image.shape[0] == pytest.approx(0.2 / 0.0254 * (dpi or 150), rel=0.02)
    assert np.array_equal(image, pad.raster(image.shape[0]))
    data = out.read_bytes()
    per_meter, _, unit = struct.unpack_from('>IIB', data, data.index(b'pHYs') + 4)
    assert unit == 1
    assert image.shape[0] / per_meter == pytest.approx(0.2, abs=0.0005)


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
        (('--size', 0.6), 'got neither --out nor --model, expected a file for the drawing'),
        (('--size', 0.6, '--model', 'm', '--paper', 'a4'), '--paper and --dpi only go with --out'),
        (
            ('--size', 0.6, '--model', 'm', '--out', 'm/pad.pdf'),
            'expected a place outside of --mo',
        ),
        (('--size', 0.6, '--model', 'm', '--out', 'pad.jpg'), "--out got 'pad.jpg', expected"),
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


def written(invoke, folder: Path, size: float) -> Path:
    result = invoke('pad', '--size', size, '--model', folder)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ''
    return folder


def test_whoever_prints_another_size_is_told_what_it_does_to_distances(invoke, tmp_path):
    result = invoke('pad', '--size', 0.6, '--out', tmp_path / 'pad.pdf')
    assert 'takes this pad for 1 m wide' in result.stderr
    assert 'distances come out 1.67 times what they are' in result.stderr
    assert 'edge-perception pad --size 0.6 --model landing_pad_0.6m' in result.stderr


def test_at_one_meter_and_with_a_model_there_is_nothing_to_be_told(invoke, tmp_path):
    out = ('--out', tmp_path / 'pad.pdf')
    assert invoke('pad', '--size', 1, *out).stderr == ''
    assert invoke('pad', '--size', 0.6, *out, '--model', tmp_path / 'pad').stderr == ''


def test_the_advice_can_be_followed(invoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    advice = invoke('pad', '--size', 0.6, '--out', 'pad.pdf').stderr
    (program, *arguments) = shlex.split(advice.rpartition(': ')[2])
    assert program == 'edge-perception'
    result = invoke(*arguments)
    (argument,) = shlex.split(result.stdout.rpartition('use it with ')[2])
    folder = Path(argument.removeprefix('model:='))
    assert folder == tmp_path / 'landing_pad_0.6m'
    assert sorted(file.name for file in folder.iterdir()) == ['model.onnx', 'model.yaml']
    assert sorted(file.name for file in tmp_path.iterdir()) == [folder.name, 'pad.pdf']


@pytest.mark.parametrize('size', [0.2, 0.6, 1.0, 3.0])
def test_the_model_knows_the_size_and_is_the_same_otherwise(invoke, tmp_path, size):
    ours = load_manifest(written(invoke, tmp_path / 'pad', size) / 'model.yaml')
    zoo = load_manifest(pad_model.MODEL / 'model.yaml')
    assert object_width(ours) == pytest.approx(size)
    assert np.array(ours.object_points) == pytest.approx(size * np.array(zoo.object_points))
    assert f'--size {size:g}' in ours.description
    for name in ('name', 'sha256', 'input', 'labels', 'keypoint_names', 'pose', 'selection'):
        assert getattr(ours, name) == getattr(zoo, name)


def test_artifacts_that_were_built_for_one_size_serve_all(invoke, tmp_path):
    folder = written(invoke, tmp_path / 'pad', 0.6)
    names = (str(folder), 'landing_pad')
    ours, zoo = (find_model(name, draft=lambda path: None) for name in names)
    assert ours.folder != zoo.folder
    assert cache_directory(ours) == cache_directory(zoo)


@pytest.fixture
def distances() -> Callable[[str, float], list[tuple[float, float]]]:
    """Return a function: a model and the size of a rendered pad to distances, found and true."""
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')

    def measure(model: str, size: float) -> list[tuple[float, float]]:
        camera = PinholeCamera.from_field_of_view(FIELD_OF_VIEW)
        way = Approach(camera, start=8.8 * size, end=0.9 * size, side=size)
        render = QuickRenderer(camera, side=size, seed=1)
        request = Request(model=model, engine='onnxruntime')
        assembled = assemble(PluginHost(), request)
        calibration = Calibration(camera.width, camera.height, tuple(camera.matrix.ravel()))
        assembled.pipeline.suppliers = {'calibration': lambda frame: calibration}
        found = []
        for time in (2.0, 8.0, 12.0, 17.0):
            view = way.view(time)
            picture = np.ascontiguousarray(render(view))
            result = assembled.pipeline.process(Frame(picture), selection=assembled.selection)
            poses = result.perception.poses
            found += [(np.linalg.norm(pose.position), view.distance) for pose in poses]
        assembled.pipeline.engine.deactivate()
        assert len(found) >= 3
        return found

    return measure


def test_poses_of_a_pad_of_another_size_are_right_with_its_model(invoke, tmp_path, distances):
    model = written(invoke, tmp_path / 'pad', 0.6)
    for found, true in distances(str(model), 0.6):
        assert found == pytest.approx(true, rel=0.01)


def test_without_it_they_are_wrong_by_the_factor_that_is_said(distances):
    for found, true in distances('landing_pad', 0.6):
        assert found == pytest.approx(true / 0.6, rel=0.01)


@pytest.mark.parametrize('kind', ['folder', 'file', 'link'])
def test_nothing_that_is_there_is_written_over(invoke, tmp_path, kind):
    there, out = tmp_path / 'there', tmp_path / 'pad.pdf'
    if kind == 'folder':
        there.mkdir()
    elif kind == 'file':
        there.touch()
    else:
        there.symlink_to('nowhere')
    result = invoke('pad', '--size', 0.6, '--model', there, '--out', out)
    assert result.exit_code == 2
    assert f'{there}: exists already, expected a folder that is not there yet' in result.stderr
    assert list(tmp_path.iterdir()) == [there]


def test_a_model_that_cannot_be_written_leaves_nothing(invoke, tmp_path, monkeypatch):
    monkeypatch.setattr(pad_model.shutil, 'copyfile', full_disk)
    result = invoke('pad', '--size', 0.6, '--model', tmp_path / 'm', '--out', tmp_path / 'a.pdf')
    assert result.exit_code == 2
    assert f'{tmp_path / "m"}: cannot be written: No space left on device' in result.stderr
    assert list(tmp_path.iterdir()) == []


def full_disk(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_without_its_drawing_there_is_no_model_either(invoke, tmp_path):
    (tmp_path / 'file').touch()
    out = tmp_path / 'file' / 'pad.pdf'
    result = invoke('pad', '--size', 0.6, '--out', out, '--model', tmp_path / 'm')
    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == [tmp_path / 'file']


def test_the_commands_of_the_document(invoke, repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [
        line.split()
        for block in fenced(repository / 'docs' / 'demo.md')
        if block.language == 'sh' and 'not run' not in block.markers
        for line in block.text.splitlines()
    ]
    assert len(lines) == 5
    for program, *arguments in lines:
        assert program == 'edge-perception'
        assert invoke(*arguments).exit_code == 0
        assert (tmp_path / arguments[arguments.index('--out') + 1]).stat().st_size > 500
