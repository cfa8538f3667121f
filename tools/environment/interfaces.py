# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The interface packages that PyPI lacks, built from the definitions in interfaces/.

They go into the environment itself: the wheels keep ROS in the environment's lib and share, so
that nobody has to set a variable to find ours beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
import os
from pathlib import Path
import shutil
import subprocess

from tools.environment.errors import SetupError
from tools.environment.interpreter import clean_environment
from tools.environment.interpreter import Interpreter

DEFINITIONS = Path(__file__).parent / 'interfaces'


@dataclass(frozen=True, slots=True)
class InterfacePackage:
    """A package of messages; its definitions are in interfaces/<name>/msg."""

    name: str
    version: str
    dependencies: tuple[str, ...]
    seconds: int  # to build on two cores


PACKAGES = (
    InterfacePackage('vision_msgs', '4.1.1', ('std_msgs', 'geometry_msgs'), 20),
    InterfacePackage('tf2_msgs', '0.41.0', ('geometry_msgs',), 6),
)


def build(
    package: InterfacePackage, *, interpreter: Interpreter, folder: Path, scratch: Path, log: Path
) -> None:
    """
    Generate, compile and install a package into the environment at `folder`.

    :param scratch: emptied, and left in place for a look at what was generated.
    :param log: gets the output of CMake and the compilers, appended.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    source = scratch / package.name
    _write_source(package, source)
    binary = scratch / 'build'
    site_packages = f'lib/python{interpreter.series}/site-packages'
    commands: list[list[str | Path]] = [
        [
            'cmake', '-S', source, '-B', binary,
            f'-DCMAKE_INSTALL_PREFIX={folder}',
            f'-DPython3_EXECUTABLE={folder}/bin/python',
            f'-DPYTHON_INSTALL_DIR={site_packages}',
            '-DCMAKE_BUILD_TYPE=Release',
            '-DBUILD_TESTING=OFF',
        ],
        ['cmake', '--build', binary, '--parallel', str(os.cpu_count() or 1)],
        ['cmake', '--install', binary],
    ]  # fmt: skip
    with log.open('a', encoding='utf-8') as output:
        for command in commands:
            result = subprocess.run(
                command, stdout=output, stderr=subprocess.STDOUT, env=_build_variables(folder)
            )
            if result.returncode != 0:
                raise SetupError(
                    f'{package.name} could not be built; the output of CMake is in {log}'
                )


def _write_source(package: InterfacePackage, source: Path) -> None:
    shutil.copytree(DEFINITIONS / package.name, source)
    values = {
        'name': package.name,
        'version': package.version,
        'dependencies': ' '.join(package.dependencies),
        'depend_elements': '\n  '.join(f'<depend>{d}</depend>' for d in package.dependencies),
    }
    for template in DEFINITIONS.glob('*.in'):
        text = template.read_text(encoding='utf-8')
        for name, value in values.items():
            text = text.replace(f'@{name}@', value)
        (source / template.stem).write_text(text, encoding='utf-8')


def _build_variables(folder: Path) -> dict[str, str]:
    variables = clean_environment()
    variables['PATH'] = f'{folder / "bin"}{os.pathsep}{variables["PATH"]}'
    variables['CMAKE_PREFIX_PATH'] = str(folder)
    variables['AMENT_PREFIX_PATH'] = str(folder)
    variables['LD_LIBRARY_PATH'] = str(folder / 'lib')
    return variables
