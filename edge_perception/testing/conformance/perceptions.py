# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Assertions on a ``Perception`` for the clauses of decoders."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import fields
from dataclasses import is_dataclass
from dataclasses import replace

import numpy as np

from edge_perception.contract import Decoder
from edge_perception.contract import Detections
from edge_perception.contract import ImageTransform
from edge_perception.contract import Keypoints
from edge_perception.contract import ModelManifest
from edge_perception.contract import Perception
from edge_perception.contract import Tensor

PARTS = {
    'detections': ('xyxy', 'score', 'class_id'),
    'keypoints': ('xy', 'score'),
    'classes': ('class_id', 'score'),
}


def arrays_of(value: object) -> Iterator[Tensor]:
    """Give every array inside of a result, in the order of its fields."""
    if isinstance(value, np.ndarray):
        yield value
    elif is_dataclass(value):
        for each in fields(value):
            yield from arrays_of(getattr(value, each.name))
    elif isinstance(value, (tuple, Mapping)):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from arrays_of(inner)


def check_shapes(perception: Perception, manifest: ModelManifest, *, decoder: Decoder) -> None:
    """Assert the dtypes and shapes of the contract; relations between sizes are its own check."""
    detections, keypoints = perception.detections, perception.keypoints
    for part in (detections, perception.classes):
        if part is not None:
            _check_scores(part.score)
            assert part.class_id.dtype == np.int32
            assert (part.class_id >= 0).all()
            assert decoder.class_count is None or (part.class_id < decoder.class_count).all()
    if detections is not None:
        assert detections.xyxy.dtype == np.float32
        assert (detections.xyxy[:, 2:] >= detections.xyxy[:, :2]).all()
    if keypoints is not None:
        _check_scores(keypoints.score)
        assert keypoints.xy.dtype == np.float32
        if manifest.keypoint_names:
            assert keypoints.xy.shape[1] == len(manifest.keypoint_names)
        if detections is not None:
            assert len(keypoints) == len(detections), 'a row of keypoints for each detection'
    if perception.instances is not None:
        assert detections is not None, 'instances are those of detections'
        assert perception.instances.dtype == np.uint16
        assert perception.instances.shape == (manifest.input.height, manifest.input.width)
        assert perception.instances.max(initial=0) <= len(detections)
    if perception.mask is not None:
        assert perception.mask.dtype == np.uint8
        assert perception.mask.shape == (manifest.input.height, manifest.input.width)


def _check_scores(score: Tensor) -> None:
    assert score.dtype == np.float32
    assert ((score >= 0) & (score <= 1)).all()


def check_empty(perception: Perception) -> None:
    """Assert that nothing was seen; a mask shows its first class everywhere."""
    for part in (perception.detections, perception.keypoints):
        if part is not None:
            assert len(part) == 0
    if perception.classes is not None:
        assert perception.classes.score.shape == (0,)
    for pixels in (perception.mask, perception.instances):
        if pixels is not None:
            assert not pixels.any()


def in_source(perception: Perception, transform: ImageTransform) -> Perception:
    """Return results in pixels of the input as they have to be in pixels of the source."""
    detections, keypoints = perception.detections, perception.keypoints
    if detections is not None:
        xyxy = transform.boxes_to_source(detections.xyxy)
        detections = Detections(xyxy=xyxy, score=detections.score, class_id=detections.class_id)
    if keypoints is not None:
        keypoints = Keypoints(xy=transform.points_to_source(keypoints.xy), score=keypoints.score)
    return Perception(detections=detections, keypoints=keypoints, classes=perception.classes)


def check_same(got: Perception, expected: Perception, *, mask: bool = True) -> None:
    """
    Assert the same result, coordinates to a hundredth of a pixel.

    :param mask: compare masks, instances and rotated boxes as well.
    """
    if not mask:
        got, expected = _without_mask(got), _without_mask(expected)
    pairs = list(zip(arrays_of(got), arrays_of(expected)))
    assert len(pairs) == len(list(arrays_of(got))) == len(list(arrays_of(expected)))
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=0.01)


def check_expected(got: Perception, expected: Perception) -> None:
    """Assert what is expected: coordinates to .05 px, scores to .001; other parts may be there."""
    for part, names in PARTS.items():
        wanted = getattr(expected, part)
        if wanted is None:
            continue
        for name in names:
            one, other = (getattr(getattr(each, part), name) for each in (got, expected))
            assert one.shape == other.shape, f'{part}.{name}: {one.shape}, not {other.shape}'
            tolerance = 0.05 if name in ('xyxy', 'xy') else 1e-3
            np.testing.assert_allclose(one, other, atol=tolerance, err_msg=f'{part}.{name}')
    if expected.mask is not None:
        np.testing.assert_array_equal(got.mask, expected.mask)


def _without_mask(perception: Perception) -> Perception:
    """Return it without pixels, and without rotated boxes, which a stretch bends."""
    detections = perception.detections
    return Perception(
        detections=None if detections is None else replace(detections, rotated=None),
        keypoints=perception.keypoints,
        classes=perception.classes,
    )
