# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The stage of the pipeline that gives detections ids, and publishes the tracks."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
import secrets

import numpy as np

from edge_perception.contract import Calibration
from edge_perception.contract import Detections
from edge_perception.contract import Frame
from edge_perception.contract import ModelManifest
from edge_perception.contract import option
from edge_perception.contract import OptionError
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import Reads
from edge_perception.contract import Stage
from edge_perception.contract import StageInputs
from edge_perception.tracking.motion import Floats
from edge_perception.tracking.motion import homography_of
from edge_perception.tracking.motion import turned_by
from edge_perception.tracking.tracker import Tracker

NS_PER_S = 1e9
NO_CALIBRATION = 'no CameraInfo has come so far'


@dataclass(frozen=True, slots=True)
class TrackingOptions(Options):
    """Parameters ``stage_options.tracking.<name>``."""

    enabled: bool = option(False, 'give objects ids that persist, and publish ~/tracks')
    low_score: float = option(
        0.1, 'minimum score of a detection that continues a track', minimum=0.0, maximum=1.0
    )
    start_score: float = option(
        0.0,
        'minimum score of a detection that starts a track (0.0: score_threshold)',
        minimum=0.0,
        maximum=1.0,
    )
    confirm_frames: int = option(
        2, 'detections in successive frames that confirm a track', minimum=1
    )
    keep_s: float = option(
        1.0, 'time that a confirmed track outlives its last detection, s', minimum=0.0
    )
    imu_topic: str = option(
        '', 'topic of sensor_msgs/Imu by which turns of the camera are compensated (empty: none)'
    )
    fixed_frame: str = option(
        '', 'frame of /tf by which turns of the camera are compensated, e.g. odom (empty: none)'
    )


class TrackingStage(Stage):
    """
    Gives detections the ids of their tracks; ``tracks`` has the confirmed ones of the frame.

    The detections stay as they are. ``tracks`` has those below the published threshold as well
    that continue a track, each with the class that its track has by vote.
    """

    name = 'tracking'
    tasks = frozenset({'detections'})
    needs = frozenset({'detections'})
    options_type = TrackingOptions
    publishes = {'tracks': 'detections'}
    options: TrackingOptions

    @classmethod
    def applies(cls, manifest: ModelManifest, options: Options) -> bool:
        """Tell whether it is switched on."""
        assert isinstance(options, TrackingOptions)
        if options.imu_topic and options.fixed_frame:
            raise OptionError(
                f'stage {cls.name!r}: got imu_topic {options.imu_topic!r} and fixed_frame '
                f'{options.fixed_frame!r}, expected one of them; leave the other empty'
            )
        return options.enabled

    def _bind(self) -> None:
        options = self.options
        turns = bool(options.imu_topic or options.fixed_frame)
        # What geometry has refused must not come back as a weak detection.
        weak = None if self.manifest.object_points else options.low_score
        self.reads = Reads(
            calibration=turns,
            candidates=weak,
            transforms=(options.fixed_frame,) if options.fixed_frame else (),
            angular_rate=options.imu_topic,
        )
        self._tracker = Tracker(
            keep_s=options.keep_s,
            confirm_frames=options.confirm_frames,
            start_score=options.start_score,
        )
        self.reset()

    def reset(self) -> None:
        """Forget all tracks; numbers begin again, below a new token."""
        self._tracker.reset()
        self._token = secrets.token_hex(3)
        self._stamp_ns: int | None = None
        self._rotation: Floats | None = None

    def _run(self, inputs: StageInputs) -> Perception:
        found = inputs.perception.detections
        assert found is not None
        stamp_ns = inputs.frame.stamp_ns
        if self._stamp_ns is not None and stamp_ns < self._stamp_ns:
            self.reset()
        seconds = 0.0 if self._stamp_ns is None else (stamp_ns - self._stamp_ns) / NS_PER_S
        turned = self._turned(inputs, seconds)
        self._stamp_ns = stamp_ns
        weaker = None if self.reads.candidates is None else inputs.candidates
        everything = _with_weaker(found, weaker, self.options.low_score)
        homography = None
        if turned is not None and inputs.calibration is not None:
            homography = homography_of(turned, _matrix(inputs.calibration, inputs.frame))
        numbers, classes = self._tracker.update(
            everything,
            strong=len(found),
            time_s=stamp_ns / NS_PER_S,
            homography=homography,
        )
        rows = np.flatnonzero(numbers)
        tracks = Detections(
            xyxy=everything.xyxy[rows],
            score=everything.score[rows],
            class_id=classes[rows],
            track_id=numbers[rows],
            track_token=self._token,
        )
        return replace(
            inputs.perception,
            detections=replace(found, track_id=numbers[: len(found)], track_token=self._token),
            extras={**inputs.perception.extras, 'tracks': tracks},
        )

    def _turned(self, inputs: StageInputs, seconds: float) -> Floats | None:
        """Return how the camera sees directions of the last frame now; None: not known."""
        wanted = self.reads.angular_rate and 'angular_rate' or self.options.fixed_frame
        if not wanted:
            return None
        last, self._rotation = self._rotation, None
        turned = None
        why = inputs.missing.get(wanted, '')
        if inputs.angular_rate is not None and self.reads.angular_rate:
            turned = turned_by(inputs.angular_rate, seconds)
        elif wanted in inputs.transforms:
            self._rotation = np.asarray(inputs.transforms[wanted].rotation, np.float64)
            turned = np.eye(3) if last is None else self._rotation.T @ last
        elif not why:
            why = f'nothing has come of {wanted} so far'
        if inputs.calibration is None:
            why = NO_CALIBRATION
        self.problem = why and f'turns of the camera are not compensated: {why}'
        return turned


def _with_weaker(found: Detections, candidates: Detections | None, low_score: float) -> Detections:
    """Return the published detections, then the candidates below them."""
    count = len(found)
    # Other boxes than the decoder's come from a stage before; theirs are all there is.
    if candidates is None or not np.array_equal(candidates.xyxy[:count], found.xyxy):
        return found
    rows = np.arange(len(candidates))
    kept = (rows < count) | (candidates.score >= low_score)
    return Detections(
        xyxy=candidates.xyxy[kept],
        score=candidates.score[kept],
        class_id=candidates.class_id[kept],
    )


def _matrix(calibration: Calibration, frame: Frame) -> Floats:
    """
    Return the camera matrix for the pixels of a frame, (3, 3), without the lens distortion.

    Good enough for a turn between two frames: it moves what the distortion bends alike.
    """
    values = calibration.p if calibration.rectified and calibration.p else calibration.k
    matrix = np.array(values, np.float64).reshape(3, -1)[:, :3].copy()
    left, top, width, height = calibration.roi
    # CameraInfo has the center of the upper left pixel at 0, the frame at 0.5.
    matrix[:2, 2] += 0.5 - np.array([left, top])
    matrix[0] *= frame.width / (width or calibration.width)
    matrix[1] *= frame.height / (height or calibration.height)
    return matrix
