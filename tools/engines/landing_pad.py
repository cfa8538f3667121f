# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of the landing pad on grounds that its training did not see."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge_perception.simulation import views
from edge_perception.simulation.rendering import scenes
from edge_perception.simulation.rendering import textures

COUNT = 20


def render_pictures(folder: Path, *, seed: int) -> None:
    """Write pictures on which most of the pad is to be seen."""
    folder.mkdir(parents=True, exist_ok=True)
    draws = np.random.default_rng(seed)
    grounds = scenes.make_grounds(textures.HELD_OUT_FAMILIES, each=1, random=draws)
    written = 0
    while written < COUNT:
        view = views.sample_view(draws)
        scene = scenes.sample_scene(draws, view, grounds=grounds)
        rendered = scenes.render(scene, view, random=draws)
        if rendered.visible >= 0.6 and view.size >= 48:
            cv2.imwrite(str(folder / f'{written:02}.png'), rendered.image)
            written += 1
