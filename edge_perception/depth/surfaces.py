# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Find the surface of each object in a depth image: the nearest distance that many samples agree on.

A box holds more than its object: the wall behind, something in front at its edge, pixels without a
distance, and pixels between two surfaces (flying pixels). A mean or the middle pixel mixes them.
At most ``SIDE * SIDE`` samples of a box are looked at, whatever its size.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.contract import SideImage
from edge_perception.depth.depth_options import DepthOptions
from edge_perception.depth.depth_options import Floats

Bools = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]

# Meters in a unit, by encoding (REP 118).
UNITS = {'32FC1': 1.0, '16UC1': 0.001, 'mono16': 0.001}
SIDE = 32
_STEPS = (2 * np.arange(SIDE) + 1) / SIDE - 1
# Share of width and height that is sampled where no mask says what belongs to the object.
_CENTRAL = 0.6
# An object has a distance at so many of the samples, and at so many pixels.
_LEAST_SHARE, _LEAST_PIXELS = 0.2, 16
# So many of its samples within a window make a surface, and so many carry it on.
_SURFACE, _CARRY = 0.15, 0.03
# Width of the window: a share of the distance, and standard deviations of the sensor.
_WINDOW, _WINDOW_SIGMAS = 0.04, 4.0
# From the middle to 5 and to 95 %, in standard deviations.
_TAIL = 1.645
# Depth is blurred at the edge of an object: so many pixels of a mask are left out.
_ERODED = np.ones((5, 5), np.uint8)


@dataclass(frozen=True, slots=True)
class Surfaces:
    """
    What is seen of the objects, (N,) each, meters along the optical axis; NaN where nothing is.

    :param front: distance of the nearest part.
    :param back: distance of the farthest part that is seen.
    :param sigma: standard deviation of the front: of the sensor, and of the mean of what is seen.
    :param reasons: what the stage counts: ``measured``, or why there is none.
    :param typical: median of all distances, in range or not; NaN where a surface was found.
    """

    front: Floats
    back: Floats
    sigma: Floats
    reasons: list[str]
    typical: float


def find_surfaces(
    depth: SideImage,
    boxes: Floats,
    *,
    options: DepthOptions,
    mask: npt.NDArray[np.integer] | None,
    values: npt.NDArray[np.integer],
) -> Surfaces:
    """
    Return the surface of the object in each box.

    :param boxes: (N, 4), corners in pixels of the depth image, inside of it.
    :param mask: class or instance of each pixel of the image, of which the depth image shows the
        same.
    :param values: (N,), what a pixel of the mask has to be for each box.
    """
    share = _CENTRAL if mask is None else 1.0
    rows, columns, pixels = _samples(boxes, depth.pixels.shape, share)
    distances = depth.pixels[rows, columns].reshape(-1, SIDE**2).astype(np.float32)
    distances *= np.float32(options.depth_scale or UNITS[depth.encoding])
    wanted = np.ones(distances.shape, np.bool_)
    if mask is not None:
        inner = _inner(mask, rows, columns, depth.pixels.shape) == values[:, None, None]
        wanted = inner.reshape(distances.shape)
    # Infinities are those of REP 117; 0 is no distance.
    far = wanted & (distances > options.max_distance)
    near = wanted & (distances < options.min_distance) & (distances != 0)
    usable = wanted & (distances >= options.min_distance) & ~far
    asked, found = wanted.sum(axis=1), usable.sum(axis=1)
    ordered = np.sort(np.where(usable, distances, np.float32(np.inf)), axis=1)
    first, last = _nearest(ordered, found, options)
    measured = (found >= _LEAST_SHARE * asked) & (found * pixels >= _LEAST_PIXELS) & (last > first)
    low, middle, high = (
        np.where(measured, _at(ordered, first, last, share), np.nan) for share in (0.05, 0.5, 0.95)
    )
    sensor, spread = options.sigma(middle), (high - low) / (2 * _TAIL)
    seen = distances[wanted & np.isfinite(distances) & (distances != 0)]
    return Surfaces(
        # What noise spreads is no extent.
        front=np.minimum(low + _TAIL * sensor, middle),
        back=np.maximum(high - _TAIL * sensor, middle),
        sigma=np.sqrt(sensor**2 + spread**2 / np.maximum((last - first) * pixels, 1)),
        reasons=_reasons(measured, asked, pixels, far=far.sum(axis=1), near=near.sum(axis=1)),
        typical=float(np.median(seen)) if len(seen) and not measured.any() else np.nan,
    )


def _samples(boxes: Floats, shape: tuple[int, ...], share: float) -> tuple[Places, Places, Floats]:
    """Return rows (N, SIDE, 1), columns (N, 1, SIDE), and how many pixels a sample stands for."""
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, share * (boxes[:, 2:] - boxes[:, :2]) / 2
    places = middle[:, None] + half[:, None] * _STEPS[:, None]
    inside: Places = np.clip(places, 0, np.array(shape[1::-1]) - 1).astype(np.intp)
    pixels: Floats = np.minimum(2 * half, SIDE).prod(axis=1) / SIDE**2
    return inside[:, :, None, 1], inside[:, None, :, 0], pixels


def _inner(
    mask: npt.NDArray[np.integer], rows: Places, columns: Places, shape: tuple[int, ...]
) -> npt.NDArray[np.integer]:
    """Return the mask at samples of a depth image of some shape; -1 at an edge of the mask."""
    smooth = cv2.erode(mask, _ERODED) == cv2.dilate(mask, _ERODED)
    rows = ((rows + 0.5) * (mask.shape[0] / shape[0])).astype(np.intp)
    columns = ((columns + 0.5) * (mask.shape[1] / shape[1])).astype(np.intp)
    return np.where(smooth[rows, columns], mask[rows, columns].astype(np.int32), -1)


def _nearest(
    ordered: npt.NDArray[np.float32], found: Places, options: DepthOptions
) -> tuple[Places, Places]:
    """
    Return where the nearest surface begins and ends, (N,) each; the same where there is none.

    :param ordered: (N, M), distances, the smallest first; behind them infinities.
    :param found: (N,), how many are finite.
    """
    places, size = np.arange(ordered.shape[1]), ordered.shape[1]
    padded = np.pad(ordered, ((0, 0), (0, 1)), constant_values=np.inf)
    reach = np.minimum(ordered, np.float32(options.max_distance))
    window = np.maximum(_WINDOW * reach, _WINDOW_SIGMAS * options.sigma(reach))

    def within(more: Places) -> Bools:
        ahead = np.take_along_axis(padded, np.minimum(places + more[:, None], size), axis=1)
        return np.asarray(np.isfinite(ahead) & (ahead <= ordered + window), np.bool_)

    surface, carry = (
        np.maximum(np.ceil(each * found), 1).astype(int) for each in (_SURFACE, _CARRY)
    )
    begins = within(surface - 1)
    first = np.argmax(begins, axis=1)
    ends = ~within(carry) & (places >= (first + surface - 1)[:, None])
    last = np.argmax(ends, axis=1) + 1
    # Behind the last ones there are too few to carry it on.
    last = np.where(last + carry >= found, found, last)
    return first, np.where(begins.any(axis=1), last, first)


def _at(ordered: npt.NDArray[np.float32], first: Places, last: Places, share: float) -> Floats:
    place = first + np.round(share * np.maximum(last - first - 1, 0)).astype(np.intp)
    return np.take_along_axis(ordered, place[:, None], axis=1)[:, 0].astype(np.float64)


def _reasons(
    measured: Bools, asked: Places, pixels: Floats, *, far: Places, near: Places
) -> list[str]:
    neither = np.maximum(far, near) < _LEAST_SHARE * asked
    reasons = np.select(
        [measured, asked * pixels < _LEAST_PIXELS, neither, far >= near],
        ['measured', 'too_small', 'no_depth', 'too_far'],
        'too_near',
    )
    return list(reasons.tolist())
