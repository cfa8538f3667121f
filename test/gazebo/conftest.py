# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os

import pytest

from tools.gazebo.folder import GazeboError
from tools.gazebo.simulator import find_gazebo
from tools.gazebo.simulator import Gazebo

VARIABLE = 'EDGE_PERCEPTION_TEST_GAZEBO'


@pytest.fixture(scope='session')
def build(repository):
    """Return the folder for what is made, and for reports."""
    return repository / 'build' / 'gazebo'


@pytest.fixture(scope='session')
def gazebo(build, request) -> Gazebo:
    """Return Gazebo; without the variable these tests, which take minutes, are not run."""
    if os.environ.get(VARIABLE) != '1':
        pytest.skip('flights in Gazebo take minutes: make test-gazebo')
    capture = request.config.pluginmanager.getplugin('capturemanager')

    def say(sentence: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f'\n{sentence}', flush=True)  # noqa: T201

    try:
        return find_gazebo(build, say=say)
    except GazeboError as error:
        pytest.fail(str(error), pytrace=False)
