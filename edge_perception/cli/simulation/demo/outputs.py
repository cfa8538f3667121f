# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The files of the demonstration: report, picture, numbers."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
import json
import os
from pathlib import Path
import platform
from typing import Any

import cv2
import numpy as np
from rich.console import Console

import edge_perception
from edge_perception.cli.simulation.demo.screen import Rows
from edge_perception.models.atomic_files import replacing
from edge_perception.models.atomic_files import writing
from edge_perception.tooling.notes import note
from edge_perception.tooling.reports.demo_record import Sample
from edge_perception.tooling.reports.demo_record import summarize
from edge_perception.tooling.reports.demo_report import draw_plots
from edge_perception.tooling.reports.demo_report import page

NO_PLOTS = (
    'the report has no plots: matplotlib is missing, '
    'apt install python3-matplotlib, or pip install matplotlib'
)


def write_outputs(
    out: Path,
    *,
    title: str,
    lines: Rows,
    samples: Sequence[Sample],
    picture: bytes | None,
    video: Path | None,
    facts: Mapping[str, Any],
    console: Console,
) -> None:
    """
    Write picture, report and numbers, and print the paths of all files.

    :param out: folder.
    :param lines: name and value of each line of the table.
    :param picture: JPEG.
    :param video: where it was written to.
    :param facts: what was asked for, and what the node counted.
    :raises ConfigurationError: a file cannot be written.
    """
    written = {} if video is None else {'video': video}
    if picture is not None:
        written['picture'] = _write(out / 'picture.jpg', picture)
    machine = machine_facts()
    plots, notes = {}, []
    try:
        plots = draw_plots(samples)
    except ModuleNotFoundError:
        note(NO_PLOTS)
        notes.append(NO_PLOTS)
    rows = [*lines, *((name, str(value)) for name, value in machine.items())]
    text = page(title=title, rows=rows, plots=plots, picture=picture, notes=notes)
    written['report'] = _write(out / 'report.html', text.encode())
    values = {**facts, **summarize(samples), 'machine': machine}
    numbers = json.dumps(values, indent=2, ensure_ascii=False) + '\n'
    written['numbers'] = _write(out / 'summary.json', numbers.encode())
    for name, path in written.items():
        console.print(f'{name:8} {path}', highlight=False, markup=False, soft_wrap=True)


def machine_facts() -> dict[str, str | int]:
    """Return what the figures were measured on and with."""
    return {
        'processor': _processor(),
        'cores': os.cpu_count() or 0,
        'system': platform.platform(),
        'python': platform.python_version(),
        'rclpy': _version('rclpy'),
        'numpy': np.__version__,
        'opencv': cv2.__version__,
        'edge_perception': edge_perception.__version__,
    }


def _processor() -> str:
    info = Path('/proc/cpuinfo')
    if info.is_file():
        for line in info.read_text(encoding='utf-8', errors='replace').splitlines():
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return 'unknown'


def _write(path: Path, data: bytes) -> Path:
    with replacing(path) as temporary, writing(path):
        temporary.write_bytes(data)
    return path
