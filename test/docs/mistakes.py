# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One mistake of a user for each error code; what it is answered with stands in docs/errors.md."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
from sensor_msgs.msg import Image

from edge_perception.contract import check_input
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import ENTRY_POINT_GROUP
from edge_perception.contract import ImageTransform
from edge_perception.contract import ModelManifest
from edge_perception.contract import parse_manifest
from edge_perception.contract import parse_options
from edge_perception.contract import Selection
from edge_perception.contract import TensorSpec
from edge_perception.contract.user_files import write_whole
from edge_perception.models.engine_choice import choose_engine
from edge_perception.models.finding import find_model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.pose import Intrinsics
from edge_perception.ros.input.raw_images import image_to_frame
from edge_perception.signing.minisign import SecretKey
from edge_perception.signing.signature_policy import SignaturePolicy
from edge_perception.signing.signature_policy import versions_file
from edge_perception.signing.signed_folder import sign_folder
from edge_perception.testing.fakes import FakeEngine
from edge_perception.tooling.assignments import parse_assignments
from edge_perception.tooling.building.gated_build import choose_builder
from test.supervision.faulty_engine import CODES
from test.supervision.test_supervised_engine import frame
from test.supervision.test_supervised_engine import make
from tools.reference_tables import own_host

FLOAT = np.dtype(np.float32)
# Carries others, which are said with their own codes; nothing raises it today.
WITHOUT_SENTENCE = ('combined',)


def manifest(folder: Path, *, side: int = 416, **changes: Any) -> ModelManifest:
    values = {
        'manifest_version': 1,
        'name': 'yolox_nano',
        'source': {'file': 'yolox_nano.onnx'},
        'input': {'width': side, 'height': side},
        'decoder': {'name': 'yolox'},
        **changes,
    }
    return parse_manifest(values, folder=folder, subject='yolox_nano/model.yaml')


def misspelled_key(folder: Path) -> None:
    manifest(folder, input={'width': 416, 'height': 416, 'colour': 'bgr'})


def assignment_without_value(folder: Path) -> None:
    parse_assignments(['threads'], {}, chosen='onnxruntime')


def unknown_model(folder: Path) -> None:
    find_model('yolox', draft=_never)


def unknown_option(folder: Path) -> None:
    options_type = own_host().engines['onnxruntime'].options_type
    parse_options(options_type, {'treads': 2}, owner="engine 'onnxruntime'")


def misspelled_target(folder: Path) -> None:
    choose_builder(own_host(), 'onnxruntim')


def broken_plugin(folder: Path) -> None:
    point = EntryPoint('fast_engine', 'fast_engine', ENTRY_POINT_GROUP)
    (entry,) = PluginHost(candidates=[point], environ={}).plugins
    raise _ListedError('plugin_unusable', f'{entry.reason}; {entry.remedy}')


def misspelled_engine(folder: Path) -> None:
    choose_engine(own_host(), 'onnxruntim')


def missing_file(folder: Path) -> None:
    model = folder / 'yolox_nano'
    model.mkdir()
    (model / 'model.yaml').write_text(
        'manifest_version: 1\nname: yolox_nano\nsource: {file: yolox_nano.onnx}\n'
        'input: {width: 416, height: 416}\ndecoder: {name: yolox}\n'
    )
    find_model('yolox_nano', draft=_never)


def wrong_size(folder: Path) -> None:
    check_input(manifest(folder, side=640), (TensorSpec('images', (1, 3, 416, 416), FLOAT),))


def inactive_engine(folder: Path) -> None:
    FakeEngine(manifest(folder), lambda: None).infer({})


def failing_engine(folder: Path) -> None:
    def fail() -> None:
        raise RuntimeError('out of memory')

    with FakeEngine(manifest(folder), fail) as engine:
        engine.infer(engine.input_buffers())


def lost_process(folder: Path) -> None:
    path = folder / 'net.faulty'
    path.write_text('fine')
    with make(path) as engine:
        frame(engine, CODES['exit'])


def foreign_outputs(folder: Path) -> None:
    _yolox(folder, TensorSpec('output0', (1, 84, 8400), FLOAT))


def outputs_that_are_no_numbers(folder: Path, number: float = np.nan) -> None:
    decoder = _yolox(folder, TensorSpec('output', (1, 3549, 85), FLOAT))
    transform = ImageTransform(640, 480, 416, 416)
    tensors = {'output': np.full((1, 3549, 85), number, np.float32)}
    decoder.decode(tensors, transform=transform, selection=Selection())


def outputs_without_sigmoid(folder: Path) -> None:
    outputs_that_are_no_numbers(folder, 3.2)


def unknown_encoding(folder: Path) -> None:
    image_to_frame(Image(encoding='i420', width=2, height=2, step=2, data=bytes(6)))


def camera_without_calibration(folder: Path) -> None:
    Intrinsics.from_camera_info(width=640, height=480, k=[0.0] * 9)


class SignedFolderOf:
    """A model folder that was signed, in which one thing is made wrong."""

    def __init__(self, spoil: Callable[[Path], object], *, trust: bool = True) -> None:
        self._spoil, self._trust = spoil, trust

    def __call__(self, folder: Path) -> None:
        model, trusted = folder / 'my_model', folder / 'keys'
        key = SecretKey(b'12345678', bytes(32))
        for path, text in ((model / 'model.yaml', 'name: x'), (trusted / 'readme', '')):
            write_whole(path, text)
        if self._trust:
            write_whole(trusted / 'ours.pub', key.public().text())
        signed = sign_folder(model, key, name='my_model', version=2, model_digest=64 * '0')
        for name, text in signed.items():
            write_whole(model / name, text)
        self._spoil(model)
        SignaturePolicy('require', trusted).admit(model)


def revoke(model: Path) -> None:
    key = model.parent / 'keys' / 'ours.pub'
    key.with_suffix('.revoked').write_bytes(key.read_bytes())


def remember_newer(model: Path) -> None:
    write_whole(versions_file(), '{"my_model": 3}')


MISTAKES: dict[str, Callable[[Path], None]] = {
    'configuration_invalid': assignment_without_value,
    'manifest_invalid': misspelled_key,
    'model_not_found': unknown_model,
    'option_invalid': unknown_option,
    'plugin_unusable': broken_plugin,
    'engine_unavailable': misspelled_engine,
    'artifact_unusable': missing_file,
    'tensor_mismatch': wrong_size,
    'engine_state': inactive_engine,
    'engine_failed': failing_engine,
    'engine_restarting': lost_process,
    'decoder_mismatch': foreign_outputs,
    'decode_failed': outputs_without_sigmoid,
    'outputs_not_finite': outputs_that_are_no_numbers,
    'bad_image': unknown_encoding,
    'intrinsics_unusable': camera_without_calibration,
    'build_failed': misspelled_target,
    'signature_missing': SignedFolderOf(lambda model: (model / 'model.sig').unlink()),
    'signature_wrong': SignedFolderOf(lambda model: (model / 'model.files').write_text('x')),
    'key_unknown': SignedFolderOf(lambda model: None, trust=False),
    'key_revoked': SignedFolderOf(revoke),
    'file_changed': SignedFolderOf(lambda model: (model / 'model.yaml').write_text('name: y')),
    'file_extra': SignedFolderOf(lambda model: (model / 'weights.bin').write_text('')),
    'file_missing': SignedFolderOf(lambda model: (model / 'model.yaml').unlink()),
    'version_rolled_back': SignedFolderOf(remember_newer),
}


def answer(code: str, folder: Path) -> str:
    """
    Make a mistake and return the sentence that comes for it.

    :param folder: empty, and the current one.
    """
    try:
        MISTAKES[code](folder)
    except EdgePerceptionError as error:
        codes, sentences = zip(*error.sentences())
        assert code in codes
        return str(sentences[codes.index(code)])
    raise AssertionError(f'{code}: the mistake passed')


class _ListedError(EdgePerceptionError):
    """Something that is listed and not raised."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self._said = ((code, sentence),)

    def sentences(self) -> tuple[tuple[str, str], ...]:
        return self._said


def _yolox(folder: Path, *outputs: TensorSpec) -> Any:
    decoder_type = own_host().decoders['yolox']
    return decoder_type(manifest(folder), outputs=outputs, options=decoder_type.options_type())


def _never(path: Path) -> Any:
    raise AssertionError(f'{path} was read')
