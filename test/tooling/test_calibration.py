# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Which files of a folder are taken for calibration, and what they give."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_perception.contract import BuildError
from edge_perception.contract import TensorSpec
from edge_perception.tooling.building.calibration_images import find_calibration
from test.support.networks import manifest_for
from test.support.networks import SHAPE
from test.support.raising import raises

SPEC = TensorSpec('image', SHAPE, np.dtype(np.float32))


@pytest.mark.parametrize('suffix', ['.pgm', '.PNM', '.jpe', '.png'])
def test_what_the_commands_can_show_serves_for_calibration(tmp_path, suffix):
    path = tmp_path / f'picture{suffix}'
    path.write_bytes(cv2.imencode(suffix.lower(), np.full((4, 6), 90, np.uint8))[1].tobytes())
    (tmp_path / 'notes.txt').touch()
    found = find_calibration((tmp_path,))
    assert found.files == (path,)
    assert len(list(found.tensors(manifest_for(), SPEC))) == found.count() == 1


def test_a_video_gives_some_frames_from_all_over_it(tmp_path):
    path = tmp_path / 'film.avi'
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 10, (64, 48))
    for level in range(40):
        film.write(np.full((48, 64, 3), 6 * level, np.uint8))
    film.release()
    found = find_calibration((path,))
    levels = [float(each['image'].mean()) for each in found.tensors(manifest_for(), SPEC)]
    assert len(levels) == found.count() == 16
    assert levels == sorted(levels) and levels[-1] > 5 * levels[1]


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / 'text.png'
    path.write_text('no picture')
    found = find_calibration((path,))
    with raises(BuildError, f'calibration: {path}: '):
        list(found.tensors(manifest_for(), SPEC))
