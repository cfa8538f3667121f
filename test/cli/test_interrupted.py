# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C in the middle of the commands that take long; build has its own test."""

from __future__ import annotations

import os
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

BENCH = """
from edge_perception.tooling.benchmark import benchmark_child
code = (
    'import json, os, signal, pathlib; pathlib.Path("child").write_text(str(os.getpid()));'
    'print(json.dumps({"done": 1}), flush=True); os.kill(os.getppid(), signal.SIGINT);'
    'signal.pause()'
)
benchmark_child.CHILD = (sys.executable, '-c', code)
"""
VERIFY = """
from edge_perception.tooling.gate import comparison as gate
add = gate.Gate.add
def interrupted(self, *given):
    add(self, *given)
    os.kill(os.getpid(), signal.SIGINT)
gate.Gate.add = interrupted
"""
EVALUATE = """
from edge_perception.runtime import pipeline
process = pipeline.Pipeline.process
def interrupted(self, *given, **more):
    os.kill(os.getpid(), signal.SIGINT)
    return process(self, *given, **more)
pipeline.Pipeline.process = interrupted
"""


@pytest.fixture
def interrupt(tmp_path: Path, repository: Path):
    """Run a command that interrupts itself; returns what it has left in an empty folder."""
    here = tmp_path / 'here'
    here.mkdir()

    def call(script: str, *arguments: object) -> list[str]:
        script = f'import os, signal, sys\n{script}\n'
        done = subprocess.run(
            [sys.executable, '-c', f'{script}from edge_perception.cli.main import main; main()']
            + [str(each) for each in arguments],
            cwd=here,
            env={**os.environ, 'PYTHONPATH': str(repository), 'XDG_CACHE_HOME': str(here)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 1, done.stderr
        assert done.stdout == ''
        assert 'Aborted!' in done.stderr
        assert 'Traceback' not in done.stderr
        # What was found of a model file stays: it is right, however the command ended.
        kept = here / 'edge_perception' / 'trials'
        files = (path for path in here.rglob('*') if path.is_file())
        return sorted(path.name for path in files if kept not in path.parents)

    return call


def test_verify_leaves_neither_proof_nor_report(interrupt, yolox, shared_data, tmp_path):
    artifact = shutil.copy(shared_data / 'yolox_nano' / 'yolox_nano.onnx', tmp_path / 'other.onnx')
    beside = sorted(tmp_path.iterdir())
    images = shared_data / 'coco_cc20' / 'images'
    report = tmp_path / 'report.html'
    left = interrupt(
        *(VERIFY, 'verify', artifact, '--reference', yolox, '--images', images),
        *('--report', report, '--json'),
    )
    assert left == []
    assert sorted(tmp_path.iterdir()) == beside


def test_evaluate_prints_nothing(interrupt, yolox, shared_data):
    pytest.importorskip('pycocotools', reason='pycocotools is not installed')
    folder = shared_data / 'coco_cc20'
    left = interrupt(
        *(EVALUATE, 'evaluate', yolox, '--dataset', folder / 'instances_val2017_cc20.json'),
        *('--images', folder / 'images', '--json'),
    )
    assert left == []


def test_bench_ends_the_process_that_it_measures(interrupt, yolox, tmp_path):
    report = ('--report', 'bench.html')
    assert interrupt(BENCH, 'bench', yolox, '--threads', '1', *report, '--json') == ['child']
    child = int((tmp_path / 'here' / 'child').read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
