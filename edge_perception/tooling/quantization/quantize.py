# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Quantize an ONNX to INT8 with calibration, in the flavor that the runtime is fast with.

Processors want unsigned activations and signed weights by channel (measured with ONNX Runtime 1.31
on an x86-64 with VNNI, YOLOv8n-shaped, one thread: 40 ms, and 129 ms with signed ones, which it
does not fuse). TensorRT takes symmetric ones only, with no quantized biases.

Two things are kept in float. The head behind the last convolutions: see ``Layers.head``. And
layers whose channels differ so much that one scale leaves nothing of the small ones. They are
found by quantizing each layer alone, and are kept in float, the worst first, until the outputs of
the model are near enough to those in float.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from edge_perception.contract import BuildError
from edge_perception.contract import ModelManifest
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception.contract.errors import in_words
from edge_perception.tooling.building.simplify import library
from edge_perception.tooling.building.simplify import quiet
from edge_perception.tooling.quantization import output_groups
from edge_perception.tooling.quantization.layer_noise import HEAVY
from edge_perception.tooling.quantization.layer_noise import layer_noise
from edge_perception.tooling.quantization.layer_noise import Layers
from edge_perception.tooling.quantization.layer_noise import run

WANTED_SNR_DB = 10.0  # of each group of the outputs, on calibration images
TRIAL_SAMPLES = 6  # images on which layers are tried

Samples = Callable[[], Iterator[Tensors]]
Progress = Callable[[str, float], object]  # what is done, and which share of it


@dataclass(frozen=True, slots=True)
class Flavor:
    """
    How tensors are quantized.

    :param operators: those whose inputs are quantized; None: all that the runtime has in INT8,
        with their outputs.
    """

    activations: str
    weights: str
    options: dict[str, Any]
    operators: tuple[str, ...] | None = None


WEIGHTED = tuple(sorted(HEAVY))
FLAVORS = {
    'qdq_unsigned': Flavor('QUInt8', 'QInt8', {}),
    # Where an output is not quantized, TensorRT fuses what follows a convolution into it.
    'qdq_symmetric': Flavor(
        'QInt8',
        'QInt8',
        {
            'ActivationSymmetric': True,
            'WeightSymmetric': True,
            'QuantizeBias': False,
            'AddQDQPairToWeight': True,
            'DedicatedQDQPair': True,
            'OpTypesToExcludeOutputQuantization': list(WEIGHTED),
        },
        WEIGHTED,
    ),
}


def quantize(
    source: Path,
    target: Path,
    *,
    form: str,
    samples: Samples,
    manifest: ModelManifest,
    full_int8: bool = False,
    progress: Progress = lambda what, share: None,
) -> tuple[str, ...]:
    """
    Write the quantized ONNX, and return what stayed in float, in words.

    :param source: simplified.
    :param form: a key of ``FLAVORS``.
    :param full_int8: quantize the head and every layer.
    :raises BuildError: the libraries are missing, or the graph cannot be quantized.
    """
    job = _Job(source, FLAVORS[form], samples, manifest)
    if full_int8:
        job.write(target, ())
        return ('everything is quantized, the head as well (--full-int8)',)
    head = job.layers.head()
    job.write(target, head)
    notes = [f'{len(head)} operators behind the last convolutions are kept in float']
    if job.snr(target) < WANTED_SNR_DB:
        kept, snr = _keep_layers(job, target, head, progress)
        notes.append(
            f'{kept} of {len(job.layers.heavy)} layers are kept in float, because INT8 loses too '
            f'much of them; the outputs have {snr:.1f} dB SNR on calibration images'
        )
    return tuple(notes)


def sensitive_layers(
    source: Path,
    *,
    samples: Samples,
    manifest: ModelManifest,
    wanted_db: float,
    progress: Progress = lambda what, share: None,
) -> tuple[str, ...]:
    """
    Return the names of the nodes to keep in float, for other quantizers.

    As many layers as it takes if the noise of the rest adds up, but never all.

    :param source: simplified.
    :param wanted_db: what the outputs shall have then.
    :raises BuildError: the libraries are missing, or no layer could be quantized.
    """
    job = _Job(source, FLAVORS['qdq_unsigned'], samples, manifest)
    noise = _ranked(job, progress)
    guess = _first_guess([each for each, _ in noise], wanted_db)
    if guess == len(noise):
        raise _carries_none(len(noise), wanted_db)
    kept = min(max(1, guess), len(noise) - 1)
    return tuple(name for _, layer in noise[:kept] for name in layer)


def _ranked(job: _Job, progress: Progress) -> list[tuple[float, list[str]]]:
    """Return noise and nodes of each layer, the worst first."""
    noise: list[tuple[float, list[str]]] = []
    for heavy, each in zip(job.layers.heavy, job.noise()):
        progress('trying layers', len(noise) / len(job.layers.heavy))
        noise.append((each, job.layers.layer(heavy)))
    return sorted(noise, key=lambda pair: pair[0], reverse=True)


def _keep_layers(
    job: _Job, target: Path, head: Sequence[str], progress: Progress
) -> tuple[int, float]:
    """
    Keep the worst layers in float until the outputs are good; return how many, and the SNR.

    :raises BuildError: no layer could be quantized.
    """
    noise = _ranked(job, progress)
    # Sums and joins cost little, but in INT8 they alone may lose more than is allowed.
    for between in ((), job.between_layers()):
        kept = _first_guess([each for each, _ in noise], WANTED_SNR_DB)
        while kept < len(noise):
            keep_float = [name for _, layer in noise[:kept] for name in layer]
            job.write(target, [*head, *between, *keep_float])
            snr = job.snr(target)
            if snr >= WANTED_SNR_DB:
                return kept, snr
            kept += max(2, kept // 3)
    raise _carries_none(len(noise), WANTED_SNR_DB)


def _carries_none(layers: int, wanted_db: float) -> BuildError:
    return BuildError(
        f'INT8 failed: none of the {layers} layers keeps the output SNR above {wanted_db:g} dB on '
        'calibration images; add images of what the camera will see, or use --precision fp16'
    )


def _first_guess(noise: Sequence[float], wanted_db: float) -> int:
    """Return how many of the worst have to go if the noise of the others adds up."""
    allowed = 10 ** (-wanted_db / 10)
    rest = sum(noise)
    for kept, each in enumerate(noise):
        if rest <= allowed:
            return kept
        rest -= each
    return len(noise)


class _Job:
    """One model that is quantized in several ways, each compared with its outputs in float."""

    def __init__(
        self, source: Path, flavor: Flavor, samples: Samples, manifest: ModelManifest
    ) -> None:
        self._source = source
        self._flavor = flavor
        self._samples = samples
        self._manifest = manifest
        self._quantization = library('onnxruntime.quantization')
        self.layers = Layers(library('onnx').load(str(source)).graph)
        if not self.layers.heavy:
            raise BuildError(f'{source.name}: has no convolution, so there is nothing to quantize')
        self._trials = [
            {name: tensor.copy() for name, tensor in sample.items()}
            for sample in islice(samples(), TRIAL_SAMPLES)
        ]
        self._expected = run(str(source), self._trials)

    def write(self, target: Path, excluded: Sequence[str]) -> None:
        """
        Write the quantized ONNX.

        :param excluded: names of nodes that stay in float.
        """
        kinds = self._quantization.QuantType
        try:
            with quiet():
                self._quantization.quantize_static(
                    str(self._source),
                    str(target),
                    _reader(self._quantization, self._samples()),
                    quant_format=self._quantization.QuantFormat.QDQ,
                    activation_type=kinds[self._flavor.activations],
                    weight_type=kinds[self._flavor.weights],
                    per_channel=True,
                    op_types_to_quantize=self._flavor.operators,
                    nodes_to_exclude=list(excluded),
                    extra_options=dict(self._flavor.options),
                )
        except OSError as error:
            raise BuildError(
                f'{target}: cannot be written: {error.strerror or error}; free some space'
            ) from error
        except BuildError:
            raise
        except Exception as error:
            words = in_words(error)[:300]
            raise BuildError(f'{self._source.name}: cannot be quantized: {words}') from error

    def noise(self) -> Iterator[float]:
        """Give the noise of each heavy layer on the trial images, as noise over signal."""
        return layer_noise(self._source, self.layers, self._trials, measure=self._worst)

    def between_layers(self) -> list[str]:
        """Return the names of the nodes that belong to no layer."""
        inside = {name for heavy in self.layers.heavy for name in self.layers.layer(heavy)}
        return [node.name for node in self.layers.nodes if node.name not in inside]

    def snr(self, path: Path) -> float:
        """Return the worst signal to noise ratio of all groups of the outputs, in dB."""
        return self._worst(run(str(path), self._trials))

    def _worst(self, outputs: list[dict[str, Any]]) -> float:
        first = self._expected[0]
        specs = [TensorSpec(name, tensor.shape, tensor.dtype) for name, tensor in first.items()]
        meters = [
            output_groups.GroupMeter(group)
            for group in output_groups.groups_of(self._manifest, specs)
        ]
        for expected, got in zip(self._expected, outputs):
            for meter in meters:
                meter.add(expected[meter.group.output], got[meter.group.output])
        # Of finished objects no number has its place; these only the gate can judge.
        return min((meter.figures().snr_db for meter in meters), default=output_groups.PERFECT_DB)


def _reader(quantization: Any, samples: Iterator[Tensors]) -> Any:
    """Return the samples as the quantizer asks for them, one at a time."""
    copies = ({name: tensor.copy() for name, tensor in each.items()} for each in samples)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> Any:
            return next(copies, None)

    return Reader()
