# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Write a drafted manifest as a file that a person completes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from edge_perception.contract import ConfigurationError
from edge_perception.contract import UNANSWERED
from edge_perception.contract.user_files import write_whole
from edge_perception.contract.user_files import writing
from edge_perception.models.digests import source_sha256
from edge_perception.models.drafting import Draft


def write_draft(draft: Draft, *, model: Path, path: Path, force: bool) -> None:
    """
    Write a draft, with what is unknown as comments, and the digest of the model.

    :param model: the model file; the manifest has to lie in its folder or above.
    :param path: the manifest to write.
    :param force: whether a file that is there already is replaced.
    :raises ConfigurationError: there is a file already, or it cannot be written.
    """
    if path.exists() and not force:
        problem = 'exists already, expected --force to replace it, or --output with another file'
        raise ConfigurationError(str(path), [problem])
    # Links are not followed: a model folder may well hold a link to a file that lies elsewhere.
    folder, file = Path(os.path.abspath(path)).parent, Path(os.path.abspath(model))
    if folder not in file.parents:
        problem = f'a manifest has to lie in the folder of its model {model} or above'
        raise ConfigurationError(str(path), [problem])
    source = file.relative_to(folder).as_posix()
    digest = source_sha256(model)
    values = {**draft.values, 'source': {'file': source, 'sha256': digest}}
    with writing(path):
        write_whole(path, render(values, draft, source))


def render(values: dict[str, Any], draft: Draft, source: str) -> str:
    """Return the text of a draft; every unknown thing is a comment at its top."""
    comments = [f'Drafted from {source}.']
    if draft.unsupported:
        comments += ['It cannot be run:', *(f'  - {each}' for each in draft.unsupported)]
    if draft.unknown:
        comments += ['The file does not say:', *(f'  - {each}' for each in draft.unknown)]
        comments.append(f'Put the answer wherever a value is {UNANSWERED!r}, and check the rest.')
    if draft.optional:
        comments += ['It may be left out:', *(f'  - {each}' for each in draft.optional)]
    body = yaml.dump(
        values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=95, indent=2
    )
    return ''.join(f'# {_printable(comment)}\n' for comment in comments) + body


def _printable(comment: str) -> str:
    """Return one line without control characters, which names of tensors may hold."""
    line = ''.join(each if each.isprintable() else ' ' for each in comment)
    return line.rstrip()


class _Dumper(yaml.SafeDumper):
    """Puts rows of numbers, such as a skeleton or a mean, on one line each."""


def _represent_list(dumper: _Dumper, values: list[Any]) -> yaml.Node:
    numbers = bool(values) and all(isinstance(value, (int, float)) for value in values)
    return dumper.represent_sequence('tag:yaml.org,2002:seq', values, flow_style=numbers)


_Dumper.add_representer(list, _represent_list)
