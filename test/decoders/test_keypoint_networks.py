# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Outputs that YuNet and MoveNet do not have."""

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

FACE = ('right_eye', 'left_eye', 'nose_tip', 'right_mouth_corner', 'left_mouth_corner')
WIDTHS = {'cls': 1, 'obj': 1, 'bbox': 4, 'kps': 10}
CELLS = {8: 64, 16: 16, 32: 4}


def face_tensors() -> dict[str, np.ndarray]:
    """Return one face: the cell of stride 16 whose corner is at (32, 16)."""
    tensors = {
        f'{kind}_{stride}': np.zeros((1, cells, width), np.float32)
        for kind, width in WIDTHS.items()
        for stride, cells in CELLS.items()
    }
    tensors['cls_16'][0, 6] = 0.9
    tensors['obj_16'][0, 6] = 0.4
    tensors['bbox_16'][0, 6] = [0.5, 0.5, np.log(2), 0]
    tensors['kps_16'][0, 6] = [0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1]
    return tensors


@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('names', [(), FACE])
def test_a_face_has_a_box_and_five_landmarks(names, reverse):
    # A converter may change the order of the outputs.
    tensors = dict(sorted(face_tensors().items(), reverse=reverse))
    found = decode(bind(make_manifest('yunet', keypoints=names), tensors), tensors)
    np.testing.assert_allclose(found.detections.xyxy, [[24, 16, 56, 32]], rtol=1e-6)
    np.testing.assert_allclose(found.detections.score, [0.6])
    landmarks = [[32, 16], [48, 16], [40, 24], [32, 32], [48, 32]]
    np.testing.assert_allclose(found.keypoints.xy, [landmarks])
    np.testing.assert_allclose(found.keypoints.score, [[0.6] * 5])


def test_no_face():
    tensors = {name: np.zeros_like(each) for name, each in face_tensors().items()}
    found = decode(bind(make_manifest('yunet', keypoints=FACE), tensors), tensors)
    assert found.detections.xyxy.shape == (0, 4)
    assert found.keypoints.xy.shape == (0, 5, 2)


@pytest.mark.parametrize('name', ['bbox_16', 'kps_16'])
def test_faces_that_are_not_finite_are_an_error_and_not_an_empty_scene(name):
    tensors = face_tensors()
    tensors[name][0, 6, 0] = np.nan
    with pytest.raises(DecodeError, match='not finite'):
        decode(bind(make_manifest('yunet', keypoints=FACE), tensors), tensors)


def test_other_outputs_than_those_of_yunet_are_refused():
    shapes = {name: each.shape for name, each in face_tensors().items()}
    del shapes['kps_32']
    with pytest.raises(
        DecoderMismatchError, match=r'expected twelve outputs 1x64x\(1, 1, 4, 10\)'
    ):
        make_decoder(make_manifest('yunet'), *specs(**shapes))
    shapes['kps_32'] = (1, 5, 10)
    with pytest.raises(DecoderMismatchError, match='expected twelve outputs'):
        make_decoder(make_manifest('yunet'), *specs(**shapes))
    shapes['kps_32'] = (1, 4, 10)
    with pytest.raises(DecoderMismatchError, match='5 keypoints in the manifest, which has 2'):
        make_decoder(make_manifest('yunet', keypoints=FACE[:2]), *specs(**shapes))


def test_a_run_time_size_that_does_not_fit_is_an_error():
    shapes = {name: (-1, -1, each.shape[2]) for name, each in face_tensors().items()}
    decoder = make_decoder(make_manifest('yunet', width=96), *specs(**shapes))
    with pytest.raises(DecodeError, match='cls_8: got 64 cells, expected 96'):
        decode(decoder, face_tensors())


@pytest.mark.parametrize(
    'shape, names',
    [((1, 17, 3), 17), ((1, 1, 17, 2), 17), ((1, 6, 17, 3), 0), ((1, 1, 17, 3), 13)],
)
def test_other_outputs_than_that_of_movenet_are_refused(shape, names):
    manifest = make_manifest('movenet', keypoints=tuple(f'point{i}' for i in range(names)))
    with pytest.raises(DecoderMismatchError, match=f'expected one output 1x1x{names or "K"}x3'):
        make_decoder(manifest, *specs(pose=shape))


def test_a_pose_that_is_not_finite_is_an_error_and_not_unseen():
    tensors = {'pose': np.full((1, 1, 17, 3), np.nan, np.float32)}
    with pytest.raises(DecodeError, match='not finite'):
        decode(bind(make_manifest('movenet'), tensors), tensors)


def test_faces_and_poses_whose_scores_are_none_are_an_error():
    faces = face_tensors()
    faces['obj_16'][0, 6] = 3.2
    pose = {'pose': np.full((1, 1, 17, 3), 3.2, np.float32)}
    for name, tensors in {'yunet': faces, 'movenet': pose}.items():
        with pytest.raises(DecodeError, match=f"'{name}' failed: the model gave scores"):
            decode(bind(make_manifest(name), tensors), tensors)
