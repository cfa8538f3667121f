# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Landings and dockings from starts by chance, and what has to come out of them."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from edge_perception.contract import ModelManifest
from edge_perception.contract.manifest_file import load_manifest
from tools.landing.consistency import approaches
from tools.landing.consistency import ConsistencyTable
from tools.landing.docking import dock
from tools.landing.docking import Docking
from tools.landing.landing_flight import Landing
from tools.landing.landing_flight import LandingFlight
from tools.landing.landing_flight import LandingStart
from tools.landing.multirotor import Disturbances
from tools.landing.pad_camera import PadCamera

AUTOPILOTS = ('ardupilot', 'px4')
# By the size of the pad, meters: the greatest height at which its keypoints are told apart.
PADS = {0.3: 4.5, 1.0: 6.0}
# Meters; meters and radians.
LANDED, DOCKED = 0.10, (0.03, np.radians(2))
# Seconds for which something lies on the pad in the flights that check what timeouts do.
HIDDEN = (4.0, 10.0)
_MODEL = Path(__file__).parents[2] / 'edge_perception' / 'zoo' / 'landing_pad' / 'model.yaml'
# Of the flights that show where the error comes from, with PX4.
VARIANTS = {
    'as above': Disturbances(),
    'gusts that change within 2 s': Disturbances(gust_s=2.0),
    'no wind': Disturbances(gust=0.0),
    'no wind, own position exact': Disturbances(gust=0.0, position=0.0, drift=0.0),
    'no wind, own position and attitude exact': Disturbances(0.0, position=0, drift=0, attitude=0),
}
_VARIED = 20
# Where the middle of the pad may be, as tangent off the axis, at any heading.
_IN_VIEW = 0.5


@dataclass
class Trials:
    """
    All that was tried.

    :param varied: errors of landings at touchdown, meters, by variant.
    :param hidden: flights in which the pad was covered for some seconds, by autopilot.
    """

    landings: list[Landing]
    hidden: dict[str, Landing]
    varied: dict[str, list[float]]
    dockings: list[Docking]
    consistency: ConsistencyTable

    def landed(self, autopilot: str) -> list[bool]:
        """Return for each landing of an autopilot whether it was near enough."""
        return [each.error <= LANDED for each in self.landings_of(autopilot)]

    def landings_of(self, autopilot: str) -> list[Landing]:
        """Return the landings of an autopilot."""
        return [each for each in self.landings if each.start.autopilot == autopilot]

    def failures(self) -> list[str]:
        """Return in words what is not as it has to be; empty when all is."""
        found = []
        for autopilot in AUTOPILOTS:
            near = self.landed(autopilot)
            if sum(near) < 0.98 * len(near):
                found.append(f'{autopilot}: {sum(near)} of {len(near)} landed within 10 cm')
        if wrong := sum(each.wrongly_sent for each in (*self.landings, *self.hidden.values())):
            found.append(f'{wrong} messages for images that say nothing')
        for each in self.dockings:
            if each.error > DOCKED[0] or each.turned > DOCKED[1]:
                found.append(f'docking: {each.error:.3f} m, {np.degrees(each.turned):.1f} degrees')
        for bin_, kind, mean, inside, *_ in self.consistency.rows():
            # Those for a target at rest are shown, and lie below by choice.
            if bin_ != 'target moves from 0' and not (
                0.7 <= mean <= 1.3 and 0.9 <= inside <= 0.98
            ):
                found.append(f'{bin_}, {kind}: mean {mean:.2f}, inside {100 * inside:.1f} %')
        return found


def manifest_of(size: float) -> ModelManifest:
    """Return the model of the landing pad for a print of a size in meters."""
    manifest = load_manifest(_MODEL)
    points = size * np.array(manifest.object_points)
    return replace(manifest, object_points=tuple(map(tuple, points.tolist())))


def start_of(autopilot: str, seed: int) -> LandingStart:
    """Return a start within 2 m, with the pad in view."""
    random = np.random.default_rng(seed)
    size = float(random.choice(list(PADS)))
    while True:
        height, offset = random.uniform(2, PADS[size]), random.uniform(-2, 2, 2)
        if np.linalg.norm(offset) + 0.35 * size < min(2.0, _IN_VIEW * height):
            north, east = offset.tolist()
            yaw = random.uniform(-np.pi, np.pi)
            return LandingStart(autopilot, (north, east), height, yaw, size, seed)


def land(start: LandingStart, disturbances: Disturbances | None = None) -> Landing:
    """Fly one landing."""
    camera = PadCamera(manifest_of(start.pad_size), np.random.default_rng((1, start.seed)))
    return LandingFlight(start, camera, disturbances or Disturbances()).fly()


def seconds_known_after_loss(landing: Landing) -> float:
    """Return for how long the autopilot knew a target after the pad was covered, seconds."""
    first, last = landing.start.hidden
    newest = max(each for each in landing.arrivals if each < last)
    unknown = (at for (at, *_), known in zip(landing.track, landing.known) if not known)
    return min((at for at in unknown if at > first), default=np.inf) - newest


def run(*, runs: int, dockings: int, count: int, processes: int) -> Trials:
    """Try all of it."""
    starts = [start_of(autopilot, seed) for autopilot in AUTOPILOTS for seed in range(runs)]
    covered = [
        replace(start_of(autopilot, 0), height=PADS[1.0], pad_size=1.0, hidden=HIDDEN)
        for autopilot in AUTOPILOTS
    ]
    seeds = range(min(runs, _VARIED))
    varied = [(start_of('px4', seed), each) for seed in seeds for each in VARIANTS.values()]
    share = -(-count // processes) if count else 0
    with get_context('spawn').Pool(processes) as pool:
        landings = pool.map(land, [*covered, *starts], chunksize=1)
        errors = [each.error for each in pool.starmap(land, varied, chunksize=1)]
        docked = pool.map(partial(dock, manifest_of(0.3)), range(dockings))
        tables = pool.map(partial(approaches, manifest_of(1.0), share), range(processes))
    return Trials(
        landings[len(covered) :],
        dict(zip(AUTOPILOTS, landings)),
        {name: errors[index :: len(VARIANTS)] for index, name in enumerate(VARIANTS)},
        docked,
        ConsistencyTable.joined(tables),
    )
