# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Run the engine with the real bindings over stub objects and the fake driver; a program.

The network has an open input, a fixed output (minus the image) and one whose size depends on the
image (where it is not zero).
"""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
import sys
import tempfile

from edge_perception_tensorrt.engine import TensorRtEngineType
from edge_perception_tensorrt.library import vendor_logger
from edge_perception_tensorrt.options import TensorRtOptions
import numpy as np

from test.support.fake_cuda import FakeCuda
from test.support.fake_cuda.pycuda import pycuda_modules
from test.support.networks import manifest_for
from test.support.networks import SHAPE
from test.support.tensorrt_stubs.behavior import plan_of
from test.support.tensorrt_stubs.objects import Objects
from test.support.tensorrt_stubs.objects import Word

NAMES = ('image', 'negative', 'where')
FLOAT, INT32 = 0, 3
INPUT, OUTPUT = 1, 2
ALIGNMENT = 512


class Network:
    """What the stub objects answer, and the computation behind them."""

    def __init__(self, trt, cuda: FakeCuda) -> None:
        self.cuda = cuda
        self.is_old = trt.__version__.startswith('8.')
        self.objects = Objects(int(trt.__version__.split('.')[0]))
        self.addresses: dict[str, int] = {}
        self.allocator = 0
        self._teach_engine(trt)
        self._teach_context(trt)
        self.objects.calls.clear()

    def _teach_engine(self, trt) -> None:
        learn = self.objects.learn
        runtime = trt.Runtime(vendor_logger())
        self.engine = engine = learn('load', lambda: runtime.deserialize_cuda_engine(b'x'))
        learn('num_io_tensors', lambda: engine.num_io_tensors, len(NAMES))
        learn('name', lambda: engine.get_tensor_name(0), lambda index, *_: NAMES[index])
        kinds = {'where': INT32}
        learn('dtype', lambda: engine.get_tensor_dtype('x'), self._by_name(kinds, FLOAT))
        learn('format', lambda: engine.get_tensor_format('x'), 0)
        learn('location', lambda: engine.get_tensor_location('x'), 0)
        modes = {'image': INPUT}
        learn('mode', lambda: engine.get_tensor_mode('x'), self._by_name(modes, OUTPUT))
        shapes = {'image': (-1, *SHAPE[1:]), 'negative': (-1, *SHAPE[1:]), 'where': (4, -1)}
        learn('shape', lambda: engine.get_tensor_shape('x'), self._by_name(shapes, ()))
        learn('profile', lambda: engine.get_tensor_profile_shape('image', 0), SHAPE)

    def _teach_context(self, trt) -> None:
        learn, engine = self.objects.learn, self.engine
        context = learn('context', lambda: engine.create_execution_context())
        learn('set_input_shape', lambda: context.set_input_shape('image', SHAPE), 1)
        shapes = {'image': SHAPE, 'negative': SHAPE, 'where': (4, -1)}
        learn('context.shape', lambda: context.get_tensor_shape('x'), self._by_name(shapes, ()))
        learn('address', lambda: context.set_tensor_address('x', 0), self._set_address)
        empty = trt.IOutputAllocator()
        set_allocator = lambda: context.set_output_allocator('x', empty)  # noqa: E731
        learn('set_output_allocator', set_allocator, self._set_allocator)
        learn('execute', lambda: context.execute_async_v3(0), self._execute)

    def _by_name(self, answers: dict, default):
        return lambda name, *_: answers.get(ctypes.string_at(name).decode(), default)

    def _set_address(self, name: int, address: int, *_: int) -> int:
        self.addresses[ctypes.string_at(name).decode()] = address
        return 1

    def _set_allocator(self, name: int, allocator: int, *_: int) -> int:
        self.allocator = allocator
        return 1

    def _execute(self, stream: int, *_: int) -> int:
        self.cuda.require_current('execute_async_v3')
        self.cuda.synchronize(stream)
        image = np.empty(SHAPE, np.float32)
        ctypes.memmove(image.ctypes.data, self.addresses['image'], image.nbytes)
        where = np.ascontiguousarray(np.array(np.nonzero(image), np.int32))
        target = self._allocate(where, stream)

        def store() -> None:
            negative = -image
            ctypes.memmove(self.addresses['negative'], negative.ctypes.data, negative.nbytes)
            ctypes.memmove(target, where.ctypes.data, where.nbytes)

        self.cuda.launch(stream, store)
        return int(target != 0)

    def _allocate(self, array: np.ndarray, stream: int) -> int:
        """
        Call the allocator as C++ does; return the address that it gives.

        Its methods follow each other: one or two that allocate, then the one that is told the
        shape. They stand behind destructor and version, and take nearly the same arguments.
        """
        dims = self.objects.dims(array.ndim, array.shape)
        name = ctypes.create_string_buffer(b'where')
        table = ctypes.cast(self.allocator, ctypes.POINTER(ctypes.POINTER(Word)))[0]
        tensor = network_tensor()
        tensor.shape = ()
        address = 0
        for method in range(1 if self.is_old else 4, 8):
            call = ctypes.CFUNCTYPE(Word, *[Word] * 6)(table[method])
            at = (ctypes.addressof(name), ctypes.addressof(dims))
            given = call(self.allocator, *at, array.nbytes, ALIGNMENT, stream)
            if tensor.shape:
                return address  # what the method before gave; this one gives nothing
            address = given
        raise AssertionError('the allocator was never told the shape')


def network_tensor():
    """Return the open output of the engine that runs."""
    return running[0]._open['where']


running: list = []


def main() -> None:
    """Print what was computed and what is left."""
    import tensorrt as trt

    cuda = FakeCuda()
    sys.modules.update(pycuda_modules(cuda.library))
    engine_type = TensorRtEngineType()
    result: dict = {'probe': engine_type.probe().runtime}
    with tempfile.TemporaryDirectory() as temporary:
        plan = Path(temporary, 'net.engine')
        plan.write_bytes(plan_of(b'', trt.__version__))
        network = Network(trt, cuda)
        engine = engine_type.create(manifest_for(SHAPE), plan, TensorRtOptions())
        result['outputs'] = [spec.describe() for spec in engine.outputs]
        running.append(engine)
        with engine:
            for count in (0, 5, 72, 2):
                frame = np.zeros(SHAPE, np.float32)
                frame.ravel()[:count] = 1
                results = engine.infer({'image': frame})
                assert np.array_equal(results['negative'], -frame)
                assert np.array_equal(results['where'], np.nonzero(frame)), results['where']
        result['executed'] = len(network.objects.called('execute'))
        results = None
    result.update(violations=cuda.violations, live=cuda.live)
    sys.stdout.write(json.dumps(result))


if __name__ == '__main__':
    main()
