# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The parameters of the node, declared as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_perception.contract import option
from edge_perception.contract import Options
from edge_perception.models.artifacts import ArtifactWish
from edge_perception.models.artifacts import PRECISIONS
from edge_perception.models.request import Request
from edge_perception.ros.output.result_messages import CLASS_ID_FORMATS
from edge_perception.ros.system.qos import RELIABILITIES
from edge_perception.runtime.budget import BAD_STAMP_POLICIES

# Stands for "as the model says".
FROM_MODEL = -1
# Without simulated time; with it one period of /clock.
STAMP_TOLERANCE_MS = 20.0
# A day; what is far beyond it overflows as nanoseconds.
MOST_MS = 86_400_000.0


@dataclass(frozen=True, slots=True)
class NodeConfig(Options):
    """Values of all parameters at the time of ``configure``, but for those of the engines."""

    model: str = option('', 'path of a model folder, or name of a model')
    engine: str = option(
        'onnxruntime', 'name of the inference engine; auto: the best that can load the model'
    )
    artifact: str = option(
        '',
        'file that the engine loads; empty: the file of the model, or a proven one in its folder '
        'artifacts or in the cache',
    )
    precision: str = option(
        '',
        'precision of what is loaded; empty: the most exact that there is, which is the model in '
        'float32 where the engine reads it',
        choices=('', *PRECISIONS),
    )
    allow_unverified: bool = option(
        False, 'load an artifact that nobody has compared with the reference, and keep warning'
    )
    autostart: bool = option(False, 'configure and activate at start, and after a respawn')
    cameras: tuple[str, ...] = option(
        (), 'names of several cameras, each with its own parameters and topics; empty: one camera'
    )
    image_topic: str = option(
        'image_raw', 'topic of the camera; compressed images are looked for below it'
    )
    image_transport: str = option(
        'auto', 'how images arrive', choices=('auto', 'raw', 'compressed')
    )
    camera_info_topic: str = option(
        '', 'topic of the CameraInfo, for poses; empty: camera_info beside the image topic'
    )
    qos: str = option(
        'best_effort',
        'how images are subscribed to; best_effort connects to every camera, auto does as the '
        'publisher does',
        choices=RELIABILITIES,
    )
    frame_id: str = option('', 'frame_id of the results; empty: that of the image')
    rotate: int = option(
        0,
        'how far the camera is turned clockwise, seen from behind, degrees',
        choices=(0, 90, 180, 270),
    )
    max_rate: float = option(
        0.0, 'frames processed in a second at most, Hz; 0: as many as possible', minimum=0.0
    )
    max_image_megapixels: float = option(
        50.0,
        'larger compressed images are refused before they are decoded',
        minimum=0.01,
        maximum=10_000.0,
    )
    latency_budget_ms: float = option(
        500.0,
        'how old a published result may be, ms from its stamp; 0: any age',
        minimum=0.0,
        maximum=MOST_MS,
    )
    publish_late: bool = option(False, 'publish results although their budget is used up')
    on_bad_stamp: str = option(
        'drop',
        'frames with a zero, future or backward stamp: drop, or count their age from arrival',
        choices=BAD_STAMP_POLICIES,
    )
    stamp_tolerance_ms: float = option(
        -1.0,
        'a stamp so far in the future counts as now, ms; '
        f'-1: {STAMP_TOLERANCE_MS:g}, and with use_sim_time one period of /clock',
        minimum=-1.0,
        maximum=MOST_MS,
    )
    score_threshold: float = option(
        FROM_MODEL * 1.0,
        'objects with a lower score are left out; -1: as the model says',
        minimum=-1.0,
        maximum=1.0,
    )
    iou_threshold: float = option(
        FROM_MODEL * 1.0,
        'of two boxes of one class that overlap more, the weaker goes; -1: as the model says',
        minimum=-1.0,
        maximum=1.0,
    )
    max_detections: int = option(
        FROM_MODEL, 'objects of one frame at most; -1: as the model says', minimum=-1
    )
    classes: tuple[str, ...] = option(
        (), 'names or indices of the only classes to report; empty: all'
    )
    class_id_format: str = option(
        'name', 'what class_id of a result holds', choices=CLASS_ID_FORMATS
    )
    publish_tf: bool = option(False, 'publish the pose of the best object on /tf as well')
    tf_child_frame_id: str = option('', 'frame of the object on /tf; empty: the name of the model')
    max_engine_failures: int = option(
        5, 'so many failures of the engine in a row end the node', minimum=1
    )
    cpu_affinity: str = option('', 'cores for the process, such as 2,3 or 0-3; empty: all')
    realtime_priority: int = option(
        0,
        'priority in SCHED_FIFO of the threads that receive, compute and publish; 0: none',
        minimum=0,
        maximum=99,
    )
    save_folder: str = option(
        '',
        'where ~/save_frame writes; empty: edge_perception/frames in the data folder of the user',
    )
    lock_memory: bool = option(False, 'keep the memory of the process from being paged out')


def make_request(config: NodeConfig, engine_options: Mapping[str, Mapping[str, Any]]) -> Request:
    """Return what the parameters ask for; -1 leaves the choice to the model."""
    return Request(
        model=config.model,
        engine=config.engine,
        engine_options=engine_options,
        artifact=ArtifactWish(
            path=config.artifact,
            precision=config.precision,
            allow_unverified=config.allow_unverified,
        ),
        rotation=config.rotate,
        score_threshold=None if config.score_threshold < 0 else config.score_threshold,
        iou_threshold=None if config.iou_threshold < 0 else config.iou_threshold,
        max_detections=None if config.max_detections < 0 else config.max_detections,
        classes=config.classes,
    )
