# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Installing with pip, and its failures in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import re
import subprocess

from tools.environment.errors import SetupError
from tools.environment.interpreter import clean_environment

# What pip prints while it cannot reach an index; it then ends with "No matching distribution".
UNREACHABLE = re.compile(
    r'NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProxyError'
    r'|SSLError|Connection refused|Network is unreachable|Temporary failure in name resolution'
)


def install(folder: Path, arguments: Sequence[str | Path], *, what: str, log: Path) -> None:
    """
    Run `pip install` in the environment at `folder`.

    :param what: names the packages in the sentence of an error.
    :param log: gets all that pip prints, appended.
    """
    command = [
        folder / 'bin' / 'python', '-m', 'pip', 'install',
        '--disable-pip-version-check', '--no-input', '--progress-bar', 'off', '--retries', '2',
        *arguments,
    ]  # fmt: skip
    result = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment(),
    )
    with log.open('a', encoding='utf-8') as file:
        file.write(result.stdout)
    if result.returncode != 0:
        raise SetupError(_explain(result.stdout, what=what, log=log))


def _explain(output: str, *, what: str, log: Path) -> str:
    if UNREACHABLE.search(output):
        return (
            f'the package index cannot be reached, so that {what} cannot be installed; check the '
            f'network, the proxy and the settings of pip (pip config list), and run again; '
            f'the output of pip is in {log}'
        )
    # Errors of a single word, such as "metadata-generation-failed", only say that there was one.
    errors = re.findall(r'^ *error: (.* .*)$', output, re.IGNORECASE | re.MULTILINE)
    reason = errors[-1] if errors else 'it gave no reason'
    return f'pip could not install {what}: {reason}; the output of pip is in {log}'
