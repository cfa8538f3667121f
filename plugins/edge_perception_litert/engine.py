# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_perception.contract import Availability
from edge_perception.contract import Capabilities
from edge_perception.contract import check_only_input
from edge_perception.contract import Engine
from edge_perception.contract import EngineType
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import in_words
from edge_perception.contract import InferenceError
from edge_perception.contract import ModelDescription
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Tensor
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception.contract import try_load
from edge_perception_litert import edge_tpu
from edge_perception_litert.delegates import choose_delegate
from edge_perception_litert.delegates import is_edge_tpu
from edge_perception_litert.delegates import load_delegate
from edge_perception_litert.delegates import try_delegate
from edge_perception_litert.errors import artifact_error
from edge_perception_litert.interpreter import copied_output
from edge_perception_litert.interpreter import Delegate
from edge_perception_litert.interpreter import has_memory
from edge_perception_litert.interpreter import InterpreterSession
from edge_perception_litert.interpreter import known_outputs
from edge_perception_litert.interpreter import shared_array
from edge_perception_litert.library import ENGINE
from edge_perception_litert.library import Library
from edge_perception_litert.library import load_library
from edge_perception_litert.metadata import read_metadata
from edge_perception_litert.model_file import check_filters
from edge_perception_litert.model_file import ModelFile
from edge_perception_litert.model_file import parse_model
from edge_perception_litert.model_file import read_model
from edge_perception_litert.options import LiteRtOptions


class LiteRtEngineType(EngineType):
    """TFLite files on LiteRT, on the CPU, on a Coral Edge TPU, or through another delegate."""

    name = ENGINE
    auto_rank = 40
    artifact_suffixes = ('.tflite',)
    build_target = 'tflite'
    options_type = LiteRtOptions
    capabilities = Capabilities(
        precisions=('fp32', 'fp16', 'int8'), dynamic_shapes=True, metadata=True
    )

    def precision(self, options: Options) -> str:
        """Return fp16 for delegates, which compute in it where they have it, else fp32."""
        assert isinstance(options, LiteRtOptions)
        # Files for an Edge TPU are in INT8, and proven on it.
        return 'fp16' if options.delegate and options.device == 'cpu' else 'fp32'

    def device_key(self, options: Options) -> str:
        """Return ``edgetpu`` where files are compiled for it, else ``any``."""
        assert isinstance(options, LiteRtOptions)
        return 'any' if options.device == 'cpu' else edge_tpu.DEVICE

    def probe(self) -> Availability:
        """Tell whether LiteRT is here, and which Edge TPUs are plugged in."""
        try:
            library = load_library()
        except EngineUnavailableError as error:
            return Availability(available=False, reason=error.reason, remedy=error.remedy)
        return Availability(
            available=True, runtime=library.runtime, devices=edge_tpu.device_names()
        )

    def describe(self, artifact: Path) -> ModelDescription:
        """Read tensors and metadata; shapes that only the runtime knows are asked of it."""
        session, model = _read(artifact, LiteRtOptions(threads=1))
        outputs = model.outputs
        if edge_tpu.CUSTOM_OPERATOR not in model.custom_operators:
            shapes = tuple(spec.shape for spec in model.inputs)
            fixed = all(size > 0 for shape in shapes for size in shape)
            session = replace(session, shapes=shapes if fixed else None)
            _try(session, artifact)
            if fixed:
                outputs = known_outputs(_open(session, None, artifact), outputs)
        metadata = read_metadata(model.metadata, session.content)
        return ModelDescription(inputs=model.inputs, outputs=outputs, metadata=metadata)

    def create(self, manifest: ModelManifest, artifact: Path, options: Options) -> Engine:
        """Load a model; where its input is open, it becomes that of the manifest."""
        assert isinstance(options, LiteRtOptions)
        delegate = choose_delegate(options)
        session, model = _read(artifact, options)
        image = check_only_input(manifest, model.inputs, artifact=artifact)
        check_filters(session.content, artifact=artifact)
        edge_tpu.check_compiled(model, wanted=is_edge_tpu(delegate), artifact=artifact)
        # Operators that may be those of the delegate can be read without it, and not run.
        foreign = delegate is not None and bool(model.custom_operators)
        alone = replace(session, shapes=None if foreign else (image.shape,))
        _try(alone, artifact)
        session = replace(session, shapes=(image.shape,))
        if delegate is not None:
            try_delegate(session, delegate, artifact=artifact)
        interpreter = _open(session, delegate, artifact)
        return LiteRtEngine(
            artifact,
            session=session,
            delegate=delegate,
            interpreter=interpreter,
            inputs=(image,),
            outputs=known_outputs(interpreter, model.outputs),
            device=_device(options, delegate, model, session.library),
        )


def _read(artifact: Path, options: LiteRtOptions) -> tuple[InterpreterSession, ModelFile]:
    library = load_library()
    content = read_model(artifact)
    session = InterpreterSession(
        library=library,
        content=content,
        threads=options.threads,
        xnnpack=options.xnnpack,
        shapes=None,
    )
    return session, parse_model(content, artifact=artifact)


def _try(session: InterpreterSession, artifact: Path) -> None:
    outcome = try_load(session.trial(), artifact, session.content)
    if outcome.stage:
        raise artifact_error(artifact, outcome.error, runtime=session.library.runtime)


def _open(session: InterpreterSession, delegate: Delegate | None, artifact: Path) -> Any:
    delegates = load_delegate(session.library, delegate)
    try:
        return session.open(delegates)
    except Exception as error:
        raise artifact_error(artifact, str(error), runtime=session.library.runtime) from error


def _device(
    options: LiteRtOptions, delegate: Delegate | None, model: ModelFile, library: Library
) -> str:
    if delegate is None:
        return options.device
    if not is_edge_tpu(delegate):
        return f'{delegate.name}, the rest on the CPU'
    rest = edge_tpu.operators_on_cpu(model, library)
    return f'{options.device}, on the CPU: {rest}' if rest else options.device


class LiteRtEngine(Engine):
    """
    One interpreter, whose own memory is written and read.

    A model whose outputs have an open shape may move its memory while it runs; its inputs and
    outputs are copied.

    :param interpreter: of the session and the delegate; used by the first activation.
    """

    def __init__(
        self,
        artifact: Path,
        *,
        session: InterpreterSession,
        delegate: Delegate | None,
        interpreter: Any,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        device: str,
    ) -> None:
        super().__init__(inputs=inputs, outputs=outputs, device=device)
        self._artifact = artifact
        self._session = session
        self._delegate = delegate
        self._interpreter = interpreter
        self._input_indices: dict[str, int] = {}
        self._output_indices: dict[str, int] = {}
        self._shares_memory = False
        self._lent: dict[str, Tensor] = {}

    def _activate(self) -> None:
        if self._interpreter is None:
            self._interpreter = _open(self._session, self._delegate, self._artifact)
        details = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._input_indices, self._output_indices = (
            {spec.name: each['index'] for spec, each in zip(specs, side)}
            for specs, side in zip((self.inputs, self.outputs), details)
        )
        self._shares_memory = all(
            has_memory(self._interpreter, index) for index in self._output_indices.values()
        )

    def _deactivate(self) -> None:
        self._interpreter = None
        self._lent = {}

    def _input_buffers(self) -> Mapping[str, Tensor]:
        if not self._shares_memory:
            return super()._input_buffers()
        self._lent = self._memory(self._input_indices)
        return dict(self._lent)  # in theirs, they may put another array into the place of ours

    def _health(self) -> Mapping[str, float]:
        delegate = self._delegate
        if delegate is None or not is_edge_tpu(delegate):
            return {}
        return edge_tpu.health(dict(delegate.options).get('device', ''))

    def _infer(self, tensors: Tensors) -> Tensors:
        interpreter = self._interpreter
        for name, index in self._input_indices.items():
            if tensors[name] is not self._lent.get(name):
                interpreter.set_tensor(index, tensors[name])
        self._lent = {}
        try:
            interpreter.invoke()
        except Exception as error:
            hint = '; see that the Edge TPU is still there' if is_edge_tpu(self._delegate) else ''
            raise InferenceError(
                f'{self._artifact}: {self._session.library.runtime} failed: '
                f'{in_words(error)}{hint}'
            ) from error
        if self._shares_memory:
            return self._memory(self._output_indices)
        return {
            spec.name: copied_output(interpreter, details)
            for spec, details in zip(self.outputs, interpreter.get_output_details())
        }

    def _memory(self, indices: Mapping[str, int]) -> dict[str, Tensor]:
        """Return the memory of some tensors, where it is now."""
        return {
            name: shared_array(self._interpreter, self._interpreter.tensor(index))
            for name, index in indices.items()
        }
