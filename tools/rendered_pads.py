# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Images of the landing pad on grounds that its training did not see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from edge_perception.simulation import views
from edge_perception.simulation.rendering import scenes
from edge_perception.simulation.rendering import textures
from edge_perception.simulation.rendering.pinhole import PinholeCamera

COUNT = 20


def rendered_pads(
    *, seed: int, camera: PinholeCamera | None = None
) -> Iterator[tuple[views.View, scenes.Rendered]]:
    """Render pads as the model is trained to see them, without an end; None draws the lens."""
    draws = np.random.default_rng(seed)
    grounds = scenes.make_grounds(textures.HELD_OUT_FAMILIES, each=1, random=draws)
    while True:
        view = views.sample_view(draws, camera=camera)
        scene = scenes.sample_scene(draws, view, grounds=grounds)
        yield view, scenes.render(scene, view, random=draws)


def write_pads(folder: Path, *, seed: int) -> None:
    """Write images on which most of the pad is to be seen."""
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for view, rendered in rendered_pads(seed=seed):
        if rendered.visible >= 0.6 and view.size >= 48:
            cv2.imwrite(str(folder / f'{written:02}.png'), rendered.image)
            written += 1
        if written == COUNT:
            return
