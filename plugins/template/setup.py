# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""For pip and for colcon."""

from __future__ import annotations

from setuptools import setup

NAME = 'edge_perception_myengine'

setup(
    name=NAME,
    version='0.1.0',
    description='The engine myengine for edge_perception',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=[NAME],
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
    ],
    zip_safe=False,
    # edge_perception itself comes with ROS, and not from PyPI.
    install_requires=['numpy', 'onnxruntime'],
    entry_points={'edge_perception': [f'myengine = {NAME}']},
)
