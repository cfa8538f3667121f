# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception sign``: sign every file of a model folder."""

from __future__ import annotations

from pathlib import Path

import click

from edge_perception.cli import arguments
from edge_perception.contract import ConfigurationError
from edge_perception.contract.loading.artifact_files import read_regular
from edge_perception.contract.user_files import write_whole
from edge_perception.contract.user_files import writing
from edge_perception.models.plugin_host import PluginHost
from edge_perception.signing.minisign import FormatError
from edge_perception.signing.minisign import PasswordError
from edge_perception.signing.minisign import SecretKey
from edge_perception.signing.signed_folder import LIST
from edge_perception.signing.signed_folder import sign_folder
from edge_perception.signing.signed_folder import SIGNATURE
from edge_perception.signing.trusted_keys import MOST_KEY_BYTES
from edge_perception.tooling.notes import tell
from edge_perception.tooling.offline import offline_model

EXAMPLES = """\b
Examples:
  edge-perception sign models/yolox_nano --key release.key --version 3
  edge-perception verify models/yolox_nano --signature
"""


@click.command('sign', epilog=EXAMPLES)
@click.argument('folder', metavar='MODEL', type=arguments.FILE)
@click.option('--key', 'key_file', type=arguments.FILE, required=True, help='Secret key (.key).')
@click.option('--version', type=click.IntRange(1, 999_999_999), required=True,
              help='Number of this release; vehicles refuse older ones.')  # fmt: skip
@click.option('--password', envvar='EDGE_PERCEPTION_KEY_PASSWORD', default=None,
              help='Of the key (default: asked for where it has one).')  # fmt: skip
def command(folder: Path, key_file: Path, version: int, password: str | None) -> None:
    """
    Sign every file of the folder MODEL, artifacts and proofs included.

    Writes model.files and model.sig into it. A file that is changed or added later has to be
    signed again.
    """
    if not folder.is_dir():
        raise ConfigurationError(str(folder), ['is no folder of a model'])
    key = _read_key(key_file, password)
    model = offline_model(PluginHost(), str(folder), None)
    written = sign_folder(
        folder, key, name=model.manifest.name, version=version, model_digest=model.digest()
    )
    with writing(folder / LIST):
        for name, text in written.items():
            write_whole(folder / name, text)
    count = len(written[LIST].splitlines()) - 4
    tell(f'{folder / SIGNATURE}: {count} files, version {version}, key {key.public().name}')


def _read_key(path: Path, password: str | None) -> SecretKey:
    try:
        text = read_regular(path, most_bytes=MOST_KEY_BYTES).decode('utf-8')
        try:
            return SecretKey.parse(text, password or '')
        except PasswordError:
            if password is not None:
                raise
            return SecretKey.parse(text, click.prompt('Password of the key', hide_input=True))
    except (OSError, UnicodeDecodeError, FormatError, PasswordError) as error:
        reason = getattr(error, 'strerror', None) or str(error)
        problem = f'is no secret key that can be read: {reason}'
        raise ConfigurationError(str(path), [problem]) from None
