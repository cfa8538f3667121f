# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Input and result of ``Decoder.guess``: facts of a model file, and how to read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from edge_perception.contract.types import ModelDescription
from edge_perception.contract.types import TensorSpec

# Stands where only a person knows the value. No key of a manifest accepts it, so that a draft with
# an open question is refused instead of being run with a default that gives wrong boxes.
UNANSWERED = '?'


@dataclass(frozen=True, slots=True)
class FileFacts:
    """
    Tensors and metadata of a model file, as far as they could be read.

    :param description: tensors, and all of the metadata as it is.
    :param suffix: of the file, with its dot.
    :param width: of the image input in pixels; -1 where it is open, as ``height``.
    :param channels: of the image input; -1 where they are open.
    :param task: what the metadata says that the model is for, in the words of Ultralytics
        (``detect``, ``pose``, ``classify``, ``segment``, ...); empty where it says nothing.
    :param labels: names of the classes.
    :param keypoints: how many an object has, and how many numbers each; 0, 0 where none.
    :param keypoint_names: their names; may be empty although there are keypoints.
    :param suppressed: whether the model does its own suppression; None where nothing is said.
    :param outputs: what the metadata says of each output, by keys of TFLite metadata.
    :param input: keys under ``input`` of the manifest that the metadata answers.
    :param values: other keys of the manifest that it answers.
    :param unread: what it says in a form that cannot be read.
    :param unsupported: what the model gives that no decoder of ours reads.
    """

    description: ModelDescription
    suffix: str = ''
    width: int = -1
    height: int = -1
    channels: int = -1
    task: str = ''
    labels: tuple[str, ...] = ()
    keypoints: tuple[int, int] = (0, 0)
    keypoint_names: tuple[str, ...] = ()
    suppressed: bool | None = None
    outputs: tuple[Mapping[str, Any], ...] = ()
    input: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    unsupported: str = ''

    @property
    def image(self) -> TensorSpec | None:
        """The only input that can take an image; None where none can, or several."""
        images = [spec for spec in self.description.inputs if len(spec.shape) == 4]
        return images[0] if len(images) == 1 else None

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the outputs."""
        return tuple(spec.shape for spec in self.description.outputs)

    @property
    def only_shape(self) -> tuple[int, ...]:
        """Shape of the only output; empty where there are several."""
        return self.shapes[0] if len(self.shapes) == 1 else ()

    def one_image(self, shape: tuple[int, ...]) -> bool:
        """Tell whether the first size of an output counts images, and it can be one of them."""
        # Where the batch of the input is fixed, an open size counts what was found.
        batch = self.image.shape[0] if self.image else 1
        return shape[:1] in ((1,), (min(batch, 1),))


@dataclass(frozen=True, slots=True)
class Guess:
    """
    How a decoder would read a file, and what the manifest should say then.

    :param family: how a sentence calls such a model.
    :param certain: the metadata says so; a guess by shapes alone is a question to the user.
    :param classes: how many there are; None where shapes do not tell.
    :param options: for ``decoder.options``; ``UNANSWERED`` where only a person knows.
    :param input: keys under ``input``, as the training code of the family feeds its models.
    :param values: other keys of the manifest, e.g. ``keypoints``.
    :param asks: what is open beside, in words that complete "the file does not say ...".
    """

    family: str
    certain: bool = False
    classes: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    input: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    asks: tuple[str, ...] = ()
