# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The part of the fake TensorRT that builds plans."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from test.support.tensorrt_stubs.behavior import Behavior
from test.support.tensorrt_stubs.behavior import KINDS
from test.support.tensorrt_stubs.behavior import plan_of


class Builder:
    def __init__(self, logger) -> None:
        self.behavior_.cuda.require_current('Builder')
        self.behavior_.log = logger
        if self.behavior_.fails('runtime'):
            raise TypeError('pybind11::init(): factory function returned nullptr')
        self.num_DLA_cores = self.behavior_.dla_cores

    def create_network(self, flags: int = 0):
        self.behavior_.network = INetworkDefinition(self.trt, flags)
        return self.behavior_.network

    def create_builder_config(self):
        has_levels = self.behavior_.numbers >= (8, 6)
        self.behavior_.config = (
            IBuilderConfig(self.behavior_)
            if has_levels
            else (_ConfigWithoutLevels(self.behavior_))
        )
        return self.behavior_.config

    def create_optimization_profile(self):
        return IOptimizationProfile()

    def build_serialized_network(self, network, config):
        self.behavior_.cuda.require_current('build_serialized_network')
        if self.behavior_.fails('build'):
            return None
        profile = {}
        for shapes in config.profiles:
            profile = {'smallest': shapes[0], 'largest': shapes[2]}
        if config.cache is not None:
            config.cache.content += b'measured'
        return _HostMemory(plan_of(network.model, self.behavior_.version, **profile))


class INetworkDefinition:
    def __init__(self, trt, flags: int) -> None:
        self._trt = trt
        self.flags = flags
        self.model: onnx.ModelProto | None = None

    @property
    def num_inputs(self) -> int:
        return len(self.model.graph.input)

    def get_input(self, index: int):
        return ITensor(self._trt, self.model.graph.input[index])

    @property
    def num_layers(self) -> int:
        return len(self.model.graph.node)

    def get_layer(self, index: int):
        kind = self._trt.LayerType
        quantizes = self.model.graph.node[index].op_type == 'QuantizeLinear'
        return ILayer(kind.QUANTIZE if quantizes else kind.CONVOLUTION)


class ITensor:
    def __init__(self, trt, value) -> None:
        self.name = value.name
        self.dtype = trt.DataType[KINDS[value.type.tensor_type.elem_type]]
        sizes = value.type.tensor_type.shape.dim
        self.shape = tuple(s.dim_value if s.HasField('dim_value') else -1 for s in sizes)


@dataclass
class ILayer:
    type: int


class ParserError:
    def __init__(self, text: str, index: int) -> None:
        self._text, self._index = text, index

    def desc(self) -> str:
        return self._text

    def node(self) -> int:
        return self._index


class OnnxParser:
    def __init__(self, network, logger) -> None:
        self._network = network
        self._errors: list[ParserError] = []

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        return self._errors[index]

    def parse_from_file(self, model: str) -> bool:
        texts = self.behavior_.failures.get('parse', '').splitlines()
        self._errors = [ParserError(text, index) for index, text in enumerate(texts)]
        try:
            self._network.model = onnx.load(model)
        except Exception as error:
            self._errors = [ParserError(f'Failed to parse the ONNX model: {error}', -1)]
        return not self._errors


class IOptimizationProfile:
    def set_shape(self, input: str, min, opt, max) -> None:  # noqa: A002
        self.shapes = (tuple(min), tuple(opt), tuple(max))


class _ConfigWithoutLevels:
    def __init__(self, behavior: Behavior) -> None:
        self._behavior = behavior
        self.flags_set: set[str] = {'TF32'}
        self.limits: dict[str, int] = {}
        self.profiles: list[tuple] = []
        self.cache: ITimingCache | None = None

    def set_flag(self, flag) -> None:
        self.flags_set.add(flag.name)

    def clear_flag(self, flag) -> None:
        self.flags_set.discard(flag.name)

    def set_memory_pool_limit(self, pool, pool_size: int) -> None:
        self.limits[pool.name] = pool_size

    def add_optimization_profile(self, profile) -> int:
        self.profiles.append(profile.shapes)
        return len(self.profiles) - 1

    def can_run_on_DLA(self, layer) -> bool:  # noqa: N802
        return layer.type != 0

    def create_timing_cache(self, serialized_timing_cache):
        return ITimingCache(bytes(serialized_timing_cache))

    def set_timing_cache(self, cache, ignore_mismatch: bool) -> bool:
        if cache.content.startswith(b'foreign'):
            return False
        self.cache = cache
        return True

    def get_timing_cache(self):
        return self.cache


class IBuilderConfig(_ConfigWithoutLevels):
    builder_optimization_level = 3
    default_device_type = 0
    DLA_core = -1


class ITimingCache:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self):
        return _HostMemory(self.content)


class _HostMemory(bytes):
    """A buffer, as IHostMemory is."""
