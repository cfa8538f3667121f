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
from collections.abc import Mapping
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
# How like a misspelled name is to the right one, 0 to 1: modle and model are at 0.8.
LIKE, VERY_LIKE = 0.6, 0.75
# A file with every parameter of 8 cameras has 60 kB; rcl reads no references (*name) either.
MOST_BYTES, DEEPEST = 1 << 20, 50
WILDCARDS = {'*': '/[^/]+', '**': '(/[^/]+)*'}


def unread_files(arguments: Sequence[str], full_name: str) -> list[str]:
    """
    Return in sentences which given parameters are headed for another node, in files or by ``-p``.

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
    for flag, rule in zip(arguments, arguments[1:]):
        node = rule.partition(':=')[0].rpartition(':')[0]
        if flag in ('-p', '--param') and node and not _matches(node, full_name):
            sentences.append(
                f'-p {rule}: is for the node {node} and not used, this one is {full_name}; give '
                'it without the name of a node'
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


def misspelled_arguments(
    typed: Iterable[str], given: Mapping[str, str], defaults: Mapping[str, str]
) -> Iterator[str]:
    """
    Tell which arguments of a launch file look like one of its own; launch takes any.

    :param typed: on the command line, ``NAME:=VALUE``.
    :param given: everything that is set, also by a launch file that includes this one, which may
        have arguments of its own: they count where the one that they look like was not given.
    :param defaults: of the arguments of the launch file.
    """
    on_line = [each.partition(':=')[0] for each in typed if ':=' in each]
    # launch_ros itself keeps what it pushes as ros_namespace and the like.
    others = [name for name in given if not name.startswith('ros_')]
    for name in dict.fromkeys((*on_line, *others)):
        likeness = LIKE if name in on_line else VERY_LIKE
        for nearest in get_close_matches(name, defaults, n=1, cutoff=likeness):
            # use_namespace is no misspelled namespace.
            meant = given.get(nearest) in (None, defaults[nearest]) and nearest not in name
            if name not in defaults and (name in on_line or meant):
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
