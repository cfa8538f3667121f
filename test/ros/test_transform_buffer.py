# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The buffer of transforms: chains, inverses, interpolation, malformed input, bounds."""

from __future__ import annotations

import cv2
from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from edge_perception.pose import rotation_matrix
from edge_perception.ros.input import transform_buffer
from edge_perception.ros.input.transform_buffer import TransformBuffer
from test.support.raising import raises

NS = 1_000_000_000
UNIT = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)

part = st.floats(-1, 1)
vectors = st.tuples(part, part, part)
turns = (
    st.tuples(part, part, part, part)
    .map(np.array)
    .filter(lambda each: np.linalg.norm(each) > 0.1)
    .map(lambda each: each / np.linalg.norm(each))
)
poses = st.builds(lambda moved, turned: (*moved, *turned), vectors, turns)


def matrix(pose):
    found = np.eye(4)
    found[:3, :3], found[:3, 3] = rotation_matrix(pose[3:]), pose[:3]
    return found


def looked_up(buffer, target, source, stamp_ns):
    found = buffer.look_up(target, source, stamp_ns)
    return np.block([[found.rotation, found.translation[:, None]], [np.array([0, 0, 0, 1])]])


def filled(*rows):
    buffer = TransformBuffer()
    for parent, child, stamp, pose in rows:
        buffer.add(parent, child, int(stamp * NS), pose, static=False)
    return buffer


@given(st.lists(poses, min_size=1, max_size=4), st.lists(poses, max_size=4))
def test_chains_and_inverses_agree_with_matrices(left, right):
    rows, wanted = [], {}
    for side, chain in (('l', left), ('r', right)):
        names = ['root', *(f'{side}{number}' for number in range(len(chain)))]
        rows += [(*pair, 1, pose) for *pair, pose in zip(names, names[1:], chain)]
        wanted[side] = names[-1], np.linalg.multi_dot([np.eye(4), np.eye(4), *map(matrix, chain)])
    buffer = filled(*rows)
    (one, in_root), (other, other_in_root) = wanted['l'], wanted['r']
    expected = np.linalg.inv(other_in_root) @ in_root
    np.testing.assert_allclose(looked_up(buffer, other, one, NS), expected, atol=1e-9)
    back = looked_up(buffer, one, other, NS)
    np.testing.assert_allclose(back @ expected, np.eye(4), atol=1e-9)


@given(poses, poses, st.integers(0, NS))
def test_between_two_stamps_it_turns_evenly(before, after, share):
    buffer = filled(('odom', 'base', 1, before), ('odom', 'base', 2, after))
    found = buffer.look_up('odom', 'base', NS + share)
    share /= NS
    moved = np.array(before[:3]) * (1 - share) + np.array(after[:3]) * share
    np.testing.assert_allclose(found.translation, moved, atol=1e-9)
    begin, end = rotation_matrix(before[3:]), rotation_matrix(after[3:])
    np.testing.assert_allclose(found.rotation @ found.rotation.T, np.eye(3), atol=1e-9)
    whole = np.linalg.norm(cv2.Rodrigues(begin.T @ end)[0])
    turned = np.linalg.norm(cv2.Rodrigues(begin.T @ found.rotation)[0])
    assert turned == pytest.approx(share * whole, abs=1e-5)
    if whole < 3.1:  # else either way is as short
        way = cv2.Rodrigues(share * cv2.Rodrigues(begin.T @ end)[0])[0]
        np.testing.assert_allclose(found.rotation, begin @ way, atol=1e-5)


@pytest.mark.parametrize(
    ('target', 'stamp', 'words'),
    [
        ('odom', 1.9, "older than the oldest transform of 'base' in 'odom' (by 100.0 ms)"),
        ('odom', 3.02, "newer than the newest transform of 'base' in 'odom' (by 20.0 ms)"),
        ('odmo', 2, "'odmo' is not on /tf, did you mean 'odom'?"),
        ('far', 2, "they are in two trees, below 'odom' and 'moon'"),
    ],
)
def test_what_is_not_known_is_said_and_never_extrapolated(target, stamp, words):
    rows = [('odom', 'base', 2, UNIT), ('odom', 'base', 3, UNIT), ('moon', 'far', 2, UNIT)]
    with pytest.raises(LookupError) as caught:
        filled(*rows).look_up(target, 'base', int(stamp * NS))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ('parent', 'child', 'pose'),
    [
        ('a', 'b', (float('nan'), *UNIT[1:])),
        ('a', 'b', (*UNIT[:6], float('inf'))),
        ('a', 'b', (*UNIT[:6], 0.9)),
        ('a', 'b', (0.0,) * 7),
        ('a', 'a', UNIT),
        ('base', 'odom', UNIT),
        ('camera', 'odom', UNIT),
        ('', 'b', UNIT),
        ('a', 'b' * 257, UNIT),
    ],
)
def test_malformed_transforms_are_refused(parent, child, pose):
    buffer = filled(('odom', 'base', 1, UNIT), ('base', 'camera', 1, UNIT))
    with raises(ValueError, repr(child[:80]), repr(parent)):
        buffer.add(parent, child, NS, pose, static=False)
    np.testing.assert_array_equal(looked_up(buffer, 'odom', '/camera', NS), np.eye(4))


def at_x(x):
    return (x, *UNIT[1:])


def x_of(buffer, stamp):
    return buffer.look_up('odom', 'base', int(stamp * NS)).translation[0]


def test_stamps_may_come_again_and_out_of_order():
    rows = [(1.0, 1), (1.2, 3), (1.1, 2), (1.1, 9), (1.2, 9)]
    buffer = filled(*(('odom', 'base', stamp, at_x(x)) for stamp, x in rows))
    assert [x_of(buffer, stamp) for stamp in (1.0, 1.05, 1.1, 1.2)] == pytest.approx(
        [1, 1.5, 2, 3]
    )


def test_a_stamp_far_back_begins_anew_and_static_transforms_stay():
    buffer = filled(('odom', 'base', 50, at_x(1)), ('odom', 'base', 5, at_x(2)))
    buffer.add('base', 'camera', 0, at_x(7), static=True)
    assert x_of(buffer, 5) == 2
    with pytest.raises(LookupError):
        x_of(buffer, 50)
    buffer.clear(static=False)
    assert buffer.look_up('base', 'camera', 9 * NS).translation[0] == 7
    with pytest.raises(LookupError):
        x_of(buffer, 5)


def test_only_static_transforms_are_fixed():
    buffer = filled(('odom', 'base', 1, UNIT))
    buffer.add('base', 'imu', 0, at_x(3), static=True)
    assert buffer.look_up('base', 'imu', None).translation[0] == 3
    with raises(LookupError, "'base'", "'odom'", '/tf_static'):
        buffer.look_up('odom', 'imu', None)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(transform_buffer, 'MOST_FRAMES', 2)
    buffer = filled(*(('odom', 'base', number / 500, UNIT) for number in range(2000)))
    (link,) = buffer._links.values()
    assert len(link.stamps) == len(link.poses) == transform_buffer.MOST_SAMPLES
    buffer.add('odom', 'base', 60 * NS, UNIT, static=False)
    assert len(link.stamps) == 1
    buffer.add('odom', 'other', NS, UNIT, static=False)
    with raises(ValueError, transform_buffer.MOST_FRAMES):
        buffer.add('odom', 'third', NS, UNIT, static=False)
