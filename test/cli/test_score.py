# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception score`` where something is missing."""

from __future__ import annotations

import errno
import os
from pathlib import Path
import sys
from types import SimpleNamespace
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
from rich.console import Console

from edge_perception.cli.simulation.score import _report
from edge_perception.contract import Frame
from edge_perception.contract import LabelMap
from edge_perception.contract import Perception
from edge_perception.simulation.matching import ScoredImage
from edge_perception.simulation.scoring import Score
from edge_perception.simulation.scoring import Threshold
from edge_perception.tooling.reports.annotated_images import AnnotatedImages
from edge_perception.tooling.reports.plots import NO_PLOTS


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / 'out'


def test_a_camera_that_shows_nothing_is_said_once(invoke, out):
    result = invoke(
        *('score', '--camera', '/nowhere', '--out', out, '--quiet-seconds', 0.5, '--seconds', 1.5)
    )
    assert result.exit_code == 1
    sentence = 'no image on /nowhere/image_raw so far; --camera takes its namespace'
    assert result.stderr.count(sentence) == 1


def test_a_full_disk_is_a_sentence(invoke, out, monkeypatch):
    monkeypatch.setattr(Path, 'write_bytes', _no_space)
    monkeypatch.setattr(Path, 'write_text', _no_space)
    result = invoke('score', '--out', out, '--seconds', 0.1)
    assert result.exit_code == 2
    assert f'{out / "junit.xml"}: cannot be written: No space left on device' in result.stderr
    assert list(out.iterdir()) == []
    assert 'error [score_failed]: recall' in result.stderr


def test_without_a_codec_there_is_no_video_and_all_else(out, monkeypatch, capsys):
    writer = Mock(**{'return_value.isOpened.return_value': False})
    monkeypatch.setattr(cv2, 'VideoWriter', writer)
    images, image = AnnotatedImages(), ScoredImage(stamp_ns=1, found=())
    frame = Frame(np.zeros((48, 64, 3), np.uint8))
    images.add(frame, Perception(), image, labels=LabelMap(), intrinsics=None)
    watch = SimpleNamespace(score=lambda: Score([image]), no_poses=0)
    thresholds = [Threshold('recall', minimum=0.5)]
    assert not _report(watch, images, thresholds, out, Console())
    said = capsys.readouterr()
    assert 'FAILED  recall' in said.out and 'report.html' in said.out
    assert f'note: no {out / "video.mp4"}: ' in said.err and 'codec' in said.err
    assert not [each for each in out.iterdir() if each.suffix == '.mp4']


def _no_space(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_folder_of_somebody_else_is_refused_before_it_listens(invoke, out, monkeypatch):
    out.mkdir()
    # Root, who may run these tests, may write everywhere.
    monkeypatch.setattr(os, 'access', lambda path, mode: mode != os.W_OK)
    for command in ('score', 'demo'):
        result = invoke(command, '--out', out)
        assert result.exit_code == 2
        assert "Invalid value for '--out'" in result.stderr and 'not writable' in result.stderr


def test_without_matplotlib_the_report_has_no_plots_and_says_so(invoke, out, monkeypatch):
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    result = invoke('score', '--out', out, '--seconds', 0.1)
    assert f'note: {NO_PLOTS}' in result.stderr
    page = (out / 'report.html').read_text()
    assert NO_PLOTS in page and '<svg' not in page
    assert 'recall' in page
