# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Writes the model folder for a landing pad of any size: the network of the zoo, scaled points."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
import os
from pathlib import Path
import shutil

import yaml

from edge_perception.contract import ConfigurationError
from edge_perception.contract import dump_manifest
from edge_perception.contract import load_manifest
from edge_perception.contract import MANIFEST_NAME
from edge_perception.contract import ModelManifest
from edge_perception.contract.user_files import writing
from edge_perception.models.finding import ZOO
from edge_perception.simulation import landing_pad as pad

# Not looked up by its name: a folder of the user may have it, with a pad of another size.
MODEL = ZOO / 'landing_pad'


@contextmanager
def new_model(folder: Path, *, size: float) -> Iterator[None]:
    """
    Write the model of a pad; the folder appears whole when the block ends well, else not at all.

    :param size: side of the pad in meters.
    :raises ConfigurationError: something is there already, or the folder cannot be written.
    """
    if os.path.lexists(folder):
        problem = 'exists already, expected a folder that is not there yet'
        raise ConfigurationError(str(folder), [problem])
    partial = folder.with_name(f'.{folder.name}.{os.getpid()}.partial')
    try:
        with writing(folder):
            partial.mkdir(parents=True)
            _write(partial, size)
        yield
        with writing(folder):
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(folder: Path, size: float) -> None:
    manifest = load_manifest(MODEL / MANIFEST_NAME)
    shutil.copyfile(MODEL / manifest.source, folder / manifest.source)
    values = dump_manifest(_scaled(manifest, size))
    text = yaml.safe_dump(values, sort_keys=False, default_flow_style=None, width=99)
    (folder / MANIFEST_NAME).write_text(text, encoding='utf-8')


def _scaled(manifest: ModelManifest, size: float) -> ModelManifest:
    """Return the manifest for a pad of this size; everything else in it is in cells and pixels."""
    points = pad.object_points(size).round(9) + 0.0  # which makes 0 of -0
    return replace(
        manifest,
        description=f'Keypoints of our landing pad with a side of {size:g} m; print it with: '
        f'edge-perception pad --size {size:g}',
        object_points=tuple(tuple(map(float, row)) for row in points),
    )
