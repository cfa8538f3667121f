# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any
from typing import ClassVar

import numpy as np

from edge_perception.contract import Availability
from edge_perception.contract import Capabilities
from edge_perception.contract import check_inputs
from edge_perception.contract import Engine
from edge_perception.contract import EngineType
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import InferenceError
from edge_perception.contract import ModelDescription
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Tensor
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception_openvino import compiled_model
from edge_perception_openvino import devices
from edge_perception_openvino.errors import one_line
from edge_perception_openvino.library import ENGINE
from edge_perception_openvino.library import load_library
from edge_perception_openvino.library import runtime_version
from edge_perception_openvino.options import OpenVinoOptions

# Of models whose first dimension is open. Each size that comes is compiled for itself, which takes
# memory for the weights again.
BATCHES = (1, 2, 4, 8)


class OpenVinoEngineType(EngineType):
    """ONNX files, IR and TFLite files on OpenVINO."""

    name = ENGINE
    auto_rank = 20
    artifact_suffixes = ('.onnx', '.xml', '.tflite')
    artifact_parts: ClassVar[Mapping[str, tuple[str, ...]]] = {'.xml': ('.bin',)}
    options_type = OpenVinoOptions
    capabilities = Capabilities(precisions=('fp32', 'fp16', 'int8'), dynamic_shapes=True)

    def precision(self, options: Options) -> str:
        """Return fp16 for devices that have nothing else, and what the option says for others."""
        assert isinstance(options, OpenVinoOptions)
        return devices.precision(options)

    def probe(self) -> Availability:
        """Tell whether OpenVINO is here, and which devices it finds."""
        try:
            library = load_library()
        except EngineUnavailableError as error:
            return Availability(available=False, reason=error.reason, remedy=error.remedy)
        return Availability(
            available=True,
            runtime=runtime_version(library),
            devices=tuple(library.Core().available_devices),
        )

    def describe(self, artifact: Path) -> ModelDescription:
        """Read tensors and metadata; nothing is compiled, which is what takes the time."""
        library = load_library()
        model = compiled_model.read_model(library, library.Core(), artifact)
        inputs, outputs = compiled_model.tensor_specs(artifact, model)
        return ModelDescription(
            inputs=inputs, outputs=outputs, metadata=compiled_model.metadata(model)
        )

    def create(self, manifest: ModelManifest, artifact: Path, options: Options) -> Engine:
        """Load and compile a model; where its input is open, it becomes that of the manifest."""
        assert isinstance(options, OpenVinoOptions)
        return OpenVinoEngine(artifact, partial(_load, manifest, artifact, options))


@dataclass(frozen=True, slots=True)
class _Loaded:
    core: Any  # 2022.3 forgets properties of a model whose core is gone
    compiled: Any
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    device: str
    static: bool
    image_at: int  # position of the image among the inputs
    fed: Mapping[int, Any]  # tensors of the others, by their positions
    precision: str
    batches: tuple[int, ...]
    # Compiles the same for so many frames; None where it takes one.
    for_batch: Callable[[int], Any] | None


def _load(manifest: ModelManifest, artifact: Path, options: OpenVinoOptions) -> _Loaded:
    library = load_library()
    core = library.Core()
    model = compiled_model.read_model(library, core, artifact)
    inputs, _ = compiled_model.tensor_specs(artifact, model)
    image, fed = check_inputs(manifest, inputs, artifact=artifact)
    names = [spec.name for spec in inputs]
    shapes = {names.index(name): values.shape for name, values in fed.items()}
    position = names.index(image.name)
    fitting = not fed and compiled_model.takes_batches(model, image.shape)
    batches = BATCHES if fitting else (1,)
    compiled_model.set_input_shapes(artifact, model, {position: image.shape, **shapes})
    _, outputs = compiled_model.tensor_specs(artifact, model)
    compile_it = partial(
        compiled_model.compile_model, library, core, model, artifact=artifact, options=options
    )

    def for_batch(frames: int) -> Any:
        model.reshape({model.inputs[0]: [frames, *image.shape[1:]]})
        return compile_it()

    compiled = compile_it()
    return _Loaded(
        core,
        compiled,
        (image,),
        outputs,
        device=devices.devices_taken(compiled, options),
        static=compiled_model.is_static(model),
        precision=devices.PRECISIONS.get(devices.taken_precision(compiled), ''),
        batches=batches,
        # It keeps the model that was read.
        for_batch=for_batch if batches != (1,) else None,
        image_at=position,
        fed={names.index(name): library.Tensor(each) for name, each in fed.items()},
    )


class OpenVinoEngine(Engine):
    """
    A request for each size of batch, in whose own memory inputs are written and outputs are read.

    :param load: compiles the model; called now and at every activation but the first.
    """

    def __init__(self, artifact: Path, load: Callable[[], _Loaded]) -> None:
        loaded = load()
        super().__init__(
            inputs=loaded.inputs,
            outputs=loaded.outputs,
            device=loaded.device,
            precision=loaded.precision,
            batches=loaded.batches,
        )
        self._artifact = artifact
        self._load = load
        self._loaded: _Loaded | None = loaded
        self._image_at = loaded.image_at
        # By the number of frames, with what runs each; compiled when such a batch comes first.
        self._requests: dict[int, tuple[Any, Callable[[], object]]] = {}
        self._buffers: dict[str, Tensor] = {}

    def _activate(self) -> None:
        if self._loaded is None:
            self._loaded = self._load()
        self._requests[1] = self._make_request(self._loaded.compiled)

    def _make_request(self, compiled: Any) -> tuple[Any, Callable[[], object]]:
        """
        Return a request and what runs it: in this thread, or else in one of OpenVINO.

        This thread is faster on a busy machine, where waking the other one and being woken by it
        took 5 % of a frame of YOLOX-nano. But with one thread on the CPU, OpenVINO 2026.4 keeps
        silent about what fails there, and leaves the outputs of the frame before; what can fail
        are sizes that follow from the image.
        """
        request = compiled.create_infer_request()
        for position, values in (self._loaded.fed if self._loaded else {}).items():
            request.set_input_tensor(position, values)
        if self._loaded is not None and self._loaded.static and self.device == 'CPU':
            # Since 2023; before, infer() always copies the outputs, which is not needed.
            known = signature(request.infer).parameters
            settings = {'share_outputs': True} if 'share_outputs' in known else {}
            return request, partial(request.infer, **settings)

        def run() -> None:
            request.start_async()
            request.wait()

        return request, run

    def _deactivate(self) -> None:
        self._buffers = {}
        self._requests = {}
        self._loaded = None

    def _input_buffers(self) -> Mapping[str, Tensor]:
        # For each frame: a device may give the request other memory.
        self._buffers = {
            self.inputs[0].name: self._requests[1][0].get_input_tensor(self._image_at).data
        }
        return self._buffers

    def _infer(self, tensors: Tensors) -> Tensors:
        tensor = tensors[self.inputs[0].name]
        frames = len(tensor) if self.batches != (1,) else 1
        if frames not in self._requests:
            assert self._loaded is not None and self._loaded.for_batch is not None
            self._requests[frames] = self._make_request(self._loaded.for_batch(frames))
        request, run = self._requests[frames]
        if tensor is not self._buffers.get(self.inputs[0].name):
            np.copyto(request.get_input_tensor(self._image_at).data, tensor)
        try:
            run()
        except RuntimeError as error:
            raise InferenceError(
                f'{self._artifact}: openvino failed: {one_line(str(error))}'
            ) from error
        return {
            spec.name: request.get_output_tensor(index).data
            for index, spec in enumerate(self.outputs)
        }
