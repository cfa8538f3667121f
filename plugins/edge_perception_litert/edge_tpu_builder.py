# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Build files for the Coral Edge TPU: TFLite in INT8, compiled by Google's edgetpu_compiler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
import re
import shutil
import subprocess
from typing import Any

from edge_perception.contract import Availability
from edge_perception.contract import Builder
from edge_perception.contract import BuildError
from edge_perception.contract import BuildPlan
from edge_perception.contract import BuildReport
from edge_perception.contract import option
from edge_perception.contract import Options
from edge_perception.contract import run_converter
from edge_perception.contract.converter import tail
from edge_perception_litert import edge_tpu
from edge_perception_litert.builder import TfliteBuilder

COMPILER = 'edgetpu_compiler'
INSTALL = (
    'install it from the Debian packages of Coral (x86-64 only), or build on a machine that has it'
)
PLUG_IN = (
    'plug one in; or build the target tflite in int8, compile it by hand, and verify it where the '
    'Coral is: edge-perception verify FILE --reference MODEL --precision int8 -o device=edgetpu'
)
ON_DEVICE = re.compile(r'operations that will run on Edge TPU: (\d+)')
ON_CPU = re.compile(r'operations that will run on CPU: (\d+)')
VERSION = re.compile(r'version (\S+)')


@dataclass(frozen=True, slots=True)
class EdgeTpuBuilderOptions(Options):
    """Options of the target."""

    most_on_cpu: float = option(
        0.3,
        'share of the operators that may stay on the CPU; above it the build fails',
        minimum=0.0,
        maximum=1.0,
    )


class EdgeTpuBuilder(Builder):
    """The INT8 file of the target tflite, compiled for the Edge TPU."""

    name = 'edgetpu'
    suffix = '.tflite'
    precisions = ('int8',)
    options_type = EdgeTpuBuilderOptions
    engine = 'litert'

    def probe(self) -> Availability:
        """Tell whether converter and compiler are installed, and an Edge TPU is plugged in."""
        converter = TfliteBuilder().probe()
        if not converter.available:
            return converter
        if shutil.which(COMPILER) is None:
            return Availability(
                available=False, reason=f'{COMPILER} is not installed', remedy=INSTALL
            )
        if not edge_tpu.find_sticks():
            return Availability(
                available=False,
                reason='no Coral Edge TPU is plugged in, on which the file could be proven',
                remedy=PLUG_IN,
            )
        return Availability(available=True, runtime=f'{COMPILER} {_compiler_version()}')

    def engine_options(self, options: Options) -> Mapping[str, Any]:
        """Return the device, because nothing else can run what is compiled."""
        return {'device': edge_tpu.DEVICE}

    def fingerprint(self, plan: BuildPlan) -> Mapping[str, str]:
        """Return the versions of the TFLite and of the compiler."""
        marks = TfliteBuilder().fingerprint(plan)
        return {**marks, 'compiler': _compiler_version(), 'device': 'edgetpu'}

    def build(self, plan: BuildPlan, workspace: Path) -> BuildReport:
        """Convert, quantize, compile, and read the log."""
        assert isinstance(plan.options, EdgeTpuBuilderOptions)
        # It computes up to the first operator in float; one in the middle leaves it little.
        report = TfliteBuilder().build(replace(plan, keep_float=()), workspace)
        log = _compile(report.artifact, workspace)
        compiled = report.artifact.with_name(f'{report.artifact.stem}_edgetpu.tflite')
        if not compiled.is_file():
            raise BuildError(f'{COMPILER} made no file of {report.artifact.name}: {tail(log)}')
        share, note = read_log(log)
        if share > plan.options.most_on_cpu:
            raise BuildError(
                f'{note}, expected at most {plan.options.most_on_cpu:.0%} of them; raise the '
                'option most_on_cpu, or take a model with operators that the Edge TPU knows'
            )
        report.artifact.unlink()
        return BuildReport(
            compiled,
            {**report.versions, COMPILER: _compiler_version()},
            (*report.notes, note),
        )


def read_log(log: str) -> tuple[float, str]:
    """
    Return which share of the operators stays on the CPU, and that in words.

    :raises BuildError: the log does not say.
    """
    on_device, on_cpu = ON_DEVICE.search(log), ON_CPU.search(log)
    if on_device is None or on_cpu is None:
        raise BuildError(f'{COMPILER} does not say what runs on the CPU: {tail(log)}')
    device, cpu = int(on_device[1]), int(on_cpu[1])
    total = device + cpu
    return cpu / max(1, total), f'{cpu} of {total} operators stay on the CPU'


def _compile(artifact: Path, folder: Path) -> str:
    command = [COMPILER, '--show_operations', '--out_dir', folder, artifact]
    return run_converter(command, folder, subject=artifact.name)


def _compiler_version() -> str:
    try:
        done = subprocess.run([COMPILER, '--version'], capture_output=True, text=True, check=False)
    except OSError:
        return 'missing'
    found = VERSION.search(done.stdout + done.stderr)
    return found[1] if found else 'unknown'
