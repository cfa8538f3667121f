# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The kit takes what is right and finds what is wrong: for each clause a plugin that breaks it."""

from __future__ import annotations

from collections.abc import Mapping
import os
from pathlib import Path
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from edge_perception.testing.conformance import BuilderConformance
from edge_perception.testing.conformance import DecoderConformance
from edge_perception.testing.conformance import EngineConformance
from edge_perception.testing.conformance import StageConformance
from edge_perception.testing.conformance.clauses import clause_of
from edge_perception.testing.conformance.clauses import clauses_of
from edge_perception.testing.conformance.clauses import Conformance

HERE = Path(__file__).parent
KINDS: dict[str, type[Conformance]] = {
    'Engine': EngineConformance,
    'Decoder': DecoderConformance,
    'Builder': BuilderConformance,
    'Stage': StageConformance,
}
# What faulty_plugin.py can do wrong; the first word is the clause that has to break.
DEFECTS = sorted(
    {*re.findall(r"DEFECT [!=]= '([A-Z]\d\d[^']*)'", (HERE / 'faulty_plugin.py').read_text())}
)
# It reports and demands nothing.
CANNOT_BREAK = {'E39'}


def run_kit(folder: Path, *selected: str) -> tuple[Mapping[str, set[str]], str]:
    """
    Run tests of a folder in a new process.

    :return: for each file and clause the outcomes of its cases, and what was printed.
    """
    xml = folder / 'report.xml'
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-p', 'edge_perception.testing.pytest_plugin']
        + ['-p', 'no:cacheprovider', f'--junitxml={xml}', '-o', 'junit_family=xunit1']
        + [f'--rootdir={folder}', '-c', os.devnull, *selected],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(folder), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert xml.exists(), done.stdout + done.stderr
    outcomes: dict[str, set[str]] = {}
    for case in ElementTree.parse(xml).iter('testcase'):
        name = f'{case.attrib["classname"].split(".")[0]} {clause_of(case.attrib["name"])}'
        tags = {child.tag for child in case} & {'failure', 'error', 'skipped'}
        outcomes.setdefault(name, set()).add(tags.pop() if tags else 'passed')
    return outcomes, done.stdout


def write_plugin(folder: Path, defect: str, conformance: str = '') -> str:
    """Write a plugin and its tests; return the name of the test file without its suffix."""
    name = 'faulty_' + (re.sub(r'\W', '_', defect).lower() or 'none')
    plugin = (HERE / 'faulty_plugin.py').read_text()
    (folder / f'{name}.py').write_text(plugin.replace("DEFECT = ''", f'DEFECT = {defect!r}', 1))
    conformance = conformance or (HERE / 'faulty_conformance.py').read_text()
    (folder / f'test_{name}.py').write_text(conformance.replace('faulty_plugin', name))
    return f'test_{name}'


def selector(clause: str) -> str:
    """Return class and test of a clause, as pytest selects them."""
    (kind,) = [name for name, each in KINDS.items() if clause in clauses_of(each)]
    (test,) = [each for each in dir(KINDS[kind]) if clause_of(each) == clause]
    return f'Test{kind}::{test}'


@pytest.mark.slow
def test_a_plugin_that_is_right_passes_all_clauses(tmp_path: Path) -> None:
    name = write_plugin(tmp_path, '')
    outcomes, printed = run_kit(tmp_path, f'{name}.py')
    wanted = {f'{name} {clause}' for kind in KINDS.values() for clause in clauses_of(kind)}
    assert outcomes == dict.fromkeys(wanted, {'passed'}), printed
    assert re.search(r'^engine faulty \(faulty 1\.0, cpu\): of 36 clauses 36 kept$', printed, re.M)
    assert re.search(r'^    infer of 64x96: median \d+\.\d{3} ms, 99 % within', printed, re.M)
    assert re.search(r'^decoder faulty: of 14 clauses 14 kept$', printed, re.M)
    assert re.search(r'^stage faulty: of 11 clauses 11 kept$', printed, re.M)
    assert re.search(r'^builder faulty \(faulty 1\.0\): of 9 clauses 9 kept$', printed, re.M)


@pytest.mark.slow
def test_every_clause_finds_the_plugin_that_breaks_it(tmp_path: Path) -> None:
    selected = [
        f'{write_plugin(tmp_path, defect)}.py::{selector(defect.split()[0])}' for defect in DEFECTS
    ]
    outcomes, printed = run_kit(tmp_path, *selected)
    blind = {name for name, each in outcomes.items() if 'failure' not in each}
    assert not blind, printed
    assert len(outcomes) == len(DEFECTS)


def test_files_that_an_earlier_clause_left_hide_nothing(tmp_path: Path) -> None:
    name = write_plugin(tmp_path, 'E16')
    selected = [f'{name}.py::{selector(clause)}' for clause in ('E10', 'E16')]
    outcomes, printed = run_kit(tmp_path, *selected)
    assert outcomes == {f'{name} E10': {'passed'}, f'{name} E16': {'failure'}}, printed


def test_there_is_a_defect_for_every_clause() -> None:
    clauses = {clause for kind in KINDS.values() for clause in clauses_of(kind)}
    assert {each.split()[0] for each in DEFECTS} == clauses - CANNOT_BREAK


def test_known_failures_and_what_does_not_apply_are_told_in_the_summary(tmp_path: Path) -> None:
    conformance = (
        (HERE / 'faulty_conformance.py')
        .read_text()
        .replace(
            "vendor_modules = ('colorsys',)",
            "known_failures = {'E30': 'too exact', 'E33[rank]': 'no ranks', 'E34': 'random'}",
            1,
        )
    )
    name = write_plugin(tmp_path, 'E30', conformance)
    selected = [f'{name}.py::{selector(clause)}' for clause in ('E02', 'E30', 'E31', 'E33', 'E34')]
    outcomes, printed = run_kit(tmp_path, *selected)
    assert 'engine faulty (faulty 1.0, cpu): of 5 clauses 0 kept, 3 broken' in printed, printed
    assert '    E02 not applicable: no vendor_modules are declared' in printed
    assert '    E30 known failure: too exact' in printed
    assert '    E31 broken: test_e31_input_memory' in printed
    assert '    E33 broken: test_e33_inputs_that_do_not_fit_are_named[size]' in printed
    assert '    E33 known failure: no ranks' in printed
    # A failure that was expected and did not come.
    assert '    E34 broken: test_e34_the_same_again' in printed
    assert outcomes[f'{name} E30'] == {'skipped'}


IN_A_FOLDER = """

class InFolderType(FaultyType):
    artifact_suffixes = ('.box',)
    artifact_parts = {'.box': ('/',)}

    def describe(self, artifact):
        return super().describe(artifact / 'net.npz')

    def create(self, manifest, artifact, options):
        return super().create(manifest, artifact / 'net.npz', options)


class TestInFolder(TestEngine):
    engine_type = InFolderType()
    plugin_module = FaultyType.__module__

    def make_artifact(self, network, precision, path):
        path.mkdir()
        super().make_artifact(network, precision, path / 'net.npz')
"""


def test_an_engine_whose_artifacts_are_folders_keeps_the_clauses_of_files(tmp_path: Path) -> None:
    conformance = (HERE / 'faulty_conformance.py').read_text()
    name = write_plugin(tmp_path, '', conformance + IN_A_FOLDER)
    clauses = ('E10', 'E11', 'E12', 'E16', 'E17', 'E24')
    tests = [selector(clause).partition('::')[2] for clause in clauses]
    outcomes, printed = run_kit(tmp_path, *(f'{name}.py::TestInFolder::{test}' for test in tests))
    assert outcomes == {f'{name} {clause}': {'passed'} for clause in clauses}, printed


@pytest.mark.parametrize(
    ('kind', 'missing'),
    [('Engine', 'engine_type'), ('Decoder', 'manifest, seen, unseen'), ('Builder', 'builder')],
)
def test_what_an_author_forgot_is_named_once(kind: str, missing: str, tmp_path: Path) -> None:
    given = 'decoder_type = object' if kind == 'Decoder' else 'pass'
    (tmp_path / 'test_mine.py').write_text(
        f'from edge_perception.testing.conformance import {kind}Conformance as Kit\n\n\n'
        f'class TestMine(Kit):\n    {given}\n'
    )
    outcomes, printed = run_kit(tmp_path, 'test_mine.py')
    assert f'AssertionError: TestMine does not set {missing}, without which' in printed
    assert f'the docstring of {kind}Conformance shows how' in printed
    assert 'AttributeError' not in printed
    assert list(outcomes.values()) == [{'error'}]


@pytest.mark.parametrize('kind', KINDS.values())
def test_every_clause_has_a_text(kind: type[Conformance]) -> None:
    for clause, text in clauses_of(kind).items():
        assert text.endswith('.'), clause
