# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What each execution provider is told, and what it really took."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from edge_perception.contract import EngineUnavailableError
from edge_perception_onnxruntime.library import CPU_PROVIDER
from edge_perception_onnxruntime.library import ENGINE
from edge_perception_onnxruntime.library import short_name
from edge_perception_onnxruntime.options import OnnxRuntimeOptions

CUDA_PROVIDER = 'CUDAExecutionProvider'
# Since 1.24; older versions do not know the entry and ignore it.
RECORD_ASSIGNMENT = 'session.record_ep_graph_assignment_info'


def precision(options: OnnxRuntimeOptions) -> str:
    """Return in what float32 is computed: fp32 or fp16."""
    provider = short_name(options.provider)
    fp16 = provider == 'tensorrt' and options.tensorrt_fp16
    # The NPU of Intel has nothing else.
    return 'fp16' if fp16 or (provider == 'openvino' and _on_npu(options)) else 'fp32'


def provider_list(
    provider: str, options: OnnxRuntimeOptions, *, here: list[str]
) -> list[tuple[str, dict[str, str]]]:
    """
    Return providers in the order in which they may take operators, with their settings.

    :param provider: full name of the one that was asked for.
    :param here: full names of those in this build.
    """
    names = [provider]
    if short_name(provider) == 'tensorrt' and CUDA_PROVIDER in here:
        names.append(CUDA_PROVIDER)  # what TensorRT does not know stays on the GPU
    names.append(CPU_PROVIDER)
    return [(name, _settings(short_name(name), options)) for name in dict.fromkeys(names)]


def _settings(provider: str, options: OnnxRuntimeOptions) -> dict[str, str]:
    if provider == 'cuda':
        # By itself it rounds to TensorFloat-32, which is no float32.
        return {'device_id': str(options.device_id), 'use_tf32': '0'}
    if provider == 'tensorrt':
        settings = {
            'device_id': str(options.device_id),
            'trt_fp16_enable': str(options.tensorrt_fp16),
            'trt_engine_cache_enable': str(bool(options.tensorrt_cache_dir)),
        }
        if options.tensorrt_cache_dir:
            folder = Path(options.tensorrt_cache_dir).expanduser()
            settings['trt_engine_cache_path'] = str(folder)
        return settings
    if provider == 'openvino':
        settings = {
            'device_type': options.openvino_device.strip().upper(),
            'precision': 'FP16' if _on_npu(options) else 'FP32',
        }
        if options.threads:
            settings['num_of_threads'] = str(options.threads)
        return settings
    return {}


def devices_taken(session: Any, provider: str, options: OnnxRuntimeOptions) -> str:
    """
    Return which providers compute, e.g. ``cuda:0, 3 of 250 operators on cpu``.

    :raises EngineUnavailableError: the one that was asked for took nothing.
    """
    name = short_name(provider)
    device = {
        'cuda': f'cuda:{options.device_id}',
        'tensorrt': f'tensorrt:{options.device_id}',
        'openvino': f'openvino:{options.openvino_device.strip().upper()}',
    }.get(name, name)
    taken = _operators(session)
    if not taken:
        return device
    if provider not in taken:
        raise EngineUnavailableError(
            ENGINE,
            reason=f'provider {name!r} took none of the {sum(taken.values())} operators of the '
            f'network, which would run on {", ".join(map(short_name, taken))}',
            remedy="correct the options of the provider, or set the option provider to 'cpu'",
        )
    others = [
        f'{count} of {sum(taken.values())} operators on {short_name(other)}'
        for other, count in taken.items()
        if other != provider
    ]
    return ', '.join([device, *others])


def _operators(session: Any) -> Counter[str]:
    """Return how many operators each provider took; nothing where ONNX Runtime does not tell."""
    taken: Counter[str] = Counter()
    if hasattr(session, 'get_provider_graph_assignment_info'):
        for part in session.get_provider_graph_assignment_info():
            taken[part.ep_name] += len(part.get_nodes())
    return taken


def _on_npu(options: OnnxRuntimeOptions) -> bool:
    return 'NPU' in options.openvino_device.upper()
