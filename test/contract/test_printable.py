# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Control characters of models and messages reach no terminal, log or report."""

from __future__ import annotations

import json
import unicodedata

import pytest
from rich.text import Text

from edge_perception.cli.output.tables import new_table
from edge_perception.contract.errors import printable
from edge_perception.tooling.notes import note
from edge_perception.tooling.notes import say
from edge_perception.tooling.notes import tell
from edge_perception.tooling.progress import result_console
from edge_perception.tooling.reports.page import page

# Clears the screen, sets the title by the escapes of 8 bits, turns the direction of writing.
EVIL = 'cat\x1b[2J\x9b2J\x07\x08\u202e'


def unclean(text: str) -> set[str]:
    return {each for each in text if unicodedata.category(each) in ('Cc', 'Cf')} - {'\n'}


@pytest.mark.parametrize('text', ['', 'chat gris', 'Größe 3 µm, 猫', 'a "b" \\ c'])
def test_what_can_be_read_stays(text):
    assert printable(text) == text


def test_every_control_character_is_an_escape_of_json():
    controls = [chr(n) for n in range(0x3000) if unicodedata.category(chr(n)) == 'Cc']
    text = ''.join(controls)
    assert unclean(printable(text)) == set() and '\n' not in printable(text)
    assert json.loads(f'"{printable(text)}"') == text
    assert printable('a\n\tb\r', lines=True) == 'a\n\tb\\u000d'


def test_no_place_of_output_lets_one_through(capsys):
    note(EVIL)
    say('code', EVIL)
    tell(json.dumps({'label': EVIL}, ensure_ascii=False))
    table = new_table('object')
    table.add_row(Text(EVIL))
    console = result_console()
    console.print(table)
    console.print(Text(EVIL), soft_wrap=True)
    captured = capsys.readouterr()
    assert unclean(captured.out + captured.err) == set()
    assert json.loads(captured.out.splitlines()[0]) == {'label': EVIL}
    assert captured.out.count('cat') == 3 and captured.err.count('cat') == 2


def test_no_report_lets_one_through():
    text = page(title=EVIL, rows=[(EVIL, EVIL)], plots={EVIL: ''}, images=[(EVIL, b'')])
    assert unclean(text) == set()
