# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Find a model by path or name, and check that its files are what the manifest says."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace
import os
from pathlib import Path
import shlex

import edge_perception
from edge_perception.contract import ArtifactError
from edge_perception.contract import load_manifest
from edge_perception.contract import MANIFEST_NAME
from edge_perception.contract import ManifestError
from edge_perception.contract import ModelManifest
from edge_perception.contract import ModelNotFoundError
from edge_perception.contract import parse_manifest
from edge_perception.contract import UNANSWERED
from edge_perception.contract.loading.artifact_files import read_regular
from edge_perception.contract.manifest_file import MOST_MANIFEST_BYTES
from edge_perception.contract.manifest_file import read_yaml
from edge_perception.models.digests import file_sha256
from edge_perception.models.digests import model_digest
from edge_perception.models.digests import ModelDigest
from edge_perception.models.digests import source_sha256
from edge_perception.models.drafting import Draft
from edge_perception.models.drafting import IR_SUFFIX
from edge_perception.signing.signature_policy import Admitted
from edge_perception.signing.signature_policy import SignaturePolicy

PATH_VARIABLE = 'EDGE_PERCEPTION_MODEL_PATH'
ZOO = Path(edge_perception.__file__).parent / 'zoo'
# Not the name of a manifest: an unfinished draft must not make a model of its folder.
DRAFT_NAME = 'model_draft.yaml'

Drafter = Callable[[Path], Draft]


@dataclass(frozen=True, slots=True)
class Model:
    """
    A model whose manifest is valid.

    :param folder: where its files lie.
    :param source: the ONNX or other file that the manifest names; it exists.
    :param named: the manifest or the bare file by which it was found; None for the folder.
    :param admitted: by which signature, or why without; None where nothing was asked.
    """

    folder: Path
    manifest: ModelManifest
    source: Path
    named: Path | None = None
    admitted: Admitted | None = None

    def digest(self) -> ModelDigest:
        """
        Return the digest of what decides what it sees.

        :raises ArtifactError: a file is missing or cannot be read.
        """
        return model_digest(self.source, self.manifest)

    @property
    def place(self) -> Path:
        """What a command has to be given to find it again."""
        return self.named or self.folder


def find_model(name: str, *, draft: Drafter, environ: Mapping[str, str] | None = None) -> Model:
    """
    Find a model.

    :param name: path of a model folder, of a manifest or of a bare model file, or a folder with
        one OpenVINO IR as exporters write it; else the name of a folder in one of the paths of
        ``EDGE_PERCEPTION_MODEL_PATH``, else in the zoo. A bare file whose ``model.yaml`` lies
        beside it is described by that.
    :param draft: makes the draft of a manifest from a bare model file.
    :raises ModelNotFoundError: nothing has this name.
    :raises ManifestError: the manifest is not valid, or a bare file says too little of itself.
    :raises ArtifactError: the source is missing, or not the file that the manifest describes.
    """
    path = locate(name, environ)
    named = path
    if path.is_dir():
        path = _exported(path) or path / MANIFEST_NAME
    elif _describes(path.with_name(MANIFEST_NAME), path):
        path = path.with_name(MANIFEST_NAME)
    if path.suffix in ('.yaml', '.yml'):
        _say_what_to_draft_from(path)
        manifest = read_manifest(path)
    else:
        manifest = _drafted(path, draft(path))
    source = path.parent / manifest.source
    check_source(source, manifest)
    return Model(folder=path.parent, manifest=manifest, source=source, named=named)


def find_signed_model(name: str, *, draft: Drafter, policy: SignaturePolicy) -> Model:
    """
    Find a model as ``find_model`` does, if the vehicle's policy lets it in.

    The signature is checked before anything is parsed, and what is parsed and loaded is a private
    copy. Models of the package itself are trusted as its code is.

    :raises SignatureError: the policy refuses it.
    """
    place = locate(name)
    folder = place.parent if place.suffix in ('.yaml', '.yml') else place
    if policy.mode == 'off' or folder.resolve().parent == ZOO.resolve():
        return find_model(name, draft=draft)
    if not folder.is_dir():
        warning = policy.refuse(place, 'is a bare file; only the folder of a model can be signed')
        return replace(find_model(name, draft=draft), admitted=Admitted(place, warning=warning))
    admitted = policy.admit(folder)
    model = find_model(str(admitted.folder), draft=draft)
    admitted.check_digest(model.digest())
    return replace(model, named=folder, admitted=admitted)


def read_manifest(path: Path) -> ModelManifest:
    """
    Read a manifest, and say of a draft that it is one.

    :raises ManifestError: it is not valid, or a question of a draft is still open.
    """
    got = f'got {UNANSWERED!r}'
    try:
        manifest = load_manifest(path)
    except ManifestError as error:
        unfinished = '; the draft is unfinished, put in the answer'
        problems = [f'{each}{unfinished if got in each else ""}' for each in error.problems]
        raise ManifestError(error.subject, problems) from error
    if manifest.decoder == UNANSWERED:
        problem = f'decoder.name: {got}, expected the name of a decoder'
        raise ManifestError(str(path), [f'{problem}; the draft is unfinished, put in the answer'])
    return manifest


def draft_command(model: Path, output: Path | None = None) -> str:
    """Return what a user types to have the manifest of a model file drafted."""
    words = ['edge-perception', 'inspect', str(model), '--draft', '--output']
    return shlex.join([*words, str(output or model.with_name(DRAFT_NAME))])


def _exported(folder: Path) -> Path | None:
    """Return the only IR of a folder without a manifest; None where it is no such folder."""
    files = [] if (folder / MANIFEST_NAME).exists() else [*folder.glob(f'*{IR_SUFFIX}')]
    return files[0] if len(files) == 1 else None


def _describes(manifest: Path, file: Path) -> bool:
    """Tell whether a manifest, right or wrong, is that of a bare file beside it."""
    if file.suffix in ('.yaml', '.yml') or not manifest.is_file():
        return False
    with suppress(OSError, ValueError, TypeError, KeyError):
        text = read_regular(manifest, most_bytes=MOST_MANIFEST_BYTES).decode('utf-8')
        return bool(read_yaml(text)['source']['file'] == file.name)
    return False


def _say_what_to_draft_from(manifest: Path) -> None:
    """Say how to draft a manifest where there is a model file but no manifest yet."""
    files = sorted(manifest.parent.glob('*.onnx')) if not manifest.exists() else []
    if files:
        raise ManifestError(
            str(manifest),
            [f'no such file; let it be drafted: {draft_command(files[0], manifest)}'],
        )


def locate(name: str, environ: Mapping[str, str] | None = None) -> Path:
    """
    Return where a model is, see ``find_model``.

    :raises ModelNotFoundError: nothing has this name.
    """
    environ = os.environ if environ is None else environ
    if not name:
        raise ModelNotFoundError(
            'model: got nothing, expected the path of a model folder or the name of a model; '
            f'known names: {_known(environ)}'
        )
    # Those of os.path, because those of Path raise for names that no system could have.
    path = Path(os.path.expanduser(name))
    if os.path.exists(path):
        return path
    # A name with a separator is a path: looking it up elsewhere would hide a typing mistake.
    if path.name == name:
        for folder in _model_folders(environ):
            if os.path.isfile(folder / name / MANIFEST_NAME):
                return folder / name
    raise ModelNotFoundError(
        f'model {name!r}: no such file or folder, and no model of this name; '
        f'known names: {_known(environ)}; more are looked for in {PATH_VARIABLE}'
    )


def _model_folders(environ: Mapping[str, str]) -> list[Path]:
    listed = [Path(part) for part in environ.get(PATH_VARIABLE, '').split(os.pathsep) if part]
    return [*listed, ZOO]


def _known(environ: Mapping[str, str]) -> str:
    names = {
        manifest.parent.name
        for folder in _model_folders(environ)
        for manifest in folder.glob(f'*/{MANIFEST_NAME}')
    }
    return ', '.join(sorted(names)) or 'none'


def _drafted(path: Path, draft: Draft) -> ModelManifest:
    if draft.unsupported:
        raise ManifestError(str(path), draft.unsupported)
    if draft.unknown:
        raise ManifestError(
            str(path),
            [
                *(f'the file does not say {what}' for what in draft.unknown),
                'give a manifest with the answers in place of the file; this drafts one: '
                + draft_command(path),
            ],
        )
    return parse_manifest(draft.values, folder=path.parent, subject=str(path))


def check_source(source: Path, manifest: ModelManifest) -> None:
    """
    Check that the file of a model is there, and the one that its manifest was written for.

    Files that hold its weights count as well.

    :raises ArtifactError: it is not.
    """
    if not os.path.isfile(source):
        raise ArtifactError(
            source,
            reason='no such file',
            remedy=f'put the file there or correct source.file of the manifest of {manifest.name}',
        )
    if not manifest.sha256:
        return
    digest = source_sha256(source)
    if digest != manifest.sha256:
        weights = ' with its weights' if digest != file_sha256(source) else ''
        raise ArtifactError(
            source,
            reason=f'has sha256 {digest}{weights}, the manifest expects {manifest.sha256}',
            remedy='restore the file that the manifest was written for, or correct source.sha256',
        )
