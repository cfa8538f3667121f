# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a plugin has to be before the host takes what it offers."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from inspect import isabstract
import re
from typing import Any

from edge_perception.contract import Builder
from edge_perception.contract import CONTRACT_VERSION
from edge_perception.contract import Decoder
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import EngineType
from edge_perception.contract import PluginError
from edge_perception.contract import Stage
from edge_perception.contract.errors import named
from edge_perception.contract.fields import shown

# What a plugin declares: a version, or the first and the last that it was written for.
CONTRACTS = re.compile(r'([0-9]+\.[0-9]+)(?:-([0-9]+\.[0-9]+))?')
# Of the kinds that users name: letters that a shell, a parameter and a file name take.
NAME = re.compile('[A-Za-z][A-Za-z0-9_-]*')
# Words that commands and parameters have beside names of engines.
TAKEN_BY_CHOICE = ('auto', 'all')
# Times that diagnostics report beside those of stages.
TAKEN_BY_TIMES = ('convert', 'preprocess', 'infer', 'decode', 'publish')


class RefusedError(PluginError):
    """
    Why the host does not use a plugin.

    :param reason: any text; a multi-line one becomes one line.
    """

    def __init__(self, reason: str, *, remedy: str) -> None:
        self.reason = ' '.join(reason.split())
        self.remedy = remedy
        super().__init__(f'{self.reason}; {remedy}')


@contextmanager
def mistakes_of(
    subject: str,
    *,
    failed: str = 'cannot read the model',
    foreseen: Callable[[Exception], bool] = lambda error: isinstance(error, EdgePerceptionError),
) -> Iterator[None]:
    """
    Turn what the author of a plugin did not foresee into a sentence.

    :param failed: what the subject did, in words.
    :param foreseen: tells what goes on as it is, because somebody has a better sentence for it.
    :raises PluginError: something else was raised inside of the block.
    """
    try:
        yield
    except Exception as error:
        if foreseen(error):
            raise
        raise PluginError(
            f'{subject} {failed}: {named(error)}; report it to its author'
        ) from error


def declared_contract(module: Any) -> str:
    """
    Return the version that a plugin declares, or the range, once this host serves it.

    :raises RefusedError: it does not, or there is none; the remedy is for who has to act.
    """
    declared = getattr(module, 'EDGE_PERCEPTION_CONTRACT', None)
    if not isinstance(declared, str):
        raise RefusedError(
            'does not say which contract it was written for',
            remedy=f"add EDGE_PERCEPTION_CONTRACT = '{CONTRACT_VERSION}' to its module",
        )
    found = CONTRACTS.fullmatch(declared)
    first, last = (_version(found[1]), _version(found[2] or found[1])) if found else ((), ())
    if not found or last < first:
        raise RefusedError(
            f'declares the contract {declared!r}, expected two numbers such as '
            f"'{CONTRACT_VERSION}', or the first and the last of several: '0.1-0.3'",
            remedy='correct EDGE_PERCEPTION_CONTRACT',
        )
    ours = _version(CONTRACT_VERSION)
    if first > ours:
        raise RefusedError(
            f'needs contract {declared}, this host has {CONTRACT_VERSION}',
            remedy='update edge_perception',
        )
    if last < ours and (last[0] != ours[0] or ours[0] == 0):
        raise RefusedError(
            f'was written for contract {declared}, this host has {CONTRACT_VERSION}',
            remedy='update the plugin',
        )
    return declared


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split('.'))


def check_name(kind: str, name: str) -> None:
    """
    Check the name of what a plugin registers.

    :raises RefusedError: users could not choose it.
    """
    taken = TAKEN_BY_CHOICE if kind == 'engine' else ()
    if not NAME.fullmatch(name) or name in taken:
        none_of = f', and none of {", ".join(taken)}' if taken else ''
        raise RefusedError(
            f'registered the {kind} {shown(name)}, expected a name of letters, digits, _ and -'
            f'{none_of}',
            remedy='report it to its author',
        )


def _has_name(item: Any) -> bool:
    return isinstance(getattr(item, 'name', None), str)


def _is_engine(item: Any) -> bool:
    return isinstance(item, EngineType) and _has_name(item) and hasattr(item, 'artifact_suffixes')


def _is_decoder(item: Any) -> bool:
    return (
        isinstance(item, type)
        and issubclass(item, Decoder)
        and not isabstract(item)
        and _has_name(item)
        and hasattr(item, 'tasks')
    )


def _is_builder(item: Any) -> bool:
    return isinstance(item, Builder) and _has_name(item) and hasattr(item, 'suffix')


def _is_stage(item: Any) -> bool:
    return (
        isinstance(item, type)
        and issubclass(item, Stage)
        and not isabstract(item)
        and _has_name(item)
        and re.fullmatch('[a-z][a-z0-9_]*', item.name) is not None
        and item.name not in TAKEN_BY_TIMES
    )


# What fits and how it is called in messages; a host that took less would fail much later.
KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    'engine': (_is_engine, 'an instance of EngineType with name and artifact_suffixes'),
    'decoder': (_is_decoder, 'a subclass of Decoder with name, tasks and _decode'),
    'builder': (_is_builder, 'an instance of Builder with name and suffix'),
    'stage': (
        _is_stage,
        'a subclass of Stage with applies, _run and a name of lower case letters, digits and _, '
        f'none of {", ".join(TAKEN_BY_TIMES)}',
    ),
}
