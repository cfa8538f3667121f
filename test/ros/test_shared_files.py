# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from edge_perception.contract import ConfigurationError
from edge_perception.ros.system import shared_files
from edge_perception.ros.system.shared_files import find_shared
from test.support.raising import raises

PROFILE = 'config/fastdds_large_images.xml'


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the module lie in a folder of installed packages, as colcon leaves it."""
    monkeypatch.setattr(
        shared_files,
        '__file__',
        str(tmp_path / 'site-packages/edge_perception/ros/system/module.py'),
    )
    share = tmp_path / 'share' / 'edge_perception'
    (share / 'config').mkdir(parents=True)
    (share / PROFILE).touch()
    return share


def test_a_checkout_has_its_own_files(repository):
    assert find_shared(PROFILE) == repository / PROFILE


def test_an_installed_package_is_found_by_the_index_of_ament(installed, tmp_path, monkeypatch):
    marker = tmp_path / 'share/ament_index/resource_index/packages/edge_perception'
    marker.parent.mkdir(parents=True)
    marker.touch()
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    assert find_shared(PROFILE) == installed / PROFILE


@pytest.mark.parametrize('prefixes', ['/nowhere', ''])
def test_what_pip_installed_is_found_wherever_it_was(installed, tmp_path, monkeypatch, prefixes):
    """As in /usr/local or ~/.local: neither is the prefix of a Python that lies in /usr."""
    noted = tmp_path / 'lib/python3/dist-packages/edge_perception-0.1.0.dist-info'
    noted.mkdir(parents=True)
    (noted / 'METADATA').write_text('Metadata-Version: 2.1\nName: edge_perception\n')
    (noted / 'RECORD').write_text('../../../share/edge_perception/package.xml,,\n')
    monkeypatch.setenv('AMENT_PREFIX_PATH', prefixes)
    monkeypatch.syspath_prepend(noted.parent)
    assert find_shared(PROFILE) == installed / PROFILE


def test_a_missing_file_is_a_sentence(installed, tmp_path, monkeypatch):
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path / 'nothing'))
    with raises(ConfigurationError, subject='config/nothing.xml'):
        find_shared('config/nothing.xml')
