# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The commands of the documents are run as a reader would: in a checkout, with files of theirs.

``test/docs/markdown.py`` says what the comments above a block mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import json
import os
from pathlib import Path
import re
import shutil
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

from test.cli.ultralytics_export import save_detector
from test.docs.markdown import Block
from test.docs.markdown import fenced
from test.support.graph import until
from test.support.process import PROFILE_VARIABLES
from tools.reference_tables import documents
from tools.rendered_pads import write_pads

ROOT = Path(__file__).resolve().parents[2]
# What a document needs beside files that a reader makes with its own blocks.
CHECKOUT = ('config', 'docs')
GETTING_STARTED = ROOT / 'docs' / 'getting_started.md'
BUILDING = 'docs/building.md'
# What its commands need.
OFFLINE = (
    'ai_edge_litert', 'matplotlib', 'onnxconverter_common', 'onnxruntime', 'onnxslim',
    'pycocotools',
)  # fmt: skip
REFERENCES = (
    BUILDING,
    'docs/cameras.md',
    'docs/models.md',
    'docs/node.md',
    'docs/records/README.md',
    'docs/security.md',
)
# By tests of their own: test/cli/test_pad.py.
ELSEWHERE = ('docs/demo.md',)
PATIENCE_S = 120
PHOTOS = 6
BOX_PIXELS, SCORE = 1.0, 0.01  # as much as versions of OpenCV differ
NUMBER = re.compile(r'-?\d+(?:\.\d+)?')
VERSION = re.compile(r'\d+\.\d+\.\d+')


class Reader:
    """
    Somebody who follows a document.

    :param folder: a checkout, as far as documents need it.
    :param path: folders that come before PATH.
    """

    def __init__(self, folder: Path, path: list[Path]) -> None:
        self._folder = folder
        self._environment = {
            name: value for name, value in os.environ.items() if name not in PROFILE_VARIABLES
        }
        self._environment['PATH'] = os.pathsep.join([*map(str, path), os.environ['PATH']])
        self._environment.update(PYTHONUNBUFFERED='1', COLUMNS='100')
        self._running: list[tuple[subprocess.Popen[str], Path]] = []
        self.ran = 0

    def set(self, **variables: str) -> None:
        self._environment.update(variables)

    def follow(self, document: Path) -> None:
        """Do what every block says, in order, and compare what is printed."""
        printed = ''
        for block in fenced(document):
            if 'file' in block.markers:
                path = self._folder / block.markers['file']
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text)
            elif 'output' in block.markers:
                _compare(block, printed)
            elif block.language == 'sh' and 'not run' not in block.markers:
                printed = self._run(block)
                self.ran += 1

    @contextmanager
    def at_work(self) -> Iterator[Reader]:
        """End what is still running with Ctrl-C; it has to end in peace."""
        try:
            yield self
            for process, log in self._running:
                process.send_signal(signal.SIGINT)
                assert process.wait(PATIENCE_S) == 0, log.read_text()
                assert 'Traceback' not in log.read_text()
        finally:
            for process, _ in self._running:
                process.kill()
                process.wait()

    def _run(self, block: Block) -> str:
        command = ['bash', '-eo', 'pipefail', '-c', block.text]
        if 'runs on' in block.markers:
            return self._start(command, block.markers['runs on'])
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, f'line {block.line}: {block.text}\n{done.stdout}'
        return done.stdout

    def _start(self, command: list[str], sign: str) -> str:
        log = self._folder / f'running-{len(self._running)}.log'
        # exec: the signal goes to the command itself and not to the shell.
        command[-1] = f'exec {command[-1]}'
        with log.open('w') as file:
            process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=self._environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self._running.append((process, log))
        until(lambda: log.read_text(), lambda text: sign in text or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        return log.read_text()


def _compare(block: Block, printed: str) -> None:
    """Demand that every line of a block was printed; numbers may differ a little."""
    lines = printed.splitlines()
    for line in filter(str.strip, block.text.splitlines()):
        assert any(_same(line.split(), other.split()) for other in lines), (
            f'line {block.line}: {line!r} is not in\n{printed}'
        )


def _same(wanted: list[str], words: list[str]) -> bool:
    """Compare with the end of a line: loggers put time and name before it."""
    if set(''.join(wanted)) == {'─'}:
        return True  # a rule, as wide as the terminal lets it be
    words = words[-len(wanted) :]
    return len(words) == len(wanted) and all(map(_alike, wanted, words))


def _alike(wanted: str, word: str) -> bool:
    if NUMBER.sub('#', wanted) != NUMBER.sub('#', word):
        return False
    if VERSION.search(wanted):
        return True
    pairs = zip(NUMBER.findall(wanted), NUMBER.findall(word))
    return all(
        abs(float(one) - float(other)) <= (SCORE if abs(float(one)) <= 1 else BOX_PIXELS)
        for one, other in pairs
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / 'edge_perception'
    for name in CHECKOUT:
        shutil.copytree(ROOT / name, folder / name)
    (folder / 'Makefile').write_text((ROOT / 'Makefile').read_text())
    return folder


@pytest.fixture
def reader(checkout: Path) -> Iterator[Reader]:
    if not Path(sys.executable).with_name('edge-perception').exists():
        pytest.skip('the package is not installed in this environment')
    with Reader(checkout, [Path(sys.executable).parent]).at_work() as someone:
        # What this machine has built and installed is not theirs.
        someone.set(XDG_CACHE_HOME=str(checkout / 'cache'), XDG_DATA_HOME=str(checkout / 'data'))
        yield someone


@pytest.fixture
def own_files(checkout: Path, shared_data: Path) -> None:
    """Give the reader what the documents ask for: models and a photograph."""
    save_detector(checkout / 'yolo11n.onnx')
    shutil.copy(shared_data / 'coco_cc20/images/000000252219.jpg', checkout / 'street.jpg')
    for name in ('yolox_nano.onnx', 'coco_classes.txt'):
        shutil.copy(shared_data / 'yolox_nano' / name, checkout)


@pytest.fixture
def own_pictures(checkout: Path, shared_data: Path) -> None:
    """Give the reader photographs with labels, flights over the pad, and somebody's TFLite."""
    source = shared_data / 'coco_cc20'
    labels = json.loads((source / 'instances_val2017_cc20.json').read_text())
    labels['images'] = labels['images'][:PHOTOS]
    known = {each['id'] for each in labels['images']}
    labels['annotations'] = [each for each in labels['annotations'] if each['image_id'] in known]
    (checkout / 'instances.json').write_text(json.dumps(labels))
    (checkout / 'photos').mkdir()
    for each in labels['images']:
        shutil.copy(source / 'images' / each['file_name'], checkout / 'photos')
    tflite = shared_data / 'yolox_nano' / 'yolox_nano_float16_quantize.tflite'
    shutil.copy(tflite, checkout / 'yolox_nano.tflite')
    for seed, name in enumerate(('flights', 'pads'), start=1):
        write_pads(checkout / name, seed=seed)


def test_every_document_with_commands_is_followed() -> None:
    with_commands = {
        str(path.relative_to(ROOT))
        for path in documents()
        for block in fenced(path)
        if block.language == 'sh' and 'not run' not in block.markers
    }
    guides = {'README.md', 'plugins/README.md', str(GETTING_STARTED.relative_to(ROOT))}
    assert with_commands == {*guides, *REFERENCES, *ELSEWHERE}


def test_readme(reader: Reader, checkout: Path, own_files: None) -> None:
    reader.follow(ROOT / 'README.md')
    assert reader.ran >= 1
    assert cv2.imread(str(checkout / 'drawn' / 'street.jpg')).shape == (428, 640, 3)


def test_getting_started(reader: Reader, own_files: None) -> None:
    reader.follow(GETTING_STARTED)
    assert reader.ran >= 7


@pytest.mark.parametrize('name', REFERENCES)
def test_reference(
    name: str, reader: Reader, checkout: Path, own_files: None, request: pytest.FixtureRequest
) -> None:
    if name == BUILDING:
        for library in OFFLINE:
            pytest.importorskip(library, reason=f'{library} is not installed')
        request.getfixturevalue('own_pictures')
    model = checkout / 'models' / 'yolox_nano'
    model.mkdir(parents=True)
    for file in ('yolox_nano.onnx', 'coco_classes.txt'):
        shutil.copy(checkout / file, model)
    (manifest,) = [
        block for block in fenced(GETTING_STARTED) if 'yaml' in block.markers.get('file', '')
    ]
    (model / 'model.yaml').write_text(manifest.text)
    reader.follow(ROOT / name)
    assert reader.ran


def test_plugin_guide(reader: Reader, checkout: Path, tmp_path: Path) -> None:
    """The examples of the guide find a red square as a plugin, and keep their clauses."""
    picture = np.zeros((96, 192, 3), np.uint8)
    picture[40:56, 120:136] = (0, 0, 255)
    cv2.imwrite(str(checkout / 'red_square.png'), picture)
    installed = tmp_path / 'installed'
    _install_example(tmp_path / 'plugin', installed)
    reader.set(PYTHONPATH=os.pathsep.join([str(installed), os.environ.get('PYTHONPATH', '')]))
    reader.follow(ROOT / 'plugins' / 'README.md')
    assert reader.ran >= 6


def _install_example(source: Path, target: Path) -> None:
    source.mkdir()
    for block in fenced(ROOT / 'plugins' / 'README.md'):
        name = block.markers.get('file', '')
        if name.endswith(('.py', '.toml')):
            (source / name).write_text(block.text)
    command = [sys.executable, '-m', 'pip', 'install', '--no-index', '--no-deps', '--quiet']
    command += ['--no-build-isolation', '--target', str(target), '.']
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
