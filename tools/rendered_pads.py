# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Render the landing pad from random views, for training, evaluation and measurements."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np

from edge_perception.simulation import views
from edge_perception.simulation.rendering import distractors
from edge_perception.simulation.rendering import scenes
from edge_perception.simulation.rendering import textures
from edge_perception.simulation.rendering.pinhole import PinholeCamera
from edge_perception.simulation.rendering.renderer import Renderer
from edge_perception.simulation.rendering.renderer import Texture

COUNT = 20
Shown = tuple[views.View, scenes.Rendered]


def rendered_views(
    random: np.random.Generator,
    *,
    grounds: Sequence[Texture],
    camera: PinholeCamera | None = None,
    per_lens: int = 1,
    with_pad: Iterable[bool] = repeat(True),
    kinds: Sequence[distractors.Kind] = distractors.KINDS,
) -> Iterator[Shown]:
    """
    Render random views.

    :param camera: None draws a lens for every ``per_lens`` images.
    :param with_pad: for each image, whether the pad is in it; as many images are rendered.
    :param kinds: of the distractors.
    """
    renderer = Renderer(camera) if camera else None
    for index, pad in enumerate(with_pad):
        if camera is None and index % per_lens == 0:
            renderer = Renderer(views.sample_camera(random))
        assert renderer is not None
        view = views.sample_view(random, camera=renderer.camera)
        scene = scenes.sample_scene(random, view, grounds=grounds, with_pad=pad, kinds=kinds)
        yield view, scenes.render(scene, view, random=random, renderer=renderer)


def rendered_pads(*, seed: int, camera: PinholeCamera | None = None) -> Iterator[Shown]:
    """Render pads on grounds that training does not see, without end; None draws the lenses."""
    random = np.random.default_rng(seed)
    grounds = scenes.make_grounds(textures.HELD_OUT_FAMILIES, each=1, random=random)
    return rendered_views(random, grounds=grounds, camera=camera)


def write_pads(folder: Path, *, seed: int) -> None:
    """Write images that show most of the pad."""
    folder.mkdir(parents=True, exist_ok=True)
    clear = (
        rendered.image
        for view, rendered in rendered_pads(seed=seed)
        if rendered.visible >= 0.6 and view.size >= 48
    )
    for number, image in zip(range(COUNT), clear):
        cv2.imwrite(str(folder / f'{number:02}.png'), image)
