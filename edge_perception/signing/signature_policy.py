# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Let a model in by the policy of the vehicle, and remember which version came last."""

from __future__ import annotations

from dataclasses import dataclass
import json
from pathlib import Path
import tempfile

from edge_perception.contract.loading.artifact_files import read_regular
from edge_perception.contract.user_files import data_folder
from edge_perception.contract.user_files import write_whole
from edge_perception.signing.device_key import device_keys
from edge_perception.signing.signature_error import SignatureError
from edge_perception.signing.signed_folder import read_signed
from edge_perception.signing.signed_folder import Signed
from edge_perception.signing.trusted_keys import DEFAULT_FOLDER
from edge_perception.signing.trusted_keys import read_trusted
from edge_perception.signing.trusted_keys import TrustedKeys

POLICIES = ('off', 'warn', 'require')
_MOST_VERSIONS_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class SignaturePolicy:
    """
    What is asked of a model.

    :param mode: one of ``POLICIES``; ``warn`` loads what ``require`` refuses, and says why.
    """

    mode: str = 'off'
    trust_folder: Path = DEFAULT_FOLDER

    def admit(self, folder: Path, *, more_keys: TrustedKeys | None = None) -> Admitted:
        """
        Return a private copy of a signed folder; its memory is that of the files.

        :param more_keys: trusted for this folder as well.
        :raises SignatureError: it is not signed as it is, and the policy requires it.
        """
        if self.mode == 'off':
            return Admitted(folder)
        private = tempfile.TemporaryDirectory(prefix='edge_perception-')
        try:
            trusted = read_trusted(self.trust_folder)
            signed = read_signed(folder, trusted if more_keys is None else trusted | more_keys)
            _refuse_older(signed)
            copy = Path(private.name) / folder.name
            signed.copy_to(copy)
        except BaseException as error:
            private.cleanup()
            if self.mode == 'require' or not isinstance(error, SignatureError):
                raise
            return Admitted(folder, warning=str(error))
        return Admitted(copy, signed, private=private)

    def admit_built(self, entry: Path) -> Admitted:
        """
        Return what was built on this machine, if this machine signed it or a trusted key did.

        What is not admitted has no folder, and a warning.
        """
        try:
            return self.admit(entry, more_keys=None if self.mode == 'off' else device_keys())
        except SignatureError as error:
            return Admitted(None, warning=f'not used, {error}')

    def refuse(self, path: Path, reason: str) -> str:
        """
        Say that something cannot be signed at all.

        :return: the warning; empty where nothing is asked.
        :raises SignatureError: the policy requires it.
        """
        error = SignatureError('signature_missing', path, reason)
        if self.mode == 'require':
            raise error
        return '' if self.mode == 'off' else str(error)


@dataclass(frozen=True, slots=True)
class Admitted:
    """
    A folder that may be loaded.

    :param folder: to load from; None: nothing.
    :param warning: why it should not be; empty where it was signed, or nothing is asked.
    :param private: the copy; it is removed with the last reference to it.
    """

    folder: Path | None
    signed: Signed | None = None
    warning: str = ''
    private: tempfile.TemporaryDirectory[str] | None = None

    @property
    def words(self) -> str:
        """Return who signed which version; empty where nobody did."""
        if self.signed is None:
            return ''
        return f'version {self.signed.content.version}, key {self.signed.key.name}'

    def check_digest(self, model_digest: str) -> None:
        """
        Compare what was parsed with what was signed.

        :raises SignatureError: it is another model.
        """
        if self.signed is not None and self.signed.content.model_digest != model_digest:
            reason = 'is another model than the one that was signed'
            raise SignatureError('file_changed', self.signed.folder, reason)

    def loaded(self) -> None:
        """Remember the version: from now on no older one is let in."""
        if self.signed is not None:
            versions = _versions()
            content = self.signed.content
            if content.version > versions.get(content.name, 0):
                write_whole(
                    versions_file(), json.dumps({**versions, content.name: content.version})
                )


def versions_file() -> Path:
    """Return where the newest version of each model that was loaded here is kept."""
    return data_folder() / 'model_versions.json'


def _versions() -> dict[str, int]:
    path = versions_file()
    try:
        values = json.loads(read_regular(path, most_bytes=_MOST_VERSIONS_BYTES))
        if not all(type(value) is int for value in values.values()):
            raise ValueError('it holds no versions')
        return dict(values)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        reason = f'cannot be read, so an old model could come back: {error}; restore or delete it'
        raise SignatureError('version_rolled_back', path, reason) from None


def _refuse_older(signed: Signed) -> None:
    content = signed.content
    newest = _versions().get(content.name, 0)
    if content.version < newest:
        reason = f'is version {content.version} of {content.name}; {newest} was loaded here before'
        raise SignatureError('version_rolled_back', signed.folder, reason)
