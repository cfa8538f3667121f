# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The interface packages that PyPI lacks, built from the definitions in interfaces/.

They go into the environment itself: the wheels keep ROS in the environment's lib and share, so
that nobody has to set a variable to find ours beside them.
"""

from __future__ import annotations

import os
from pathlib import Path
import shutil

from tools.environment.machine import clean_environment
from tools.environment.machine import logged
from tools.environment.machine import SetupError
from tools.environment.plan import EnvironmentPlan
from tools.environment.plan import HERE

DEFINITIONS = HERE / 'interfaces'
# By name, whose definitions are in interfaces/<name>/msg: version, seconds to build on two cores,
# and dependencies.
PACKAGES = {
    'vision_msgs': ('4.1.1', 20, ('std_msgs', 'geometry_msgs')),
    'tf2_msgs': ('0.41.0', 6, ('geometry_msgs',)),
}


def build(name: str, plan: EnvironmentPlan) -> None:
    """
    Generate, compile and install a package into the environment of a plan.

    What was generated stays in the workshop for a look.

    :raises SetupError: it could not be built.
    """
    source = plan.workshop / name
    shutil.rmtree(source, ignore_errors=True)
    _write_source(name, source)
    folder, binary = plan.folder, source / 'build'
    variables = clean_environment() | {
        'CMAKE_PREFIX_PATH': str(folder),
        'AMENT_PREFIX_PATH': str(folder),
        'LD_LIBRARY_PATH': str(folder / 'lib'),
    }
    variables['PATH'] = f'{folder / "bin"}{os.pathsep}{variables["PATH"]}'
    commands: list[list[str | Path]] = [
        [
            'cmake', '-S', source, '-B', binary,
            f'-DCMAKE_INSTALL_PREFIX={folder}',
            f'-DPython3_EXECUTABLE={plan.python}',
            f'-DPYTHON_INSTALL_DIR={plan.site_packages.relative_to(folder)}',
            '-DCMAKE_BUILD_TYPE=Release',
            '-DBUILD_TESTING=OFF',
        ],
        ['cmake', '--build', binary, '--parallel', str(os.cpu_count() or 1)],
        ['cmake', '--install', binary],
    ]  # fmt: skip
    for command in commands:
        if logged(command, plan.log, environment=variables).returncode != 0:
            raise SetupError(f'{name} could not be built; the output of CMake is in {plan.log}')


def _write_source(name: str, source: Path) -> None:
    version, _, dependencies = PACKAGES[name]
    values = {
        '@name@': name,
        '@version@': version,
        '@dependencies@': ' '.join(dependencies),
        '@depend_elements@': '\n  '.join(f'<depend>{each}</depend>' for each in dependencies),
    }
    shutil.copytree(DEFINITIONS / name, source)
    for template in DEFINITIONS.glob('*.in'):
        text = template.read_text(encoding='utf-8')
        for mark, value in values.items():
            text = text.replace(mark, value)
        (source / template.stem).write_text(text, encoding='utf-8')
