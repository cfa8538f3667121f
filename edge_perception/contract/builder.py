# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Builders: convert an ONNX file to the artifact of one engine, in a workspace of the host."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from pathlib import Path
import shutil
from typing import Any
from typing import ClassVar

from edge_perception.contract.errors import BuildError
from edge_perception.contract.manifest import ModelManifest
from edge_perception.contract.options import Options
from edge_perception.contract.types import Availability
from edge_perception.contract.types import Tensors

# What the host can make of an ONNX before a builder sees it: simplified; with weights and layers
# in float16 but inputs and outputs as they were; with QuantizeLinear and DequantizeLinear, in
# unsigned activations as x86-64 processors want them, or all symmetric as TensorRT wants them.
SOURCE_FORMS = ('float32', 'float16', 'qdq_unsigned', 'qdq_symmetric')


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """
    Input of a build: everything that decides the content of the artifact.

    :param source: the ONNX file in the form that the builder wants, with its weights inside.
    :param precision: fp32, fp16 or int8.
    :param calibration: images for int8, in a fixed order; empty otherwise.
    :param options: an instance of the builder's ``options_type``.
    :param samples: yields the inputs of ``source`` for each of these images, starting over at each
        call; each is valid until the next one. None where there are no images.
    :param head: names of the nodes of ``source`` to keep in float: those behind the last
        convolutions, because one scale for boxes and scores makes all scores zero.
    :param keep_float: names of nodes of other layers to keep in float, because INT8 lost too much.
    """

    manifest: ModelManifest
    source: Path
    precision: str = 'fp32'
    calibration: tuple[Path, ...] = ()
    options: Options = field(default_factory=Options)
    samples: Callable[[], Iterator[Tensors]] | None = None
    head: tuple[str, ...] = ()
    keep_float: tuple[str, ...] = ()

    def copy_source(self, target: Path) -> Path:
        """
        Copy ``source``, and return the path of the copy.

        :raises BuildError: it cannot be read, or the copy cannot be written.
        """
        try:
            return Path(shutil.copyfile(self.source, target))
        except OSError as error:
            raise BuildError(
                f'{self.source}: cannot be copied to {target.parent}: {error.strerror or error}; '
                'check the disk and the permissions of both'
            ) from error


def package_version(name: str) -> str:
    """Return the version of a Python package; empty where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ''


@dataclass(frozen=True, slots=True)
class BuildReport:
    """
    Result of a build.

    :param artifact: the file inside the workspace, or the folder; the host moves it into place,
        with all that lies beside it.
    :param versions: versions of the tools that were used, by name.
    :param notes: sentences for the user, e.g. layers that stayed in float.
    """

    artifact: Path
    versions: Mapping[str, str]
    notes: tuple[str, ...] = ()


class Builder(ABC):
    """
    Make artifacts for one engine. A plugin registers an instance; it is stateless and cheap.

    :param name: what users write after ``--target``.
    :param suffix: of the artifacts that it makes, with the dot.
    :param precisions: of fp32, fp16, int8.
    :param engine: which engine loads the artifacts, if that has another name.
    :param keeps_float: whether it leaves the nodes of ``BuildPlan.keep_float`` in float.
    :param folds_preprocessing: whether its artifacts are ONNX, and the engine takes uint8, so that
        the host can put normalization and layout before their input.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    precisions: ClassVar[tuple[str, ...]] = ('fp32',)
    options_type: ClassVar[type[Options]] = Options
    engine: ClassVar[str] = ''
    keeps_float: ClassVar[bool] = False
    folds_preprocessing: ClassVar[bool] = False

    @abstractmethod
    def probe(self) -> Availability:
        """Tell whether the tools are installed; quick, and never raises."""

    def source_form(self, precision: str) -> str:
        """Return which of ``SOURCE_FORMS`` the builder wants for a precision."""
        return 'float32'

    def engine_options(self, options: Options) -> Mapping[str, Any]:
        """
        Return the options, by name, without which the engine cannot load the artifact.

        The gate and the proof are made with them; others keep their default.

        :param options: an instance of the builder's ``options_type``.
        """
        return {}

    @abstractmethod
    def fingerprint(self, plan: BuildPlan) -> Mapping[str, str]:
        """
        Return what the artifact depends on besides the plan: versions of tools, and the device.

        Two equal fingerprints of equal plans promise interchangeable artifacts.

        :param plan: before the host has prepared anything: its ``source`` is that of the model,
            and ``samples``, ``head`` and ``keep_float`` are empty.
        """

    @abstractmethod
    def build(self, plan: BuildPlan, workspace: Path) -> BuildReport:
        """
        Make the artifact.

        :param workspace: an empty folder; nothing is written anywhere else.
        :raises BuildError: with what failed and what to do.
        """
