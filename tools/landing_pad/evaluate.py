# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Measure the model of the landing pad on images that training never saw, and write the report.

Other grounds, other seeds, every distance; and images without a pad: rendered ones with things
that look like one, and photographs, which are for evaluation only.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from itertools import repeat
import math
from pathlib import Path
import time
from typing import Any

import cv2
from finder import Finder
from finder import Finding
import numpy as np
from report import ALTERED
from report import write_report

from edge_perception.pose import PoseEstimate
from edge_perception.pose import rotation_matrix
from edge_perception.simulation import views
from edge_perception.simulation.rendering import distractors
from edge_perception.simulation.rendering import scenes
from edge_perception.simulation.rendering import textures
from edge_perception.simulation.rendering.pinhole import PinholeCamera
from edge_perception.simulation.rendering.scenes import Rendered
from edge_perception.simulation.rendering.textures import Picture
from edge_perception.simulation.views import View
from edge_perception.tooling.frame_sources import is_shown
from edge_perception.tooling.frame_sources import source_of
from tools.rendered_pads import rendered_views

SEED = 900_000
IMAGES_PER_LENS = 10
GROUNDS_PER_FAMILY = 6
NAN = math.nan
# Every n-th frame of a video; neighbors are nearly equal.
FRAME_STEP = 3
LARGEST_SIDE = 1280


@dataclass(frozen=True)
class JudgedView:
    """
    One image with a pad, and what was found in it.

    :param size: pixels of the side of the pad at its distance.
    :param obliqueness: degrees between the line of sight and the axis of the pad.
    :param found: a pose came, and it is that of the pad.
    :param wrong: a pose came, and it is not.
    :param position: error as a share of the distance; NaN unless found, as all that follow.
    :param yaw: error in degrees, about the axis of the pad.
    :param tilt: error in degrees, of the axis of the pad.
    :param mahalanobis: squared error in units of the covariance; 6 on average if that is true.
    :param keypoint: median error of the network's keypoints in pixels of its input.
    :param refined: median error of refined keypoints in pixels of the image.
    """

    distance: float
    size: float
    visible: float
    obliqueness: float
    found: bool
    wrong: bool
    position: float = NAN
    yaw: float = NAN
    tilt: float = NAN
    mahalanobis: float = NAN
    ambiguous: bool = False
    keypoint: float = NAN
    refined: float = NAN


def held_out(
    count: int,
    *,
    seed: int,
    with_pad: bool = True,
    kinds: Sequence[distractors.Kind] = distractors.KINDS,
) -> Iterator[tuple[View, Rendered]]:
    """Render images on grounds that training did not see, with distractors of these kinds."""
    random = np.random.default_rng(seed)
    families = textures.HELD_OUT_FAMILIES
    grounds = scenes.make_grounds(families, each=GROUNDS_PER_FAMILY, random=random)
    pads = repeat(with_pad, count)
    return rendered_views(
        random, grounds=grounds, per_lens=IMAGES_PER_LENS, with_pad=pads, kinds=kinds
    )


def judge(view: View, truth: Rendered, finding: Finding) -> JudgedView:
    """Compare what was found with the truth."""
    missed = JudgedView(
        distance=view.distance,
        size=view.size,
        visible=truth.visible,
        obliqueness=math.degrees(view.obliqueness),
        found=False,
        wrong=False,
    )
    estimate = finding.estimate
    if estimate is None or finding.keypoints is None:
        return missed
    rotation = rotation_matrix(estimate.pose.orientation)
    shift = estimate.pose.position - view.position
    position = float(np.linalg.norm(shift)) / view.distance
    error = view.rotation.T @ rotation
    yaw = abs(math.degrees(math.atan2(error[1, 0] - error[0, 1], error[0, 0] + error[1, 1])))
    tilt = math.degrees(math.acos(np.clip(rotation[:, 2] @ view.rotation[:, 2], -1, 1)))
    # Somewhere else, or turned by more than an image can be misread: not this pad.
    if position > 0.2 or yaw > 30:
        return replace(missed, wrong=True)
    turn = cv2.Rodrigues(rotation @ view.rotation.T)[0].ravel()
    both = np.concatenate([shift, turn])
    keypoints = np.linalg.norm(finding.keypoints.xy[0] - truth.keypoints, axis=1)[estimate.used]
    return replace(
        missed,
        found=True,
        position=position,
        yaw=yaw,
        tilt=tilt,
        mahalanobis=float(both @ np.linalg.solve(estimate.pose.covariance, both)),
        ambiguous=estimate.ambiguous,
        keypoint=float(np.nanmedian(keypoints)) / finding.scale,
        refined=_refined_error(estimate, truth),
    )


def _refined_error(estimate: PoseEstimate, truth: Rendered) -> float:
    if not estimate.refined.any():
        return NAN
    apart = np.linalg.norm(estimate.points - truth.keypoints, axis=1)
    return float(np.median(apart[estimate.refined]))


def evaluate_positives(
    finder: Finder, count: int
) -> tuple[list[JudgedView], list[tuple[float, float]]]:
    """Look for pads in rendered images; return what was judged, and seconds of each stage."""
    judged, seconds = [], []
    for view, truth in held_out(count, seed=SEED):
        finding = finder.find(truth.image, view.camera)
        judged.append(judge(view, truth, finding))
        seconds.append(finding.seconds)
    return judged, seconds


def evaluate_negatives(finder: Finder, count: int, data: Path | None) -> dict[str, list[int]]:
    """Look for pads where there are none; return poses and images of each source."""
    result: dict[str, list[int]] = {}

    def look(source: str, image: Picture, camera: PinholeCamera) -> None:
        entry = result.setdefault(source, [0, 0])
        entry[0] += finder.find(image, camera).estimate is not None
        entry[1] += 1

    others = tuple(kind for kind in distractors.KINDS if kind is not distractors.almost_pad)
    # Copies of the pad that are mirrored or have inverted cells are counted apart: they are not
    # printed by chance.
    for source, kinds, number, seed in (
        ('rendered', others, count, SEED + 1),
        (ALTERED, (distractors.almost_pad,), count // 4, SEED + 2),
    ):
        for view, truth in held_out(number, seed=seed, with_pad=False, kinds=kinds):
            look(source, truth.image, view.camera)
    for source, image in photographs(data) if data else ():
        height, width = image.shape[:2]
        size = {'width': width, 'height': height}
        look(source, image, PinholeCamera.from_field_of_view(views.FIELD_OF_VIEW, **size))
    return result


def photographs(folder: Path) -> Iterator[tuple[str, Picture]]:
    """
    Yield every image below a folder.

    :return: kind of the source, and uint8 (height, width, 3), BGR. Each still image comes in two
        sizes, whole and as its center, turned over.
    :raises ImageError: a file cannot be read.
    """
    for path in filter(is_shown, sorted(folder.rglob('*'))):
        source = source_of(path)
        for _, frame in source.frames(every=FRAME_STEP, limit=None):
            if source.moving:
                yield 'videos', frame.image
                continue
            yield 'photographs', _bounded(frame.image)
            rows, columns = frame.height // 4, frame.width // 4
            center = frame.image[rows:-rows, columns:-columns]
            yield 'photographs', np.ascontiguousarray(center[::-1, ::-1])
    for bag in sorted({path.parent for path in folder.rglob('metadata.yaml')}):
        yield from _bag(bag)


def _bounded(image: Picture) -> Picture:
    scale = LARGEST_SIDE / max(image.shape[:2])
    if scale >= 1:
        return image
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _bag(folder: Path) -> Iterator[tuple[str, Picture]]:
    from rosbags.highlevel import AnyReader
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores

    with AnyReader([folder], default_typestore=get_typestore(Stores.ROS2_HUMBLE)) as reader:
        for connection, _, data in reader.messages():
            if connection.msgtype == 'sensor_msgs/msg/CompressedImage':
                message: Any = reader.deserialize(data, connection.msgtype)
                image = cv2.imdecode(np.asarray(message.data), cv2.IMREAD_COLOR)
                if image is not None:
                    yield 'recordings', _bounded(np.asarray(image, np.uint8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path, help='model folder; the report is written into it')
    parser.add_argument('--positives', type=int, default=2400)
    parser.add_argument('--negatives', type=int, default=1200, help='rendered ones')
    parser.add_argument('--data', type=Path, help='folder of photographs without a pad')
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    start, finder = time.monotonic(), Finder(arguments.folder)
    samples, seconds = evaluate_positives(finder, arguments.positives)
    negatives = evaluate_negatives(finder, arguments.negatives, arguments.data)
    judged = [asdict(sample) for sample in samples]
    print(write_report(arguments.folder, judged, negatives, seconds, finder.manifest.sha256))
    print(f'{time.monotonic() - start:.0f} s')


if __name__ == '__main__':
    main()
