# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
A plugin that keeps every clause, or breaks one of them on purpose: ``DEFECT`` names which.

The test of the kit copies this file for each defect. The module ``colorsys`` of Python stands in
for the library of a vendor.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
import subprocess
import tempfile
import threading
import time

import numpy as np

from edge_perception import contract

DEFECT = ''
EDGE_PERCEPTION_CONTRACT = '0.1'
FLOAT = np.dtype(np.float32)
LEAKED: list[object] = []
VERSION = 1
PARITY = {'fp32': 0.05 if DEFECT == 'E06 parity' else 1e-5}

if DEFECT == 'E01':
    import colorsys  # noqa: F401


def library() -> None:
    try:
        import colorsys  # noqa: F401
    except ImportError as error:
        raise contract.EngineUnavailableError(
            'faulty', reason=f'colorsys is missing: {error}', remedy='install Python again'
        ) from error
    except OSError as error:
        if DEFECT == 'E02':
            raise
        raise contract.EngineUnavailableError(
            'faulty', reason=f'colorsys is broken: {error}', remedy='install Python again'
        ) from error


@dataclass(frozen=True, slots=True)
class FaultyOptions(contract.Options):
    gain: float = contract.option(1.0, '' if DEFECT == 'E04' else 'scales the outputs', minimum=0)


def availability() -> contract.Availability:
    try:
        library()
    except contract.EngineUnavailableError as error:
        return contract.Availability(False, reason=error.reason, remedy=error.remedy)
    return contract.Availability(True, runtime='faulty' if DEFECT == 'E03' else 'faulty 1.0')


def load(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path) as arrays:
            content = dict(arrays)
        if content['version'] != VERSION and DEFECT != 'E13':
            raise ValueError(f'is of version {content["version"]}')
        content['size'].tolist()
        if DEFECT == 'E17':
            content['dense_bias'] = np.zeros(content['size'][3], FLOAT)
        else:
            content['dense_bias'] = np.frombuffer(path.with_suffix('.bin').read_bytes(), FLOAT)
            content['dense'] + content['dense_bias'][:, None]
        return content
    except FileNotFoundError as error:
        raise contract.ArtifactError(
            path, reason='does not exist', remedy='' if DEFECT == 'E11' else 'correct the path'
        ) from error
    except Exception as error:
        if DEFECT == 'E12':
            raise
        reason = f'cannot be read: {contract.errors.in_words(error)}'.rstrip('.')
        raise contract.ArtifactError(path, reason=reason, remedy='build it again') from error


class FaultyType(contract.EngineType):
    name = 'faulty'
    artifact_suffixes = ('npz' if DEFECT == 'E05' else '.npz',)
    artifact_parts = {} if DEFECT == 'E17 declared' else {'.npz': ('.bin',)}
    options_type = FaultyOptions
    capabilities = contract.Capabilities(
        precisions=('fp32', 'fp16') if DEFECT == 'E06' else ('fp32',), dynamic_shapes=True
    )

    def probe(self):
        return availability()

    def describe(self, artifact):
        return self._describe(artifact, np.dtype(np.float16) if DEFECT == 'E10' else FLOAT)

    def _describe(self, artifact, kind=FLOAT):
        content = load(artifact)
        height, width, channels, classes = content['size'].tolist()
        further = {name: tuple(content[name].tolist()) for name in content if name[-1:] == 'd'}
        return contract.ModelDescription(
            inputs=(contract.TensorSpec('image', (1, 3, height, width), kind),),
            outputs=(
                contract.TensorSpec('mixed', (1, channels, height, width), FLOAT),
                contract.TensorSpec('scores', (1, classes), FLOAT),
                *(contract.TensorSpec(name, shape, FLOAT) for name, shape in further.items()),
            ),
        )

    def create(self, manifest, artifact, options):
        library()
        description = self._describe(artifact)
        image = description.inputs[0]
        if DEFECT != 'E14':
            image = contract.check_input(manifest, description.inputs)
        if DEFECT == 'E15':
            image = description.inputs[0]
        if DEFECT == 'E16':
            artifact.with_suffix('.cache').touch()
        batches = (1, 2, 3) if load(artifact).get('open_batch') else (1,)
        return Faulty(artifact, image, description.outputs, batches)


class Faulty(contract.Engine):
    def __init__(self, artifact, image, outputs, batches):
        super().__init__(inputs=(image,), outputs=outputs, device='cpu', batches=batches)
        self._artifact = artifact
        self._weights = load(artifact)
        self._frames = self._taken = 0
        self._owner = threading.get_ident()

    if DEFECT == 'E21':

        def activate(self):
            assert not self.active
            super().activate()

    if DEFECT == 'E33':

        def infer(self, tensors):
            return self._infer(tensors)

    if DEFECT == 'E42':

        def _check_inputs(self, tensors):
            return len(tensors['image'])

    if DEFECT == 'E26':

        def infer(self, tensors):
            return self._infer(tensors or self._input_buffers())

    def _activate(self):
        self._taken += 1
        if self._weights is None:
            if DEFECT == 'E24' and not self._artifact.exists():
                raise FileNotFoundError(self._artifact)
            self._weights = load(self._artifact)
        if DEFECT == 'E22 threads':
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        if DEFECT == 'E22 files':
            LEAKED.append(self._artifact.open())
        if DEFECT == 'E22 memory':
            LEAKED.append({name: each + 0 for name, each in self._weights.items()})

    def _deactivate(self):
        if DEFECT == 'E23 nothing':
            assert self._taken
        if DEFECT == 'E23 all' and not self._frames:
            LEAKED.append({name: each + 0 for name, each in self._weights.items()})
        self._weights = None

    def _input_buffers(self):
        buffers = dict(super()._input_buffers())
        if DEFECT == 'E31':
            buffers = {name: each[..., ::-1] for name, each in buffers.items()}
        return buffers

    def _infer(self, tensors):
        self._frames += 1
        image = tensors['image']
        if DEFECT == 'E25':
            assert self._owner == threading.get_ident()
        if DEFECT == 'E27':
            LEAKED[:] = [image]
            time.sleep(0.002)
            image = LEAKED[0]
        if DEFECT == 'E32':
            image *= 1 if image.flags.writeable else 0
            image += 1e-3
        if DEFECT == 'E37':
            print('frame', self._frames)  # noqa: T201
        if DEFECT == 'E28':
            ctypes.PyDLL(None).usleep(20_000)  # keeps the lock, which CDLL gives up
            return {spec.name: np.zeros(spec.shape, FLOAT) for spec in self.outputs}
        return self._ordered(*self._compute(image))

    def _compute(self, image):
        weights = self._weights
        mixed = np.einsum('oc,nchw->nohw', weights['mix'], image)
        mixed = np.maximum(mixed + weights['mix_bias'][:, None, None], 0)
        scores = mixed.mean(axis=(2, 3)) @ weights['dense'].T + weights['dense_bias']
        if DEFECT == 'E30':
            scores *= 1.001
        if DEFECT == 'E20' and self._taken > 1:
            scores += 1
        if DEFECT == 'E41':
            scores = np.repeat(scores.mean(axis=0, keepdims=True), len(image), axis=0)
        if DEFECT == 'E34':
            scores += np.float32(1e-6 * self._frames)
        if DEFECT == 'E36':
            memory = image.reshape(-1)[: scores.size].reshape(scores.shape)
            memory[:] = scores
            scores = memory
        return mixed, scores

    def _ordered(self, mixed, scores):
        if DEFECT == 'E38':
            LEAKED.append(mixed)
        if DEFECT == 'E35':
            return {'scores': scores, 'mixed': mixed}
        further = {spec.name: scores.reshape(spec.shape) for spec in self.outputs[2:]}
        if DEFECT == 'E40':
            further = {name: each[::-1] for name, each in further.items()}
        return {'mixed': mixed, 'scores': scores, **further}


class FaultyDecoder(contract.Decoder):
    """Rows of ``boxes``: x1, y1, x2, y2, score, class."""

    name = 'Faulty' if DEFECT == 'D02' else 'faulty'
    tasks = frozenset({'detections'})

    def _bind(self):
        shape = self.outputs[0].shape if len(self.outputs) == 1 else ()
        if DEFECT != 'D03' and (len(shape) != 3 or shape[2] not in (6, -1)):
            raise self.mismatch('one output 1xNx6')
        if DEFECT == 'D13' and -1 in shape:
            self.rows = 1
        else:
            self.rows = None
        self.seen_before = 0

    def _decode(self, tensors, transform, selection):
        rows = tensors['boxes'][0][: self.rows]
        if DEFECT == 'D10':
            rows[0] = rows[0]
        if DEFECT == 'D12':
            self.seen_before += 1
            rows = rows + self.seen_before
        if DEFECT == 'D07':
            rows = np.nan_to_num(rows)
        if DEFECT == 'D07 class':
            rows = np.concatenate([rows[:, :5], np.nan_to_num(rows[:, 5:])], axis=1)
        if not np.isfinite(rows).all():
            raise ValueError('rows: got NaN, expected numbers; try fp32')
        if DEFECT == 'D06':
            transform = contract.ImageTransform(1, 1, 1, 1)
        if DEFECT == 'D08':
            selection = contract.Selection(0.1, class_ids=selection.class_ids)
        if DEFECT == 'D09':
            selection = contract.Selection(selection.score_threshold)
        boxes, scores = rows[:, :4], rows[:, 4]
        if DEFECT == 'D14 half a cell':
            boxes = boxes + 4
        if DEFECT == 'D14 swapped':
            boxes = boxes[:, [1, 0, 3, 2]]
        if DEFECT == 'D14 scores':
            scores = scores**0.5
        detections, _ = contract.select(
            boxes,
            score=scores,
            class_id=rows[:, 5].astype(np.int32, copy=False),
            selection=selection,
            transform=transform,
        )
        return self._finished(detections, rows)

    def _finished(self, detections, rows):
        if DEFECT == 'D04':
            detections = contract.Detections(
                detections.xyxy.astype(np.float64), detections.score, detections.class_id
            )
        if DEFECT == 'D05' and not len(detections):
            detections = contract.Detections(
                np.zeros((1, 4), FLOAT), np.zeros(1, FLOAT), np.zeros(1, np.int32)
            )
        if DEFECT == 'D11' and len(detections):
            order = [int(np.argmax(rows[:, 4]))]
            detections = contract.Detections(
                rows[order[0] : order[0] + 1, :4], detections.score[:1], detections.class_id[:1]
            )
        return contract.Perception(detections=detections)


class FaultyStage(contract.Stage):
    """Counts the frames in each pixel, and halves the scores."""

    name = 'faulty'
    tasks = frozenset({'detections'})
    needs = frozenset({'detections'})
    reads = contract.Reads(images={'depth': 'depth'}, transforms=('odom',), angular_rate='imu')
    publishes = {'count': 'image points' if DEFECT == 'S02' else 'image mono16'}
    total = np.zeros((8, 8), np.uint16)

    @classmethod
    def applies(cls, manifest, options):
        return True

    def reset(self):
        if DEFECT != 'S10 reset':
            self.total = np.zeros((8, 8), np.uint16)

    def _run(self, inputs):
        given = {'depth', 'odom'} <= {*inputs.images, *inputs.transforms}
        given = given and inputs.angular_rate is not None
        self.problem = '' if given or DEFECT == 'S07' else str({**inputs.missing})
        found = inputs.perception.detections
        if DEFECT == 'S06' and found is None:
            found = contract.Detections.empty()
        if DEFECT == 'S11':
            LEAKED.append(np.ones(10_000))
        if DEFECT == 'S05' and not len(found):
            found = contract.Detections(
                np.zeros((1, 4), FLOAT), np.zeros(1, FLOAT), np.zeros(1, np.int32)
            )
        if DEFECT == 'S10':
            FaultyStage.total = self.total + 1
        elif DEFECT == 'S09 result':
            self.total += 1
        else:
            self.total = self.total + 1
        if DEFECT == 'S09':
            found.score[:] = found.score / 2
        pixel = int(inputs.frame.image[0, 0, 0]) if DEFECT == 'S08' else 0
        score = found.score / (2 + pixel)
        extras = {} if DEFECT == 'S04' else dict(inputs.perception.extras)
        extras['count'] = self.total.astype(np.uint8) if DEFECT == 'S03' else self.total
        detections = contract.Detections(found.xyxy, score, found.class_id)
        return replace(inputs.perception, detections=detections, extras=extras)


class FaultyBuilder(contract.Builder):
    name = 'faulty'
    suffix = 'npz' if DEFECT == 'B03' else '.npz'

    def probe(self):
        if DEFECT == 'B02':
            import colorsys  # noqa: F401
        return availability()

    def fingerprint(self, plan):
        random = str(hash('faulty')) if DEFECT == 'B04' else '1.0'
        return {'faulty': random}

    def build(self, plan, workspace):
        if DEFECT == 'B06':
            Path.home().joinpath('faulty.log').touch()
        if DEFECT == 'B09' and LEAKED:
            raise contract.BuildError('built already')
        LEAKED.append(plan)
        if DEFECT == 'B07 full':
            if any(workspace.iterdir()):
                raise contract.BuildError('the workspace is not empty')
            (workspace / 'net.npz').touch()
            return contract.BuildReport(workspace / 'net.npz', versions={'faulty': '1.0'})
        child = subprocess.Popen(['sleep', '600'])
        try:
            with tempfile.TemporaryDirectory() as folder:
                return self._build(plan, workspace, Path(folder))
        except KeyboardInterrupt:
            if DEFECT != 'B08 swallowed':
                raise
            return contract.BuildReport(plan.source, {})
        finally:
            if DEFECT != 'B08 process':
                child.kill()  # and does not wait

    def _build(self, plan, workspace, folder):
        if plan.precision not in self.precisions:
            raise contract.BuildError(f'precision {plan.precision!r} is not offered')
        artifact = workspace / 'net.npz'
        try:
            arrays = weights_of(plan)
            artifact.with_suffix('.bin').write_bytes(arrays.pop('dense_bias').tobytes())
            np.savez(artifact, **arrays)
        except Exception as error:
            if DEFECT == 'B07':
                plan.source.with_suffix('.log').touch()
            words = contract.errors.in_words(error).rstrip('.')
            raise contract.BuildError(f'{plan.source}: cannot be read: {words}') from error
        return contract.BuildReport(artifact, versions={'faulty': '1.0'})


def weights_of(plan: contract.BuildPlan) -> dict[str, np.ndarray]:
    import onnx

    graph = onnx.load(plan.source).graph
    arrays = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    arrays['mix'] = arrays['mix'][:, :, 0, 0] * (2 if DEFECT == 'B05' else 1)
    size = [each.dim_value for each in graph.input[0].type.tensor_type.shape.dim[2:]]
    classes, channels = arrays['dense'].shape
    return {**arrays, 'version': np.array(VERSION), 'size': np.array([*size, channels, classes])}


@contract.hookimpl
def register_engines(register):
    register(FaultyType())


@contract.hookimpl
def register_decoders(register):
    if DEFECT == 'D01':
        import onnxruntime  # noqa: F401
    register(FaultyDecoder)


@contract.hookimpl
def register_builders(register):
    if DEFECT == 'B01':
        library()
    register(FaultyBuilder())


@contract.hookimpl
def register_stages(register):
    if DEFECT == 'S01':
        import onnxruntime  # noqa: F401
    register(FaultyStage)
