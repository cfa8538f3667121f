# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Prepare the models that are measured, with images in which they find something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
import os
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.simulation.rendering.pinhole import PinholeCamera
from edge_perception.tooling.benchmark.synthetic_network import size_to_rate
from tools.model_folders import model_folder
from tools.rendered_pads import rendered_pads

ROOT = Path(__file__).resolve().parents[2]
ENGINE = 'onnxruntime'
THREADS = 1
# All images are taken with it, or pass for it.
LENS = PinholeCamera(width=640, height=480)
PAD_SEED = 7
IMAGES = 20
DATA_VARIABLE = 'EDGE_PERCEPTION_SHARED_DATA'
Images: TypeAlias = npt.NDArray[np.uint8]


class BenchmarkError(Exception):
    """Something could not be measured."""


@dataclass(frozen=True, slots=True)
class Subject:
    """
    A model and what it is shown.

    :param images: file of NumPy: uint8 (N, height, width, 3), BGR.
    :param answers: last part of the topic of its results.
    """

    name: str
    folder: Path
    images: Path
    answers: str = 'detections'


def frames_in(seconds: float, rate_hz: float) -> int:
    """Return how many frames come in a time, at least one."""
    return max(1, round(seconds * rate_hz))


def prepare(name: str, workspace: Path) -> Subject:
    """
    Prepare what the processes need to measure a model.

    :param name: one of ``MODELS``.
    :raises BenchmarkError: it cannot be measured here.
    """
    workspace.mkdir(parents=True, exist_ok=True)
    return MODELS[name](workspace)


def sized_subject(
    folder: Path, *, rate_hz: float, measure_ms: Callable[[Subject], float]
) -> Subject:
    """
    Return a network that takes a whole period of a rate for a frame, shown noise.

    :param measure_ms: how long a frame takes.
    """
    # The image of a camera is new to the caches each time, and so are these.
    shape = (IMAGES, LENS.height, LENS.width, 3)
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    subject = _with_images('load', folder, noise, folder, answers='classification')
    size_to_rate(folder, rate_hz=rate_hz, measure_ms=lambda _: measure_ms(subject))
    return subject


def _yolox_nano(workspace: Path) -> Subject:
    data = Path(os.environ.get(DATA_VARIABLE, ROOT.parent / 'shared' / 'data'))
    photographs = sorted((data / 'coco_cc20' / 'images').glob('*.jpg'))
    if not photographs:
        raise BenchmarkError(f'no photographs in {data} (set {DATA_VARIABLE} to their folder)')
    folder = model_folder('yolox_nano', data, workspace)
    (folder / 'artifacts').mkdir(exist_ok=True)
    for artifact in (data / 'yolox_nano').glob('*float16*.tflite'):
        link = folder / 'artifacts' / artifact.name
        if not link.exists():
            link.symlink_to(artifact.resolve())
    pictures = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in photographs]
    size = LENS.width, LENS.height
    images = [cv2.resize(picture, size) for picture in pictures if picture is not None]
    return _with_images('yolox_nano', folder, np.stack(images), workspace)


def _landing_pad(workspace: Path) -> Subject:
    pads = islice(rendered_pads(seed=PAD_SEED, camera=LENS), IMAGES)
    images = np.stack([rendered.image for _, rendered in pads])
    folder = ROOT / 'edge_perception' / 'zoo' / 'landing_pad'
    return _with_images('landing_pad', folder, images, workspace)


MODELS = {'yolox_nano': _yolox_nano, 'landing_pad': _landing_pad}


def _with_images(name: str, folder: Path, images: Images, workspace: Path, **more: str) -> Subject:
    path = workspace / f'{name}_images.npy'
    np.save(path, images)
    return Subject(name, folder, path, **more)
