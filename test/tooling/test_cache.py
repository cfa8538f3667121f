# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from edge_perception.contract import BuildError
from edge_perception.contract.user_files import cache_folder
from edge_perception.contract.user_files import data_folder
from edge_perception.models.artifact_directories import current_entries
from edge_perception.tooling.building.artifact_cache import entries
from edge_perception.tooling.building.artifact_cache import locked
from edge_perception.tooling.building.artifact_cache import make_current
from edge_perception.tooling.building.artifact_cache import prune
from edge_perception.tooling.building.artifact_cache import publish
from edge_perception.tooling.building.artifact_cache import read_entry
from edge_perception.tooling.building.artifact_cache import workspace
from test.support.raising import raises

CHILD = [sys.executable, str(Path(__file__).with_name('cache_child.py'))]
# All 200 take minutes; make test does enough of them to see a mistake in the order of steps.
KILLS = int(os.environ.get('EDGE_PERCEPTION_KILLS', '12'))


def put(directory: Path, name: str, content: bytes = b'net', *, passed: bool = True) -> None:
    with locked(directory, name, waiting=lambda: None), workspace(directory, name) as folder:
        made = folder / 'made'
        made.mkdir()
        (made / 'net.fake').write_bytes(content)
        publish(made / 'net.fake', directory, name, values={}, passed=passed)


def hidden(directory: Path) -> list[str]:
    return [
        each.name for each in directory.iterdir() if each.name.endswith(('.building', '.partial'))
    ]


def test_a_builder_that_is_killed_anywhere_leaves_the_cache_usable(tmp_path, repository):
    directory = tmp_path / 'model'
    chance = random.Random(5)
    environ = {**os.environ, 'PYTHONPATH': str(repository)}
    for _ in range(KILLS):
        child = subprocess.Popen(
            [*CHILD, str(directory)], env=environ, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout.readline() == 'ready\n'
        time.sleep(chance.uniform(0, 0.05))  # waits for nothing: it is where the child dies
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        for entry in current_entries(directory):
            found = read_entry(entry)
            assert found is not None, f'{entry} is there and not whole'
            assert found.size > found.artifact.stat().st_size == 8 * 4096
        put(directory, 'int8-fake-0', bytes(8 * 4096))  # the lock is free again
        assert read_entry(directory / 'int8-fake-0') is not None
    prune(tmp_path)
    assert hidden(directory) == []


def test_two_builders_of_the_same_take_turns(tmp_path):
    waited = threading.Event()
    done: list[str] = []

    def second() -> None:
        with locked(tmp_path, 'int8-fake-1', waiting=waited.set):
            done.append('second')

    with locked(tmp_path, 'int8-fake-1', waiting=lambda: None):
        thread = threading.Thread(target=second)
        thread.start()
        assert waited.wait(10)
        done.append('first')
    thread.join(10)
    assert done == ['first', 'second']


def test_the_last_build_is_the_current_one_and_prune_keeps_it(tmp_path):
    directory = tmp_path / 'model'
    put(directory, 'int8-fake-old', b'old')
    put(directory, 'int8-fake-new', b'newer')
    put(directory, 'fp16-fake-half', b'half')
    assert [each.name for each in current_entries(directory)] == [
        'fp16-fake-half',
        'int8-fake-new',
    ]
    removed, freed = prune(tmp_path)
    assert removed == 1
    assert freed > 3
    assert [entry.folder.name for entry, _ in entries(tmp_path)] == [
        'fp16-fake-half', 'int8-fake-new',
    ]  # fmt: skip
    assert prune(tmp_path, everything=True)[0] == 2
    assert list(tmp_path.iterdir()) == []


def test_what_was_rejected_takes_the_place_of_nothing_that_passed(tmp_path):
    directory, good = tmp_path / 'model', ['int8-fake-1']
    put(directory, 'int8-fake-1', b'bad', passed=False)
    (first,) = current_entries(directory)  # it says why there is nothing to load
    assert not read_entry(first).values['passed']
    put(directory, 'int8-fake-1', b'good')
    put(directory, 'int8-fake-1', b'bad again', passed=False)
    put(directory, 'int8-fake-2', b'bad as well', passed=False)
    assert [each.name for each in current_entries(directory)] == good
    assert read_entry(directory / 'int8-fake-1').artifact.read_bytes() == b'good'
    assert prune(tmp_path)[0] == 2
    assert [entry.folder.name for entry, _ in entries(tmp_path)] == good


def test_an_entry_that_was_damaged_is_none(tmp_path):
    put(tmp_path, 'int8-fake-1')
    (tmp_path / 'int8-fake-1' / 'net.fake').write_bytes(b'other')
    assert read_entry(tmp_path / 'int8-fake-1') is None


def test_a_build_that_fails_leaves_nothing(tmp_path):
    with (
        pytest.raises(RuntimeError),
        locked(tmp_path, 'int8-fake-1', waiting=lambda: None),
        workspace(tmp_path, 'int8-fake-1') as folder,
    ):
        (folder / 'half').write_bytes(b'x')
        raise RuntimeError
    assert hidden(tmp_path) == []
    assert current_entries(tmp_path) == []


def test_a_full_disk_is_a_sentence(tmp_path):
    with (
        raises(BuildError, tmp_path, 'XDG_CACHE_HOME'),
        workspace(tmp_path, 'int8-fake-1'),
    ):
        raise OSError(errno.ENOSPC, 'No space left on device')


@pytest.mark.parametrize('before', [None, '/tmp'])
def test_a_disk_that_has_no_room_for_the_folder_is_a_sentence(tmp_path, monkeypatch, before):
    def full(self, **extra):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.delenv('TMPDIR', raising=False)
    if before:
        monkeypatch.setenv('TMPDIR', before)
    monkeypatch.setattr(Path, 'mkdir', full)
    with (
        raises(BuildError, tmp_path, 'XDG_CACHE_HOME'),
        workspace(tmp_path, 'int8-fake-1'),
    ):
        pass
    assert os.environ.get('TMPDIR') == before


def test_what_is_current_is_not_written_again_and_a_full_disk_is_a_sentence(tmp_path, monkeypatch):
    def full(self, *content, **extra):
        raise OSError(errno.ENOSPC, 'No space left on device')

    put(tmp_path, 'int8-fake-1')
    put(tmp_path, 'int8-fake-2')
    monkeypatch.setattr(Path, 'write_bytes', full)
    make_current(tmp_path, 'int8-fake-2')
    with raises(BuildError, tmp_path, 'XDG_CACHE_HOME'):
        make_current(tmp_path, 'int8-fake-1')
    assert [each.name for each in current_entries(tmp_path)] == ['int8-fake-2']


def test_temporary_files_of_libraries_stay_in_the_workspace(tmp_path):
    before = os.environ.get('TMPDIR')
    with workspace(tmp_path, 'int8-fake-1') as folder:
        import tempfile

        assert Path(tempfile.mkdtemp()).parent == folder
        assert os.environ['TMPDIR'] == str(folder)
    assert os.environ.get('TMPDIR') == before


def test_where_the_cache_is(tmp_path):
    assert cache_folder({'XDG_CACHE_HOME': '/c'}) == Path('/c/edge_perception')
    environ = {'XDG_CACHE_HOME': 'relative', 'HOME': '/h'}
    assert cache_folder(environ) == Path('/h/.cache/edge_perception')
    assert data_folder({'HOME': '/h'}) == Path('/h/.local/share/edge_perception')


@pytest.mark.parametrize('name', ['x' * 300, 'x' * 10_000_000, '..', 'a\0b', '/etc', ''])
def test_a_file_that_names_no_entry_is_passed_over(tmp_path, name):
    (tmp_path / 'int8-fake.current').write_text(name)
    os.mkfifo(tmp_path / 'fp16-fake.current')
    assert current_entries(tmp_path) == []
