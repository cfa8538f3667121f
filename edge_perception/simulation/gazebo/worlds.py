# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Write worlds for Gazebo: landing pad, ground, things beside it, and a vehicle that comes down.

``config/gazebo/`` holds the templates; here they are filled and their images drawn, so that
nothing has to be downloaded and the pad can have any size. Needs no ROS and no Gazebo.

Frames: the pad lies in the origin of the world, its x axis along that of the world. The camera
``down`` sits in the origin of the vehicle and looks down; its image has the front at the top.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import math
from pathlib import Path
import shutil
from string import Template

import cv2
import numpy as np

from edge_perception.simulation import landing_pad as pad
from edge_perception.simulation.approach import Approach
from edge_perception.simulation.gazebo import grounds as gazebo_grounds
from edge_perception.simulation.rendering import distractors
from edge_perception.simulation.rendering.pinhole import Floats
from edge_perception.simulation.rendering.pinhole import PinholeCamera
from edge_perception.simulation.views import FIELD_OF_VIEW

# Simulator to the template of its worlds, and how it names the systems that a world loads. Gazebo
# was called Ignition up to Fortress.
SIMULATORS = {
    'classic': ('classic.sdf', '', ''),
    'ignition': ('modern.sdf', 'ignition-gazebo', 'ignition::gazebo'),
    'gz': ('modern.sdf', 'gz-sim', 'gz::sim'),
}
# Gaps for what a simulator brings into ROS.
PLUGINS = ('down_plugin', 'front_plugin', 'truth_plugin')
GROUNDS = tuple(gazebo_grounds.GROUNDS)
# The cameras see nothing nearer and farther, in sides of the pad; at least so far in meters.
NEAREST, FARTHEST = 0.05, 100.0
# Meters by which the pad lies above the ground, so that the two do not flicker.
PAD_HEIGHT = 0.01
# Seconds: it hovers before the approach, then comes down, then hovers above the pad.
HOVER_S, DESCENT_S = 3.0, 12.0
DURATION_S = HOVER_S + DESCENT_S
WAYPOINT_PERIOD_S = 0.1
# Kind, center in sides of the pad, angle in radians, side in sides of the pad.
BESIDE = (
    (distractors.helipad, (2.2, -1.8), 0.4, 1.3),
    (distractors.checkerboard, (-1.9, 1.7), 0.9, 1.0),
    (distractors.fiducial, (1.5, 2.2), 0.2, 0.8),
)
# Boxes that throw shadows: center and size in sides of the pad, angle in radians, color.
BOXES = (
    ((1.35, 0.2), (0.3, 0.4, 0.7), 0.3, '0.55 0.4 0.25'),
    ((-0.6, -1.9), (0.8, 0.4, 0.5), 1.1, '0.3 0.35 0.45'),
    ((3.4, 1.4), (0.5, 0.5, 1.6), 0.0, '0.6 0.15 0.12'),
)
# Shadows of a mast and of a roof that lie across the pad: center and extent in sides of the pad,
# angle in radians. Those of the sun are faint in Gazebo Classic.
SHADES = (((0.25, 0.1), (0.12, 3.0), 0.6), ((-1.15, 0.4), (1.5, 2.4), 0.25))
# Meters by which they lie above the pad.
SHADE_HEIGHT = 0.004
# Meters of ground that its image covers, and tiles around the middle one in each direction.
TILE_SIDE, TILES = 4.0, 3
# Optical frame of the camera ``down`` in the frame of the vehicle: x right, y back, z down.
OPTICAL_IN_BODY = np.array([[0.0, -1, 0], [-1, 0, 0], [0, 0, -1]])


@dataclass(frozen=True, slots=True)
class World:
    """
    What a world shows.

    :param ground: one of ``GROUNDS``.
    :param approach: seed of the way down.
    :param pad_size: side of the pad in meters.
    :raises ValueError: of another ground, or of a size that is no length.
    """

    ground: str = 'grass'
    approach: int = 1
    pad_size: float = 1.0

    def __post_init__(self) -> None:
        if self.ground not in GROUNDS:
            raise ValueError(f'ground: got {self.ground!r}, expected one of {", ".join(GROUNDS)}')
        if not pad.SMALLEST <= self.pad_size <= pad.LARGEST:
            expected = f'{pad.SMALLEST:g} to {pad.LARGEST:g} m'
            raise ValueError(f'pad size: got {self.pad_size:g}, expected {expected}')

    @property
    def camera(self) -> PinholeCamera:
        """The lens of both cameras."""
        return PinholeCamera.from_field_of_view(FIELD_OF_VIEW)

    def waypoints(self) -> list[tuple[float, Floats, Floats]]:
        """
        Return the way of the vehicle.

        :return: seconds, position (3,) in meters, and rotation (3, 3) of the vehicle in the world.
        """
        way = Approach(
            self.camera,
            duration=DESCENT_S,
            start=8.8 * self.pad_size,
            end=0.9 * self.pad_size,
            side=self.pad_size,
            seed=self.approach,
        )
        found = []
        for index in range(round((DURATION_S + 1.0) / WAYPOINT_PERIOD_S) + 1):
            time = index * WAYPOINT_PERIOD_S
            view = way.view(time - HOVER_S)
            back = view.rotation.T
            position = np.asarray(-back @ view.position + (0.0, 0.0, PAD_HEIGHT))
            found.append((time, position, np.asarray(back @ OPTICAL_IN_BODY.T)))
        return found


def write_world(
    templates: Path,
    folder: Path,
    *,
    world: World,
    simulator: str = 'classic',
    seen_as: str = '',
    plugins: Mapping[str, str] | None = None,
) -> Path:
    """
    Write a world and its images.

    :param templates: the folder ``config/gazebo``.
    :param folder: made if it is missing.
    :param simulator: one of ``SIMULATORS``.
    :param seen_as: where Gazebo finds the folder; empty: where it is.
    :param plugins: what stands for the gaps of ``PLUGINS``; empty by default.
    :return: the file of the world.
    """
    name, system, space = SIMULATORS[simulator]
    template = templates / name
    materials = folder / 'materials'
    materials.mkdir(parents=True, exist_ok=True)
    _draw_pictures(materials, world)
    script = template.with_suffix('.material')
    if script.is_file():
        shutil.copyfile(script, materials / 'edge_perception.material')
    media = seen_as or str(folder.resolve())
    text = _filled(
        template,
        _numbers(world),
        media=media,
        system=system,
        space=space,
        ground='' if simulator == 'classic' else _tiles(template, media),
        distractors=_beside(template, world.pad_size, media),
        **{**dict.fromkeys(PLUGINS, ''), **(plugins or {})},
    )
    (folder / 'world.sdf').write_text(text, encoding='utf-8')
    return folder / 'world.sdf'


def roll_pitch_yaw(rotation: Floats) -> tuple[float, float, float]:
    """Return the angles of a rotation (3, 3) as SDF has them: yaw about z last."""
    pitch = math.asin(max(-1.0, min(1.0, -float(rotation[2, 0]))))
    roll = math.atan2(float(rotation[2, 1]), float(rotation[2, 2]))
    return roll, pitch, math.atan2(float(rotation[1, 0]), float(rotation[0, 0]))


def _pose_text(position: Floats, rotation: Floats) -> str:
    numbers = (*(float(value) for value in position), *roll_pitch_yaw(rotation))
    return ' '.join(f'{number:.6f}' for number in numbers)


def _numbers(world: World) -> dict[str, str]:
    way = [(time, _pose_text(*place)) for time, *place in world.waypoints()]
    indent = 10 * ' '
    return {
        'pad_size': f'{world.pad_size:g}',
        'pad_height': f'{PAD_HEIGHT:g}',
        'field_of_view': f'{math.radians(FIELD_OF_VIEW):.9f}',
        'near': f'{NEAREST * world.pad_size:g}',
        'far': f'{FARTHEST * max(world.pad_size, 1.0):g}',
        'start': way[0][1],
        'waypoints': '\n'.join(
            f'{indent}<waypoint><time>{time:.2f}</time><pose>{pose}</pose></waypoint>'
            for time, pose in way
        ),
    }


def _draw_pictures(folder: Path, world: World) -> None:
    # A multiple of the 24 steps of the drawing, so that no pixel is gray.
    cv2.imwrite(str(folder / 'landing_pad.png'), pad.raster(1536))
    random = np.random.default_rng(world.approach)
    for index, (kind, *_) in enumerate(BESIDE):
        cv2.imwrite(str(folder / f'distractor_{index}.png'), kind(random))
    # Of its own seed: each ground is the same in every approach.
    ground = gazebo_grounds.GROUNDS[world.ground](np.random.default_rng(7))
    cv2.imwrite(str(folder / 'ground.png'), ground)


def _tiles(template: Path, media: str) -> str:
    """Return the ground as tiles, for simulators that do not repeat an image."""
    span = range(-TILES, TILES + 1)
    tiles = [
        _flat(template, media, f'ground_{column + TILES}_{row + TILES}', 'ground.png',
              pose=_pose(column * TILE_SIDE, row * TILE_SIDE, 0.0, 0.0), side=TILE_SIDE)
        for column in span
        for row in span
    ]  # fmt: skip
    return '\n'.join(tiles)


def _beside(template: Path, size: float, media: str) -> str:
    """Return the models that lie and stand beside the pad."""
    parts = [
        _flat(template, media, f'distractor_{index}', f'distractor_{index}.png',
              pose=_pose(x * size, y * size, PAD_HEIGHT * 0.7, angle), side=side * size)
        for index, (_, (x, y), angle, side) in enumerate(BESIDE)
    ]  # fmt: skip
    for index, ((x, y), extent, angle, color) in enumerate(BOXES):
        lengths = [length * size for length in extent]
        pose = _pose(x * size, y * size, lengths[2] / 2, angle)
        parts.append(
            _filled(template.with_name('box.sdf'), name=f'box_{index}', pose=pose,
                    extent=_spaced(*lengths), color=color)
        )  # fmt: skip
    for index, ((x, y), (width, depth), angle) in enumerate(SHADES):
        pose = _pose(x * size, y * size, PAD_HEIGHT + SHADE_HEIGHT * (index + 1), angle)
        parts.append(
            _filled(template.with_name('shade.sdf'), name=f'shade_{index}', pose=pose,
                    extent=_spaced(width * size, depth * size))
        )  # fmt: skip
    return '\n'.join(part.rstrip('\n') for part in parts)


def _flat(template: Path, media: str, name: str, picture: str, *, pose: str, side: float) -> str:
    """Return the model of an image that lies on the ground."""
    file = template.with_name(f'{template.stem}_flat.sdf')
    return _filled(file, name=name, picture=picture, media=media, pose=pose, side=_spaced(side))


def _filled(template: Path, *values: Mapping[str, str], **more: str) -> str:
    return Template(template.read_text(encoding='utf-8')).substitute(*values, **more)


def _pose(x: float, y: float, z: float, yaw: float) -> str:
    return _spaced(x, y, z, 0.0, 0.0, yaw)


def _spaced(*numbers: float) -> str:
    return ' '.join(f'{number:g}' for number in numbers)
