# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Decoders: output tensors of a model to what was perceived, in pixels of the source image."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from dataclasses import replace
from typing import Any
from typing import ClassVar
from typing import final

from edge_perception.contract.boxes import Floats
from edge_perception.contract.boxes import raise_not_finite
from edge_perception.contract.boxes import usable_scores
from edge_perception.contract.errors import DecodeError
from edge_perception.contract.errors import DecoderError
from edge_perception.contract.errors import DecoderMismatchError
from edge_perception.contract.errors import in_words
from edge_perception.contract.errors import NotFiniteError
from edge_perception.contract.guessing import FileFacts
from edge_perception.contract.guessing import Guess
from edge_perception.contract.manifest import ModelManifest
from edge_perception.contract.options import Options
from edge_perception.contract.types import ImageTransform
from edge_perception.contract.types import Perception
from edge_perception.contract.types import Selection
from edge_perception.contract.types import Tensors
from edge_perception.contract.types import TensorSpec

# What a decoder may fill; the names of the fields of ``Perception``.
TASKS = ('detections', 'keypoints', 'classes', 'mask', 'instances')


class Decoder(ABC):
    """
    Decode the outputs of one model family. A plugin registers the class itself.

    A decoder knows no engine: the tensors are float32 or integers as the model gives them. It is
    made once, in ``configure``, and called from one thread.

    :param name: what manifests write under ``decoder.name``.
    :param tasks: fields of ``Perception`` that every call fills; an instance may have its own.
    :param class_count: how many classes the model tells apart; None where that is unknown.
    :param score_outputs: outputs that hold scores or boxes from 0 to 1; an instance sets them.
    :param options_type: what manifests may write under ``decoder.options``.
    """

    name: ClassVar[str]
    tasks: frozenset[str]
    class_count: int | None = None
    score_outputs: tuple[str, ...] = ()
    options_type: ClassVar[type[Options]] = Options

    def __init__(
        self, manifest: ModelManifest, *, outputs: tuple[TensorSpec, ...], options: Options
    ) -> None:
        """
        Take the model's outputs and check that they fit.

        :param outputs: what the engine gives; -1 where a size is only known at run time.
        :param options: an instance of ``options_type``.
        :raises DecoderMismatchError: the outputs are not those of this family.
        """
        self.manifest = manifest
        self.outputs = outputs
        self.options = options
        self._bind()

    @classmethod
    def guess(cls, facts: FileFacts) -> Guess | None:
        """
        Return how this decoder would read a model file; None when it would not.

        For drafts of manifests. What the metadata says counts more than shapes: beside guesses
        that are certain the others are dropped, and of several that are left none is chosen.
        """
        return None

    @final
    def decode(
        self, tensors: Tensors, *, transform: ImageTransform, selection: Selection
    ) -> Perception:
        """
        Decode the outputs for one frame.

        :param tensors: one array for each output; read only, valid during the call.
        :param transform: the way back to the source image.
        :return: new arrays in pixels of the source image, not clipped, best score first.
        :raises NotFiniteError: more than half of the scores, or what would be reported, is not
            finite.
        :raises DecodeError: the numbers cannot be decoded.
        """
        self._cells_scored = self._cells_broken = 0
        try:
            perception = self._decode(tensors, transform, selection)
            if 2 * self._cells_broken > self._cells_scored:
                raise_not_finite('scores')
        except DecoderError:
            raise
        except FloatingPointError as error:
            raise NotFiniteError(f'decoder {self.name!r} failed: {error}') from error
        except Exception as error:
            raise DecodeError(f'decoder {self.name!r} failed: {in_words(error)}') from error
        for task in self.tasks:
            if getattr(perception, task, None) is None:
                raise DecodeError(f'decoder {self.name!r} gave no {task}, which it promises')
        if self._cells_broken:
            perception = replace(perception, not_finite=self._cells_broken / self._cells_scored)
        return perception

    def usable(self, score: Floats, **limits: Any) -> Floats:
        """
        Return scores for a threshold, to be called in ``_decode`` with all that the model gives.

        A score that is not finite is no detection: it becomes -inf, and its share of the frame is
        reported as ``Perception.not_finite``.

        :param score: (N,) or (N, C), a row for each cell.
        :param limits: ``tolerance`` and ``remedy`` of ``usable_scores``.
        :return: the array itself, or a copy where a number is not finite.
        :raises ValueError: a score is outside of 0 to 1.
        """
        usable, broken = usable_scores(score, **limits)
        self._cells_scored += len(score)
        self._cells_broken += broken
        return usable

    def _bind(self) -> None:
        """Check ``self.outputs`` and prepare tables; may raise ``DecoderMismatchError``."""

    @abstractmethod
    def _decode(
        self, tensors: Tensors, transform: ImageTransform, selection: Selection
    ) -> Perception:
        """Decode one frame; must not keep the tensors."""

    def mismatch(self, expected: str) -> DecoderMismatchError:
        """Return the error to raise when the outputs are not those of this family."""
        got = ', '.join(f'{spec.name} {spec.describe()}' for spec in self.outputs) or 'nothing'
        return DecoderMismatchError(
            f'decoder {self.name!r} of {self.manifest.name}: got outputs {got}, '
            f'expected {expected}; correct decoder.name or decoder.options of the manifest'
        )
