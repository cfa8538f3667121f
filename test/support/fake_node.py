# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A perception node whose engine obeys the test; everything around the engine is real."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
import time
from typing import Any

import numpy as np
from rclpy.context import Context
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from edge_perception.contract import Decoder
from edge_perception.contract import Stage
from edge_perception.models.plugin_host import PluginHost
from edge_perception.pose import PlanarObjectStage
from edge_perception.ros.node import PerceptionNode
from edge_perception.ros.output.image_messages import image_message
from edge_perception.testing import FakeDecoder
from edge_perception.testing import FakeEngineType

MANIFEST = """
manifest_version: 1
name: fake
source: {file: network.onnx}
input: {width: 32, height: 32}
decoder: {name: fake}
labels: [thing]
"""


class PointingDecoder(FakeDecoder):
    """As a model with poses needs it; sees the box and no keypoint."""

    tasks = frozenset({'detections', 'keypoints'})


def fake_model(folder: Path, *, manifest: str = MANIFEST) -> Path:
    """Write a model folder that only the fake engine can load."""
    folder.mkdir(exist_ok=True)
    (folder / 'model.yaml').write_text(manifest)
    (folder / 'network.onnx').write_text('no network')
    return folder


def fake_host(engine_type: FakeEngineType, *, decoder: type[Decoder] = FakeDecoder) -> PluginHost:
    """Return a host that knows the fake engine and one decoder, both called fake."""
    host = PluginHost(candidates=[])
    host.engines['fake'] = engine_type
    host.decoders['fake'] = decoder
    host.stages['pose'] = PlanarObjectStage
    return host


def fake_node(
    folder: Path,
    *,
    engine_type: FakeEngineType | None = None,
    decoder: type[Decoder] = FakeDecoder,
    manifest: str = MANIFEST,
    stages: Sequence[type[Stage]] = (),
    clock: Callable[[], int] = time.monotonic_ns,
    **parameters: Any,
) -> Callable[[Context], PerceptionNode]:
    """Return what makes the node in a context; parameters override those that it needs."""
    values = {
        'model': str(fake_model(folder, manifest=manifest)),
        'engine': 'fake',
        'latency_budget_ms': 0.0,
        **parameters,
    }
    host = fake_host(engine_type or FakeEngineType(), decoder=decoder)
    host.stages |= {each.name: each for each in stages}

    def make(context: Context) -> PerceptionNode:
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        return PerceptionNode(
            host=host, clock=clock, context=context, parameter_overrides=overrides
        )

    return make


def picture(
    stamp: Any, *, width: int = 64, height: int = 48, encoding: str = 'bgr8', channels: int = 3
) -> Image:
    """Return a gray image message."""
    message = image_message(np.full((height, width, channels), 128, np.uint8), encoding=encoding)
    if stamp is not None:
        message.header.stamp = stamp
    message.header.frame_id = 'camera_optical_frame'
    return message
