# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Run the tools of other people that builders call, so that nothing of them stays behind."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
import os
from pathlib import Path
import re
import signal
import subprocess
import tempfile

from edge_perception.contract.errors import BuildError
from edge_perception.contract.errors import printable
from edge_perception.contract.loading.load_trial import ending

# They would lead out of the home folder that a tool is given.
LEADING_OUT = ('XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_STATE_HOME')
TAIL_LINES, TAIL_LENGTH = 3, 400
# A large detector takes minutes.
PATIENCE_S = 3600.0


def run_converter(
    command: Sequence[object],
    workspace: Path,
    *,
    subject: str,
    timeout_s: float = PATIENCE_S,
) -> str:
    """
    Run a tool in the workspace of a build, and return what it printed on both streams.

    Its home and its folder for temporary files lie in the workspace and are removed. When it takes
    too long, or Ctrl-C or anything else ends the build, it is killed with all processes that it
    has started in its group, and waited for.

    :param command: the tool, a path or a name on PATH, and its arguments; paths or strings.
    :param subject: what it works on, for messages.
    :param timeout_s: after which it is killed.
    :raises BuildError: it is missing, fails or takes too long; the text has its last lines.
    """
    words = list(map(str, command))
    tool = Path(words[0]).name
    with tempfile.TemporaryDirectory(dir=workspace, prefix='.home-') as home:
        kept = {name: value for name, value in os.environ.items() if name not in LEADING_OUT}
        output, status, child = Path(home, 'output'), None, None
        try:
            with output.open('wb') as file:
                child = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    # A pipe would be held open by what the tool leaves behind.
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    cwd=workspace,
                    env={**kept, 'HOME': home, 'TMPDIR': home},
                    start_new_session=True,
                )
            with suppress(subprocess.TimeoutExpired):
                status = child.wait(timeout_s)
        except OSError as error:
            raise BuildError(f'{tool} cannot be started: {error.strerror or error}') from error
        finally:
            if child is not None:
                with suppress(ProcessLookupError):  # the group is gone
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        said = output.read_text(encoding='utf-8', errors='replace')
    if status is None:
        raise BuildError(f'{tool} did not end within {timeout_s:g} s on {subject}: {tail(said)}')
    if status:
        raise BuildError(f'{tool} failed on {subject} ({ending(status)}): {tail(said)}')
    return said


def tail(text: str) -> str:
    """Return the last lines of what a tool printed in one, without colors, for messages."""
    plain = re.sub(r'\x1b\[[0-9;]*m', '', text)
    lines = [' '.join(line.split()) for line in plain.splitlines() if line.strip()]
    joined = printable(' / '.join(lines[-TAIL_LINES:])).rstrip('.')
    return joined[-TAIL_LENGTH:] or 'it printed nothing'
