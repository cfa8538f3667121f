# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""docs/simulation.md says what the code does."""

from __future__ import annotations

import pytest

from edge_perception.simulation.faults import KINDS
from edge_perception.simulation.scoring import FIGURES
from test.docs.markdown import rows
from test.docs.markdown import section
from test.support.launch_stubs import LaunchFile


@pytest.fixture
def document(repository) -> str:
    return (repository / 'docs' / 'simulation.md').read_text()


def test_every_fault_is_in_the_table(document):
    table = rows(section(document, 'Break the camera'))
    for name, kind in KINDS.items():
        effect, expected, recovery = table[name]
        assert effect.split('; ')[0] == kind.effect
        assert (expected, recovery) == (kind.expected, kind.recovery)
        if kind.amount:
            assert f'{kind.amount}, {kind.usual:g} where none is given' in effect


def test_every_figure_is_explained(document):
    text = section(document, 'What is measured')
    assert [name for name in FIGURES if f'`{name}`' not in text] == []


def test_every_argument_of_the_launch_file_is_in_the_table(document, repository):
    table = rows(section(document, 'Fly in Gazebo'))
    arguments = LaunchFile(repository / 'launch' / 'gazebo.launch.py').arguments
    for name, declared in arguments.items():
        default = declared['default_value']
        assert table[name] == [f'`{default}`' if default else 'empty', declared['description']]


def test_of_one_flight_there_is_a_small_picture(repository):
    files = sorted((repository / 'docs' / 'simulation').iterdir())
    assert [file.name for file in files] == ['picture.jpg']
    assert files[0].stat().st_size < 200_000
