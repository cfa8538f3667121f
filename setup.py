# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Packaging for colcon (plain and --symlink-install), pip and pip install -e."""

from __future__ import annotations

from glob import glob
import os
import sys
from xml.etree import ElementTree

from setuptools import find_packages
from setuptools import setup

NAME = 'edge_perception'
MANIFEST = ElementTree.parse('package.xml').getroot()


def files_below(folder: str) -> list[str]:
    return sorted(path for path in glob(f'{folder}/**', recursive=True) if os.path.isfile(path))


def data_files() -> list[tuple[str, list[str]]]:
    """List what ROS expects in share/, and the command that belongs on PATH."""
    share = f'share/{NAME}'
    entries = [
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (share, ['package.xml']),
        (f'{share}/launch', sorted(glob('launch/*.launch.py'))),
        *((f'{share}/{os.path.dirname(path)}', [path]) for path in files_below('config')),
    ]
    # pip puts the console script itself into bin, colcon does not.
    if not {'bdist_wheel', 'editable_wheel'}.intersection(sys.argv):
        entries.append(('bin', ['resource/edge-perception']))
    return [(folder, files) for folder, files in entries if files]


plugin_packages = find_packages('plugins', include=['edge_perception_*'])
plugins = [name for name in plugin_packages if '.' not in name]

setup(
    name=NAME,
    version=MANIFEST.findtext('version'),
    description=MANIFEST.findtext('description'),
    author=MANIFEST.findtext('maintainer'),
    maintainer=MANIFEST.findtext('maintainer'),
    maintainer_email=MANIFEST.find('maintainer').attrib['email'],
    license=MANIFEST.findtext('license'),
    python_requires='>=3.10',
    packages=find_packages(include=[NAME, f'{NAME}.*']) + plugin_packages,
    package_dir={name: f'plugins/{name}' for name in plugins},
    # Paths one by one: setuptools of Ubuntu 22.04 knows no '**'.
    package_data={
        NAME: [
            'py.typed',
            'tooling/gate/*.yaml',
            *(os.path.relpath(p, NAME) for p in files_below(f'{NAME}/zoo')),
        ],
    },
    data_files=data_files(),
    zip_safe=False,
    install_requires=['click', 'numpy>=1.21', 'pluggy>=1.0', 'PyYAML', 'rich'],
    # OpenCV is an extra: pip does not see a distribution's cv2 and would shadow it.
    extras_require={
        # OpenCV 5.0.0.93 resizes differently on Arm: docs/dependencies.md.
        'opencv': [
            "opencv-python-headless>=4.5; platform_machine != 'aarch64'",
            "opencv-python-headless>=4.5,<5; platform_machine == 'aarch64'",
        ],
        'onnxruntime': ['onnxruntime'],
        'litert': ['ai-edge-litert'],
        'openvino': ['openvino'],
        'models': ['onnx'],
        'build': [
            *('nncf', 'onnx', 'onnxconverter-common', 'onnxruntime', 'onnxslim', 'pycocotools'),
            'ai-edge-quantizer',
        ],
        'reports': ['matplotlib'],
        # Makes colcon test use pytest.
        'test': ['hypothesis', 'psutil', 'pytest', 'rosbags'],
    },
    entry_points={
        'console_scripts': [
            f'perception_node = {NAME}.ros.main:main',
            f'edge-perception = {NAME}.cli.main:main',
            f'target_bridge = {NAME}.bridges.target_bridge:main',
        ],
        # The built-in models and engines come to the host as anybody's plugin does.
        NAME: [
            f'decoders = {NAME}.decoders',
            f'stages = {NAME}.pose',
            f'depth = {NAME}.depth',
            f'tracking = {NAME}.tracking',
            f'target = {NAME}.target',
            *(f'{name[len(NAME) + 1 :]} = {name}' for name in plugins),
        ],
    },
)
