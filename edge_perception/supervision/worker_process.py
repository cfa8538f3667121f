# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The process of an engine, as the process of the node sees it: started, asked, killed."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
import json
import mmap
import os
from pathlib import Path
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import Tensor
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception.contract.errors import in_words
from edge_perception.contract.loading.load_trial import ending
from edge_perception.contract.loading.load_trial import last_line
from edge_perception.supervision.wire import error_of
from edge_perception.supervision.wire import FRAME
from edge_perception.supervision.wire import FRAME_MARK
from edge_perception.supervision.wire import make_memory
from edge_perception.supervision.wire import MOST_BYTES
from edge_perception.supervision.wire import places
from edge_perception.supervision.wire import take_memory
from edge_perception.supervision.wire import views
from edge_perception.supervision.wire import WorkOrder

MAIN = Path(__file__).with_name('worker_main.py')
# What is kept of the standard error of the process, for messages.
TAIL_BYTES = 4096
ANCILLARY = socket.CMSG_SPACE(4)
# From the end of its socket to its own, in which the engine is freed.
LEAVE_S = 2.0
# From SIGKILL to the end; a process in a driver that does not come back (state D) takes longer.
KILL_S = 2.0

# What reading an answer raises that is none.
GARBAGE = (ValueError, KeyError, TypeError, OverflowError, RecursionError)


class WorkerLostError(Exception):
    """
    The process cannot be used any more.

    :param kind: ``crashed``, ``hung`` or ``garbage``, under which it is counted.
    """

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


class WorkerProcess:
    """
    One process with one engine. Requests come from one thread at a time, the rest from any.

    It ends with the thread that made this object, at the latest (PDEATHSIG): start it in one that
    lives as long.

    :param python: interpreter; empty stands for that of this process, with all that it finds.
    :param verdict: why it was given up, its kind and words; None while it was not.
    :param inputs: arrays that the engine reads, once it is active.
    :raises OSError: there is no process or no memory to be had.
    """

    def __init__(self, order: WorkOrder, python: str = '') -> None:
        self.verdict: tuple[str, str] | None = None
        self.inputs: dict[str, Tensor] = {}
        self._outputs: dict[str, Tensor] = {}
        self._limit_s: float | None = None
        self._memory: mmap.mmap | None = None
        self._sequence = 0
        self._buffer = bytearray(MOST_BYTES)
        self._tail = b''
        with _order_file(order) as file:
            self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            passed = (theirs.fileno(), file.fileno())
            arguments = [str(MAIN), *map(str, passed), str(os.getpid())]
            command = [python or sys.executable, *arguments, json.dumps(_folders(order))]
            try:
                self._process = subprocess.Popen(
                    command,
                    pass_fds=passed,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=_environment(python),
                    # Ctrl-C is for the node, which ends this process when it is done with it.
                    start_new_session=True,
                )
            except BaseException:
                self._link.close()
                raise
            finally:
                theirs.close()
        self.pid = self._process.pid
        self._drain = threading.Thread(target=self._read_output, name='worker output', daemon=True)
        self._drain.start()

    def request(
        self,
        call: str,
        *,
        limit_s: float | None = None,
        descriptors: Sequence[int] = (),
        **values: Any,
    ) -> dict[str, Any]:
        """
        Return the answer to a request.

        :param limit_s: how long to wait; None waits until the process ends.
        :raises WorkerLostError: it ended, did not answer in time, or answered garbage.
        :raises Exception: what the engine raised.
        """
        packet = json.dumps({'call': call, 'sequence': self._sequence + 1, **values}).encode()
        answer = self._exchange(packet, limit_s, descriptors)
        if answer is None:
            raise WorkerLostError('garbage', 'answered what was not asked')
        return answer

    def activate(self, specs: Sequence[TensorSpec], *, warm_up: bool, limit_s: float) -> None:
        """
        Let the engine take memory and devices.

        :param warm_up: let it compute as well, so that the first frame is not slower.
        :raises OSError: there is no memory to be had.
        :raises Exception: see ``request``.
        """
        # An open size is 1 here, as in the memory that the contract gives to engines.
        shapes = ((each.name, [max(s, 1) for s in each.shape], each.dtype) for each in specs)
        found, size = places(shapes)
        descriptor = make_memory(size)
        try:
            wanted = {'places': found, 'warm_up': warm_up}
            self.request('activate', limit_s=limit_s, descriptors=[descriptor], **wanted)
        except BaseException:
            os.close(descriptor)
            raise
        self.inputs = views(take_memory(descriptor), found)

    def infer(self, limit_s: float) -> tuple[Tensors, Mapping[str, Any]]:
        """
        Return outputs for what is in ``inputs``, and the answer.

        They lie in shared memory, which the process writes again with the next frame only.

        :raises Exception: see ``request``.
        """
        answer = self._exchange(FRAME.pack(FRAME_MARK, self._sequence + 1), limit_s)
        if answer is None:  # as the last time
            return self._outputs, {}
        try:
            if self._memory is None:
                raise ValueError('no memory came with the answer')
            self._outputs = views(self._memory, answer['outputs'])
        except GARBAGE as error:
            raise WorkerLostError('garbage', 'answered garbage') from error
        return self._outputs, answer

    def watch(self, timeout_s: float) -> bool:
        """Wait until the process ends, or either side closes the socket; False when neither."""
        look = select.poll()
        look.register(self._link, 0)
        if look.poll(timeout_s * 1e3):
            return True
        # A process that it forked may hold the socket. WNOWAIT: its group is killed by its number.
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, flags) is not None

    def memory_mib(self) -> float:
        """Return the memory in use, MiB; 0 where it cannot be read."""
        with suppress(OSError, ValueError, IndexError):
            pages = int(Path(f'/proc/{self.pid}/statm').read_text(encoding='ascii').split()[1])
            return pages * os.sysconf('SC_PAGE_SIZE') / (1 << 20)
        return 0.0

    def leave(self) -> None:
        """Let the engine be freed and the process end by itself; does not wait."""
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)

    def condemn(self, kind: str, words: str) -> None:
        """Kill the process, and those that it started, for a reason; does not wait."""
        self.verdict = self.verdict or (kind, words)
        self._kill()
        self.leave()

    def gone(self, timeout_s: float) -> bool:
        """Wait until the process is no more; False when it still is after the time."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
            return True
        return False

    def close(self) -> None:
        """Give back what this process holds for one that is gone."""
        self._drain.join(KILL_S)
        self._link.close()
        self.inputs, self._outputs, self._memory = {}, {}, None

    def ending(self) -> str:
        """Return how it ended, in words."""
        status = self._process.returncode
        how = '' if status is None else f' with {ending(status)}'
        last = f': {last_line(self._tail)}' if self._tail.strip() else ''
        return f'ended{how}{last}'

    def _kill(self) -> None:
        if self._process.returncode is None:  # else the number may be that of another one
            # SIGTERM has no effect on a thread inside of a library.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def _ended(self) -> WorkerLostError:
        # How it ended is fixed before its socket closes; this is for what it started.
        self._kill()
        self.gone(KILL_S)
        return WorkerLostError('crashed', self.ending())

    def _exchange(
        self, packet: bytes, limit_s: float | None, descriptors: Sequence[int] = ()
    ) -> dict[str, Any] | None:
        """Return the answer to a packet; None where it is a frame like the one before."""
        self._sequence += 1
        until = None if limit_s is None else time.monotonic() + limit_s
        try:
            self._set_limit(limit_s)
            if descriptors:
                socket.send_fds(self._link, [packet], descriptors)
            else:
                self._link.send(packet)
            sequence, answer = self._receive()
            while sequence < self._sequence:
                if until is not None:
                    self._set_limit(max(until - time.monotonic(), 1e-6))
                sequence, answer = self._receive()
            if sequence != self._sequence:
                raise ValueError('an answer to what was not asked')
            raised = error_of(answer) if answer and 'error' in answer else None
        except TimeoutError as error:
            raise WorkerLostError('hung', f'did not answer within {limit_s:.3g} s') from error
        except OSError as error:
            raise self._ended() from error
        except GARBAGE as error:
            raise WorkerLostError('garbage', 'answered garbage') from error
        if raised is not None:
            try:
                raise raised
            finally:
                del raised  # its traceback has this frame: a circle that keeps memory and handles
        return answer

    def _set_limit(self, limit_s: float | None) -> None:
        if limit_s != self._limit_s:
            self._link.settimeout(limit_s)
            self._limit_s = limit_s

    def _receive(self) -> tuple[int, dict[str, Any] | None]:
        """Return the sequence number of the next answer, and the answer itself in JSON."""
        size, ancillary, _, _ = self._link.recvmsg_into(
            [self._buffer], ANCILLARY, socket.MSG_CMSG_CLOEXEC
        )
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self._memory = take_memory(int.from_bytes(data[:4], sys.byteorder))
        if not size:
            raise ConnectionResetError
        if size == FRAME.size and self._buffer[0] == FRAME_MARK:
            return FRAME.unpack_from(self._buffer)[1], None
        answer = json.loads(self._buffer[:size])
        if type(answer['sequence']) is not int:
            raise ValueError('no sequence number')
        return answer['sequence'], dict(answer)

    def _read_output(self) -> None:
        """Keep the pipe of the process empty, without which it would wait for us at some time."""
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            while some := os.read(pipe.fileno(), 1 << 16):
                self._tail = (self._tail + some)[-TAIL_BYTES:]


def _order_file(order: WorkOrder) -> Any:
    """Return a file in memory with what the process has to do."""
    name = order.engine_type.name
    try:
        content = pickle.dumps(order, protocol=4)
    except Exception as error:
        raise EngineUnavailableError(
            name,
            reason=f'its plugin cannot be taken to another process: {in_words(error)}',
            remedy='set engine_process to in_process, or report it to its author',
        ) from error
    file = os.fdopen(make_memory(len(content)), 'r+b')
    file.write(content)
    file.seek(0)
    return file


def _folders(order: WorkOrder) -> list[str]:
    """Return where another interpreter finds our package and that of the plugin."""
    modules = {name.partition('.')[0] for name in (__name__, type(order.engine_type).__module__)}
    files = [Path(getattr(sys.modules[name], '__file__', None) or '') for name in modules]
    return sorted({str(each.absolute().parents[each.stem == '__init__']) for each in files})


def _environment(python: str) -> dict[str, str]:
    """Return that of this process; another interpreter must not find what is made for this one."""
    path = {} if python else {'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
    hidden = ('PYTHONPATH', 'PYTHONHOME', '__PYVENV_LAUNCHER__')
    return {**{k: v for k, v in os.environ.items() if k not in hidden}, **path}
