# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Finds files that come with the package but are no Python: configurations, launch files."""

from __future__ import annotations

from pathlib import Path
import sys

from ament_index_python.packages import get_package_share_directory
from ament_index_python.packages import PackageNotFoundError

from edge_perception.contract import ConfigurationError

NAME = 'edge_perception'


def find_shared(name: str) -> Path:
    """
    Return a file that lies in the source tree, or was installed below share/edge_perception.

    The tree comes first, so that a checkout uses its own files beside an older installation.

    :param name: relative path, e.g. ``config/fastdds_large_images.xml``.
    :raises ConfigurationError: it is nowhere.
    """
    folders = [Path(__file__).resolve().parents[2]]
    try:
        folders.append(Path(get_package_share_directory(NAME)))
    except PackageNotFoundError:
        # Installed by pip, which the index of ament does not know.
        folders.append(Path(sys.prefix, 'share', NAME))
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    places = ' nor in '.join(map(str, folders))
    raise ConfigurationError(name, [f'is neither in {places}; install the package anew'])
