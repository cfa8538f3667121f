# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Gather all that can be known of a model without running it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace
from functools import partial
from pathlib import Path

from edge_perception.contract import ArtifactError
from edge_perception.contract import check_input
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import MANIFEST_NAME
from edge_perception.contract import ModelDescription
from edge_perception.contract import ModelManifest
from edge_perception.contract import parse_options
from edge_perception.contract.loading.artifact_files import read_regular
from edge_perception.contract.manifest_file import MOST_MANIFEST_BYTES
from edge_perception.contract.manifest_file import read_yaml
from edge_perception.models.assembly import collect
from edge_perception.models.drafting import describe_file
from edge_perception.models.drafting import Draft
from edge_perception.models.drafting import draft_file
from edge_perception.models.drafting import draft_manifest
from edge_perception.models.finding import find_model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.tooling.building.onnx_graph import can_read_graphs
from edge_perception.tooling.building.onnx_graph import OnnxGraph
from edge_perception.tooling.building.onnx_graph import read_graph

ONNX_SUFFIX = '.onnx'


@dataclass(frozen=True, slots=True)
class Inspection:
    """
    What is known of a model.

    :param file: the model file.
    :param manifest: None for a bare model file, and for a manifest with problems.
    :param problems: what keeps the model from being run, in sentences.
    :param graph: None when the file is not ONNX or the library ``onnx`` is missing.
    :param decoders: names of the decoders that accept the outputs.
    """

    file: Path
    description: ModelDescription
    draft: Draft
    manifest: ModelManifest | None
    problems: tuple[str, ...]
    graph: OnnxGraph | None
    decoders: tuple[str, ...]


def inspect_model(host: PluginHost, name: str) -> Inspection:
    """
    Look into a model by path or name.

    :raises EdgePerceptionError: there is no such model, or its file cannot be read at all.
    """
    errors: list[EdgePerceptionError] = []
    file, manifest = _find(host, name, errors)
    graph = read_graph(file) if file.suffix == ONNX_SUFFIX and can_read_graphs() else None
    description = _describe(host, file, graph)
    draft = draft_manifest(description, source=file.name, decoders=host.decoders.values())
    if manifest is not None:
        with collect(errors):
            check_input(manifest, description.inputs)
        with collect(errors):
            _check_decoder(host, manifest, description)
    problems = [sentence for error in errors for _, sentence in error.sentences()]
    problems += [
        f'{file}: its weights in {missing} are missing, expected the file beside the model'
        for missing in (graph.external_data if graph else ())
        if not (file.parent / missing).is_file()
    ]
    return Inspection(
        file=file,
        description=description,
        draft=draft,
        manifest=manifest,
        problems=tuple(problems),
        graph=graph,
        decoders=_accepting(host, manifest, draft, description),
    )


def _find(
    host: PluginHost, name: str, errors: list[EdgePerceptionError]
) -> tuple[Path, ModelManifest | None]:
    """Return the model file, also where the manifest is wrong, and else the manifest."""
    path = Path(name).expanduser()
    if path.is_file() and path.suffix not in ('.yaml', '.yml'):
        return path, None
    try:
        model = find_model(name, draft=partial(draft_file, host))
    except EdgePerceptionError as error:
        # Only what exists can be looked into in spite of what is wrong with it.
        file = _source_beside(host, path) if path.exists() else None
        if file is None:
            raise
        errors.append(error)
        return file, None
    return model.source, model.manifest


def _source_beside(host: PluginHost, path: Path) -> Path | None:
    """Return the file that a wrong manifest names, or the only model file of the folder."""
    manifest = path / MANIFEST_NAME if path.is_dir() else path
    # What is wrong with the manifest was said already.
    with suppress(OSError, ValueError, TypeError, KeyError):
        text = read_regular(manifest, most_bytes=MOST_MANIFEST_BYTES).decode('utf-8')
        source = read_yaml(text)['source']['file']
        if (manifest.parent / source).is_file():
            return Path(manifest.parent / source)
    suffixes = {each for engine in host.engines.values() for each in engine.artifact_suffixes}
    files = [each for each in manifest.parent.glob('*') if each.suffix in suffixes]
    return files[0] if len(files) == 1 else None


def _describe(host: PluginHost, file: Path, graph: OnnxGraph | None) -> ModelDescription:
    try:
        return describe_file(host, file)
    except ArtifactError:
        if graph is None:
            raise
        return graph.description  # e.g. with operators that no engine here knows


def _check_decoder(
    host: PluginHost, manifest: ModelManifest, description: ModelDescription
) -> None:
    decoder_type = host.decoders.get(manifest.decoder)
    if decoder_type is None:
        known = ', '.join(sorted(host.decoders))
        raise ArtifactError(
            manifest.source,
            reason=f'no plugin offers its decoder {manifest.decoder!r}',
            remedy=f'correct decoder.name of the manifest, known are {known}',
        )
    owner = f'decoder {manifest.decoder!r}'
    options = parse_options(decoder_type.options_type, manifest.decoder_options, owner=owner)
    decoder_type(manifest, outputs=description.outputs, options=options)


def _accepting(
    host: PluginHost,
    manifest: ModelManifest | None,
    draft: Draft,
    description: ModelDescription,
) -> tuple[str, ...]:
    """Return the decoders whose own check lets these outputs pass."""
    if manifest is None:
        manifest = draft.completed(folder=Path(), subject='draft')
    if manifest is None:
        return ()
    accepting = []
    for name, decoder_type in sorted(host.decoders.items()):
        trial = replace(manifest, decoder=name)
        try:
            decoder_type(trial, outputs=description.outputs, options=decoder_type.options_type())
        # A decoder of a plugin that fails here in its own way does not fit either.
        except Exception:
            continue
        accepting.append(name)
    return tuple(accepting)


def sizes(shape: Sequence[int]) -> list[int | None]:
    """Return a shape for JSON; null where a size is only known at run time."""
    return [size if size >= 0 else None for size in shape]
