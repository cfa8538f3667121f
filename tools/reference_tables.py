# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Generate tables of the documentation from the code.

They stand between ``<!-- generated: NAME -->`` and ``<!-- end -->``. ``python -m
tools.reference_tables --write`` brings them up to date; without the argument it only looks, and a
test looks as well. Needs the environment of ``make test``, because parameters are a matter of ROS.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from importlib.metadata import entry_points
import inspect
from pathlib import Path
import re
import sys

import cv2

from edge_perception.bridges.target_bridge import BridgeOptions
from edge_perception.contract import ENTRY_POINT_GROUP
from edge_perception.contract import hookspecs
from edge_perception.models.plugin_host import OWN_DISTRIBUTION
from edge_perception.models.plugin_host import PluginHost
from edge_perception.ros.input.raw_images import Encoding
from edge_perception.ros.input.raw_images import ENCODINGS
from edge_perception.ros.parameters.camera_parameters import camera_specs
from edge_perception.ros.parameters.declaration import parameter_specs
from edge_perception.ros.parameters.declaration import ParameterSpec
from edge_perception.ros.parameters.node_parameters import NodeConfig
from edge_perception.ros.parameters.reading import node_specs
from edge_perception.testing.conformance import BuilderConformance
from edge_perception.testing.conformance import DecoderConformance
from edge_perception.testing.conformance import EngineConformance
from edge_perception.testing.conformance import StageConformance
from edge_perception.testing.conformance.clauses import clauses_of
from edge_perception.testing.conformance.clauses import Conformance

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r'(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)', re.DOTALL)
KITS = {
    'engine': EngineConformance,
    'decoder': DecoderConformance,
    'builder': BuilderConformance,
    'stage': StageConformance,
}
HOOKS = tuple(f'register_{kind}s' for kind in KITS)


def own_host() -> PluginHost:
    """Return a host with the plugins of this package alone, whatever else is installed."""
    points = entry_points(group=ENTRY_POINT_GROUP)
    own = [each for each in points if each.dist and _name(each.dist.name) == OWN_DISTRIBUTION]
    return PluginHost(candidates=own, environ={})


def tables() -> dict[str, str]:
    """Return the text of every generated block by its name."""
    host = own_host()
    return {
        **{name: _options(specs) for name, specs in node_specs(host.engines, host.stages).items()},
        'launch-parameters': _table(
            ('parameter', 'meaning'),
            (
                (f'`{spec.name}`', spec.meaning)
                for spec in parameter_specs(NodeConfig)
                if spec.launch
            ),
        ),
        'camera-parameters': _options(camera_specs(['<name>']).values()),
        'bridge-parameters': _options(parameter_specs(BridgeOptions)),
        'encodings': _table(('encoding', 'read as', 'size', 'samples'), _encodings()),
        'decoder-options': _table(
            ('decoder', 'option', 'default', 'values', 'meaning'),
            (
                (f'`{name}`', *_cells(spec))
                for name, decoder in sorted(host.decoders.items())
                for spec in parameter_specs(decoder.options_type)
            ),
        ),
        **{f'{name}-clauses': _clauses(kind) for name, kind in KITS.items()},
        'hooks': '```python\n' + '\n'.join(map(_signature, HOOKS)) + '\n```\n',
    }


def updated(text: str, blocks: dict[str, str]) -> str:
    """Return a document with its generated blocks as they have to be."""
    return BLOCK.sub(lambda found: found[1] + blocks[found[2]] + found[3], text)


def documents() -> Iterator[Path]:
    """Give every document of the repository that people read."""
    yield from sorted(ROOT.glob('*.md'))
    yield from sorted(ROOT.glob('docs/**/*.md'))
    yield ROOT / 'plugins' / 'README.md'


def main(arguments: list[str]) -> int:
    """Bring the documents up to date, or print which are not."""
    blocks = tables()
    new = {path: updated(path.read_text(encoding='utf-8'), blocks) for path in documents()}
    return bring_up_to_date(new, arguments)


def bring_up_to_date(files: Mapping[Path, str], arguments: list[str]) -> int:
    """
    Write the files that are out of date, or only name them.

    :param arguments: ``--write``, or nothing.
    :return: the exit status.
    """
    write = arguments == ['--write']
    stale = [
        path for path, text in files.items() if not path.is_file() or path.read_text() != text
    ]
    for path in stale:
        if write:
            path.write_text(files[path], encoding='utf-8')
        verdict = 'written' if write else 'is out of date, run it with --write'
        print(f'{path.relative_to(ROOT)}: {verdict}')
    return 1 if stale and not write else 0


def _name(distribution: str) -> str:
    return distribution.replace('-', '_')


def _options(specs: Iterable[ParameterSpec]) -> str:
    return _table(('parameter', 'default', 'values', 'meaning'), map(_cells, specs))


def _cells(spec: ParameterSpec) -> tuple[str, ...]:
    return (f'`{spec.name}`', f'`{shown(spec.default)}`', spec.expected(), spec.meaning)


def shown(value: object) -> str:
    """Return a value as YAML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return '[' + ', '.join(map(shown, value)) + ']'
    return str(value) if value != '' else "''"


def _clauses(kind: type[Conformance]) -> str:
    texts = {number: text.replace('``', '`') for number, text in clauses_of(kind).items()}
    return _table(('clause', 'promise'), texts.items())


def _encodings() -> Iterator[tuple[str, ...]]:
    for name, encoding in ENCODINGS.items():
        yield f'`{name}`', _result(encoding), _size(encoding), _samples(encoding)


def _result(encoding: Encoding) -> str:
    return 'gray' if encoding.result == 'mono8' else 'color'


def _size(encoding: Encoding) -> str:
    if encoding.smallest > 1:
        return f'at least {encoding.smallest}x{encoding.smallest}'
    return {(1, 1): 'any', (2, 1): 'even width', (2, 2): 'even width and height'}[encoding.block]


def _samples(encoding: Encoding) -> str:
    words = {1: '8 bits', 2: '16 bits, see `mono16_range`'}[encoding.sample_bytes]
    alpha = encoding.conversion in (cv2.COLOR_BGRA2BGR, cv2.COLOR_RGBA2BGR)
    return words + (', alpha is ignored' if alpha else '')


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple('---' for _ in head), *rows]
    return ''.join('| ' + ' | '.join(map(_escaped, line)) + ' |\n' for line in lines)


def _escaped(cell: str) -> str:
    return cell.replace('|', '\\|')


def _signature(name: str) -> str:
    hook: Callable[..., None] = getattr(hookspecs, name)
    text = str(inspect.signature(hook)).replace("'", '')
    return f'def {name}{text}: ...  # {inspect.getdoc(hook)}'


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
