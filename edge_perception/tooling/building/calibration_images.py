# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Images for calibration: found in folders, and given as the input of a model."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
import hashlib
from pathlib import Path

import numpy as np

from edge_perception.contract import ArtifactError
from edge_perception.contract import BuildError
from edge_perception.contract import ImageError
from edge_perception.contract import ModelManifest
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception.models.digests import file_sha256
from edge_perception.runtime.preprocessing import Preprocessor
from edge_perception.tooling import frame_sources

MOST_SAMPLES = 128  # more take longer and change nothing: the ranges are known by then


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """
    Images and videos for calibration, in a fixed order.

    :param digest: of their content and order.
    """

    sources: tuple[frame_sources.Source, ...]
    digest: str

    @property
    def files(self) -> tuple[Path, ...]:
        """Their paths."""
        return tuple(each.file for each in self.sources if each.file is not None)

    def count(self) -> int:
        """Return how many tensors they give, if no video is short."""
        return min(MOST_SAMPLES, frame_sources.count_samples(self.sources))

    def tensors(self, manifest: ModelManifest, spec: TensorSpec) -> Iterator[Tensors]:
        """
        Give the input for each image, preprocessed as in the node; one array, written again.

        :param spec: the input of the model.
        :raises BuildError: an image cannot be read.
        """
        preprocess = Preprocessor(manifest.input, spec=spec)
        tensor = np.zeros(spec.shape, spec.dtype)
        given = 0
        try:
            for source in self.sources:
                for _, frame in frame_sources.samples(source):
                    if given == MOST_SAMPLES:
                        return
                    preprocess(frame, tensor)
                    given += 1
                    yield {spec.name: tensor}
        except ImageError as error:
            raise BuildError(f'calibration: {error}') from error


def find_calibration(names: Sequence[Path]) -> CalibrationSet:
    """
    Return the images and videos of files and folders, sorted by name within each folder.

    :raises BuildError: a folder is missing or unreadable, or there is nothing in it.
    """
    sources, problems = frame_sources.find_sources(tuple(map(str, names)))
    try:
        if problems:
            raise problems[0]
        digests = [file_sha256(each.file) for each in sources if each.file is not None]
    except (ImageError, ArtifactError, OSError) as error:
        raise BuildError(
            f'calibration: {error}; give images or videos of what the camera will see'
        ) from error
    if any(source.live for source in sources):
        raise BuildError('calibration: a camera gives no image twice, expected files')
    return CalibrationSet(tuple(sources), hashlib.sha256('\n'.join(digests).encode()).hexdigest())
