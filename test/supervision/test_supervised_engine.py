# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever happens to the process of an engine, a frame is right or an error, never stale."""

from __future__ import annotations

from contextlib import suppress
import os
from pathlib import Path
import signal
import subprocess
import sys
import sysconfig
import threading
import time
import venv

import numpy as np
import pytest

from edge_perception.contract import Engine
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import InferenceError
from edge_perception.contract import Options
from edge_perception.contract import RestartingError
from edge_perception.supervision import worker_main
from edge_perception.supervision.supervised_engine import SupervisedEngineType
from edge_perception.supervision.supervisor import Supervision
from edge_perception.supervision.worker_process import WorkerProcess
from test.supervision.faulty_engine import CODES
from test.supervision.faulty_engine import FaultyEngineType
from test.supervision.faulty_engine import MANIFEST

PATIENCE_S = 60
# Only what hangs takes so long, even on a busy machine.
HANG_S = 0.7


def make(path: Path, **supervision) -> Engine:
    wanted = {'hang_s': HANG_S, 'back_off_s': (0.0,) * 50, **supervision}
    kind = SupervisedEngineType(FaultyEngineType(), Supervision('supervised', **wanted))
    return kind.create(MANIFEST, path, Options())


def frame(engine: Engine, value: float) -> np.ndarray:
    buffers = engine.input_buffers()
    buffers['image'].fill(value)
    return engine.infer(buffers)['pixels']


def until(ready) -> None:
    """Wait until something is true in another process or thread, which tells nobody."""
    pause, ends = threading.Event(), time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < ends
        pause.wait(0.01)


def works(engine: Engine) -> bool:
    with suppress(RestartingError):
        assert (frame(engine, 42) == 42).all()
        return True
    return False


@pytest.fixture(scope='module')
def artifact(tmp_path_factory):
    path = tmp_path_factory.mktemp('faulty') / 'net.faulty'
    path.write_text('fine', encoding='utf-8')
    return path


@pytest.fixture(scope='module')
def engine(artifact):
    with make(artifact, memory_mib=150) as engine:
        engine.warm_up()
        yield engine


@pytest.mark.parametrize(
    ('fault', 'kind', 'words'),
    [
        ('exit', 'crashed', 'status 3'),
        ('segv', 'crashed', 'SIGSEGV'),
        ('abort', 'crashed', 'SIGABRT'),
        ('hang', 'hung', 'did not answer within 0.7 s'),
        ('hang_with_gil', 'hung', 'did not answer within 0.7 s'),
        ('garbage', 'garbage', 'garbage'),
        ('json_garbage', 'garbage', 'garbage'),
        ('future', 'garbage', 'garbage'),
        ('leave_a_child', '', 'answer|ended'),
    ],
)
def test_a_process_that_fails_costs_frames_and_is_replaced(engine, fault, kind, words):
    until(lambda: works(engine))
    before = dict(engine.health())
    with pytest.raises(RestartingError, match=words):
        frame(engine, CODES[fault])
    until(lambda: works(engine))
    after = engine.health()
    assert after['worker_restarts'] == before['worker_restarts'] + 1
    if kind:
        assert after[f'worker_{kind}'] == before.get(f'worker_{kind}', 0) + 1
    assert engine.condition == ''


@pytest.mark.parametrize('fault', ['late', 'flood'])
def test_what_does_no_harm_costs_nothing(engine, fault):
    until(lambda: works(engine))
    before = engine.health()['worker_restarts']
    for _ in range(5):
        frame(engine, CODES[fault])
        assert works(engine)
    assert engine.health()['worker_restarts'] == before


def test_numbers_that_are_none_are_handed_on(engine):
    until(lambda: works(engine))
    assert np.isnan(frame(engine, CODES['nan'])).all()


@pytest.mark.parametrize('fault', ['raise', 'shape'])
def test_errors_are_those_of_the_engine_until_only_a_new_process_may_help(engine, fault):
    until(lambda: works(engine))
    words = {'raise': 'the device says no', 'shape': '1x3x4x5'}[fault]
    for _ in range(2):
        with pytest.raises(InferenceError, match=words) as caught:
            frame(engine, CODES[fault])
        assert not isinstance(caught.value, RestartingError)
    with pytest.raises(RestartingError, match='3 times in a row'):
        frame(engine, CODES[fault])
    until(lambda: works(engine))


def test_the_hang_limit_is_long_at_first_and_then_that_of_the_frames(artifact):
    with make(artifact, hang_s=0.0) as engine:
        limits = []
        for _ in range(4):
            limits.append(engine._limit_s(engine._supervisor))
            assert works(engine)
    assert limits == [30.0, 30.0, 30.0, 1.0]


def test_one_that_takes_too_much_memory_is_replaced(engine):
    until(lambda: works(engine))
    frame(engine, CODES['leak'])
    until(lambda: works(engine) and engine.health().get('worker_memory') == 1)


@pytest.mark.parametrize('how', [signal.SIGKILL, signal.SIGSTOP])
def test_one_that_is_killed_or_stopped_is_replaced(engine, how):
    until(lambda: works(engine))
    pid = engine.process_id
    os.kill(pid, how)
    with pytest.raises(RestartingError):
        frame(engine, 1)
    until(lambda: works(engine))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_another_artifact_is_never_taken_and_after_so_many_restarts_it_is_given_up(tmp_path):
    path = tmp_path / 'net.faulty'
    path.write_text('fine', encoding='utf-8')
    with make(path, back_off_s=(0.0, 0.0)) as engine:
        assert works(engine)
        path.write_text('another model', encoding='utf-8')
        with pytest.raises(RestartingError):
            frame(engine, CODES['exit'])
        until(lambda: 'given up' in engine.condition)
        with pytest.raises(InferenceError, match='another artifact') as caught:
            frame(engine, 1)
        assert not isinstance(caught.value, RestartingError)


def test_a_device_whose_process_does_not_end_is_left_alone(artifact, monkeypatch):
    stays = threading.Event()
    gone = WorkerProcess.gone
    with make(artifact) as engine:
        assert works(engine)
        monkeypatch.setattr(WorkerProcess, 'gone', lambda *_: stays.wait(0.01))
        with pytest.raises(RestartingError):
            frame(engine, CODES['exit'])
        until(lambda: 'left alone' in engine.condition)
        with pytest.raises(RestartingError, match='left alone'):
            engine.input_buffers()
        monkeypatch.setattr(WorkerProcess, 'gone', gone)
        stays.set()
        until(lambda: works(engine))
        assert engine.health()['worker_stuck'] == 1


@pytest.mark.parametrize(
    ('fault', 'words'), [('segv', 'SIGSEGV'), ('exit', 'status 3'), ('raise', 'says no')]
)
def test_what_fails_while_it_loads_is_said_by_create(tmp_path, fault, words):
    path = tmp_path / 'net.faulty'
    path.write_text(fault, encoding='utf-8')
    with pytest.raises((EngineUnavailableError, RuntimeError), match=words):
        make(path)


PARENT = """
import sys
sys.path[0] = sys.argv[2]
from pathlib import Path
from test.supervision.test_supervised_engine import CODES, frame, make
engine = make(Path(sys.argv[1]), hang_s=600.0)
engine.activate()
engine.warm_up()
print(engine.process_id, flush=True)
frame(engine, CODES['hang_with_gil'])
"""


def test_a_process_that_hangs_ends_with_its_parent(artifact, repository):
    command = [sys.executable, '-c', PARENT, str(artifact), str(repository)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=repository) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    ends = time.monotonic() + 2
    until(lambda: not Path(f'/proc/{pid}').exists() or zombie(pid))
    assert time.monotonic() < ends


def zombie(pid: int) -> bool:
    """Tell whether a process has ended, where nobody collects those without a parent."""
    with suppress(OSError):
        return Path(f'/proc/{pid}/stat').read_text(encoding='ascii').rpartition(')')[2][1] == 'Z'
    return True


@pytest.fixture(scope='module')
def python(tmp_path_factory):
    """Return the interpreter of an empty virtual environment."""
    folder = tmp_path_factory.mktemp('venv')
    venv.create(folder, symlinks=True)
    return folder / 'bin' / 'python'


def test_an_interpreter_without_packages_or_that_is_none_is_said(artifact, python, tmp_path):
    with pytest.raises(EngineUnavailableError, match='has no numpy PyYAML pluggy'):
        make(artifact, python=str(python))
    with pytest.raises(EngineUnavailableError, match='cannot be started'):
        make(artifact, python=str(tmp_path / 'nowhere'))
    kind = SupervisedEngineType(FaultyEngineType(), Supervision('supervised', str(python)))
    assert 'has no numpy' in kind.probe().reason


def test_an_interpreter_that_is_too_old_is_said(monkeypatch):
    monkeypatch.setattr(worker_main.sys, 'version_info', (3, 9, 1))
    assert worker_main.lacking()[0] == 'is Python 3.9'


def test_another_interpreter_runs_the_engine_and_answers_for_it(artifact, python, repository):
    (packages,) = python.parents[1].glob('lib/python*/site-packages')
    path = packages / 'host.pth'
    # Python has a package ``test`` of its own, which is found first elsewhere.
    ours = f'import sys; sys.path.insert(0, {str(repository)!r})'
    path.write_text(f'{sysconfig.get_path("purelib")}\n{ours}\n', encoding='utf-8')
    try:
        kind = SupervisedEngineType(FaultyEngineType(), Supervision('supervised', str(python)))
        assert kind.probe().runtime == str(python)
        assert kind.device_key(Options()) == 'any'
        with kind.create(MANIFEST, artifact, Options()) as engine:
            assert works(engine)
    finally:
        path.unlink()
