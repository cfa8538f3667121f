# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Keep the transforms of the last seconds, and look up the pose of one frame in another.

tf2 exists only in distributions of ROS. As there, stamps are interpolated and never extrapolated,
and of two transforms with one stamp the first counts. Without rclpy.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
import threading

import numpy as np
import numpy.typing as npt

from edge_perception.contract import FrameTransform
from edge_perception.contract.fields import did_you_mean
from edge_perception.contract.fields import MAX_NAME_BYTES
from edge_perception.pose import rotation_matrix
from edge_perception.runtime.budget import age_in_words

# As in tf2: how long transforms are kept, and how far a squared length may be from 1.
KEPT_NS = 10_000_000_000
LENGTH_TOLERANCE = 0.01
# Bound the memory, whatever is published: 10 s at 100 Hz.
MOST_FRAMES = 500
MOST_SAMPLES = 1000
# A stamp that lies so far before the newest of its topic was not late: the clock was set back.
SET_BACK_NS = 1_000_000_000

Floats = npt.NDArray[np.float64]


@dataclass(slots=True)
class _Link:
    """A frame in its parent: stamps in order, each with x, y, z, qx, qy, qz, qw."""

    parent: str
    static: bool
    stamps: list[int] = field(default_factory=list)
    poses: list[Floats] = field(default_factory=list)

    def add(self, stamp_ns: int, pose: Floats) -> None:
        if self.static or (self.stamps and stamp_ns < self.stamps[-1] - SET_BACK_NS):
            self.stamps, self.poses = [], []
        index = bisect_left(self.stamps, stamp_ns)
        if stamp_ns in self.stamps[index : index + 1]:
            return
        self.stamps.insert(index, stamp_ns)
        self.poses.insert(index, pose)
        surplus = bisect_left(self.stamps, self.stamps[-1] - KEPT_NS)
        surplus = max(surplus, len(self.stamps) - MOST_SAMPLES)
        del self.stamps[:surplus], self.poses[:surplus]

    def at(self, stamp_ns: int | None, child: str) -> Floats:
        """Return the pose at a stamp; None: of a frame that does not move."""
        if self.static:
            return self.poses[0]
        if stamp_ns is None:
            raise LookupError(f'{child!r} moves in {self.parent!r}, expected it on /tf_static')
        index = bisect_left(self.stamps, stamp_ns)
        if stamp_ns in self.stamps[index : index + 1]:
            return self.poses[index]
        if 0 < index < len(self.stamps):
            before, after = self.stamps[index - 1 : index + 1]
            share = (stamp_ns - before) / (after - before)
            return _between(self.poses[index - 1], self.poses[index], share)
        end, nearest = ('newer than the newest', -1) if index else ('older than the oldest', 0)
        apart = age_in_words(abs(stamp_ns - self.stamps[nearest]), digits=1)
        raise LookupError(
            f'the image is {end} transform of {child!r} in {self.parent!r} (by {apart})'
        )


class TransformBuffer:
    """The tree of frames over the last ``KEPT_NS``. Methods may be called from any thread."""

    def __init__(self) -> None:
        self._links: dict[str, _Link] = {}
        self._lock = threading.Lock()

    def add(
        self, parent: str, child: str, stamp_ns: int, pose: Sequence[float], *, static: bool
    ) -> None:
        """
        Take the pose of a frame in its parent; with another parent than before it begins anew.

        :param pose: meters x, y, z, and a unit quaternion x, y, z, w.
        :raises ValueError: it cannot be right, and was not taken.
        """
        parent, child = parent.lstrip('/'), child.lstrip('/')
        values = np.array(pose, np.float64)
        with self._lock:
            link = self._links.get(child)
            known = link is not None and (link.parent, link.static) == (parent, static)
            if wrong := self._why_wrong(parent, child, values, known):
                raise ValueError(f'transform of {child[:80]!r} in {parent[:80]!r}: {wrong}')
            if link is None or not known:
                link = self._links[child] = _Link(parent, static)
            values[3:] /= np.linalg.norm(values[3:])
            link.add(stamp_ns, values)

    def clear(self, *, static: bool) -> None:
        """Forget what moves, or static transforms as well."""
        with self._lock:
            kept = {name: link for name, link in self._links.items() if link.static}
            self._links = {} if static else kept

    def look_up(self, target: str, source: str, stamp_ns: int | None) -> FrameTransform:
        """
        Return what takes points of ``source`` into ``target`` at a stamp.

        :param stamp_ns: nanoseconds; None: only by transforms that are static.
        :raises LookupError: it is not known, with the reason in words.
        """
        target, source = target.lstrip('/'), source.lstrip('/')
        if target == source:
            return FrameTransform(np.eye(3), np.zeros(3))
        with self._lock:
            up, down = self._chain(source), self._chain(target)
            common = next((each for each in up if each in down), None)
            if common is None:
                raise LookupError(f'no path from {source!r} to {target!r}: {self._why(up, down)}')
            rotation, translation = self._follow(up[: up.index(common)], stamp_ns)
            turned, moved = self._follow(down[: down.index(common)], stamp_ns)
        return FrameTransform(turned.T @ rotation, turned.T @ (translation - moved))

    def _follow(self, chain: Sequence[str], stamp_ns: int | None) -> tuple[Floats, Floats]:
        """Return the pose of the first frame in the parent of the last."""
        rotation, translation = np.eye(3), np.zeros(3)
        for child in chain:
            pose = self._links[child].at(stamp_ns, child)
            turn = rotation_matrix(pose[3:])
            rotation, translation = turn @ rotation, turn @ translation + pose[:3]
        return rotation, translation

    def _chain(self, frame: str) -> list[str]:
        """Return a frame, its parent, and so on up to the root."""
        chain = [frame]
        while link := self._links.get(chain[-1]):
            chain.append(link.parent)
        return chain

    def _why(self, up: Sequence[str], down: Sequence[str]) -> str:
        """Return why two frames have no common ancestor."""
        known = self._links.keys() | {link.parent for link in self._links.values()}
        for frame in (up[0], down[0]):
            if not frame:
                return 'the message that names it has no frame_id'
            if frame not in known:
                hint = did_you_mean(frame, sorted(known))
                return f'{frame!r} is not on /tf{hint}' if known else 'nothing has come on /tf'
        return f'they are in two trees, below {up[-1]!r} and {down[-1]!r}'

    def _why_wrong(self, parent: str, child: str, pose: Floats, known: bool) -> str:
        """Return why a transform cannot be right; empty when it can."""
        sizes = [len(name.encode(errors='replace')) for name in (parent, child)]
        if not 0 < min(sizes) <= max(sizes) <= MAX_NAME_BYTES:
            return f'expected names of 1 to {MAX_NAME_BYTES} bytes'
        length = float(pose[3:] @ pose[3:])
        if not np.isfinite(pose).all():
            return 'got a number that is not finite'
        if abs(length - 1) > LENGTH_TOLERANCE:
            return f'expected a quaternion of length 1, got {length**0.5:.4g}'
        if not known and child in self._chain(parent):
            return 'it would be below itself'
        if child not in self._links and len(self._links) >= MOST_FRAMES:
            return f'there are {MOST_FRAMES} frames already'
        return ''


def _between(one: Floats, other: Floats, share: float) -> Floats:
    """Interpolate two poses: positions linearly, rotations by slerp (Shoemake 1985)."""
    cosine = float(one[3:] @ other[3:])
    angle = np.arccos(min(abs(cosine), 1.0))
    weights = np.array([1 - share, share])
    moved = weights @ (one[:3], other[:3])
    if angle > 1e-6:
        weights = np.sin(weights * angle)
    turned = weights @ (one[3:], other[3:] if cosine >= 0 else -other[3:])  # the shorter way
    return np.concatenate([moved, turned / np.linalg.norm(turned)])
