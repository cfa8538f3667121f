# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import dataclass

from edge_perception.contract import option
from edge_perception.contract import Options

_DEVICE = 'what computes: gpu:0, gpu:1 and so on, or dla0 and dla1 on a Jetson that has them'


@dataclass(frozen=True, slots=True)
class TensorRtOptions(Options):
    """Options of the engine; each is a parameter ``engine_options.tensorrt.<name>``."""

    device: str = option('gpu:0', _DEVICE)


@dataclass(frozen=True, slots=True)
class TensorRtBuilderOptions(Options):
    """Options of the builder."""

    device: str = option('gpu:0', _DEVICE + '; layers that a DLA cannot compute run on the GPU')
    workspace_mib: int = option(
        0,
        'memory of the GPU that one layer may use while it computes, in MiB; 0 is all of it',
        minimum=0,
        maximum=1 << 20,
    )
    optimization_level: int = option(
        3,
        'how long to look for fast kernels, from 0 (not) to 5 (everything)',
        minimum=0,
        maximum=5,
    )
    tf32: bool = option(
        False,
        'multiply float32 with 10 bits of mantissa, as TensorRT does by default on GPUs '
        'since Ampere',
    )
    timing_cache: str = option(
        '',
        'file that keeps how fast kernels are, so that the next build is shorter; made if absent',
    )
