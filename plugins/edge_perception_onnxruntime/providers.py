# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Set the options of execution providers, and tell which of them compute."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import OptionError
from edge_perception_onnxruntime.library import CPU_PROVIDER
from edge_perception_onnxruntime.library import ENGINE
from edge_perception_onnxruntime.library import short_name
from edge_perception_onnxruntime.options import OnnxRuntimeOptions

CUDA_PROVIDER = 'CUDAExecutionProvider'
# Since 1.24; older versions do not know the entry and ignore it.
RECORD_ASSIGNMENT = 'session.record_ep_graph_assignment_info'
# Options that only some providers read.
READERS = {
    'device_id': ('cuda', 'tensorrt'),
    'tensorrt_fp16': ('tensorrt',),
    'tensorrt_cache_dir': ('tensorrt',),
    'openvino_device': ('openvino',),
}


def check_options(options: OnnxRuntimeOptions) -> None:
    """
    Refuse options that the provider does not read: the user expects another provider.

    :raises OptionError: an option for another provider was set.
    """
    provider = short_name(options.provider)
    defaults = OnnxRuntimeOptions()
    for name, readers in READERS.items():
        value = getattr(options, name)
        if provider not in readers and value != getattr(defaults, name):
            raise OptionError(
                f'engine {ENGINE!r}: {name}: got {value!r}, which the provider {provider!r} does '
                f'not read; leave it out, or set the option provider to {" or ".join(readers)}'
            )


def precision(options: OnnxRuntimeOptions) -> str:
    """
    Return in what float32 is computed: fp32 where that is known, fp16 stands for all else.

    TensorRT rounds to TensorFloat-32 on every GPU since Ampere, and ONNX Runtime cannot forbid it;
    the NPU of Intel has float16 only; of other providers nothing is known.
    """
    provider = short_name(options.provider)
    exact = provider in ('cpu', 'cuda') or (provider == 'openvino' and not _on_npu(options))
    return 'fp32' if exact else 'fp16'


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
            f'model, which would run on {", ".join(map(short_name, taken))}',
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
