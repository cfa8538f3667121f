# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import TYPE_CHECKING

from edge_perception.contract import Availability
from edge_perception.contract import Builder
from edge_perception.contract import BuildError
from edge_perception.contract import BuildPlan
from edge_perception.contract import BuildReport
from edge_perception.contract import EngineError
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import Options
from edge_perception.contract import TensorSpec
from edge_perception.contract.user_files import write_whole
from edge_perception_tensorrt.cuda import CudaError
from edge_perception_tensorrt.cuda import ENGINE
from edge_perception_tensorrt.device import Device
from edge_perception_tensorrt.device import device_key
from edge_perception_tensorrt.device import find_device
from edge_perception_tensorrt.engine import TensorRtEngineType
from edge_perception_tensorrt.errors import runtime_failed
from edge_perception_tensorrt.library import load_library
from edge_perception_tensorrt.library import logged_errors
from edge_perception_tensorrt.library import vendor_logger
from edge_perception_tensorrt.memory import Gpu
from edge_perception_tensorrt.network import has_quantized_layers
from edge_perception_tensorrt.network import image_input
from edge_perception_tensorrt.network import is_strongly_typed
from edge_perception_tensorrt.network import open_inputs
from edge_perception_tensorrt.network import parse_network
from edge_perception_tensorrt.options import TensorRtBuilderOptions

if TYPE_CHECKING:
    import tensorrt as trt

VERSION = '1'  # rises when the same source would become another plan


class TensorRtBuilder(Builder):
    """
    ONNX to a plan for one GPU or DLA and one TensorRT.

    For int8 the source says itself what is quantized, symmetrically, as the parser demands. For
    fp16 it is float16 already where TensorRT computes in the types of the source, else a flag does
    it.
    """

    name = ENGINE
    suffix = '.engine'
    precisions = ('fp32', 'fp16', 'int8')
    options_type = TensorRtBuilderOptions

    def probe(self) -> Availability:
        """Tell whether TensorRT and a GPU are here: a plan is built where it will run."""
        return TensorRtEngineType().probe()

    def source_form(self, precision: str) -> str:
        """Return what this TensorRT wants; without any, what the newest does."""
        if precision == 'int8':
            return 'qdq_symmetric'
        try:
            typed = is_strongly_typed(load_library())
        except EngineUnavailableError:
            typed = True
        return 'float16' if precision == 'fp16' and typed else 'float32'

    def engine_options(self, options: Options) -> Mapping[str, Any]:
        """Return the device: a plan for a DLA runs on no GPU."""
        assert isinstance(options, TensorRtBuilderOptions)
        return {'device': options.device}

    def fingerprint(self, plan: BuildPlan) -> Mapping[str, str]:
        """Return versions and device."""
        assert isinstance(plan.options, TensorRtBuilderOptions)
        device = device_key(plan.options.device)
        return {'builder': VERSION, 'tensorrt': load_library(), 'device': device}

    def build(self, plan: BuildPlan, workspace: Path) -> BuildReport:
        """Parse, optimize, and write the plan into the workspace; may take minutes."""
        assert isinstance(plan.options, TensorRtBuilderOptions)
        try:
            version = load_library()
            device = find_device(plan.options.device)
            _check_precision(plan.precision, device)
            gpu = Gpu(device.driver, device.gpu)
            try:
                with gpu.current():
                    content, notes = _Build(plan, device, version).run()
            finally:
                gpu.close()
        except EngineError as error:
            raise BuildError(str(error)) from error
        except CudaError as error:
            raise BuildError(f'{plan.source}: {error}; start again') from error
        artifact = workspace / f'{plan.manifest.name}_{plan.precision}{self.suffix}'
        artifact.write_bytes(content)
        return BuildReport(artifact, versions={'tensorrt': version}, notes=tuple(notes))


def _check_precision(precision: str, device: Device) -> None:
    if precision == 'fp32' and device.dla is not None:
        raise BuildError(
            f'device dla{device.dla}: got precision fp32, expected fp16 or int8, which is all '
            'that a DLA computes; add --precision fp16'
        )


class _Build:
    """One build; every method with the GPU current."""

    def __init__(self, plan: BuildPlan, device: Device, version: str) -> None:
        assert isinstance(plan.options, TensorRtBuilderOptions)
        self._plan = plan
        self._options = plan.options
        self._device = device
        self._version = version
        self._notes: list[str] = []

    def run(self) -> tuple[bytes, list[str]]:
        """Return the plan and what users should know of it."""
        import tensorrt as trt

        logged_errors.clear()
        try:
            builder = trt.Builder(vendor_logger())
        except TypeError as error:  # that the factory returned nothing
            raise runtime_failed(logged_errors.text()) from error
        trt.init_libnvinfer_plugins(vendor_logger(), '')
        # The parser owns the weights, so it stays until the plan is there.
        network, parser = parse_network(builder, self._plan.source, self._version)
        image = image_input(network, self._plan.manifest)
        config = builder.create_builder_config()
        self._set_precision(config, network)
        self._set_limits(config)
        if open_inputs(network):
            self._add_profile(builder, config, image)
        if self._device.dla is not None:
            self._use_dla(builder, config, network)
        cache = self._read_timing_cache(config)
        logged_errors.clear()
        serialized = builder.build_serialized_network(network, config)
        if serialized is None:
            raise BuildError(
                f'{self._plan.source}: TensorRT {self._version} cannot build it in '
                f'{self._plan.precision}: {logged_errors.text()}; try another precision or target'
            )
        if cache is not None:
            self._write_timing_cache(config)
        del parser
        return bytes(serialized), self._notes

    def _set_precision(self, config: trt.IBuilderConfig, network: trt.INetworkDefinition) -> None:
        import tensorrt as trt

        precision = self._plan.precision
        if precision == 'int8' and not has_quantized_layers(network):
            raise BuildError(
                f'{self._plan.source}: got an ONNX without QuantizeLinear, expected one that is '
                'quantized already for int8; quantize it first'
            )
        if not self._options.tf32:
            config.clear_flag(trt.BuilderFlag.TF32)
        if not is_strongly_typed(self._version):
            flag = getattr(
                trt.BuilderFlag, {'fp16': 'FP16', 'int8': 'INT8'}.get(precision, ''), None
            )
            if flag is not None:
                config.set_flag(flag)

    def _set_limits(self, config: trt.IBuilderConfig) -> None:
        import tensorrt as trt

        if self._options.workspace_mib:
            size = self._options.workspace_mib << 20
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, size)
        # 8.5 has no levels.
        if hasattr(config, 'builder_optimization_level'):
            config.builder_optimization_level = self._options.optimization_level

    def _add_profile(
        self, builder: trt.Builder, config: trt.IBuilderConfig, image: TensorSpec
    ) -> None:
        profile = builder.create_optimization_profile()
        profile.set_shape(image.name, image.shape, image.shape, image.shape)
        if config.add_optimization_profile(profile) < 0:
            raise BuildError(
                f'input {image.name!r}: TensorRT {self._version} does not take '
                f'{image.describe()}: {logged_errors.text()}; correct input.width and '
                'input.height of the manifest'
            )
        self._notes.append(f'the plan takes {image.describe()} only')

    def _use_dla(
        self, builder: trt.Builder, config: trt.IBuilderConfig, network: trt.INetworkDefinition
    ) -> None:
        import tensorrt as trt

        core = self._device.dla
        if core is None or core >= builder.num_DLA_cores:
            raise BuildError(
                f'device dla{core}: {self._device.gpu.name} has {builder.num_DLA_cores} DLA '
                'cores; build for gpu:0'
            )
        config.default_device_type = trt.DeviceType.DLA
        config.DLA_core = core
        config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
        layers = [network.get_layer(index) for index in range(network.num_layers)]
        on_gpu = sum(not config.can_run_on_DLA(layer) for layer in layers)
        if on_gpu:
            self._notes.append(f'{on_gpu} of {len(layers)} layers run on the GPU, not on the DLA')

    def _read_timing_cache(self, config: trt.IBuilderConfig) -> trt.ITimingCache | None:
        """Return the cache that the build fills; None when the user wants none."""
        if not self._options.timing_cache:
            return None
        path = Path(self._options.timing_cache).expanduser()
        try:
            content = path.read_bytes() if path.exists() else b''
        except OSError as error:
            raise BuildError(
                f'timing cache {path}: cannot be read: {error.strerror}; correct the path'
            ) from error
        cache = config.create_timing_cache(content)
        if not config.set_timing_cache(cache, ignore_mismatch=False):
            self._notes.append(f'{path} is of another GPU or TensorRT, and was started again')
            cache = config.create_timing_cache(b'')
            config.set_timing_cache(cache, ignore_mismatch=False)
        return cache

    def _write_timing_cache(self, config: trt.IBuilderConfig) -> None:
        """Replace the file as a whole, because another build may read it at the same time."""
        path = Path(self._options.timing_cache).expanduser()
        try:
            write_whole(path, bytes(config.get_timing_cache().serialize()))
        except OSError as error:
            self._notes.append(f'timing cache {path}: cannot be written: {error.strerror}')
