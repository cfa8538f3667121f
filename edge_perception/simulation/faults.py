# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Apply faults of a camera to its images, by a schedule.

A schedule counts images, not seconds, so that a fault hits the same images on every machine.
Knows no ROS; ``simulation.nodes.fault_injector`` puts it between a camera and a node.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
import math

import cv2
import numpy as np

from edge_perception.contract import ConfigurationError
from edge_perception.contract import Frame
from edge_perception.contract.fields import did_you_mean
from edge_perception.simulation.rendering.textures import Picture

NS_PER_MS = 1_000_000
# Between an image and the older one that comes after it.
REORDER_GAP_NS = 50 * NS_PER_MS


# What is sent before is lost in the middleware, and cannot be counted.
REUNION = 'the first one after publisher and node have found each other'


@dataclass(frozen=True, slots=True)
class Kind:
    """
    A kind of fault.

    :param effect: what it does, and what the node is expected to do, in a sentence each.
    :param amount: what the amount means; empty: there is none.
    :param usual: the amount where none is given.
    :param recovery: the first image after it whose result is as if nothing had happened.
    """

    effect: str
    expected: str
    amount: str = ''
    usual: float = 0.0
    recovery: str = 'the next image'


KINDS: dict[str, Kind] = {
    'freeze': Kind(
        'the image stands still, its stamps go on',
        'nothing is dropped, results repeat the image; only the truth shows it',
    ),
    'drop': Kind('no image comes', 'nothing is received and nothing published'),
    'delay': Kind(
        'images come later than their stamps',
        'stale, or bad_stamp where a newer image was faster: they are dropped',
        'ms',
        800.0,
    ),
    'reorder': Kind(
        'two neighbors change places',
        'bad_stamp: the second of each two is older than the one before it',
    ),
    'stamp_jump': Kind(
        'stamps are off',
        'bad_stamp: stamps in the future are dropped, stamps of the past are stale',
        'ms, negative: into the past',
        5000.0,
    ),
    'black': Kind('images are black', 'empty results are published, no pose'),
    'overexposed': Kind('images are white', 'empty results are published, no pose'),
    'blur': Kind(
        'images are out of focus',
        'results are published, empty where nothing can be seen',
        'standard deviation in pixels',
        25.0,
    ),
    'encoding': Kind('color becomes mono8', 'results go on as before'),
    'bad_encoding': Kind(
        'the encoding has an unknown name', 'bad_image: these images are dropped'
    ),
    'size': Kind(
        'images are smaller than CameraInfo says, of the same shape',
        'results go on with poses: the intrinsics are scaled',
        'factor',
        0.75,
    ),
    'crop': Kind(
        'images lack the lower part, and CameraInfo does not say so',
        'results go on without a pose, diagnostics say why',
        'share that is left',
        0.75,
    ),
    'qos': Kind(
        'the publisher comes back with the other reliability',
        'results go on, nothing is dropped',
        recovery=REUNION,
    ),
    'info_lost': Kind('CameraInfo stops', 'results go on with the last intrinsics'),
    'restart': Kind(
        'the publisher goes and comes back',
        'nothing is received, published or dropped until it is back',
        recovery=REUNION,
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One fault.

    :param first: number of the first image that it hits, from 0.
    :param count: how many images it hits.
    """

    kind: str
    first: int
    count: int
    amount: float

    def hits(self, index: int) -> bool:
        """Tell whether an image is hit."""
        return self.first <= index < self.first + self.count


def parse_faults(texts: Sequence[str]) -> tuple[Fault, ...]:
    """
    Read a schedule.

    :param texts: each ``KIND:FIRST:COUNT`` or ``KIND:FIRST:COUNT:AMOUNT``.
    :raises ConfigurationError: with everything that is wrong with it.
    """
    faults, problems = [], []
    for text in texts:
        try:
            faults.append(_parse(text))
        except ValueError as error:
            problems.append(f'fault {text!r}: {error}')
    if problems:
        raise ConfigurationError('faults', problems)
    return tuple(faults)


def _parse(text: str) -> Fault:
    kind, *numbers = text.split(':')
    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS)
        raise ValueError(f'got kind {kind!r}, expected one of {", ".join(KINDS)}{hint}')
    least = 3 if KINDS[kind].amount else 2
    if not 2 <= len(numbers) <= least:
        last = ':AMOUNT' if least == 3 else ''
        raise ValueError(f'got {len(numbers)} numbers, expected {kind}:FIRST:COUNT{last}')
    try:
        first, count = int(numbers[0]), int(numbers[1])
        amount = float(numbers[2]) if len(numbers) == 3 else KINDS[kind].usual
    except ValueError as error:
        raise ValueError(f'{error}, expected integers for FIRST and COUNT') from error
    if first < 0 or count < 1 or not math.isfinite(amount):
        raise ValueError('expected FIRST of at least 0, COUNT of at least 1 and a finite AMOUNT')
    return Fault(kind, first, count, amount)


@dataclass(frozen=True, slots=True)
class Shot:
    """
    An image on its way.

    :param image: as ``Frame.image``.
    :param encoding: as in messages; may be wrong on purpose.
    :param delay_ns: from its arrival until it is to be sent on.
    """

    image: Picture
    encoding: str
    stamp_ns: int
    frame_id: str
    delay_ns: int = 0


class FaultLine:
    """
    Images go in, images with faults come out. Called from one thread.

    :param faults: by schedule; several at once add up.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = faults
        self._index = -1
        self._frozen: Shot | None = None
        self._held: Shot | None = None

    def push(self, frame: Frame) -> list[Shot]:
        """Take the next image; return what comes out, in this order."""
        self._index += 1
        if self.active('drop') or self.active('restart'):
            return []
        shot = Shot(frame.image, frame.encoding, frame.stamp_ns, frame.frame_id)
        if not self.active('freeze'):
            self._frozen = None
        elif self._frozen is None:
            self._frozen = shot
        if self._frozen is not None:
            shot = replace(shot, image=self._frozen.image, encoding=self._frozen.encoding)
        for fault in self._faults:
            if fault.hits(self._index) and fault.kind in CHANGES:
                shot = CHANGES[fault.kind](shot, fault.amount)
        return self._in_order(shot)

    def active(self, kind: str) -> bool:
        """Tell whether the last image that came is hit by a kind of fault."""
        return kind in self.kinds

    @property
    def kinds(self) -> set[str]:
        """All kinds that hit the last image that came."""
        return {fault.kind for fault in self._faults if fault.hits(self._index)}

    def _in_order(self, shot: Shot) -> list[Shot]:
        if self.active('reorder') and self._held is None:
            self._held = shot
            return []
        held, self._held = self._held, None
        # A little later, or a node that keeps only the newest would miss the first of the two.
        return [shot] if held is None else [shot, replace(held, delay_ns=REORDER_GAP_NS)]


def _gray(shot: Shot) -> Shot:
    if shot.encoding == 'mono8':
        return shot
    code = cv2.COLOR_RGB2GRAY if shot.encoding == 'rgb8' else cv2.COLOR_BGR2GRAY
    return replace(shot, image=_uint8(cv2.cvtColor(shot.image, code)), encoding='mono8')


def _blurred(image: Picture, sigma: float) -> Picture:
    return _uint8(cv2.GaussianBlur(image, (0, 0), max(sigma, 0.01)))


def _resized(image: Picture, factor: float) -> Picture:
    factor = min(max(factor, 0.05), 4.0)
    resized = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return _uint8(resized)


def _cropped(image: Picture, share: float) -> Picture:
    return image[: max(1, round(image.shape[0] * min(max(share, 0.0), 1.0)))]


def _uint8(image: object) -> Picture:
    return np.asarray(image, np.uint8)


def _ns(milliseconds: float) -> int:
    return round(milliseconds * NS_PER_MS)


# What a fault with an amount changes in an image.
CHANGES: dict[str, Callable[[Shot, float], Shot]] = {
    'black': lambda shot, _: replace(shot, image=np.zeros_like(shot.image)),
    'overexposed': lambda shot, _: replace(shot, image=np.full_like(shot.image, 255)),
    'blur': lambda shot, sigma: replace(shot, image=_blurred(shot.image, sigma)),
    'delay': lambda shot, ms: replace(shot, delay_ns=max(0, _ns(ms))),
    'stamp_jump': lambda shot, ms: replace(shot, stamp_ns=max(0, shot.stamp_ns + _ns(ms))),
    'encoding': lambda shot, _: _gray(shot),
    'bad_encoding': lambda shot, _: replace(shot, encoding='no_such_encoding'),
    'size': lambda shot, factor: replace(shot, image=_resized(shot.image, factor)),
    'crop': lambda shot, share: replace(shot, image=_cropped(shot.image, share)),
}
