# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Build with the real bindings over stub objects and print what was asked of TensorRT; a program.

Its argument is a list in JSON: for each build what differs from ``USUAL``.
"""

from __future__ import annotations

import json
from pathlib import Path
import sys
import tempfile
from typing import Any

from edge_perception_tensorrt.builder import TensorRtBuilder
from edge_perception_tensorrt.library import vendor_logger
from edge_perception_tensorrt.options import TensorRtBuilderOptions

from edge_perception.contract import BuildError
from edge_perception.contract import BuildPlan
from test.support.fake_cuda import FakeCuda
from test.support.fake_cuda.pycuda import pycuda_modules
from test.support.networks import manifest_for
from test.support.networks import save_conv
from test.support.networks import SHAPE
from test.support.tensorrt_stubs.objects import Objects

PLAN = b'the plan'
CACHE = b'the timing cache'
FLOAT, INT8 = 0, 2
USUAL: dict[str, Any] = {
    'precision': 'fp32',
    'options': {},
    'input': SHAPE,
    'dla_cores': 0,
    'quantized': False,
    'parser_error': '',
}


def teach(trt, objects: Objects) -> list[list[int]]:
    """
    Find out the methods that a build arrives at.

    :return: to be filled with which shape of a profile was set to what.
    """
    learn = objects.learn
    builder = trt.Builder(vendor_logger())
    network = learn('create_network', lambda: builder.create_network(0))
    config = learn('create_builder_config', lambda: builder.create_builder_config())
    learn('num_DLA_cores', lambda: builder.num_DLA_cores)
    _teach_network(objects, network)
    _teach_parser(trt, objects, network)
    _teach_config(trt, objects, config, network)
    profile = learn('create_optimization_profile', lambda: builder.create_optimization_profile())
    shapes: list[list[int]] = []

    def set_dimensions(name: int, which: int, *rest: int) -> int:
        # TensorRT 8 passes the shape itself, on the stack, later ones its address.
        address = rest[-1] if trt.__version__.startswith('8.') else rest[0]
        shapes.append([which, *objects.shape_at(address)])
        return 1

    learn('set_dimensions', lambda: profile.set_shape('image', (1,), (1,), (1,)), set_dimensions)
    learn('add_optimization_profile', lambda: config.add_optimization_profile(profile), 0)
    host = learn('build', lambda: builder.build_serialized_network(network, config))
    _teach_memory(objects, host, 'plan', PLAN)
    return shapes


def _teach_network(objects: Objects, network) -> None:
    learn = objects.learn
    learn('num_inputs', lambda: network.num_inputs, 1)
    learn('num_layers', lambda: network.num_layers, 2)
    image = learn('get_input', lambda: network.get_input(0))
    learn('image.name', lambda: image.name, 'image')
    learn('image.shape', lambda: image.shape)
    learn('image.dtype', lambda: image.dtype, FLOAT)
    layer = learn('get_layer', lambda: network.get_layer(0))
    learn('layer.type', lambda: layer.type)


def _teach_parser(trt, objects: Objects, network) -> None:
    learn = objects.learn
    parser = trt.OnnxParser(network, vendor_logger())
    learn('parse_from_file', lambda: parser.parse_from_file('x'))
    learn('num_errors', lambda: parser.num_errors)
    error = learn('get_error', lambda: parser.get_error(0))
    learn('error.desc', lambda: error.desc())
    learn('error.node', lambda: error.node(), 7)


def _teach_config(trt, objects: Objects, config, network) -> None:
    learn = objects.learn
    flag, pool = trt.BuilderFlag.TF32, trt.MemoryPoolType.WORKSPACE
    learn('set_flag', lambda: config.set_flag(flag))
    learn('clear_flag', lambda: config.clear_flag(flag))
    learn('set_memory_pool_limit', lambda: config.set_memory_pool_limit(pool, 1))
    learn('set_level', lambda: setattr(config, 'builder_optimization_level', 3))
    device = trt.DeviceType.DLA
    learn('set_device_type', lambda: setattr(config, 'default_device_type', device))
    learn('set_dla_core', lambda: setattr(config, 'DLA_core', 0))
    learn('can_run_on_dla', lambda: config.can_run_on_DLA(network.get_layer(0)), 0)
    cache = learn('create_timing_cache', lambda: config.create_timing_cache(b'x'))
    learn('set_timing_cache', lambda: config.set_timing_cache(cache, ignore_mismatch=False), 1)
    filled = learn('get_timing_cache', lambda: config.get_timing_cache())
    _teach_memory(objects, learn('serialize', lambda: filled.serialize()), 'cache', CACHE)


def _teach_memory(objects: Objects, host, name: str, content: bytes) -> None:
    address = objects.bytes_of(content)
    objects.learn(f'{name}.type', lambda: host.dtype, INT8)
    objects.learn(f'{name}.size', lambda: host.nbytes, len(content))
    objects.learn(f'{name}.data', lambda: bytes(host), lambda *_: address)


def answer(trt, objects: Objects, wanted: dict[str, Any]) -> None:
    """Let the stubs be what one build finds."""
    kind = trt.LayerType.QUANTIZE if wanted['quantized'] else trt.LayerType.CONVOLUTION
    error = wanted['parser_error']
    for name, value in {
        'num_DLA_cores': wanted['dla_cores'],
        'image.shape': tuple(wanted['input']),
        'layer.type': int(kind),
        'parse_from_file': int(not error),
        'num_errors': int(bool(error)),
        'error.desc': error,
    }.items():
        objects.answer(name, value)


def build(wanted: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return what came out of a build."""
    workspace = folder / 'workspace'
    workspace.mkdir()
    options = dict(wanted['options'])
    cache = folder / options.get('timing_cache', 'none')
    if 'timing_cache' in options:
        options['timing_cache'] = str(cache)
    plan = BuildPlan(
        manifest=manifest_for(SHAPE),
        source=save_conv(folder / 'net.onnx'),
        precision=wanted['precision'],
        options=TensorRtBuilderOptions(**options),
    )
    result: dict[str, Any] = {'error': '', 'artifact': '', 'notes': []}
    try:
        report = TensorRtBuilder().build(plan, workspace)
        result.update(artifact=report.artifact.read_bytes().decode(), notes=report.notes)
    except BuildError as error:
        result['error'] = str(error).replace(f'{folder}/', '')
    result['left'] = sorted(path.name for path in workspace.iterdir())
    result['cache'] = cache.read_bytes().decode() if cache.exists() else ''
    return result


def asked(trt, objects: Objects) -> dict[str, Any]:
    """Return what a build asked of TensorRT, in its words."""
    flags = {int(value): name for name, value in trt.BuilderFlag.__members__.items()}
    kinds = trt.NetworkDefinitionCreationFlag.__members__.items()
    ((creation, *_),) = objects.called('create_network')

    def firsts(name: str) -> list[int]:
        # An enum is four bytes; the others of the register are not its own.
        return [arguments[0] & 0xFFFFFFFF for arguments in objects.called(name)]

    return {
        'network': [name for name, value in kinds if creation >> int(value) & 1],
        'set': [flags[flag] for flag in firsts('set_flag')],
        'cleared': [flags[flag] for flag in firsts('clear_flag')],
        'limits': [arguments[1] for arguments in objects.called('set_memory_pool_limit')],
        'levels': firsts('set_level'),
        'devices': firsts('set_device_type'),
        'cores': firsts('set_dla_core'),
        'profiles': len(objects.called('add_optimization_profile')),
    }


def main(builds: list[dict[str, Any]]) -> None:
    """Print the result of each build."""
    import tensorrt as trt

    cuda = FakeCuda()
    sys.modules.update(pycuda_modules(cuda.library))
    objects = Objects(int(trt.__version__.split('.')[0]))
    shapes = teach(trt, objects)
    results = []
    for each in builds:
        wanted = {**USUAL, **each}
        answer(trt, objects, wanted)
        objects.calls.clear()
        shapes.clear()
        with tempfile.TemporaryDirectory() as temporary:
            result = build(wanted, Path(temporary))
        results.append({**result, **asked(trt, objects), 'shapes': list(shapes)})
    rest = {'violations': cuda.violations, 'live': cuda.live}
    sys.stdout.write(json.dumps({'builds': results, **rest}))


if __name__ == '__main__':
    main(json.loads(sys.argv[1]))
