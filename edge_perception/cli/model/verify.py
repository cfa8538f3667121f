# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception verify``: the gate for an artifact that is there already."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edge_perception.cli.output.failures import REJECTED
from edge_perception.cli.output.how_to_load import say_how_to_load
from edge_perception.cli.output.verdict_tables import as_values
from edge_perception.cli.output.verdict_tables import print_verdict
from edge_perception.contract import ArtifactError
from edge_perception.contract import ConfigurationError
from edge_perception.contract import parse_options
from edge_perception.models.atomic_files import writing
from edge_perception.models.finding import Model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.proofs import proof_path
from edge_perception.models.proofs import write_proof
from edge_perception.tooling.assignments import require_assignments
from edge_perception.tooling.building.precision import precision_of
from edge_perception.tooling.building.sidecars import proof_of
from edge_perception.tooling.building.sidecars import reference_in_words
from edge_perception.tooling.building.sidecars import write_report
from edge_perception.tooling.frame_sources import be_quiet
from edge_perception.tooling.gate.average_precision import Dataset
from edge_perception.tooling.gate.average_precision import read_dataset
from edge_perception.tooling.gate.comparison import GateVerdict
from edge_perception.tooling.gate.gate_limits import standard_limits
from edge_perception.tooling.notes import note
from edge_perception.tooling.offline import engine_for
from edge_perception.tooling.offline import judge
from edge_perception.tooling.offline import offline_model
from edge_perception.tooling.offline import pictures
from edge_perception.tooling.offline import REFERENCE_ENGINE
from edge_perception.tooling.offline import Side
from edge_perception.tooling.progress import result_console

EXAMPLES = """\b
Examples:
  edge-perception verify yolox.tflite --reference models/yolox_nano --images photos
  edge-perception verify net_int8.onnx --reference net.onnx --manifest model.yaml --images photos

Exit status: 0 passed, 3 rejected, 2 wrong usage or configuration.
"""


@click.command('verify', epilog=EXAMPLES)
@click.argument('artifact', type=click.Path(path_type=Path))
@click.option(
    '--reference', required=True, metavar='MODEL', help='The model that ARTIFACT was made from.'
)
@click.option(
    '--manifest',
    type=click.Path(path_type=Path),
    metavar='FILE',
    help='Manifest of MODEL, where that is a bare file.',
)
@click.option(
    '--images',
    multiple=True,
    metavar='FOLDER',
    help='Pictures and videos of what the model is for; else those in golden/ of the model.',
)
@click.option(
    '--dataset',
    type=click.Path(path_type=Path),
    metavar='COCO.json',
    help='Annotations of the pictures in --images; AP may not fall by more than its limit.',
)
@click.option('--engine', default='', help='Engine that loads ARTIFACT; else the first that can.')
@click.option(
    '--reference-engine',
    default=REFERENCE_ENGINE,
    show_default=True,
    help='Engine of the reference; another one where MODEL is no ONNX.',
)
@click.option(
    '--precision',
    type=click.Choice(list(standard_limits())),
    help='Whose limits hold; else read from ARTIFACT.',
)
@click.option(
    '-o',
    '--option',
    'assignments',
    multiple=True,
    metavar='NAME=VALUE',
    help='Option of the engine, e.g. threads=2.',
)
@click.option(
    '--report',
    type=click.Path(dir_okay=False, path_type=Path),
    metavar='FILE',
    help='HTML report; written when rejected in any case, into the current folder.',
)
@click.option('--json', 'as_json', is_flag=True, help='Print the figures as a JSON object.')
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """
    Compare ARTIFACT with its reference on real pictures, and write its proof when it passes.

    The proof is a small file beside ARTIFACT. The node looks for both in the folder artifacts of
    MODEL and in the cache; elsewhere its parameter artifact has to name ARTIFACT.
    """
    be_quiet()
    artifact: Path = given['artifact']
    if not artifact.is_file():
        raise ArtifactError(artifact, reason='no such file', remedy='correct the path')
    host = PluginHost()
    model = offline_model(host, given['reference'], given['manifest'])
    candidate = _candidate(host, artifact, given)
    reference, engine = _reference(model, candidate, given['reference_engine']), candidate.engine
    sources, dataset = pictures(model, given['images']), _labeled(given)
    verdict = judge(
        host, model, reference=reference, candidate=candidate, sources=sources, dataset=dataset
    )
    told = reference_in_words(model, reference.engine)
    proof = _prove(host, model, artifact, candidate, verdict, told)
    if not given['as_json']:
        whence = '' if given['precision'] else ' (read from the file; --precision changes it)'
        print_verdict(result_console(), verdict, whence=whence)
    # After the verdict was printed: a report that cannot be written must not cost it.
    report = write_report(
        verdict, model, artifact=artifact, engine=engine, path=given['report'], reference=told
    )
    if given['as_json']:
        values = as_values(verdict, artifact=artifact, engine=engine, reference=told)
        values |= {'proof': str(proof or ''), 'report': str(report or '')}
        click.echo(json.dumps(values, indent=2))
        ctx.exit(0 if verdict.passed else REJECTED)
    click.echo(f'proof: {proof}' if proof else f'rejected, see {report}')
    if proof:
        say_how_to_load(
            host, model, host.engines[engine], artifact, verdict.precision,
            pictures=given['images'], manifest=given['manifest'], options=candidate.chosen,
        )  # fmt: skip
    ctx.exit(0 if verdict.passed else REJECTED)


def _labeled(given: dict[str, Any]) -> Dataset | None:
    if given['dataset'] is None:
        return None
    if len(given['images']) != 1:
        raise ConfigurationError(
            '--dataset', ['expected one --images FOLDER, in which its pictures lie']
        )
    return read_dataset(given['dataset'], Path(given['images'][0]))


def _candidate(host: PluginHost, artifact: Path, given: dict[str, Any]) -> Side:
    engine = engine_for(host, artifact, given['engine'])
    options = require_assignments(given['assignments'], host.engines, chosen=engine)
    precision = given['precision'] or precision_of(artifact)
    engine_type = host.engines[engine]
    parsed = parse_options(
        engine_type.options_type, options.get(engine, {}), owner=f'engine {engine!r}'
    )
    if precision in ('', 'fp32') and not given['precision']:
        computed = engine_type.precision(parsed)
        precision = computed if precision else ''
    if not precision:
        raise ConfigurationError(
            '--precision', [f'{artifact.name} does not say, expected fp32, fp16 or int8']
        )
    return Side(engine, artifact, precision, options)


def _reference(model: Model, candidate: Side, engine: str) -> Side:
    assert candidate.path is not None
    same = model.source.resolve() == candidate.path.resolve()
    if same and engine == candidate.engine:
        raise ConfigurationError(
            '--reference',
            [
                f'{model.source.name} is the artifact itself on the same engine, expected the '
                'model that it was made from, or another --reference-engine'
            ],
        )
    return Side(engine)


def _prove(
    host: PluginHost,
    model: Model,
    artifact: Path,
    candidate: Side,
    verdict: GateVerdict,
    told: str,
) -> Path | None:
    """Write the sidecar of what passed; take that of what did not."""
    if not verdict.passed:
        stale = proof_path(artifact, candidate.engine)
        if stale.exists():
            with writing(stale):
                stale.unlink()
            note(f'{stale} is removed, the artifact does not pass any more')
        return None
    engine_type = host.engines[candidate.engine]
    options = parse_options(
        engine_type.options_type,
        candidate.chosen,
        owner=f'engine {candidate.engine!r}',
    )
    proof = proof_of(model, artifact, engine_type, verdict, reference=told, options=options)
    path = proof_path(artifact, candidate.engine)
    with writing(path):
        return write_proof(artifact, proof)
