# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Render the images that the network of the landing pad is trained on into a folder.

Each chunk has its own seed, grounds and lenses, so that the result does not depend on how many
processes take part.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
import time

import cv2
import numpy as np

from edge_perception.simulation import landing_pad as pad
from edge_perception.simulation.rendering import scenes
from edge_perception.simulation.rendering import textures
from tools.rendered_pads import rendered_views

CHUNK = 500
# Images for one lens, and textures of each family, in a chunk.
IMAGES_PER_LENS = 10
GROUNDS_PER_FAMILY = 3
NEGATIVE_SHARE = 0.2
# Seeds of the chunks of a split start here; evaluation uses others.
SEEDS = {'train': 1_000, 'validation': 500_000}
FAMILIES = {
    'train': textures.TRAINING_FAMILIES,
    'validation': textures.HELD_OUT_FAMILIES,
}
# Of the cameras that views draws.
WIDTH, HEIGHT = 640, 480


def render_chunk(index: int, *, split: str, folder: Path) -> Path:
    """
    Render one chunk.

    :return: the file: ``image`` uint8 (N, 480, 640) gray, ``keypoints`` float32 (N, K, 2) in
        pixels of these images, ``seen`` bool (N, K), ``with_pad`` bool (N,).
    """
    cv2.setNumThreads(1)
    random = np.random.default_rng(SEEDS[split] + index)
    grounds = scenes.make_grounds(FAMILIES[split], each=GROUNDS_PER_FAMILY, random=random)
    image = np.empty((CHUNK, HEIGHT, WIDTH), np.uint8)
    keypoints = np.empty((CHUNK, len(pad.KEYPOINTS), 2), np.float32)
    seen = np.empty((CHUNK, len(pad.KEYPOINTS)), bool)
    with_pad = random.random(CHUNK) >= NEGATIVE_SHARE
    shown = rendered_views(random, grounds=grounds, per_lens=IMAGES_PER_LENS, with_pad=with_pad)
    for row, (_, rendered) in enumerate(shown):
        image[row] = cv2.cvtColor(rendered.image, cv2.COLOR_BGR2GRAY)
        keypoints[row] = rendered.keypoints
        seen[row] = rendered.seen
    path = folder / f'{split}_{index:04d}.npz'
    np.savez(path, image=image, keypoints=keypoints, seen=seen, with_pad=with_pad)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--chunks', type=int, default=20, help=f'of {CHUNK} images')
    parser.add_argument('--validation-chunks', type=int, default=2)
    parser.add_argument('--processes', type=int, default=2)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with ProcessPoolExecutor(arguments.processes) as pool:
        for split, count in (
            ('validation', arguments.validation_chunks),
            ('train', arguments.chunks),
        ):
            work = partial(render_chunk, split=split, folder=arguments.folder)
            for path in pool.map(work, range(count)):
                print(f'{time.monotonic() - start:.0f} s: {path.name}', flush=True)


if __name__ == '__main__':
    main()
