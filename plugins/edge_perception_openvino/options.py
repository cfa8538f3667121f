# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import dataclass

from edge_perception.contract import option
from edge_perception.contract import Options


@dataclass(frozen=True, slots=True)
class OpenVinoOptions(Options):
    """Options of the engine; each is a parameter ``engine_options.openvino.<name>``."""

    device: str = option(
        'CPU',
        'where to compute: CPU, GPU, GPU.1, NPU, MYRIAD, or several, as in HETERO:GPU,CPU (each '
        'operator on the first one that knows it) or AUTO:GPU,CPU (the first one that is there); '
        'in any case',
    )
    threads: int = option(
        0,
        'threads of the CPU that compute one frame; 0 leaves it to OpenVINO, which takes one for '
        'each physical core',
        minimum=0,
        maximum=256,
    )
    # f32, because what OpenVINO takes by itself depends on the processor.
    precision: str = option(
        'f32',
        'in what a model in float32 is computed; bf16 and f16 are faster where the device has '
        'them, and less exact; NPU and MYRIAD always compute in f16',
        choices=('f32', 'bf16', 'f16'),
    )
    pinning: bool = option(
        False,
        'tie the threads to cores of the CPU: steadier when nothing else runs there, slower when '
        'something does',
    )
    cache_dir: str = option(
        '',
        'folder in which compiled models are kept, so that the next start is faster; empty '
        'keeps none; not in a folder for temporary files, where others could put theirs',
    )
