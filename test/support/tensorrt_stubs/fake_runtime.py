# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The part of the fake TensorRT that runs plans."""

from __future__ import annotations

import ctypes
import json

import numpy as np
import onnx
import onnxruntime

from test.support.tensorrt_stubs.behavior import HEADER_SIZE
from test.support.tensorrt_stubs.behavior import KINDS


class Runtime:
    def __init__(self, logger) -> None:
        self.behavior_.cuda.require_current('Runtime')
        self.behavior_.log = logger
        if self.behavior_.fails('runtime'):
            raise TypeError('pybind11::init(): factory function returned nullptr')
        self.num_DLA_cores = self.behavior_.dla_cores
        self.DLA_core = -1

    def deserialize_cuda_engine(self, serialized_engine):
        self.behavior_.cuda.require_current('deserialize_cuda_engine')
        content = bytes(serialized_engine)
        self.behavior_.dla_core = self.DLA_core
        if self.behavior_.fails('deserialize'):
            return None
        length = int.from_bytes(content[HEADER_SIZE : HEADER_SIZE + 4], 'little')
        start = HEADER_SIZE + 4
        try:
            profile = json.loads(content[start : start + length])
            model = onnx.load_from_string(content[start + length :])
            session = onnxruntime.InferenceSession(content[start + length :])
        except Exception:
            return None
        return ICudaEngine(self.trt, self.behavior_, model, session, profile)


class ICudaEngine:
    def __init__(self, trt, behavior, model, session, profile) -> None:
        self._trt, self._behavior = trt, behavior
        self._session, self._profile = session, profile
        self._inputs = list(model.graph.input)
        self._tensors = [*model.graph.input, *model.graph.output]
        self.num_io_tensors = len(self._tensors)

    def __del__(self) -> None:
        self._behavior.cuda.require_current('end of ICudaEngine')

    def _tensor(self, name: str):
        return next(tensor for tensor in self._tensors if tensor.name == name)

    def get_tensor_name(self, index: int) -> str:
        return self._tensors[index].name

    def get_tensor_mode(self, name: str):
        mode = self._trt.TensorIOMode
        return mode.INPUT if self._tensor(name) in self._inputs else mode.OUTPUT

    def get_tensor_dtype(self, name: str):
        kind = KINDS[self._tensor(name).type.tensor_type.elem_type]
        # Before TensorRT 10 there are no 64 bits; what has them in ONNX is computed in 32.
        return self._trt.DataType[kind if hasattr(self._trt.DataType, kind) else 'INT32']

    def get_tensor_shape(self, name: str):
        sizes = self._tensor(name).type.tensor_type.shape.dim
        return tuple(size.dim_value if size.HasField('dim_value') else -1 for size in sizes)

    def get_tensor_format(self, name: str):
        return self._trt.TensorFormat[self._behavior.format]

    def get_tensor_location(self, name: str):
        return self._trt.TensorLocation[self._behavior.location]

    def get_tensor_profile_shape(self, name: str, profile_index: int):
        smallest, largest = self._profile['smallest'], self._profile['largest']
        return [smallest, largest, largest]

    def create_execution_context(self):
        self._behavior.cuda.require_current('create_execution_context')
        return None if self._behavior.fails('context') else IExecutionContext(self)


class IExecutionContext:
    def __init__(self, engine: ICudaEngine) -> None:
        self._engine, self._behavior = engine, engine._behavior
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._allocators: dict[str, object] = {}
        self._results: dict[str, np.ndarray] = {}
        self._behavior.contexts += 1

    def __del__(self) -> None:
        self._behavior.contexts -= 1
        self._behavior.cuda.require_current('end of IExecutionContext')

    def set_input_shape(self, name: str, shape) -> bool:
        wanted = self._engine.get_tensor_shape(name)
        if len(shape) != len(wanted) or any(w not in (-1, s) for w, s in zip(wanted, shape)):
            return False
        self._shapes[name] = tuple(shape)
        return True

    def get_tensor_shape(self, name: str):
        sizes = self._engine._tensor(name).type.tensor_type.shape.dim
        image = self._engine._tensors[0]
        names = [size.dim_param for size in image.type.tensor_type.shape.dim]
        known = dict(zip(names, self._shapes.get(image.name, ())))
        return tuple(
            size.dim_value if size.HasField('dim_value') else known.get(size.dim_param, -1)
            for size in sizes
        )

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return True

    def set_output_allocator(self, name: str, output_allocator) -> bool:
        self._allocators[name] = output_allocator
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        cuda = self._behavior.cuda
        cuda.require_current('execute_async_v3')
        names = {tensor.name for tensor in self._engine._tensors}
        if self._behavior.fails('execute') or names != {*self._addresses, *self._allocators}:
            return False
        if self._allocators:
            # Such a network waits for its own shapes before it returns.
            cuda.synchronize(stream_handle)
            self._compute()
            if not all(self._allocate(name, stream_handle) for name in self._allocators):
                return False
            cuda.launch(stream_handle, self._store)
        else:
            cuda.launch(stream_handle, lambda: (self._compute(), self._store()))
        return True

    def _compute(self) -> None:
        feeds = {}
        for tensor in self._engine._inputs:
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.type.tensor_type.elem_type)
            shape = self._shapes.get(tensor.name) or self._engine.get_tensor_shape(tensor.name)
            empty = np.empty(shape, dtype)
            ctypes.memmove(empty.ctypes.data, self._addresses[tensor.name], empty.nbytes)
            feeds[tensor.name] = empty
        outputs = self._engine._tensors[len(feeds) :]
        results = self._engine._session.run([tensor.name for tensor in outputs], feeds)
        for tensor, result in zip(outputs, results):
            narrow = self._engine.get_tensor_dtype(tensor.name).name == 'INT32'
            result = result.astype(np.int32) if narrow else result
            self._results[tensor.name] = np.ascontiguousarray(result)

    def _allocate(self, name: str, stream: int) -> bool:
        allocator, result = self._allocators[name], self._results[name]
        if self._behavior.numbers >= (10, 0):
            arguments = (name, 0, result.nbytes, 512, stream)
            address = allocator.reallocate_output_async(*arguments)
        else:
            address = allocator.reallocate_output(name, None, result.nbytes, 512)
        allocator.notify_shape(name, result.shape)
        self._addresses[name] = address
        return bool(address) and address % 512 == 0

    def _store(self) -> None:
        for name, result in self._results.items():
            ctypes.memmove(self._addresses[name], result.ctypes.data, result.nbytes)
