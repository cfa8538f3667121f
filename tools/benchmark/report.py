# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Write the report of a benchmark: machine, versions and figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from datetime import timezone
from importlib.metadata import distributions
import json
import math
import os
from pathlib import Path
import subprocess
from typing import Any

import psutil

from edge_perception.cli.output.machine_facts import machine_facts
from edge_perception.contract.user_files import write_whole
from tools.benchmark.subjects import ROOT

PACKAGES = ('onnxruntime', 'openvino', 'ai-edge-litert')
GOVERNOR = Path('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor')


def benchmark_facts() -> dict[str, Any]:
    """Return what anyone needs who compares figures; None where it is unknown."""
    git = ['git', '-C', str(ROOT), 'describe', '--always', '--dirty']
    versions = {each.name: each.version for each in distributions()}
    return {
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'revision': subprocess.run(git, capture_output=True, text=True).stdout.strip() or None,
        **machine_facts(),
        'memory_gb': round(psutil.virtual_memory().total / 1e9, 1),
        'governor': GOVERNOR.read_text().strip() if GOVERNOR.is_file() else None,
        'load': [round(value, 2) for value in os.getloadavg()],
        **{name: versions[name] for name in PACKAGES if name in versions},
    }


def write_report(folder: Path, date: str, values: Mapping[str, Any]) -> None:
    """
    Write a report in one piece, or not at all, and print its figures as ``name: value``.

    :param date: names the file.
    :param values: with the figures; infinite ones are null.
    """
    path = folder / f'{date.replace(":", "").partition("+")[0]}.json'
    figures = {
        name: value if math.isfinite(value) else None for name, value in values['figures'].items()
    }
    write_whole(path, json.dumps({**values, 'figures': figures}, indent=1) + '\n')
    print(f'\nwritten to {os.path.relpath(path)}\n')
    for name, value in values['figures'].items():
        print(f'{name}: {value:g}')


def say(sentence: str) -> None:
    """Print progress."""
    print(sentence, flush=True)
