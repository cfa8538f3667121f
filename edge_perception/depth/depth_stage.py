# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The stage ``depth``: detections and an aligned depth image to boxes in space."""

from __future__ import annotations

from collections import Counter
from collections import deque
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edge_perception.contract import Boxes3D
from edge_perception.contract import Calibration
from edge_perception.contract import Detections
from edge_perception.contract import IntrinsicsError
from edge_perception.contract import ModelManifest
from edge_perception.contract import OptionError
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import Reads
from edge_perception.contract import SideImage
from edge_perception.contract import Stage
from edge_perception.contract import StageInputs
from edge_perception.depth.depth_options import DepthOptions
from edge_perception.depth.lifting import Lifter
from edge_perception.depth.surfaces import find_surfaces
from edge_perception.depth.surfaces import Surfaces
from edge_perception.depth.surfaces import UNITS

TOPIC = 'detections_3d'
# Why an object has no box in space: what is wrong with the frame, then with the object.
FRAME_REASONS = ('no_image', 'out_of_sync', 'not_aligned', 'no_calibration', 'no_tf')
OBJECT_REASONS = ('no_depth', 'too_far', 'too_near', 'too_small')
# What is taken for the time between images until two have come: 30 Hz.
_FIRST_PERIOD_NS = 33_000_000
# No robot lives outside of these distances, m: what does has other units.
_PLAUSIBLE = (0.02, 200.0)


class DepthStage(Stage):
    """
    Measures the objects of the detections; each keeps its detection, also without a distance.

    A frame without a usable depth image, or without the transform that is asked for, gives no
    message rather than an empty one.
    """

    name = 'depth'
    needs = frozenset({'detections'})
    options_type = DepthOptions
    publishes = {TOPIC: 'boxes_3d'}
    options: DepthOptions

    @classmethod
    def applies(cls, manifest: ModelManifest, options: Options) -> bool:
        """Tell whether a depth topic is given."""
        assert isinstance(options, DepthOptions)
        if len(options.noise) != 3:
            raise OptionError(f'noise: got {list(options.noise)}, expected three floats')
        if options.min_distance >= options.max_distance:
            raise OptionError(
                f'min_distance: got {options.min_distance:g}, expected less than max_distance, '
                f'which is {options.max_distance:g}'
            )
        return bool(options.depth_topic)

    def reset(self) -> None:
        """Forget the rate of the images."""
        self._stamps: deque[int] = deque(maxlen=8)

    def _bind(self) -> None:
        options = self.options
        wanted = (options.target_frame,) if options.target_frame else ()
        self.reads = Reads(
            calibration=True, images={'depth': options.depth_topic}, transforms=wanted
        )
        self.counts: Counter[str] = Counter(
            dict.fromkeys(('measured', 'cut_off', *FRAME_REASONS, *OBJECT_REASONS), 0)
        )
        self._lifter: tuple[tuple[Calibration, int, int, int, int], Lifter] | None = None
        self.reset()

    def _run(self, inputs: StageInputs) -> Perception:
        perception, detections = inputs.perception, inputs.perception.detections
        assert detections is not None
        self._stamps.append(inputs.frame.stamp_ns)
        depth = inputs.images.get('depth')
        reason, self.problem = self._obstacle(inputs, depth)
        if reason:
            self.counts[reason] += len(detections)
            return perception
        assert depth is not None and inputs.calibration is not None
        try:
            lifter = self._lifter_for(inputs, inputs.calibration, depth)
        except IntrinsicsError as error:
            self.problem = str(error)
            self.counts['no_calibration'] += len(detections)
            return perception
        boxes = self._measure(inputs, detections, depth, lifter)
        return replace(perception, extras={**perception.extras, TOPIC: boxes})

    def _measure(
        self, inputs: StageInputs, detections: Detections, depth: SideImage, lifter: Lifter
    ) -> Boxes3D:
        pixels, rays, cut = lifter.place(detections.xyxy)
        mask: npt.NDArray[np.integer] | None = inputs.perception.instances
        values: npt.NDArray[np.integer] = np.arange(1, len(detections) + 1)
        if mask is None:
            mask, values = inputs.perception.mask, detections.class_id
        surfaces = find_surfaces(
            depth,
            pixels,
            options=self.options,
            mask=mask if lifter.same_lens else None,
            values=values,
        )
        self._count(surfaces, cut)
        target = inputs.transforms.get(self.options.target_frame)
        return lifter.lift(rays, cut, surfaces, options=self.options, target=target)

    def _count(self, surfaces: Surfaces, cut: npt.NDArray[np.bool_]) -> None:
        """Count what became of the objects, and say when the units are wrong."""
        measured = np.isfinite(surfaces.front)
        self.counts['cut_off'] += int(cut[measured].any(axis=1).sum())
        self.counts.update(surfaces.reasons)
        low, high = _PLAUSIBLE
        if surfaces.typical < low or surfaces.typical > high:
            self.problem = (
                f'distances are around {surfaces.typical:.1g} m, expected {low:g} to {high:g}; '
                'set stage_options.depth.depth_scale to the meters in a unit of the depth image, '
                '1.0 for meters or 0.001 for millimeters'
            )

    def _obstacle(self, inputs: StageInputs, depth: SideImage | None) -> tuple[str, str]:
        """Return why nothing can be measured in a frame, by its count and in words."""
        topic, target = self.options.depth_topic, self.options.target_frame
        if depth is None:
            return 'no_image', f'there is no depth image of {topic}'
        if depth.encoding not in UNITS:
            expected = ', '.join(UNITS)
            return 'no_image', f'{topic}: got {depth.encoding}, expected one of {expected}'
        limit_ns = self._limit_ns(depth)
        if abs(depth.stamp_ns - inputs.frame.stamp_ns) > limit_ns:
            return 'out_of_sync', (
                f'{topic}: no depth image is within {limit_ns / 1e6:.0f} ms of the image; check '
                'its rate and clock, or set stage_options.depth.max_offset_ms'
            )
        if problem := self._why_not_aligned(inputs, depth):
            return 'not_aligned', problem
        if inputs.calibration is None:
            return 'no_calibration', 'the intrinsics of the camera are not known'
        if target and target not in inputs.transforms:
            why = inputs.missing.get(target, 'it is not known at the stamp of the image')
            return 'no_tf', f'target_frame {target}: {why}'
        return '', ''

    def _limit_ns(self, depth: SideImage) -> float:
        """Return how far apart image and depth image may be: half of the shorter period."""
        if self.options.max_offset_ms:
            return self.options.max_offset_ms * 1e6
        between = np.diff(self._stamps)
        periods = [depth.period_ns, *between[between > 0].tolist()]
        return min(filter(None, periods), default=_FIRST_PERIOD_NS) / 2

    def _why_not_aligned(self, inputs: StageInputs, depth: SideImage) -> str:
        frame, (height, width) = inputs.frame, depth.pixels.shape[:2]
        ours, its = frame.frame_id.lstrip('/'), depth.frame_id.lstrip('/')
        remedy = 'let the driver align it to this camera (align_depth of RealSense) or register it'
        if self.options.check_frame and ours and its and ours != its:
            return (
                f'the depth image is in {its}, the image in {ours}, so it is not aligned; '
                f'{remedy} with depth_image_proc; where it is aligned, set '
                'stage_options.depth.check_frame to false'
            )
        # A common scale rounds an odd size.
        if abs(frame.height * width / frame.width - height) >= 1:
            return (
                f'the depth image has {width}x{height} pixels, the image '
                f'{frame.width}x{frame.height}, so it does not show the same; {remedy}'
            )
        return ''

    def _lifter_for(
        self, inputs: StageInputs, calibration: Calibration, depth: SideImage
    ) -> Lifter:
        frame, (height, width) = inputs.frame, depth.pixels.shape[:2]
        key = (calibration, frame.width, frame.height, width, height)
        if self._lifter is None or self._lifter[0] != key:
            name = self.options.depth_topic.rpartition('/')[2]
            straight = self.options.depth_rectified or name.startswith('image_rect')
            made = Lifter(calibration, frame, size=(width, height), rectified=straight)
            self._lifter = key, made
        return self._lifter[1]
