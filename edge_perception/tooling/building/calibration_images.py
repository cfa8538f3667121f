# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures for calibration: found in a folder, and given as the inputs of a network."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
import hashlib
from pathlib import Path

import numpy as np

from edge_perception.contract import BuildError
from edge_perception.contract import Frame
from edge_perception.contract import ImageError
from edge_perception.contract import ModelManifest
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception.models.proofs import file_sha256
from edge_perception.runtime.preprocessing import Preprocessor
from edge_perception.tooling import frame_sources as sources

MOST_SAMPLES = 128  # more take longer and change nothing: the ranges are known by then


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """
    Files for calibration, in a fixed order.

    :param digest: of their content and order.
    """

    files: tuple[Path, ...]
    digest: str


def find_calibration(folders: tuple[Path, ...]) -> CalibrationSet:
    """
    Return pictures and videos of folders, sorted by name within each.

    :raises BuildError: a folder is missing, unreadable, or there is nothing in it.
    """
    files: list[Path] = []
    for folder in folders:
        try:
            found = [folder] if folder.is_file() else sorted(folder.iterdir())
        except OSError as error:
            raise BuildError(
                f'calibration: {folder}: {error.strerror}; give a folder of pictures or videos'
            ) from error
        usable = [each for each in found if sources.is_shown(each)]
        if not usable:
            raise BuildError(
                f'calibration: {folder} holds no picture and no video; '
                'give some of what the camera will see'
            )
        files += usable
    try:
        digests = [file_sha256(each) for each in files]
    except Exception as error:
        raise BuildError(f'calibration: {error}') from error
    return CalibrationSet(tuple(files), hashlib.sha256('\n'.join(digests).encode()).hexdigest())


def count_samples(files: tuple[Path, ...]) -> int:
    """Return how many samples files give, if no video is short."""
    return min(MOST_SAMPLES, sources.count_samples(map(sources.source_of, files)))


def sampler(
    files: tuple[Path, ...], manifest: ModelManifest, spec: TensorSpec
) -> Callable[[], Iterator[Tensors]]:
    """
    Return what gives the input of a network for each picture, from the first at each call.

    It is preprocessed as the node does it. The array is written anew for each picture.

    :param spec: the input of the network.
    """
    preprocess = Preprocessor(manifest.input, spec=spec)
    tensor = np.zeros(spec.shape, spec.dtype)

    def samples() -> Iterator[Tensors]:
        given = 0
        for file in files:
            for frame in _read(file):
                if given == MOST_SAMPLES:
                    return
                preprocess(frame, tensor)
                given += 1
                yield {spec.name: tensor}

    return samples


def _read(file: Path) -> Iterator[Frame]:
    try:
        for _, frame in sources.samples(sources.source_of(file)):
            yield frame
    except ImageError as error:
        raise BuildError(f'calibration: {error}') from error
