# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Engines: tensors in, tensors out, nothing else.

``EngineType`` is the cheap descriptor that a plugin registers, ``Engine`` a loaded model. Public
methods check and guard; authors override the methods with a leading underscore.

::

    EngineType.create ──> created ──activate──> active ──infer──> active
                             ^                    │
                             └─────deactivate─────┘
"""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from contextlib import nullcontext
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
import threading
from types import TracebackType
from typing import ClassVar
from typing import final

import numpy as np

from edge_perception.contract.errors import EngineError
from edge_perception.contract.errors import EngineStateError
from edge_perception.contract.errors import EngineUnavailableError
from edge_perception.contract.errors import in_words
from edge_perception.contract.errors import InferenceError
from edge_perception.contract.errors import TensorMismatchError
from edge_perception.contract.manifest import ModelManifest
from edge_perception.contract.options import Options
from edge_perception.contract.types import Availability
from edge_perception.contract.types import ModelDescription
from edge_perception.contract.types import Tensor
from edge_perception.contract.types import Tensors
from edge_perception.contract.types import TensorSpec


@dataclass(frozen=True, slots=True)
class Capabilities:
    """
    What an engine type can do, as it says itself; ``edge-perception plugins --json`` lists it.

    :param precisions: of fp32, fp16, int8.
    :param dynamic_shapes: whether inputs may have -1 in their shape.
    :param metadata: whether ``describe`` gives what the training tool left in a file.
    """

    precisions: tuple[str, ...] = ('fp32',)
    dynamic_shapes: bool = False
    metadata: bool = False


class Engine(ABC):
    """
    One model, loaded and ready to run.

    All methods are called from one thread at a time; a second thread that comes while the first is
    inside gets ``EngineStateError``. Any thread may be the one.

    **Python's lock (GIL).** ``infer`` gives it up while the library computes: images, parameters,
    services and the watchdog are served by other Python threads meanwhile. ``ctypes.CDLL``,
    pybind11 with ``gil_scoped_release`` and Cython's ``nogil`` do; ``ctypes.PyDLL`` does not.

    **Arrays.** Input buffers and outputs are NumPy arrays in the layout, shape and dtype of the
    artifact, as the ``TensorSpec`` says: nothing is transposed between NCHW and NHWC. Input
    buffers are C-contiguous, writable and in the byte order of the machine. What a caller gives
    to ``infer`` may be read-only or have strides (negative ones, too) and is copied then. Outputs
    may have strides and may be memory of the runtime; who keeps one copies it.

    :param inputs: what the model takes, in its own order.
    :param outputs: what it gives, in its own order.
    :param device: what it really computes on, for people, e.g. ``cpu`` or ``GPU.0``; empty when
        there is nothing to choose.
    :param precision: fp32, fp16 or bf16, where artifact or runtime say after loading in which
        they compute what is not quantized; empty where only the options do, see
        ``EngineType.precision``, whose place it takes in proofs and diagnostics.
    :param batches: for how many frames at once ``infer`` takes inputs, in rising order; 1 is one
        of them. For others, inputs and outputs have this size as their first one instead of 1.
    :raises ValueError: a batch of tensors whose first size is not 1, or 1 is missing.
    """

    def __init__(
        self,
        *,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        device: str = '',
        precision: str = '',
        batches: tuple[int, ...] = (1,),
    ) -> None:
        if 1 not in batches or batches != tuple(sorted(batches)):
            raise ValueError(f'batches: got {batches}, expected rising sizes, 1 among them')
        open_specs = [spec.name for spec in (*inputs, *outputs) if spec.shape[:1] != (1,)]
        if batches != (1,) and open_specs:
            raise ValueError(f'batches: got {batches}, but no rows in {", ".join(open_specs)}')
        self.inputs = inputs
        self.outputs = outputs
        self.device = device
        self.precision = precision
        self.batches = batches
        self._active = False
        self._entered = threading.Lock()
        self._plain_buffers: dict[str, Tensor] | None = None

    @property
    def active(self) -> bool:
        """Whether ``infer`` may be called."""
        return self._active

    @property
    def condition(self) -> str:
        """What is wrong with it although it is active, in words for diagnostics. Thread: any."""
        return ''

    @final
    def activate(self) -> None:
        """
        Take memory and devices. Does nothing when active already.

        :raises EngineError: the device or its memory cannot be taken; the engine stays inactive.
        """
        with self._one_thread('activate'):
            if self._active:
                return
            try:
                self._activate()
            except BaseException as error:
                # A failure to release must not hide why activation failed.
                with suppress(Exception):
                    self._deactivate()
                if isinstance(error, EngineError) or not isinstance(error, Exception):
                    raise
                name = type(self).__name__
                raise EngineUnavailableError(name, reason=in_words(error)) from error
            self._active = True

    @final
    def deactivate(self) -> None:
        """
        Release everything that ``activate`` took. Does nothing when inactive.

        :raises InferenceError: the runtime failed; the engine is inactive all the same.
        """
        with self._one_thread('deactivate'), self._errors_of_the_runtime():
            if not self._active:
                return
            self._active = False
            self._plain_buffers = None
            self._deactivate()

    @final
    def input_buffers(self) -> Mapping[str, Tensor]:
        """
        Return the arrays into which the next frame is written.

        They belong to the engine and are valid until the next ``infer`` returns. Take them again
        for each frame and never keep them: an engine may move its memory between two frames.

        :return: a writable C-contiguous array for each input, content undefined.
        :raises EngineStateError: the engine is not active.
        :raises InferenceError: the runtime failed.
        """
        with self._one_thread('input_buffers'), self._errors_of_the_runtime():
            self._require_active('input_buffers')
            return self._input_buffers()

    @final
    def infer(self, tensors: Tensors) -> Tensors:
        """
        Run the model once.

        Frames that overlap and batches come in C-contiguous arrays of the caller, which an engine
        reads where they are if its runtime can, else copies.

        :param tensors: one array for each input, not changed while it runs; best those of
            ``input_buffers``, because others may be copied. For a batch, a row for each frame; its
            size is one of ``batches``, and rows have nothing to do with each other.
        :return: one array for each output, with a row for each frame; they belong to the engine
            and are valid until the next call of any of its methods.
        :raises EngineStateError: the engine is not active, or another thread is inside.
        :raises TensorMismatchError: an input is missing, or has another shape or dtype.
        :raises InferenceError: the runtime failed, or gave other outputs than it promised.
        """
        with self._one_thread('infer'), self._errors_of_the_runtime():
            self._require_active('infer')
            rows = self._check_inputs(tensors)
            outputs = self._infer(tensors)
            for spec in self.outputs:
                spec = spec.rows(rows) if rows > 1 else spec
                tensor = outputs.get(spec.name)
                # Of an output without dimensions only the dtype is known.
                if (
                    tensor is None
                    or tensor.dtype != spec.dtype
                    or not (spec.admits(tensor) or not spec.shape)
                ):
                    raise InferenceError(
                        f'{type(self).__name__}: output {spec.name!r}: got {_described(tensor)}, '
                        f'expected {spec.describe()}, which the engine promised'
                    )
            return outputs

    def _check_inputs(self, tensors: Tensors) -> int:
        """Return how many frames the inputs have."""
        first = tensors.get(self.inputs[0].name) if self.batches != (1,) else None
        rows = len(first) if first is not None and first.ndim else 1
        rows = rows if rows in self.batches else 1
        for spec in self.inputs:
            tensor = tensors.get(spec.name)
            if tensor is None or not (spec.rows(rows) if rows > 1 else spec).admits(tensor):
                sizes = ', '.join(map(str, self.batches))
                batches = f', in batches of {sizes}' if self.batches != (1,) else ''
                raise TensorMismatchError(
                    spec.name, got=_described(tensor), expected=spec.describe() + batches
                )
        return rows

    @final
    def warm_up(self, runs: int = 3) -> None:
        """
        Run the model on zeros, so that the first real frame is not slower than the others.

        :raises InferenceError: the runtime failed.
        """
        for _ in range(runs):
            buffers = self.input_buffers()
            for buffer in buffers.values():
                buffer.fill(0)
            self.infer(buffers)

    @final
    def health(self) -> Mapping[str, float]:
        """
        Return how the device is: numbers by name, with the unit in the name.

        ``temperature_c``, ``utilization_percent`` and ``throttled`` (1 while the device is slowed
        down by heat or lack of power) mean the same for all engines; others are free. Called by
        the thread that calls ``infer``, between two frames, at most once a second.

        :return: empty where nothing can be read.
        :raises EngineStateError: the engine is not active.
        :raises InferenceError: it cannot be read.
        """
        with self._one_thread('health'), self._errors_of_the_runtime():
            self._require_active('health')
            return {name: float(value) for name, value in self._health().items()}

    @abstractmethod
    def _activate(self) -> None:
        """Take memory and devices; may raise ``EngineError``."""

    @abstractmethod
    def _infer(self, tensors: Tensors) -> Tensors:
        """Run once; the tensors were checked already. No logging, no memory that grows."""

    def _deactivate(self) -> None:
        """Release what ``_activate`` took; also called after an ``_activate`` that failed."""

    def _input_buffers(self) -> Mapping[str, Tensor]:
        """Return input memory; override it where the runtime owns memory that can be written."""
        if self._plain_buffers is None:
            self._plain_buffers = {
                spec.name: np.zeros([max(size, 1) for size in spec.shape], spec.dtype)
                for spec in self.inputs
            }
        return self._plain_buffers

    def _health(self) -> Mapping[str, float]:
        """Return numbers of the device; takes less than a millisecond, and waits for nothing."""
        return {}

    @final
    def __enter__(self) -> Engine:
        self.activate()
        return self

    @final
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A failure to release must not hide what ended the block.
        with suppress(EngineError) if error else nullcontext():
            self.deactivate()

    @contextmanager
    def _one_thread(self, method: str) -> Iterator[None]:
        if not self._entered.acquire(blocking=False):
            raise EngineStateError(
                f'{type(self).__name__}.{method} was called while another thread was inside the '
                'engine, expected one thread at a time'
            )
        try:
            yield
        finally:
            self._entered.release()

    @contextmanager
    def _errors_of_the_runtime(self) -> Iterator[None]:
        try:
            yield
        except EngineError:
            raise
        except Exception as error:
            raise InferenceError(f'{type(self).__name__} failed: {in_words(error)}') from error

    def _require_active(self, method: str) -> None:
        if not self._active:
            raise EngineStateError(
                f'{type(self).__name__}.{method} was called on an inactive engine, '
                'expected activate before it'
            )


def _described(tensor: Tensor | None) -> str:
    return 'nothing' if tensor is None else TensorSpec('', tensor.shape, tensor.dtype).describe()


class EngineType(ABC):
    """
    Describe an engine and make instances of it; this is what a plugin registers.

    Instances are stateless and cheap: making one, and importing the module, imports no vendor
    library. Methods may be called from any thread.

    :param name: what users write in the parameter ``engine``.
    :param artifact_suffixes: files that the engine can load, with the dot.
    :param artifact_parts: by suffix, what belongs to an artifact that is more than one file:
        ``{'.xml': ('.bin',)}`` for a second file beside it under the same name, ``FOLDER`` for a
        folder that has the suffix, with everything in it. The host loads none that lacks a part,
        and a proof covers all of them.
    :param options_type: its options; they become parameters ``engine_options.<name>.<option>``.
    :param build_target: the builder that makes its artifacts, if that has another name.
    :param auto_rank: its place where ``engine: auto`` tries one after the other, lowest first, by
        name where it is the same. Ours: accelerators 10, libraries for a processor 20 to 40, by
        the speed of YOLOX-nano on x86-64 (docs/engines.md).
    """

    name: ClassVar[str]
    artifact_suffixes: ClassVar[tuple[str, ...]]
    artifact_parts: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    options_type: ClassVar[type[Options]] = Options
    capabilities: ClassVar[Capabilities] = Capabilities()
    build_target: ClassVar[str] = ''
    auto_rank: ClassVar[int] = 100

    def precision(self, options: Options) -> str:
        """
        Return in what the numbers of an artifact in float32 are computed: fp32, fp16 or bf16.

        With fp32 the ONNX of a model needs no proof; with anything else it does.
        """
        return 'fp32'

    def device_key(self, options: Options) -> str:
        """
        Return the device for which artifacts of this engine are made; ``any`` where it is open.

        :raises EngineUnavailableError: it cannot be found out.
        """
        return 'any'

    @abstractmethod
    def probe(self) -> Availability:
        """Tell whether the engine can work on this machine; quick, and never raises."""

    @abstractmethod
    def describe(self, artifact: Path) -> ModelDescription:
        """
        Read tensors and metadata of an artifact without running it.

        :raises ArtifactError: the file cannot be read.
        :raises EngineUnavailableError: the vendor library is missing.
        """

    @abstractmethod
    def create(self, manifest: ModelManifest, artifact: Path, options: Options) -> Engine:
        """
        Load an artifact. May take seconds.

        :param options: an instance of ``options_type``.
        :raises ArtifactError: the file is missing, damaged, foreign or stale.
        :raises TensorMismatchError: the input is not what the manifest says.
        :raises EngineUnavailableError: the library or the device is missing.
        :raises OptionError: an option without effect beside the others, or of no use here.
        """
