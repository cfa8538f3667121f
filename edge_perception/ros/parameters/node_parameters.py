# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The parameters of the node, each declared once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import os
from pathlib import Path
from typing import Any

from edge_perception.contract import Options
from edge_perception.models.artifacts import ArtifactRequest
from edge_perception.models.artifacts import PRECISIONS
from edge_perception.models.request import Request
from edge_perception.pose.intrinsics import CENTER_LIMIT
from edge_perception.ros.output.result_messages import CLASS_ID_FORMATS
from edge_perception.ros.parameters.declaration import parameter
from edge_perception.ros.system.qos import RELIABILITIES
from edge_perception.runtime.budget import BAD_STAMP_POLICIES
from edge_perception.runtime.sample_range import SAMPLE_RANGES
from edge_perception.runtime.throughput.pacing import OVERLAP_MODES
from edge_perception.signing.signature_policy import POLICIES
from edge_perception.signing.signature_policy import SignaturePolicy
from edge_perception.signing.trusted_keys import DEFAULT_FOLDER
from edge_perception.supervision.supervisor import PROCESSES
from edge_perception.supervision.supervisor import Supervision

# Special values of several parameters.
FROM_MODEL = {-1: 'as the model says'}
NO_LIMIT = {0: 'no limit'}
# Without simulated time; with it one period of /clock.
STAMP_TOLERANCE_MS = 20.0
# A day; what is far beyond it overflows as nanoseconds.
MOST_MS = 86_400_000.0
MOST_SECONDS = MOST_MS / 1000


@dataclass(frozen=True, slots=True)
class NodeConfig(Options):
    """
    Values of the parameters of the node, or of one of its cameras, at the time of ``configure``.

    Options of engines and of the debug image are kept apart.
    """

    model: str = parameter('', 'path of a model folder, or name of a model', launch=True)
    engine: str = parameter(
        'onnxruntime',
        'name of the inference engine',
        special={'auto': 'the best that can load the model'},
        launch=True,
    )
    engine_process: str = parameter(
        PROCESSES[0],
        'process in which the engine runs, supervised is one of its own that is restarted',
        choices=PROCESSES,
    )
    engine_python: str = parameter(
        '',
        'path of the interpreter of a supervised engine, in another virtual environment',
        special={'': 'that of the node'},
    )
    engine_hang_s: float = parameter(
        0.0,
        'maximum time of a supervised engine for one frame before it is killed and restarted, s',
        special={0.0: 'the larger of 1 s and 10 times the 99th percentile'},
        minimum=0.001,
        maximum=MOST_SECONDS,
    )
    engine_memory_mib: int = parameter(
        0,
        'memory of the process of a supervised engine above which it is restarted, MiB',
        special=NO_LIMIT,
        minimum=1,
    )
    artifact: str = parameter(
        '',
        'file that the engine loads',
        special={'': 'the source of the model, or a proven one in its artifacts/ or in the cache'},
    )
    precision: str = parameter(
        '',
        'precision of what is loaded',
        special={'': 'the most exact that there is, float32 of the model where the engine can'},
        choices=('', *PRECISIONS),
        launch=True,
    )
    allow_unverified: bool = parameter(
        False, 'load an artifact that was not verified against the reference, and keep warning'
    )
    autostart: bool = parameter(
        False, 'configure and activate at start, and after a respawn', launch=True
    )
    bond: bool = parameter(
        False, 'keep a bond with the lifecycle manager of Nav2 while active, needs bondpy'
    )
    cameras: tuple[str, ...] = parameter(
        (),
        'names of several cameras, each with its own parameters and topics',
        special={(): 'one camera'},
        launch=True,
    )
    image_topic: str = parameter(
        'image_raw',
        'topic of the camera; compressed images are looked for below it',
        per_camera=True,
        camera_default='{camera}/image_raw',
        launch=True,
        topic=True,
    )
    image_transport: str = parameter(
        'auto', 'how images arrive', choices=('auto', 'raw', 'compressed'), launch=True
    )
    camera_info_topic: str = parameter(
        '',
        'topic of the CameraInfo, for poses',
        special={'': 'camera_info beside the image topic'},
        per_camera=True,
        camera_default='',
        launch=True,
        topic=True,
    )
    qos: str = parameter(
        'best_effort',
        'how images are subscribed to',
        special={'best_effort': 'connects to every camera', 'auto': 'as the publisher does'},
        choices=RELIABILITIES,
        launch=True,
    )
    frame_id: str = parameter(
        '', 'frame_id of the results', special={'': 'that of the image'}, per_camera=True
    )
    rotate: int = parameter(
        0,
        'how far the camera is turned clockwise, seen from behind, degrees',
        choices=(0, 90, 180, 270),
        per_camera=True,
    )
    max_rate: float = parameter(
        0.0,
        'maximum rate at which frames are processed, Hz',
        special=NO_LIMIT,
        minimum=0.0,
        per_camera=True,
    )
    max_image_megapixels: float = parameter(
        50.0,
        'largest compressed image to decode, megapixels (half of it for samples of 16 bits)',
        minimum=0.01,
        maximum=10_000.0,
    )
    mono16_range: str = parameter(
        'full',
        'range of 16-bit samples that becomes 0 to 255',
        special={
            'full': 'all 16 bits',
            'bits': 'as few bits as hold the largest sample so far',
            'percentile': 'from the 1st to the 99th percentile of each image',
        },
        choices=SAMPLE_RANGES,
        per_camera=True,
    )
    camera_info_center_limit: float = parameter(
        CENTER_LIMIT,
        'largest distance of the principal point from the middle of the image for a pose, as a '
        'share of width and height',
        special=NO_LIMIT,
        minimum=0.0,
        maximum=1.0,
        per_camera=True,
    )
    latency_budget_ms: float = parameter(
        500.0,
        'maximum age of a published result, ms since the stamp of its image',
        special=NO_LIMIT,
        minimum=0.0,
        maximum=MOST_MS,
        live=True,
        per_camera=True,
        launch=True,
    )
    publish_late: bool = parameter(
        False, 'publish results although their budget is used up', live=True
    )
    on_bad_stamp: str = parameter(
        'drop',
        'frames with a zero, future or backward stamp',
        special={'arrival': 'their age is counted from arrival'},
        choices=BAD_STAMP_POLICIES,
    )
    stamp_tolerance_ms: float = parameter(
        -1.0,
        'how far in the future a stamp may be and counts as now, ms',
        special={-1.0: f'{STAMP_TOLERANCE_MS:g}; with use_sim_time one period of /clock'},
        minimum=0.0,
        maximum=MOST_MS,
    )
    score_threshold: float = parameter(
        -1.0,
        'lowest score to report',
        special=FROM_MODEL,
        minimum=0.0,
        maximum=1.0,
        live=True,
        launch=True,
    )
    iou_threshold: float = parameter(
        -1.0,
        'overlap (IoU) of two boxes of one class above which the weaker is dropped',
        special=FROM_MODEL,
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    max_detections: int = parameter(
        -1, 'maximum number of objects in a frame', special=FROM_MODEL, minimum=1, live=True
    )
    classes: tuple[str, ...] = parameter(
        (), 'names or indices of classes to report', special={(): 'all'}, live=True, digits=True
    )
    class_id_format: str = parameter(
        'name', 'what class_id of a result holds', choices=CLASS_ID_FORMATS
    )
    publish_tf: bool = parameter(False, 'publish the pose of the best object on /tf as well')
    tf_child_frame_id: str = parameter(
        '', 'frame of the object on /tf', special={'': 'the name of the model'}
    )
    max_engine_failures: int = parameter(
        5, 'number of failures of the engine in a row that ends the node', minimum=1
    )
    engine_timeout_s: float = parameter(
        10.0,
        'maximum time of the engine for one frame before it hangs and the node ends, s',
        special=NO_LIMIT,
        minimum=0.1,
        maximum=MOST_SECONDS,
    )
    overlap: str = parameter(
        'auto',
        'work on the next and the last frame while the engine computes, where a frame waits',
        special={'auto': 'as long as it gives more frames'},
        choices=OVERLAP_MODES,
    )
    max_batch: int = parameter(
        1,
        'maximum number of cameras in one call of the engine, where engine and model can',
        special={1: 'one frame after the other'},
        minimum=1,
        maximum=64,
    )
    configure_timeout_s: float = parameter(
        300.0,
        'maximum time of configure before it hangs and the process ends, s',
        special=NO_LIMIT,
        minimum=1.0,
        maximum=MOST_SECONDS,
    )
    canary_period_s: float = parameter(
        0.0,
        'period of a check of the engine with an image whose result is known, s',
        special={0.0: 'off'},
        minimum=0.1,
        maximum=MOST_MS / 1000,
    )
    canary_image: str = parameter(
        '',
        'path of the image for canary_period_s',
        special={'': 'the first one in golden/ of the model'},
    )
    signatures: str = parameter(
        'off',
        "what is asked of the model's signature, see docs/security.md",
        choices=POLICIES,
        launch=True,
    )
    trust_folder: str = parameter(
        str(DEFAULT_FOLDER), 'folder of the public keys whose signatures count'
    )
    cpu_affinity: str = parameter(
        '', 'cores for the process, such as 2,3 or 0-3', special={'': 'all'}, digits=True
    )
    realtime_priority: int = parameter(
        0,
        'priority in SCHED_FIFO of the threads that receive, compute and publish',
        special={0: 'none'},
        minimum=0,
        maximum=99,
    )
    save_folder: str = parameter(
        '',
        'where ~/save_frame writes',
        special={'': 'edge_perception/frames in the data folder of the user'},
        live=True,
    )
    lock_memory: bool = parameter(False, 'keep the memory of the process from being paged out')


def make_request(
    config: NodeConfig,
    engine_options: Mapping[str, Mapping[str, Any]],
    stage_options: Mapping[str, Mapping[str, Any]],
) -> Request:
    """Return what the parameters ask for; -1 leaves the choice to the model."""
    return Request(
        model=config.model,
        engine=config.engine,
        engine_options=engine_options,
        stage_options=stage_options,
        artifact=ArtifactRequest(
            path=config.artifact,
            precision=config.precision,
            allow_unverified=config.allow_unverified,
        ),
        rotation=config.rotate,
        score_threshold=None if config.score_threshold < 0 else config.score_threshold,
        iou_threshold=None if config.iou_threshold < 0 else config.iou_threshold,
        max_detections=None if config.max_detections < 0 else config.max_detections,
        classes=config.classes,
        signatures=SignaturePolicy(config.signatures, Path(config.trust_folder).expanduser()),
        supervision=Supervision(
            config.engine_process,
            python=os.path.expanduser(config.engine_python),
            hang_s=config.engine_hang_s,
            memory_mib=config.engine_memory_mib,
        ),
    )
