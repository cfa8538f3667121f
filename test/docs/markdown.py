# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Reads as much of Markdown as our documents use.

Comments of HTML right above a fenced block say what a test does with it:

* ``<!-- not run: REASON -->``: commands that the test does not run;
* ``<!-- runs on: TEXT -->``: commands that go on until they are interrupted; they are up when they
  print the text;
* ``<!-- file: NAME -->``: the block is the content of this file;
* ``<!-- output -->``: what the commands above it print.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import re

MARKERS = ('not run', 'runs on', 'file', 'output')
_MARKER = re.compile(r'<!-- ([a-z ]+?)(?:: (.*?))? -->')
_LINK = re.compile(r'(?<!!)\[[^\]]*\]\(([^)\s]+)\)')
_RULE = re.compile(r'\| ?---')
_CODE = re.compile(r'```.*?```', re.DOTALL)


@dataclass(frozen=True)
class Block:
    """
    One fenced block.

    :param line: of its first line in the document.
    :param markers: comments right above it, by their name.
    """

    language: str
    text: str
    line: int
    markers: dict[str, str]


def fenced(path: Path) -> list[Block]:
    """Return the fenced blocks of a document."""
    blocks: list[Block] = []
    markers: dict[str, str] = {}
    language, start, inside = '', 0, False
    lines = path.read_text(encoding='utf-8').splitlines()
    for number, line in enumerate(lines, 1):
        if line.startswith('```') and inside:
            text = ''.join(f'{each}\n' for each in lines[start : number - 1])
            blocks.append(Block(language, text, start, markers))
            inside, markers = False, {}
        elif line.startswith('```'):
            language, start, inside = line[3:].strip(), number, True
        elif not inside:
            marker = _MARKER.fullmatch(line)
            if marker and marker[1] in MARKERS:
                markers[marker[1]] = marker[2] or ''
            elif line.strip():
                markers = {}
    assert not inside, f'{path.name}: a block that starts in line {start} has no end'
    return blocks


def headings(text: str) -> list[str]:
    """Return the headings of a document in its order."""
    return re.findall(r'^#+ (.+)$', _CODE.sub('', text), re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Return the names by which links reach the headings of a document, as GitHub makes them."""
    plain = (re.sub(r'[^\w\- ]', '', heading.lower()) for heading in headings(text))
    return {heading.replace(' ', '-') for heading in plain}


def section(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one."""
    found = re.search(
        rf'^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)', text, re.MULTILINE | re.DOTALL
    )
    assert found, f'no heading {heading!r}'
    return found[1]


def links(text: str) -> list[str]:
    """Return the targets of all links."""
    return _LINK.findall(_CODE.sub('', text))


def rows(text: str) -> dict[str, list[str]]:
    """Return the rows of all tables, without their heads, by the first cell in plain text."""
    table: dict[str, list[str]] = {}
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], '']):
        if line.startswith('| ') and not _RULE.match(line) and not _RULE.match(following):
            cells = [cell.strip() for cell in re.split(r'(?<!\\)\|', line)[1:-1]]
            table[cells[0].strip('`')] = cells[1:]
    return table
