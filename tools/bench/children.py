# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The processes of a benchmark: bare loop, node, echo and camera."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from importlib.metadata import version
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import time

from tools.bench.subjects import ROOT

PATIENCE_S = 60.0
POLL_S = 0.05
# Kilted renamed the variable and warns of the old name.
PROFILE_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
LARGE_IMAGES = ROOT / 'config' / 'fastdds_large_images.xml'


class BenchmarkError(Exception):
    """Something could not be measured."""


class Surroundings:
    """
    What the processes of one benchmark have in common.

    A ROS domain and a namespace of their own, so that nothing else on the network takes part.

    :param logs: folder for what the processes print.
    """

    def __init__(self, logs: Path) -> None:
        self.namespace = f'/bench_{os.getpid()}'
        self.images = f'{self.namespace}/image_raw'
        self.detections = f'{self.namespace}/perception/detections'
        self._logs = logs
        self._logs.mkdir(parents=True, exist_ok=True)
        clean = {
            name: value for name, value in os.environ.items() if name not in PROFILE_VARIABLES
        }
        self._environment = {
            **clean,
            'ROS_DOMAIN_ID': str(random.SystemRandom().randint(1, 101)),
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
            'ROS_LOG_DIR': str(logs / 'ros'),
        }

    def run(self, module: str, arguments: Sequence[object], *, camera: bool = False) -> None:
        """
        Run a module as a process to its end.

        :param camera: it publishes images, so it gets the profile of Fast DDS for that.
        :raises BenchmarkError: it failed.
        """
        with self.running(module, arguments, camera=camera) as child:
            status = child.process.wait()
        if status:
            raise BenchmarkError(f'{module} ended with status {status}: {child.said()}')

    @contextmanager
    def running(
        self, module: str, arguments: Sequence[object], *, camera: bool = False, name: str = ''
    ) -> Iterator[Child]:
        """
        Run a module as a process that is gone afterwards.

        :param name: of its log, where several run the same module.
        """
        environment = dict(self._environment)
        if camera:
            old = int(version('rclpy').split('.')[0]) < 8
            environment[PROFILE_VARIABLES[old]] = str(LARGE_IMAGES)
        log = self._logs / f'{name or module.rpartition(".")[2]}.log'
        with log.open('w') as file:
            process = subprocess.Popen(
                [sys.executable, '-m', module, *map(str, arguments)],
                cwd=ROOT,
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        child = Child(process, log)
        try:
            yield child
        finally:
            child.stop()


class Child:
    """A running process and what it prints."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    def said(self) -> str:
        """Return everything that it has printed so far."""
        return self._log.read_text(errors='replace').strip()

    def wait_until_it_says(self, text: str) -> None:
        """
        Wait for a line in its log.

        :raises BenchmarkError: it does not come.
        """
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            if text in self.said():
                return
            time.sleep(POLL_S)
        raise BenchmarkError(f'expected {text!r} from {self._log.stem}, got: {self.said()}')

    def stop(self) -> None:
        """Interrupt it, as Ctrl-C does, and wait for its end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
