# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Make folders of the real models in ../shared/data, which are too large to copy here.

A folder holds ``model.yaml``; ``model_folder`` adds links to the files that it names.
"""

from __future__ import annotations

from pathlib import Path
import shutil

import yaml

HERE = Path(__file__).parent


def model_folder(name: str, shared_data: Path, tmp_path: Path) -> Path:
    """
    Make a complete model folder.

    :param name: of a folder beside this file.
    :param shared_data: the folder ../shared/data.
    :param tmp_path: where the model folder is made.
    :return: the folder, named as the model.
    """
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    shutil.copy(HERE / name / 'model.yaml', folder)
    manifest = yaml.safe_load((folder / 'model.yaml').read_text())
    for file in (manifest['source']['file'], manifest.get('labels')):
        if isinstance(file, str):
            (target,) = shared_data.glob(f'*/{file}')
            (folder / file).unlink(missing_ok=True)
            (folder / file).symlink_to(target)
    return folder
