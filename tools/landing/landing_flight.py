# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One landing in one process: vehicle, camera, pose, stage, bridge, MAVLink, autopilot."""

from __future__ import annotations

from collections import Counter
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
import socket
import time
from typing import Any

import numpy as np

from edge_perception.bridges.autopilot import AutopilotBridge
from edge_perception.bridges.link import open_link
from edge_perception.bridges.mavlink import MavlinkReader
from edge_perception.bridges.mavlink import MavlinkWriter
from edge_perception.bridges.measurement_rules import MeasurementRules
from edge_perception.bridges.vehicle_frames import CameraMount
from edge_perception.bridges.vehicle_frames import from_rpy
from edge_perception.bridges.vehicle_frames import TargetMeasurement
from edge_perception.bridges.vehicle_state import NotSentError
from edge_perception.contract import ObjectPose
from edge_perception.pose import rotation_matrix
from edge_perception.target.target_stage import MEASUREMENT
from tools.landing.multirotor import Disturbances
from tools.landing.multirotor import Floats
from tools.landing.multirotor import Multirotor
from tools.landing.pad_camera import PadCamera
from tools.landing.receivers import ArduPilotReceiver
from tools.landing.receivers import Px4Receiver
from tools.landing.receivers import Receiver
from tools.landing.receivers import StateHistory

STEP_S, STATES_HZ = 0.01, 50
MAX_TIME_S = 60.0
# From here down the vehicle descends on its own position, without looking.
BLIND_M = 1.0
_MOUNT = CameraMount.of((0, 90, 0), (0, 0, 0))
# The camera sees the pad's middle until so far off the axis, and descends within it.
_SPEED, _DESCENT, _CONE = 1.0, 0.5, 0.2
_MAX_AGE_NS = 500_000_000
# What the clock of the autopilot is behind that of the companion, ns; any number but 0.
_CLOCK_NS = 1_700_000_000_123_456_789


@dataclass(frozen=True, slots=True)
class LandingStart:
    """
    Where and how a landing begins.

    :param offset: (2,), meters north and east from the pad.
    :param pad_size: meters.
    :param hidden: seconds between which something lies on the pad.
    """

    autopilot: str
    offset: tuple[float, float]
    height: float
    yaw: float
    pad_size: float
    seed: int
    hidden: tuple[float, float] = (0.0, 0.0)


@dataclass
class Landing:
    """
    What became of a landing.

    :param track: (N, 4): seconds, and NED from the pad, meters.
    :param states: for each image: its time and the state of the stage.
    :param known: for each point of the track, whether the autopilot knows a target.
    :param arrivals: times at which a message came, seconds.
    :param ages: seconds from the image to its message at the autopilot.
    :param wrongly_sent: messages for images in which the pad was not seen or its pose ambiguous,
        or that are stale.
    :param stage_ms: CPU time of the stage in each image.
    :param bridge_ms: likewise of the bridge for each measurement, with sending.
    """

    start: LandingStart
    error: float = np.inf
    seconds: float = MAX_TIME_S
    track: list[tuple[float, float, float, float]] = field(default_factory=list)
    states: list[tuple[float, str]] = field(default_factory=list)
    known: list[bool] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    wrongly_sent: int = 0
    stage_ms: list[float] = field(default_factory=list)
    bridge_ms: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


class LandingFlight:
    """
    Flies one landing to its end. Time is simulated, the bytes are real.

    :param camera: images of the pad, as keypoints.
    """

    def __init__(self, start: LandingStart, camera: PadCamera, disturbances: Disturbances) -> None:
        self._random = random = np.random.default_rng(start.seed)
        self._start, self._camera = start, camera
        self._origin = random.normal(size=3) * (20, 20, 2)
        self._vehicle = Multirotor(
            self._origin + (*start.offset, -start.height), start.yaw, disturbances, random
        )
        self._pad_rotation = from_rpy(0, 0, random.uniform(-np.pi, np.pi))
        self._history = StateHistory()
        self._receiver: Receiver = (
            Px4Receiver()
            if start.autopilot == 'px4'
            else ArduPilotReceiver(self._history.at, lag=0.06)
        )
        self._now = 1.0
        self._due: deque[tuple[float, TargetMeasurement | None, str]] = deque()
        self.landing = Landing(start)
        self._side = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._side.bind(('127.0.0.1', 0))
        self._side.setblocking(False)
        self._link = open_link(f'udp:127.0.0.1:{self._side.getsockname()[1]}')
        self._bridge = AutopilotBridge(
            start.autopilot,
            rules=MeasurementRules(_MAX_AGE_NS),
            say=lambda code, text: self.landing.counts.update([f'said {code}']),
        )
        self._writer, self._reader = MavlinkWriter(component=1), MavlinkReader()
        self._address: Any = None
        # Stamps of images that give nothing that may be sent.
        self._unfit: set[int] = set()

    def fly(self) -> Landing:
        """Return the landing."""
        with self._side:
            try:
                self._fly()
            finally:
                self._link.close()
        self.landing.counts += self._receiver.counts
        self.landing.stage_ms = self._camera.stage_ms
        return self.landing

    def _fly(self) -> None:
        blind: Floats | None = None
        for step in range(int(MAX_TIME_S / STEP_S)):
            self._now += STEP_S
            self._autopilot_side(step)
            self._companion_side(step)
            height = -(self._vehicle.position - self._origin)[2]
            if height <= 0.02:
                self.landing.seconds = step * STEP_S
                self.landing.error = float(
                    np.linalg.norm((self._vehicle.position - self._origin)[:2])
                )
                return
            target = self._receiver.target(self._now) if blind is None else blind
            if target is not None and blind is None and height < BLIND_M:
                blind = target
            self._vehicle.step(self._command(target), STEP_S)
            if step % 10 == 0:
                place = (self._vehicle.position - self._origin).tolist()
                self.landing.track.append((step * STEP_S, *place))
                self.landing.known.append(target is not None)

    def _command(self, target: Floats | None) -> Floats:
        """Return the velocity that the autopilot asks for: over the target, and down above it."""
        if target is None:
            return np.zeros(3)
        away = target - self._vehicle.believed_position
        across = away[:2]
        distance = float(np.linalg.norm(across))
        speed = min(1.4 * distance, _SPEED)
        horizontal = across / max(distance, 1e-6) * speed
        inside = distance < max(_CONE * away[2], 0.08) or away[2] < BLIND_M / 2
        return np.array([*horizontal, _DESCENT if inside else 0.0])

    def _autopilot_side(self, step: int) -> None:
        vehicle = self._vehicle
        roll, pitch, yaw = vehicle.believed_attitude
        position = vehicle.believed_position
        self._history.add(self._now, from_rpy(roll, pitch, yaw), position, 0.05)
        while True:
            try:
                data, self._address = self._side.recvfrom(65536)
            except BlockingIOError:
                break
            for message in self._reader.feed(data):
                if message.name == 'LANDING_TARGET':
                    self._arrived(message.fields)
                    self._receiver.take(message.fields, self._now)
                elif message.name == 'TIMESYNC' and not message.fields['tc1']:
                    answer = {'tc1': self._boot_ns(), 'ts1': message.fields['ts1']}
                    self._say('TIMESYNC', **answer)
        if self._address is None:
            return
        milliseconds = self._boot_ns() // 1_000_000
        if step % 100 == 0:
            beat = {'type': 2, 'autopilot': 3, 'base_mode': 0, 'custom_mode': 0}
            self._say('HEARTBEAT', **beat, system_status=4, mavlink_version=3)
        if step % int(1 / STEP_S / STATES_HZ) == 0:
            rates = {'rollspeed': 0.0, 'pitchspeed': 0.0, 'yawspeed': 0.0}
            angles = {'roll': roll, 'pitch': pitch, 'yaw': yaw}
            self._say('ATTITUDE', time_boot_ms=milliseconds, **angles, **rates)
            place = dict(zip('xyz', position.tolist()))
            speed = dict(zip(('vx', 'vy', 'vz'), vehicle.velocity.tolist()))
            self._say('LOCAL_POSITION_NED', time_boot_ms=milliseconds, **place, **speed)

    def _arrived(self, fields: Mapping[str, Any]) -> None:
        stamp_ns = fields['time_usec'] * 1000
        age_ns = self._ours_ns() - stamp_ns
        self.landing.arrivals.append(self._now - 1.0)
        self.landing.ages.append(age_ns / 1e9)
        stale = age_ns > _MAX_AGE_NS + 2 * STEP_S * 1e9
        self.landing.wrongly_sent += stale or stamp_ns in self._unfit

    def _say(self, name: str, **fields: Any) -> None:
        self._side.sendto(self._writer.pack(name, **fields), self._address)

    def _boot_ns(self) -> int:
        return round(self._now * 1e9)

    def _ours_ns(self) -> int:
        return _CLOCK_NS + self._boot_ns()

    def _companion_side(self, step: int) -> None:
        now_ns = self._ours_ns()
        self._transmit(self._bridge.tick(now_ns))
        if data := self._link.receive():
            self._transmit(self._bridge.received(data, now_ns))
        if step % round(1 / STEP_S / self._camera.rate) == 0:
            self._take_image()
        while self._due and self._due[0][0] <= self._now:
            _, measurement, state = self._due.popleft()
            self.landing.states.append((self._now, state))
            if measurement is not None:
                begun_ns = time.thread_time_ns()
                try:
                    self._transmit(self._bridge.measured(measurement, now_ns))
                except NotSentError:
                    self.landing.counts['not sent'] += 1
                self.landing.bridge_ms.append((time.thread_time_ns() - begun_ns) / 1e6)

    def _take_image(self) -> None:
        """Look at the pad now; what is seen arrives after the latency of the camera and node."""
        vehicle = self._vehicle
        body = from_rpy(*vehicle.attitude)
        camera = body @ _MOUNT.rotation
        offset = camera.T @ (self._origin - vehicle.position)
        # As MAVLink has it, in whole microseconds.
        stamp_ns = self._ours_ns() // 1000 * 1000
        first, last = self._start.hidden
        if first <= self._now - 1.0 < last:
            offset = offset * (1, 1, -1)
        pose, extras, state = self._camera.look(
            offset, camera.T @ self._pad_rotation, stamp_ns=stamp_ns
        )
        measured = extras.get(MEASUREMENT)
        if pose is None or measured is None:
            self._unfit.add(stamp_ns)
        found = None if measured is None else _measurement(measured, stamp_ns)
        self._due.append((self._now + self._camera.latency(), found, state))

    def _transmit(self, frames: list[bytes]) -> None:
        for frame in frames:
            self._link.send(frame)


def _measurement(pose: ObjectPose, stamp_ns: int) -> TargetMeasurement:
    rotation = rotation_matrix(pose.orientation)
    return _MOUNT.body(TargetMeasurement(stamp_ns, pose.position, rotation, pose.covariance))
