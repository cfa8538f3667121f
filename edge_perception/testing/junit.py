# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Verdicts as JUnit XML, which every CI system shows."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from edge_perception.simulation.trial_score import Verdict


def junit_xml(verdicts: Sequence[Verdict], *, suite: str) -> str:
    """
    Return a test suite with one test case for each verdict.

    :param suite: its name.
    """
    failures = sum(not verdict.passed for verdict in verdicts)
    root = ElementTree.Element(
        'testsuite', name=suite, tests=str(len(verdicts)), failures=str(failures)
    )
    for verdict in verdicts:
        case = ElementTree.SubElement(
            root, 'testcase', classname=suite, name=verdict.threshold.name
        )
        if verdict.passed:
            ElementTree.SubElement(case, 'system-out').text = verdict.sentence
        else:
            ElementTree.SubElement(case, 'failure', message=verdict.sentence)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding='unicode', xml_declaration=True) + '\n'
