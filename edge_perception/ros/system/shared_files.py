# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Finds files that come with the package but are no Python: configurations, launch files."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from ament_index_python.packages import get_package_prefix
from ament_index_python.packages import get_package_share_directory
from ament_index_python.packages import PackageNotFoundError

NAME = 'edge_perception'


def find_shared(name: str) -> Path:
    """
    Return a file that lies in the source tree, or was installed below share/edge_perception.

    The tree comes first, so that a checkout uses its own files beside an older installation.

    :param name: relative path, e.g. ``config/fastdds_large_images.xml``.
    :raises ConfigurationError: it is nowhere.
    """
    folders = [Path(__file__).resolve().parents[3], *_known_to_ament(), *_known_to_pip()]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    # Needs pluggy, which the Python of ros2 launch may not have.
    from edge_perception.contract import ConfigurationError

    places = ' nor in '.join(map(str, folders))
    raise ConfigurationError(name, [f'is not in {places}; install the package anew'])


def has_package(name: str) -> bool:
    """Tell whether a ROS package is installed."""
    try:
        get_package_prefix(name)
    except (PackageNotFoundError, OSError):  # the latter where no prefix is in the environment
        return False
    return True


def _known_to_ament() -> list[Path]:
    try:
        return [Path(get_package_share_directory(NAME))]
    except (PackageNotFoundError, OSError):  # the latter where no prefix is in the environment
        return []


def _known_to_pip() -> list[Path]:
    """Return what pip has noted down: below which prefix it installs depends on the system."""
    noted = [file for each in metadata.distributions(name=NAME) for file in each.files or ()]
    marks = [file for file in noted if file.match(f'share/{NAME}/package.xml')]
    return [Path(str(mark.locate())).resolve().parent for mark in marks]
