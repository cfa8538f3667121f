# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Every error that a user can meet, with a stable code.

::

    EdgePerceptionError
    ├── CombinedError            combined                carries others, to say all at once
    ├── ConfigurationError       configuration_invalid   carries a sentence for each problem
    │   └── ManifestError        manifest_invalid
    ├── ModelNotFoundError       model_not_found
    ├── OptionError              option_invalid
    ├── PluginError              plugin_unusable
    ├── EngineError
    │   ├── EngineUnavailableError   engine_unavailable
    │   ├── ArtifactError            artifact_unusable
    │   ├── TensorMismatchError      tensor_mismatch
    │   ├── EngineStateError         engine_state
    │   └── InferenceError           engine_failed
    │       └── RestartingError      engine_restarting
    ├── DecoderError
    │   ├── DecoderMismatchError     decoder_mismatch
    │   └── DecodeError              decode_failed
    │       └── NotFiniteError       outputs_not_finite
    ├── ImageError               bad_image
    ├── IntrinsicsError          intrinsics_unusable
    └── BuildError               build_failed

To catch ``EdgePerceptionError`` is to catch everything that has a remedy. A fault in our own code
is a plain Python exception and is not in this tree.

A message is one sentence: where, got, expected, remedy. The code is stable: it is an anchor in the
documentation and a value in diagnostics.
"""

from __future__ import annotations

from collections.abc import Iterable
import re
from typing import ClassVar

# Of ASCII and Latin-1, and those that turn the direction of writing.
CONTROLS = re.compile('[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]')


def printable(text: str, *, lines: bool = False) -> str:
    """
    Return a text whose control characters are escapes to be read, as JSON has them.

    For whatever goes to a terminal, a log or a report and holds words of a model, a file name or a
    message: control characters move the cursor, erase and turn the direction of writing.

    :param lines: keep line feeds and tabs, for a text of several lines.
    """
    kept = '\n\t' if lines else ''
    return CONTROLS.sub(
        lambda found: found[0] if found[0] in kept else f'\\u{ord(found[0]):04x}', text
    )


def in_words(error: BaseException) -> str:
    """Return an exception in one line without full stop, with its type where needed."""
    words = ' '.join(str(error).split()).rstrip('.')
    return named(error) if not words or isinstance(error, KeyError) else words


class EdgePerceptionError(Exception):
    """Base of every error that a user can meet; raised only as one of its children."""

    code: ClassVar[str] = 'edge_perception'

    def sentences(self) -> tuple[tuple[str, str], ...]:
        """Return code and sentence of each problem, for a log or a terminal."""
        return ((self.code, str(self)),)


class CombinedError(EdgePerceptionError):
    """
    Several errors that do not depend on each other, found in one go.

    :param errors: at least two, in the order in which they were found.
    """

    code = 'combined'

    def __init__(self, errors: Iterable[EdgePerceptionError]) -> None:
        self.errors = tuple(errors)
        super().__init__('\n'.join(map(str, self.errors)))

    def sentences(self) -> tuple[tuple[str, str], ...]:
        """Return code and sentence of every error."""
        return tuple(each for error in self.errors for each in error.sentences())


class ConfigurationError(EdgePerceptionError):
    """
    Several things are wrong with what the user configured.

    :param subject: the file or the node whose configuration is wrong.
    :param problems: one sentence for each problem, in the order in which they were found.
    """

    code = 'configuration_invalid'

    def __init__(self, subject: str, problems: Iterable[str]) -> None:
        self.subject = subject
        self.problems = tuple(problems)
        super().__init__('\n'.join([f'{subject}: {problem}' for problem in self.problems]))

    def sentences(self) -> tuple[tuple[str, str], ...]:
        """Return code and sentence of every problem."""
        return tuple((self.code, f'{self.subject}: {problem}') for problem in self.problems)


class ManifestError(ConfigurationError):
    """A model manifest is not valid; carries every problem of the file."""

    code = 'manifest_invalid'


class ModelNotFoundError(EdgePerceptionError):
    """No model has this name or path."""

    code = 'model_not_found'


class OptionError(EdgePerceptionError):
    """An option of an engine or decoder is unknown, of the wrong type or out of its range."""

    code = 'option_invalid'


class PluginError(EdgePerceptionError):
    """A plugin cannot be used; the host lists it with this reason and goes on without it."""

    code = 'plugin_unusable'


class EngineError(EdgePerceptionError):
    """Base of the errors of an engine."""


class EngineUnavailableError(EngineError):
    """
    An engine does not exist here, or its library or device is missing.

    :param engine: the name of the engine.
    :param reason: why it cannot be used.
    :param remedy: what to do about it; empty when nothing is known.
    """

    code = 'engine_unavailable'

    def __init__(self, engine: str, *, reason: str, remedy: str = '') -> None:
        self.engine = engine
        self.reason = reason
        self.remedy = remedy
        super().__init__(
            f'engine {engine!r} is not available: {reason}' + (remedy and f'; {remedy}')
        )


class ArtifactError(EngineError):
    """
    An artifact is missing, damaged, foreign, stale or unproven.

    :param artifact: path of the artifact.
    :param reason: what is wrong with it.
    :param remedy: what to do about it, as a command where one exists.
    """

    code = 'artifact_unusable'

    def __init__(self, artifact: object, *, reason: str, remedy: str) -> None:
        self.artifact = artifact
        self.reason = reason
        self.remedy = remedy
        super().__init__(f'artifact {artifact}: {reason}; {remedy}')


class TensorMismatchError(EngineError):
    """
    A tensor does not have the name, shape or dtype that was promised.

    :param tensor: name of the tensor.
    :param got: what came.
    :param expected: what was expected.
    :param remedy: what to do about it; empty when it is a mistake of the calling code.
    """

    code = 'tensor_mismatch'

    def __init__(self, tensor: str, *, got: str, expected: str, remedy: str = '') -> None:
        self.tensor = tensor
        self.got = got
        self.expected = expected
        super().__init__(
            f'tensor {tensor!r}: got {got}, expected {expected}' + (remedy and f'; {remedy}')
        )


class EngineStateError(EngineError):
    """An engine was called in the wrong state, or from a second thread at once."""

    code = 'engine_state'


class InferenceError(EngineError):
    """The runtime failed while it computed; never reported as an empty result."""

    code = 'engine_failed'


class RestartingError(InferenceError):
    """
    The process of an engine is being restarted, and there will be another frame that it computes.

    It does not count as one of the failures in a row that end the node.
    """

    code = 'engine_restarting'


class DecoderError(EdgePerceptionError):
    """Base of the errors of a decoder."""


class DecoderMismatchError(DecoderError):
    """A decoder does not fit the outputs of the model; found when it is created."""

    code = 'decoder_mismatch'


class DecodeError(DecoderError):
    """A decoder failed on the tensors of one frame."""

    code = 'decode_failed'


class NotFiniteError(DecodeError):
    """
    The numbers of one frame are NaN or infinite, which is a fault of engine or artifact.

    Never reported as an empty result; after several in a row the engine counts as failed.
    """

    code = 'outputs_not_finite'


class ImageError(EdgePerceptionError):
    """An image cannot be used: unknown encoding, sizes that disagree, damaged data."""

    code = 'bad_image'


class IntrinsicsError(EdgePerceptionError):
    """The intrinsics of a camera cannot be used for a pose; detections go on without it."""

    code = 'intrinsics_unusable'


class BuildError(EdgePerceptionError):
    """A builder could not make an artifact."""

    code = 'build_failed'


def named(error: BaseException) -> str:
    """Return an exception in one line, with its type."""
    words = ' '.join(str(error).split())
    return ': '.join(part for part in (type(error).__name__, words) if part)
