# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
from collections.abc import Iterator
import json
from pathlib import Path
import platform
import re
import subprocess
import sys
import tempfile
from typing import Any

from tools.rendered_pads import write_pads

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / 'docs' / 'engines.md'
BLOCK = re.compile(r'(<!-- measured -->\n).*?(<!-- end -->)', re.DOTALL)
DETECTORS = {
    'yolox_nano': 'yolox_nano.onnx',
    'nanodet_m': 'nanodet_m_416.onnx',
    'light_person_detector': 'model.onnx',
}
TARGETS = ('onnxruntime', 'openvino', 'tflite')
PRECISIONS = ('fp32', 'fp16', 'int8')
HEADER = (
    '| model | engine | precision | 1 thread | 2 threads | size | RSS | worst SNR | AP | gate |\n'
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n'
)


def call(*arguments: object) -> tuple[int, Any]:
    """Run a command of ours with --json and return its status and what it prints."""
    command = [sys.executable, '-m', 'edge_perception.cli.main', *map(str, arguments), '--json']
    print('+', ' '.join(command[2:]), file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError:
        return done.returncode, None


def model_folders(data: Path, scratch: Path) -> dict[str, tuple[Path, Path]]:
    """Return folder and images of each model."""
    from tools.model_folders import model_folder

    images = data / 'coco_cc20' / 'images'
    folders = {name: (model_folder(name, data, scratch), images) for name in DETECTORS}
    pictures = scratch / 'pads'
    write_pads(pictures, seed=1)
    folders['landing_pad'] = ROOT / 'edge_perception' / 'zoo' / 'landing_pad', pictures
    return folders


def rows_of(name: str, folder: Path, images: Path, data: Path, scratch: Path) -> list[list[str]]:
    """Build, measure and describe every variant of one model."""
    calibration: list[object] = ['--calibration', data / 'video', '--calibration',
                                 data / 'classifiers']  # fmt: skip
    if name == 'landing_pad':
        write_pads(scratch / 'calibration', seed=2)
        calibration = ['--calibration', scratch / 'calibration']
    rejected = []
    for target in TARGETS:
        for precision in PRECISIONS:
            status, _ = call('build', folder, '--target', target, '--precision', precision,
                             *(calibration if precision == 'int8' else ()),
                             '--images', images,
                             '--report', scratch / 'report.html')  # fmt: skip
            if status:
                rejected.append((target, precision, status))
    _, bench = call('bench', folder, '--engine', 'all', '--threads', '1,2', '--frames', 100)
    points = {}
    if name != 'landing_pad':
        annotations = data / 'coco_cc20' / 'instances_val2017_cc20.json'
        _, measured = call('evaluate', folder, '--dataset', annotations, '--images', images)
        points = {(row['engine'], row['artifact']): row.get('AP') for row in measured or ()}
    rows = list(_measured_rows(name, bench, points))
    for target, precision, status in rejected:
        state = 'rejected' if status == 3 else 'not built'
        rows.append([name, target, precision, *[''] * 6, state])
    return rows


def _measured_rows(name: str, bench: Any, points: dict[Any, Any]) -> Iterator[list[str]]:
    """Yield a row of the table for each engine and artifact that was measured."""
    runs: dict[tuple[str, str], dict[int, Any]] = {}
    for run in bench['runs']:
        if not run['trouble']:
            runs.setdefault((run['engine'], run['artifact']), {})[run['threads']] = run
    proofs = {row['artifact']: row for row in call('cache', 'list')[1]}
    for (engine, artifact), by_threads in runs.items():
        one, point = by_threads[1], points.get((engine, artifact))
        snr = _worst_snr(proofs, artifact, engine)
        yield [
            name,
            engine,
            f'{one["precision"]}{" (source)" if snr is None else ""}',
            *(f'{by_threads[n]["P50_LATENCY"]:.1f} ms' if n in by_threads else '' for n in (1, 2)),
            f'{one["bytes"] / 1e6:.1f} MB',
            f'{one["RSS_MB"]:.0f} MB',
            'none needed' if snr is None else f'{snr:.0f} dB',
            '' if point is None else f'{point:.3f}',
            'reference' if snr is None else 'passed',
        ]


def _worst_snr(proofs: dict[str, Any], artifact: str, engine: str) -> float | None:
    for path in proofs:
        proof = Path(f'{path}.{engine}.proof.json')
        if Path(path).name == artifact and proof.is_file():
            outputs = json.loads(proof.read_text())['figures']['outputs']
            return float(min(group['snr_db'] for group in outputs))
    return None


def main() -> None:
    """Print the table, or put it into the document."""
    parser = argparse.ArgumentParser(prog='python -m tools.engines', description=__doc__)
    parser.add_argument('--data', type=Path, required=True, help='folder of shared data')
    parser.add_argument('--write', action='store_true', help='put it into docs/engines.md')
    given = parser.parse_args()
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for name, (model, images) in model_folders(given.data.resolve(), scratch).items():
            rows += rows_of(name, model, images, given.data.resolve(), scratch)
    machine = f'{platform.machine()}, Python {platform.python_version()}\n\n'
    table = HEADER + ''.join(f'| {" | ".join(row)} |\n' for row in rows)
    if given.write:
        text = DOCUMENT.read_text(encoding='utf-8')
        DOCUMENT.write_text(
            BLOCK.sub(lambda match: match[1] + machine + table + match[2], text), encoding='utf-8'
        )
    print(machine + table)


if __name__ == '__main__':
    main()
