# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The models that are measured, and pictures in which they find something."""

from __future__ import annotations

from dataclasses import dataclass
import os
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.contract import MANIFEST_NAME
from edge_perception.simulation import views
from edge_perception.simulation.rendering import scenes
from edge_perception.simulation.rendering import textures
from test.model_folders import model_folder
from tools.bench.settings import LENS

ROOT = Path(__file__).resolve().parents[2]
PAD_SEED = 7
PAD_PICTURES = 20

Pictures = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Subject:
    """
    A model and what it is shown.

    :param pictures: file of NumPy: uint8 (N, height, width, 3), BGR.
    """

    name: str
    folder: Path
    pictures: Path


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A model that cannot be measured here, and why."""

    name: str
    reason: str


def prepare(name: str, workspace: Path) -> Subject | LeftOut:
    """
    Lay out what the processes need to measure a model.

    :param name: one of ``MODELS``.
    """
    workspace.mkdir(parents=True, exist_ok=True)
    return MODELS[name](workspace)


def _yolox_nano(workspace: Path) -> Subject | LeftOut:
    variable = 'EDGE_PERCEPTION_SHARED_DATA'
    data = Path(os.environ.get(variable, ROOT.parent / 'shared' / 'data'))
    photographs = sorted((data / 'coco_cc20' / 'images').glob('*.jpg'))
    if not photographs:
        return LeftOut('yolox_nano', f'no photographs in {data} (set {variable} to their folder)')
    folder = model_folder('yolox_nano', data, workspace)
    for artifact in (data / 'yolox_nano').glob('*float16*.tflite'):
        link = folder / 'artifacts' / artifact.name
        link.parent.mkdir(exist_ok=True)
        if not link.exists():
            link.symlink_to(artifact.resolve())
    pictures = [cv2.resize(_read(path), (LENS.width, LENS.height)) for path in photographs]
    return _subject('yolox_nano', folder, cast('list[Pictures]', pictures), workspace)


def _landing_pad(workspace: Path) -> Subject | LeftOut:
    folder = ROOT / 'edge_perception' / 'zoo' / 'landing_pad'
    if not (folder / MANIFEST_NAME).is_file():
        return LeftOut('landing_pad', f'no {MANIFEST_NAME} in {folder}')
    return _subject('landing_pad', folder, _pads(), workspace)


MODELS = {'yolox_nano': _yolox_nano, 'landing_pad': _landing_pad}


def _pads() -> list[Pictures]:
    """Render the pad as the model is trained to see it, on grounds that no training saw."""
    random = np.random.default_rng(PAD_SEED)
    grounds = scenes.make_grounds(textures.HELD_OUT_FAMILIES, each=1, random=random)
    pictures = []
    for _ in range(PAD_PICTURES):
        view = views.sample_view(random, camera=LENS)
        scene = scenes.sample_scene(random, view, grounds=grounds)
        pictures.append(scenes.render(scene, view, random=random).image)
    return pictures


def _subject(name: str, folder: Path, pictures: list[Pictures], workspace: Path) -> Subject:
    path = workspace / f'{name}_pictures.npy'
    np.save(path, np.stack(pictures))
    return Subject(name, folder=folder, pictures=path)


def _read(path: Path) -> Pictures:
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise SystemExit(f'{path}: is not a picture that OpenCV can read')
    return cast(Pictures, pixels)
