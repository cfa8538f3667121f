# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import dataclass

from edge_perception.contract import option
from edge_perception.contract import Options


@dataclass(frozen=True, slots=True)
class OnnxRuntimeOptions(Options):
    """Options of the engine; each is a parameter ``engine_options.onnxruntime.<name>``."""

    threads: int = option(
        0,
        'threads that compute one frame; 0 leaves it to ONNX Runtime, which takes one for each '
        'physical core',
        minimum=0,
        maximum=256,
    )
    # Off, because on a robot the processor has other work: with two threads on two cores that
    # others used as well, a frame of YOLOX-nano took 13 ms without spinning and 42 ms with it.
    spinning: bool = option(
        False,
        'let idle threads wait in a busy loop: faster when nothing else runs, slower and hotter '
        'when something does',
    )
    graph_level: str = option(
        'auto',
        'how far the graph is optimized when it is loaded; auto is all, and extended for float16 '
        'on processors that compute it natively (Cortex-A76 and later), where all may not load',
        choices=('auto', 'disable', 'basic', 'extended', 'all'),
    )
    provider: str = option(
        'cpu',
        'execution provider, e.g. cpu, cuda, tensorrt, openvino, or its full name; operators that '
        'it does not know run on cpu',
    )
    device_id: int = option(
        0, 'number of the GPU; for the providers cuda and tensorrt', minimum=0, maximum=255
    )
    tensorrt_fp16: bool = option(
        False, 'compute in float16, faster and less exact; for the provider tensorrt'
    )
    tensorrt_cache_dir: str = option(
        '',
        'folder in which the provider tensorrt keeps what it built, which takes minutes; empty '
        'keeps nothing',
    )
    openvino_device: str = option(
        'CPU', 'device of the provider openvino, e.g. CPU, GPU, GPU.1, NPU; in any case'
    )
