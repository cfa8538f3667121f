# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import dataclass

from edge_perception.contract import option
from edge_perception.contract import Options


@dataclass(frozen=True, slots=True)
class OpenCvOptions(Options):
    """Each is a parameter ``engine.opencv_dnn.<name>`` of the node."""

    device: str = option(
        'cpu',
        'where to compute; cuda needs an OpenCV that was built with it',
        choices=('cpu', 'opencl', 'opencl_fp16', 'cuda', 'cuda_fp16'),
    )
