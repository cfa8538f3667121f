# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Tell which node the headers of a parameter file mean.

ROS passes over what is headed for another node without a word. Launch files import this module, so
it needs nothing that their Python may lack.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from difflib import get_close_matches
import os
from pathlib import Path
import re
import tempfile
from typing import Any

import yaml

# What people head a file with where the name of the node belongs.
EXECUTABLE, PACKAGE = 'perception_node', 'edge_perception'
# A file with every parameter of 8 cameras has 60 kB; rcl reads no references (*name) either.
MOST_BYTES, DEEPEST = 1 << 20, 50
WILDCARDS = {'*': '/[^/]+', '**': '(/[^/]+)*'}


def unread_files(arguments: Sequence[str], full_name: str) -> list[str]:
    """
    Return in sentences which parameter files hold something for this node that it does not get.

    :param arguments: of the process.
    :param full_name: of the node, with its namespace.
    """
    paths = [path for flag, path in zip(arguments, arguments[1:]) if flag == '--params-file']
    sentences = []
    for path in dict.fromkeys(paths):
        headers = list(_headers(_read(Path(path))))
        others = [each for each in headers if not _matches(each, full_name)]
        if len(others) < len(headers):
            # A file for several nodes; only what looks like this one was meant for it.
            own = {full_name.rpartition('/')[2], EXECUTABLE, PACKAGE}
            others = [each for each in others if each.rpartition('/')[2] in own]
        if others:
            named = ' and '.join(f'{each}:' for each in others)
            sentences.append(
                f'parameter file {path}: the parameters below {named} are for another node and '
                f'not used, this one is {full_name}; head them {full_name}: or /**:'
            )
    return sentences


def below_namespace(path: Path, namespace: str) -> Path:
    """
    Return a parameter file whose relative headers are below a namespace, as Nav2 rewrites them.

    It is ``path`` itself where nothing changes, else a new file that goes with the process.
    Absolute headers, wildcards and those that begin with the namespace stay as they are.

    :param namespace: without the outer slashes; empty: none.
    """
    root = yaml.compose(path.read_text(encoding='utf-8'), Loader=yaml.SafeLoader)
    if not namespace or not isinstance(root, yaml.MappingNode):
        return path
    first = namespace.partition('/')[0]
    relative = [
        key
        for key, _ in root.value
        if isinstance(key, yaml.ScalarNode)
        and not key.value.startswith(('/', '*'))
        and key.value.partition('/')[0] != first
    ]
    if not relative:
        return path
    for key in relative:
        key.value = f'/{namespace}/{key.value}'
    handle, name = tempfile.mkstemp(prefix='edge_perception_', suffix='.yaml')
    with os.fdopen(handle, 'w', encoding='utf-8') as file:
        file.write(yaml.serialize(root, Dumper=yaml.SafeDumper))
    atexit.register(os.unlink, name)
    return Path(name)


def misspelled_arguments(given: Iterable[str], known: Sequence[str]) -> Iterator[str]:
    """
    Tell which arguments of a launch file look like a known one; launch takes any.

    :param given: of the command line, ``NAME:=VALUE``.
    """
    for name, is_argument, _ in (each.partition(':=') for each in given):
        if is_argument and name not in known:
            for nearest in get_close_matches(name, known, n=1):
                yield f'{name}: no such argument, it is not used; did you mean {nearest!r}?'


def parameter_tree(path: Path) -> Any:
    """
    Return what a parameter file holds, all values as strings, in a time linear in its length.

    :raises OSError: it cannot be read.
    :raises ValueError: it is no regular file, too large, or not what rcl can read.
    :raises yaml.YAMLError: it is not YAML.
    """
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        raise ValueError(f'expected a regular file of at most {MOST_BYTES} bytes')
    text, depth = path.read_text(encoding='utf-8'), 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f'holds a reference, *{event.anchor}, which ROS does not read')
        if depth > DEEPEST:
            raise ValueError(f'has more than {DEEPEST} levels')
    return yaml.load(text, Loader=yaml.BaseLoader)


def _read(path: Path) -> Any:
    """Return the mappings of a file; None where only the parser of rcl can read it."""
    try:
        return parameter_tree(path)
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _headers(tree: Any, above: str = '') -> Iterator[str]:
    """Give the names of the nodes that have parameters in a file."""
    for key, below in tree.items() if isinstance(tree, dict) else ():
        if key == 'ros__parameters':
            yield above
        else:
            yield from _headers(below, f'{above}/{key}' if above else str(key))


def _matches(header: str, full_name: str) -> bool:
    """Tell whether a header means a node, by the rules of rcl."""
    tokens = filter(None, header.split('/'))
    pattern = ''.join(WILDCARDS.get(token, f'/{re.escape(token)}') for token in tokens)
    return bool(re.fullmatch(pattern, full_name))
