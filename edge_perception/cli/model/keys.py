# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception keys``: who may decide what a vehicle sees."""

from __future__ import annotations

import os
from pathlib import Path

import click

from edge_perception.cli import arguments
from edge_perception.cli.output.tables import new_table
from edge_perception.contract import ConfigurationError
from edge_perception.contract.user_files import write_whole
from edge_perception.contract.user_files import writing
from edge_perception.signing.device_key import device_key_path
from edge_perception.signing.device_key import make_device_key
from edge_perception.signing.minisign import SecretKey
from edge_perception.signing.trusted_keys import DEFAULT_FOLDER
from edge_perception.signing.trusted_keys import read_trusted
from edge_perception.tooling.notes import tell
from edge_perception.tooling.progress import result_console

EXAMPLES = """\b
Examples:
  edge-perception keys generate release
  edge-perception keys list --trust /etc/edge_perception/keys
  edge-perception keys device
"""


@click.group('keys', epilog=EXAMPLES)
def command() -> None:
    """Make keys that sign models, and list those that this machine trusts."""


@command.command('generate')
@click.argument('name', type=arguments.FILE)
@click.password_option(help='Encrypts the secret key; empty: it is not encrypted.', default='')
def generate(name: Path, password: str) -> None:
    """Write NAME.key, which signs and stays with you, and NAME.pub, which vehicles trust."""
    secret, public = (name.with_name(f'{name.name}{suffix}') for suffix in ('.key', '.pub'))
    for path in (secret, public):
        if path.exists():
            raise ConfigurationError(str(path), ['exists; a key that signed is not replaced'])
    key = SecretKey.generate()
    before = os.umask(0o077)
    try:
        with writing(secret):
            write_whole(secret, key.text(password))
    finally:
        os.umask(before)
    with writing(public):
        write_whole(public, key.public().text())
    tell(f'{secret}: keep it off every vehicle')
    tell(f'{public}: copy it to {DEFAULT_FOLDER} of each vehicle, as root')


@command.command('list')
@click.option('--trust', type=arguments.FILE, default=DEFAULT_FOLDER, show_default=True,
              help='Folder of the keys that are trusted.')  # fmt: skip
@arguments.json_option
def list_keys(trust: Path, as_json: bool) -> None:
    """List the keys that are trusted, and those that are revoked."""
    keys = read_trusted(trust)
    rows = [{'key': key.name, 'revoked': key.key_id in keys.revoked} for key in keys.keys.values()]
    if as_json:
        arguments.print_json(rows)
        return
    table = new_table('key', 'state')
    for row in rows:
        table.add_row(str(row['key']), 'revoked' if row['revoked'] else 'trusted')
    result_console().print(table)


@command.command('device')
def device() -> None:
    """Make the key by which this machine knows again what it built; once."""
    with writing(device_key_path()):
        key = make_device_key()
    tell(f'{device_key_path()}: key {key.public().name} signs what is built from now on')
