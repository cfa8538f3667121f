# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception inspect``: what a model file or folder holds, and a draft of its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from edge_perception.cli import arguments
from edge_perception.cli.output.failures import FAILED
from edge_perception.cli.output.tables import new_table
from edge_perception.contract import MANIFEST_NAME
from edge_perception.contract import ManifestError
from edge_perception.contract import TensorSpec
from edge_perception.contract import UNANSWERED
from edge_perception.models.plugin_host import PluginHost
from edge_perception.tooling.building.onnx_graph import LIBRARY
from edge_perception.tooling.building.onnx_graph import REMEDY
from edge_perception.tooling.draft_file import write_draft
from edge_perception.tooling.model_facts import inspect_model
from edge_perception.tooling.model_facts import Inspection
from edge_perception.tooling.model_facts import ONNX_SUFFIX
from edge_perception.tooling.model_facts import sizes
from edge_perception.tooling.notes import note
from edge_perception.tooling.notes import say
from edge_perception.tooling.progress import result_console

EXAMPLES = """\b
Examples:
  edge-perception inspect yolo11n.onnx
  edge-perception inspect yolox_nano.onnx --draft --output model_draft.yaml
  edge-perception inspect models/yolox_nano --json
"""
LONGEST_VALUE = 200  # characters of one value of the metadata on a terminal


@click.command('inspect', epilog=EXAMPLES)
@click.argument('model')
@arguments.json_option
@click.option('--draft', is_flag=True, help='Write a manifest, and say what it leaves open.')
@click.option('--output', type=arguments.NEW_FILE, metavar='FILE',
              help=f'File of the draft (default: {MANIFEST_NAME} beside the model).')  # fmt: skip
@click.option('--force', is_flag=True, help='Replace a manifest that is there already.')
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """
    Look into MODEL without running it: tensors, operators, metadata, and what is wrong with it.

    With --draft a manifest is written from what the file says of itself. What it cannot say is
    listed, and the draft is refused until the answers are put in.

    Exit status 1 means that the model cannot be run as it is.
    """
    if given['output'] and not given['draft']:
        raise click.UsageError('--output says where a draft goes, expected --draft beside it')
    found = inspect_model(PluginHost(), given['model'])
    if given['as_json']:
        arguments.print_json(_values(found))
    else:
        _print(result_console(), found)
    for problem in found.problems:
        say(ManifestError.code, problem)
    if given['draft']:
        path = given['output'] or found.file.parent / MANIFEST_NAME
        write_draft(found.draft, model=found.file, path=path, force=given['force'])
        click.echo(f'wrote {path}', err=given['as_json'])
    ctx.exit(FAILED if found.problems and not given['draft'] else 0)


def _values(found: Inspection) -> dict[str, Any]:
    """Return an inspection as JSON has it; null where the library onnx is missing."""
    names = ('ir_version', 'opsets', 'producer', 'operators', 'parameters', 'external_data')
    return {
        'file': str(found.file),
        'inputs': [_tensor(spec) for spec in found.description.inputs],
        'outputs': [_tensor(spec) for spec in found.description.outputs],
        'metadata': dict(found.description.metadata),
        **{name: getattr(found.graph, name, None) for name in names},
        'decoder': found.manifest.decoder if found.manifest else _drafted_decoder(found),
        'decoders_that_fit': list(found.decoders),
        'problems': list(found.problems),
        'draft': found.draft.values,
        'unknown': list(found.draft.unknown),
        'optional': list(found.draft.optional),
        'unsupported': list(found.draft.unsupported),
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {'name': spec.name, 'shape': sizes(spec.shape), 'dtype': spec.dtype.name}


def _drafted_decoder(found: Inspection) -> str:
    name = str(found.draft.values['decoder']['name'])
    return 'unknown' if name == UNANSWERED else name


def _print(console: Console, found: Inspection) -> None:
    console.print(Text(str(found.file), style='bold'), soft_wrap=True)
    table = new_table('tensor', 'name', 'shape and type')
    for spec in found.description.inputs:
        table.add_row('input', Text(spec.name), spec.describe())
    for spec in found.description.outputs:
        table.add_row('output', Text(spec.name), spec.describe())
    console.print(table)
    _print_facts(console, _graph_facts(found))
    if found.description.metadata:
        console.print('metadata', style='bold')
        _print_facts(console, found.description.metadata)
    decoder = {'decoders that fit': ', '.join(found.decoders) or 'none'}
    named = f'{found.manifest.decoder} (manifest)' if found.manifest else ''
    _print_facts(console, {'decoder': named or f'{_drafted_decoder(found)} (draft)', **decoder})
    if named:
        return
    for title, lines in (
        ('it cannot be run', found.draft.unsupported),
        ('the file does not say', found.draft.unknown),
    ):
        if lines:
            console.print(title, style='bold')
        for each in lines:
            console.print(Text(f'  - {each}'), soft_wrap=True)
    for each in found.draft.optional:
        note(f'the file does not say {each}')


def _graph_facts(found: Inspection) -> dict[str, str]:
    graph = found.graph
    if graph is None:
        if found.file.suffix == ONNX_SUFFIX:
            note(f'{LIBRARY} is missing, so operators cannot be shown; {REMEDY}')
        return {}
    facts = {
        'producer': graph.producer,
        'opsets': ', '.join(f'{name} {version}' for name, version in graph.opsets.items()),
        'IR version': str(graph.ir_version),
        'parameters': f'{graph.parameters:,}',
        'operators': ', '.join(f'{name} {count}' for name, count in graph.operators.items()),
        'external data': ', '.join(graph.external_data),
    }
    return {name: fact for name, fact in facts.items() if fact}


def _print_facts(console: Console, facts: Mapping[str, str]) -> None:
    for name, fact in facts.items():
        line = ' '.join(fact.split())
        if len(line) > LONGEST_VALUE and name != 'operators':
            line = f'{line[:LONGEST_VALUE]} ...'
        console.print(Text(f'  {name}: {line}'), soft_wrap=True)
