# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Our vision_msgs and tf2_msgs are those of every robot: DDS connects equal type hashes only."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path

from ament_index_python import get_package_share_directory
import pytest

# Of the official packages, vision_msgs 4.1.1.
OFFICIAL_HASHES = {
    'vision_msgs/msg/Detection2DArray': (
        'RIHS01_214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968'
    ),
    'vision_msgs/msg/Detection3DArray': (
        'RIHS01_793f5eab9595ac1c0da07873cc859db42eae51f0ee76056db8562515d830e018'
    ),
    'vision_msgs/msg/Classification': (
        'RIHS01_f74db28d0eaef3afb78f48bf2161cd709a1383a0309d3454383b25be11345143'
    ),
    'vision_msgs/msg/LabelInfo': (
        'RIHS01_3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783'
    ),
    'vision_msgs/msg/VisionInfo': (
        'RIHS01_95d3116a17484ad91c9a2686e1d54890bbfc3ff6c6a2de137738c4950d45d284'
    ),
    'tf2_msgs/msg/TFMessage': (
        'RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087'
    ),
}

DEFINITIONS = Path(__file__).parents[1] / 'tools' / 'environment' / 'interfaces'
DEFINED = sorted(
    f'{path.parts[-3]}/msg/{path.stem}' for path in DEFINITIONS.glob('*_msgs/msg/*.msg')
)

needs_own_interfaces = pytest.mark.skipif(
    bool(os.environ.get('ROS_DISTRO')),
    reason='the interface packages come from the sourced ROS distribution',
)


@needs_own_interfaces
@pytest.mark.parametrize('name', OFFICIAL_HASHES)
def test_type_hash_is_the_official_one(name: str) -> None:
    package, _, message = name.split('/')
    description = Path(get_package_share_directory(package), 'msg', f'{message}.json')
    hashes = json.loads(description.read_text(encoding='utf-8'))['type_hashes']
    assert {entry['type_name']: entry['hash_string'] for entry in hashes}[name] == (
        OFFICIAL_HASHES[name]
    )


@pytest.mark.parametrize('name', DEFINED)
def test_every_message_survives_serialization(name: str) -> None:
    serialization = pytest.importorskip('rclpy.serialization')
    package, _, message = name.split('/')
    message_type = getattr(importlib.import_module(f'{package}.msg'), message)
    original = message_type()
    copy = serialization.deserialize_message(
        serialization.serialize_message(original), message_type
    )
    assert copy == original


def test_no_package_manifest_below_the_root(repository: Path) -> None:
    """Colcon stops at the first one, and tools that do not would find packages of ours twice."""
    sources = [
        path
        for folder in ('config', 'docs', 'edge_perception', 'launch', 'plugins', 'test', 'tools')
        for path in (repository / folder).rglob('package.xml')
    ]
    assert sources == []
