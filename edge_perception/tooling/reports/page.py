# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Make a report: one HTML file that needs no other, with a table, plots and images."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from collections.abc import Sequence
import html

from edge_perception.contract.errors import printable

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .2rem 1.2rem .2rem 0; border-bottom: 1px solid #ddd; }
th { font-weight: 600; }
img, svg { max-width: 100%; height: auto; }
figure { margin: 2rem 0; }
figcaption { color: #555; }
"""


def page(
    *,
    title: str,
    rows: Sequence[tuple[str, str]],
    plots: Mapping[str, str],
    images: Sequence[tuple[str, bytes]] = (),
    notes: Sequence[str] = (),
) -> str:
    """
    Return the report as HTML.

    :param rows: name and value of each line of the table.
    :param plots: SVG by caption.
    :param images: caption and JPEG; below the plots.
    :param notes: paragraphs below the table.
    """
    table = ''.join(
        f'<tr><th>{_words(name)}</th><td>{_words(value)}</td></tr>\n' for name, value in rows
    )
    paragraphs = ''.join(f'<p>{_words(note)}</p>\n' for note in notes)
    figures = [f'<figure>{svg}<figcaption>{_words(c)}</figcaption></figure>'
               for c, svg in plots.items()]  # fmt: skip
    for caption, jpeg in images:
        data, words = base64.b64encode(jpeg).decode('ascii'), _words(caption)
        image = f'<img alt="{words}" src="data:image/jpeg;base64,{data}">'
        figures.append(f'<figure>{image}<figcaption>{words}</figcaption></figure>')
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{_words(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n'
        f'<h1>{_words(title)}</h1>\n<table>\n{table}</table>\n{paragraphs}'
        + '\n'.join(figures)
        + '\n</body>\n</html>\n'
    )


def _words(text: str) -> str:
    return html.escape(printable(text, lines=True))
