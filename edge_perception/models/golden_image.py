# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Reads the image whose answer the node knows and asks again for while it runs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge_perception.contract import ConfigurationError
from edge_perception.contract import Frame
from edge_perception.models.artifacts import GOLDEN_FOLDER
from edge_perception.models.finding import Model


def golden_image(model: Model, path: str) -> Frame:
    """
    Return an image of what a model is for.

    :param path: of the image; empty for the first one in the folder ``golden`` of the model.
    :raises ConfigurationError: there is none that can be read.
    """
    folder = model.folder / GOLDEN_FOLDER
    named = [Path(path)] if path else sorted(folder.iterdir()) if folder.is_dir() else []
    for file in named:
        image = cv2.imread(str(file), cv2.IMREAD_COLOR) if file.is_file() else None
        if image is not None:
            return Frame(np.asarray(image, np.uint8))
    raise ConfigurationError(
        'parameter',
        [
            f'canary_period_s: got no image in {path or folder}, expected one on which the model '
            'sees something; name it with canary_image'
        ],
    )
