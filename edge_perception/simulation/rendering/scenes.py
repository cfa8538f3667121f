# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Sample and render scenes: ground, pad or none, distractors, light, occlusion, lens, sensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math

import numpy as np
import numpy.typing as npt

from edge_perception.simulation import landing_pad as pad
from edge_perception.simulation.rendering import distractors
from edge_perception.simulation.rendering import effects as optics
from edge_perception.simulation.rendering.distractors import Kind
from edge_perception.simulation.rendering.effects import Effects
from edge_perception.simulation.rendering.effects import Occluder
from edge_perception.simulation.rendering.effects import Shadow
from edge_perception.simulation.rendering.pinhole import Floats
from edge_perception.simulation.rendering.renderer import Ground
from edge_perception.simulation.rendering.renderer import Patch
from edge_perception.simulation.rendering.renderer import Renderer
from edge_perception.simulation.rendering.renderer import Texture
from edge_perception.simulation.rendering.textures import Family
from edge_perception.simulation.rendering.textures import Picture
from edge_perception.simulation.rendering.textures import Random
from edge_perception.simulation.views import inside
from edge_perception.simulation.views import View

PAD_TEXTURE = Texture(pad.raster(1536))

# A keypoint is hidden where more than this share of its pixel is covered.
_HIDDEN = 0.5


@dataclass(frozen=True)
class Scene:
    """
    What the camera sees.

    :param landing_pad: None in images without a pad.
    :param distractors: below the pad, in the order in which they are drawn.
    """

    ground: Ground
    landing_pad: Patch | None
    distractors: tuple[Patch, ...] = ()
    effects: Effects = Effects()


@dataclass(frozen=True)
class Rendered:
    """
    An image and the truth about it.

    :param image: uint8 (height, width, 3), BGR.
    :param keypoints: float64 (K, 2), pixels, also those that are not seen.
    :param seen: bool (K,): inside of the image and not hidden; all False without a pad.
    :param visible: share of the area of the pad that is in the image and not hidden, 0 to 1.
    """

    image: Picture
    keypoints: Floats
    seen: npt.NDArray[np.bool_]
    visible: float


def make_grounds(families: Sequence[Family], *, each: int, random: Random) -> list[Texture]:
    """Draw ``each`` textures of each family."""
    return [Texture(family(random)) for family in families for _ in range(each)]


def render(
    scene: Scene, view: View, *, random: Random, renderer: Renderer | None = None
) -> Rendered:
    """
    Render a scene.

    :param random: draws the noise of the sensor.
    :param renderer: of the camera of the view, to reuse its rays; None makes one.
    """
    renderer = renderer or Renderer(view.camera)
    image = renderer.ground(scene.ground, view)
    for distractor in scene.distractors:
        renderer.patch(distractor, view, image)
    keypoints = view.keypoints()
    seen = np.zeros(len(keypoints), bool)
    visible = 0.0
    if scene.landing_pad is not None:
        cover = renderer.patch(scene.landing_pad, view, image)
        hidden = optics.hidden(scene.effects, width=image.shape[1], height=image.shape[0])
        seen = _seen(keypoints, hidden)
        whole = float(cover.sum())
        share = float((cover * (1 - hidden)).sum()) / whole if whole > 0 else 0.0
        visible = inside(view) * share
    picture = optics.expose(image, scene.effects, random)
    return Rendered(image=picture, keypoints=keypoints, seen=seen, visible=visible)


def sample_scene(
    random: Random,
    view: View,
    *,
    grounds: Sequence[Texture],
    with_pad: bool = True,
    kinds: Sequence[Kind] = distractors.KINDS,
) -> Scene:
    """
    Draw a scene for a view.

    :param grounds: one of them is taken.
    :param with_pad: without, a distractor often takes its place.
    :param kinds: of distractors.
    """
    ground = Ground(
        texture=grounds[int(random.integers(len(grounds)))],
        texel=math.exp(random.uniform(math.log(0.0015), math.log(0.012))),
        offset=(random.uniform(-5, 5), random.uniform(-5, 5)),
        gain=_color(random, random.uniform(0.5, 1.15), spread=0.08),
    )
    return Scene(
        ground=ground,
        landing_pad=_sample_pad(random, view) if with_pad else None,
        distractors=_sample_distractors(random, view, with_pad, kinds),
        effects=sample_effects(random, view),
    )


def sample_effects(random: Random, view: View) -> Effects:
    """Draw light, occlusion, lens and sensor for a view."""
    angle, length = random.uniform(0, 2 * math.pi), max(0.0, random.normal(0, 2.0))
    length = min(length, 5.0)
    corner = random.uniform(0, 1, 2) * (view.camera.width, view.camera.height)
    glare = (corner[0], corner[1], random.uniform(40, 250), random.uniform(0.1, 0.6))
    return Effects(
        gain=_color(random, math.exp(random.normal(-0.15, 0.2)), spread=0.05),
        offset=random.uniform(-5, 20),
        gradient=(random.uniform(-0.5, 0.5), random.uniform(-0.5, 0.5)),
        glare=glare if random.random() < 0.15 else (0.0,) * 4,
        shadows=_sample_shadows(random, view),
        occluders=_sample_occluders(random, view),
        vignetting=random.uniform(0, 0.5),
        defocus=min(abs(random.normal(0, 0.6)), 1.5),
        motion=(length * math.cos(angle), length * math.sin(angle)),
        noise=min(abs(random.normal(0, 4)), 12),
        jpeg=int(random.integers(40, 96)) if random.random() < 0.3 else 0,
    )


def _sample_pad(random: Random, view: View) -> Patch:
    """Return the pad, printed more or less black and white, dirty, worn."""
    texture = PAD_TEXTURE
    if random.random() < 0.5:
        picture = pad.raster(384).astype(np.float32)
        worn = random.standard_normal((int(random.integers(4, 64)),) * 2).astype(np.float32)
        stains = np.kron(worn, np.ones((384 // len(worn) + 1,) * 2, np.float32))[:384, :384]
        picture += stains * random.uniform(0, 22)
        texture = Texture(np.clip(picture, 0, 255).astype(np.uint8))
    return Patch(
        texture=texture,
        side=view.side,
        dark=_color(random, random.uniform(5, 65), spread=0.1),
        bright=_color(random, random.uniform(150, 255), spread=0.06),
    )


def _sample_distractors(
    random: Random, view: View, with_pad: bool, kinds: Sequence[Kind]
) -> tuple[Patch, ...]:
    patches = []
    for index in range(int(random.integers(0, 4 if with_pad else 6))):
        side = view.side * math.exp(random.uniform(math.log(0.3), math.log(2.0)))
        radius = random.uniform(0, 3.0) * view.side
        if with_pad:
            radius += 0.75 * (view.side + side)
        elif index == 0:
            radius *= 0.1
        bearing = random.uniform(0, 2 * math.pi)
        kind = kinds[int(random.integers(len(kinds)))]
        patches.append(
            Patch(
                texture=Texture(kind(random)),
                side=side,
                center=(radius * math.cos(bearing), radius * math.sin(bearing)),
                angle=random.uniform(0, 2 * math.pi),
                dark=_color(random, random.uniform(5, 80), spread=0.3),
                bright=_color(random, random.uniform(140, 255), spread=0.15),
            )
        )
    return tuple(patches)


def _sample_shadows(random: Random, view: View) -> tuple[Shadow, ...]:
    """Return shadows of poles, edges and objects, most of them near the pad."""
    shadows = []
    for _ in range(int(random.choice([0, 0, 1, 1, 2, 3]))):
        center = _near_pad(random, view, reach=0.6)
        reach = view.size * math.exp(random.uniform(-1.5, 1.2))
        polygon = _blob(random, center, reach, long=random.random() < 0.5)
        level = random.uniform(0.3, 0.85)
        factor = _color(random, level, spread=0.05)
        shadows.append(Shadow(polygon=polygon, factor=factor, softness=random.uniform(0, 4)))
    return tuple(shadows)


def _sample_occluders(random: Random, view: View) -> tuple[Occluder, ...]:
    """Return leaves, sticks and objects near the pad."""
    count = int(random.choice([0, 0, 0, 1, 2, 4, 8]))
    occluders = []
    for _ in range(count):
        share = random.uniform(0.03, 0.3) if count < 3 else random.uniform(0.02, 0.1)
        polygon = _blob(
            random,
            _near_pad(random, view, reach=0.6),
            view.size * share,
            long=random.random() < 0.3,
        )
        color = tuple(float(v) for v in random.uniform(5, 240, 3))
        occluders.append(Occluder(polygon=polygon, color=(color[0], color[1], color[2])))
    return tuple(occluders)


def _near_pad(random: Random, view: View, *, reach: float) -> Floats:
    place = np.array([[random.uniform(-reach, reach), random.uniform(-reach, reach), 0]])
    return np.asarray(view.project(place * view.side)[0], np.float64)


def _blob(random: Random, center: Floats, reach: float, *, long: bool) -> npt.NDArray[np.int32]:
    """Return a rough ellipse or stick as a polygon: int32 (N, 2)."""
    angles = np.sort(random.uniform(0, 2 * math.pi, int(random.integers(5, 14))))
    radii = random.uniform(0.6, 1.2, len(angles)) * max(reach, 1.5)
    points = np.stack([np.cos(angles), np.sin(angles)], -1) * radii[:, None]
    points *= (3.0, 0.25) if long else (1.0, random.uniform(0.4, 1.0))
    turn = random.uniform(0, 2 * math.pi)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return np.asarray(np.round(points @ rotation + center), np.int32)


def _seen(keypoints: Floats, hidden: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    height, width = hidden.shape
    x, y = np.floor(keypoints).astype(int).T
    within = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    covered = hidden[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)] > _HIDDEN
    return np.asarray(within & ~covered, np.bool_)


def _color(random: Random, level: float, *, spread: float) -> tuple[float, float, float]:
    blue, green, red = level * np.exp(random.normal(0, spread, 3))
    return float(blue), float(green), float(red)
