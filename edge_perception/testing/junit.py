# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Write checks of thresholds as JUnit XML, which every CI system shows."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from edge_perception.simulation.scoring import ThresholdCheck


def junit_xml(checks: Sequence[ThresholdCheck], *, suite: str) -> str:
    """
    Return a test suite with one test case for each check.

    :param suite: its name.
    """
    failures = sum(not check.passed for check in checks)
    root = ElementTree.Element(
        'testsuite', name=suite, tests=str(len(checks)), failures=str(failures)
    )
    for check in checks:
        case = ElementTree.SubElement(root, 'testcase', classname=suite, name=check.threshold.name)
        if check.passed:
            ElementTree.SubElement(case, 'system-out').text = check.sentence
        else:
            ElementTree.SubElement(case, 'failure', message=check.sentence)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding='unicode', xml_declaration=True) + '\n'
