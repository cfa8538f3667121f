# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception verify``: the gate for an artifact that exists already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from edge_perception.cli import arguments
from edge_perception.cli.output.failures import REJECTED
from edge_perception.cli.output.how_to_load import say_how_to_load
from edge_perception.cli.output.verdict_tables import print_verdict
from edge_perception.contract import ArtifactError
from edge_perception.contract import ConfigurationError
from edge_perception.models.plugin_host import PluginHost
from edge_perception.signing.signature_policy import SignaturePolicy
from edge_perception.signing.trusted_keys import DEFAULT_FOLDER
from edge_perception.tooling.assignments import parse_assignments
from edge_perception.tooling.building import sidecars
from edge_perception.tooling.frame_sources import be_quiet
from edge_perception.tooling.gate.coco_annotations import Dataset
from edge_perception.tooling.gate.coco_annotations import read_dataset
from edge_perception.tooling.gate.gate_limits import standard_limits
from edge_perception.tooling.notes import tell
from edge_perception.tooling.offline import engine_for
from edge_perception.tooling.offline import gate_images
from edge_perception.tooling.offline import judge
from edge_perception.tooling.offline import offline_model
from edge_perception.tooling.variants import REFERENCE_ENGINE
from edge_perception.tooling.variants import Variant

EXAMPLES = """\b
Examples:
  edge-perception verify yolox.tflite --reference models/yolox_nano --images photos
  edge-perception verify net_int8.onnx --reference net.onnx --manifest model.yaml --images photos

Exit status: 0 passed, 3 rejected, 2 wrong usage or configuration.
"""


@click.command('verify', epilog=EXAMPLES)
@click.argument('artifact', type=arguments.FILE)
@click.option('--reference', metavar='MODEL', help='Model that ARTIFACT was made from.')
@click.option('--signature', is_flag=True,
              help='Check who signed the model folder ARTIFACT, and nothing else.')  # fmt: skip
@click.option('--trust', type=arguments.FILE, default=DEFAULT_FOLDER, show_default=True,
              help='Folder of the public keys for --signature.')  # fmt: skip
@arguments.manifest_option
@arguments.images_option
@click.option(
    '--dataset', type=arguments.FILE, metavar='COCO.json',
    help='Annotations of the images, to limit the loss of average precision as well.',
)  # fmt: skip
@click.option('--engine', default='', help='Engine that loads ARTIFACT (default: first that can).')
@click.option('--reference-engine', default=REFERENCE_ENGINE, show_default=True,
              help='Engine of the reference; another one where MODEL is no ONNX.')  # fmt: skip
@click.option('--precision', type=click.Choice(list(standard_limits())),
              help='Precision whose limits hold (default: that of ARTIFACT).')  # fmt: skip
@arguments.engine_options
@arguments.gate_report_option
@arguments.json_option
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """
    Compare ARTIFACT with its reference on real images, and write its proof when it passes.

    The proof is a small file beside ARTIFACT. The node looks for both in the folder artifacts of
    MODEL and in the cache; elsewhere its parameter artifact has to name ARTIFACT.
    """
    be_quiet()
    if given['signature']:
        _check_signature(given['artifact'], given['trust'], as_json=given['as_json'])
        return
    if given['reference'] is None:
        raise click.UsageError("Missing option '--reference'.", ctx)
    if not given['artifact'].exists():
        raise ArtifactError(given['artifact'], reason='no such file', remedy='correct the path')
    host = PluginHost()
    reference, candidate = _sides(host, given)
    model, sources = candidate.model, gate_images(candidate.model, given['images'])
    verdict = judge(
        host,
        reference=reference,
        candidate=candidate,
        sources=sources,
        dataset=_labeled(given),
    )
    told = sidecars.reference_in_words(model, reference.engine)
    proof = sidecars.prove(host, candidate, verdict, reference=told)
    if not given['as_json']:
        whence = '' if given['precision'] else ' (read from the file; --precision changes it)'
        print_verdict(verdict, whence=whence)
    # After the verdict was printed: a report that cannot be written must not cost it.
    report = sidecars.write_report(verdict, candidate, path=given['report'], reference=told)
    if given['as_json']:
        files = {'proof': str(proof or ''), 'report': str(report or '')}
        names = {'artifact': candidate.path, 'engine': candidate.engine, 'reference': told}
        arguments.print_json({**names, **verdict.values(), **files})
    else:
        tell(f'proof: {proof}' if proof else f'rejected, see {report}')
        if proof:
            say_how_to_load(host, candidate, images=given['images'], manifest=given['manifest'])
    ctx.exit(0 if verdict.passed else REJECTED)


def _check_signature(folder: Path, trust: Path, *, as_json: bool) -> None:
    admitted = SignaturePolicy('require', trust).admit(folder)
    assert admitted.signed is not None
    model = offline_model(PluginHost(), str(admitted.folder), None)
    admitted.check_digest(model.digest())
    content, key = admitted.signed.content, admitted.signed.key.name
    if as_json:
        values = {'name': content.name, 'version': content.version, 'key': key}
        arguments.print_json({**values, 'files': len(content.files)})
    else:
        tell(f'{folder}: {len(content.files)} files of {content.name}, {admitted.words}')


def _labeled(given: dict[str, Any]) -> Dataset | None:
    if given['dataset'] is None:
        return None
    if len(given['images']) != 1:
        problem = 'expected one --images FOLDER, in which its images lie'
        raise ConfigurationError('--dataset', [problem])
    return read_dataset(given['dataset'], Path(given['images'][0]))


def _sides(host: PluginHost, given: dict[str, Any]) -> tuple[Variant, Variant]:
    """Return the reference, and the candidate with its precision."""
    artifact = given['artifact']
    model = offline_model(host, given['reference'], given['manifest'])
    engine = engine_for(host, artifact, given['engine'])
    options = parse_assignments(given['assignments'], host.engines, chosen=engine)
    candidate = Variant(model, engine, artifact, given['precision'], options.get(engine, {}))
    if not candidate.precision:
        precision = sidecars.precision_to_prove(host.engines[engine], candidate)
        candidate = replace(candidate, precision=precision)
    if model.source.resolve() == artifact.resolve() and given['reference_engine'] == engine:
        problem = (
            f'{model.source.name} is the artifact itself on the same engine, expected the model '
            'that it was made from, or another --reference-engine'
        )
        raise ConfigurationError('--reference', [problem])
    return Variant(model, given['reference_engine'], model.source), candidate
