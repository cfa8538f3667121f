# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Read and write ``model.yaml``.

All problems of a file are reported together. Unknown keys are errors, because a misspelled key
that is silently ignored gives wrong boxes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
import os
from pathlib import Path
from pathlib import PurePosixPath
from typing import Any
from unicodedata import category

import yaml

from edge_perception.contract.errors import ManifestError
from edge_perception.contract.fields import Fields
from edge_perception.contract.loading.artifact_files import MOST_TEXT_BYTES
from edge_perception.contract.loading.artifact_files import read_regular
from edge_perception.contract.manifest import COLORS
from edge_perception.contract.manifest import INPUT_DTYPES
from edge_perception.contract.manifest import InputRecipe
from edge_perception.contract.manifest import INTERPOLATIONS
from edge_perception.contract.manifest import LAYOUTS
from edge_perception.contract.manifest import MANIFEST_NAME
from edge_perception.contract.manifest import MANIFEST_VERSION
from edge_perception.contract.manifest import ModelManifest
from edge_perception.contract.manifest import PoseRecipe
from edge_perception.contract.manifest import RESIZES
from edge_perception.contract.types import LabelMap
from edge_perception.contract.types import Selection

# Rows of a pattern; with fewer, chance may look like it.
_SMALLEST_PATTERN = 4


# A manifest with its 20 000 labels in it has 300 kB.
MOST_MANIFEST_BYTES = 1 << 20
MOST_PIXELS = 16384  # of a side of the input; a float image of that size has 3 GB
MOST_VALUES, DEEPEST = 50_000, 50
# Names of classes may lie elsewhere and be linked to, but no file of the system holds any.
SYSTEM_FOLDERS = tuple(map(Path, ('/boot', '/dev', '/etc', '/proc', '/run', '/sys')))

# That of libyaml is ten times as fast; not every PyYAML has it.
_Loader: Any = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)


class _UniqueKeys(_Loader):  # type: ignore[misc]
    """Refuse a key that stands twice; YAML would take the last one without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]:
            if key != '<<' and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f'the key {key!r} stands twice', node.start_mark
                )
            seen.add(key)
        values: dict[Any, Any] = super().construct_mapping(node, deep)
        return values


def read_yaml(text: str) -> Any:
    """
    Return what a YAML text holds, in a time that grows with its length alone.

    :raises ValueError: it is not YAML, holds a key twice, or holds too much; in words.
    """
    try:
        problem = _too_much(text)
        values = None if problem else yaml.load(text, Loader=_UniqueKeys)
    except Exception as error:  # PyYAML lets out a ValueError for the 45th of a month, and others
        raise ValueError(f'is not YAML: {" ".join(str(error).split())}') from error
    if problem:
        raise ValueError(problem)
    return values


def _too_much(text: str) -> str:
    """Return why a YAML text is not to be loaded; a reference counts as all that it stands for."""
    count, sizes = 0, dict[str, int]()
    inside: list[tuple[str, int]] = []
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in dict(inside):
                return f'holds a reference, *{event.anchor}, to what it stands in'
            count += sizes.get(event.anchor or '', 1)
        elif isinstance(event, yaml.NodeEvent):
            count += 1
            sizes[event.anchor or ''] = 1
            if isinstance(event, yaml.CollectionStartEvent):
                inside.append((event.anchor or '', count))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = inside.pop()
            sizes[anchor] = count - before + 1
        if len(inside) > DEEPEST:
            return f'has more than {DEEPEST} levels'
        if count > MOST_VALUES:
            return f'holds more than {MOST_VALUES} keys and values'
    return ''


def load_manifest(path: Path) -> ModelManifest:
    """
    Read and check a manifest.

    :param path: the file, or a model folder with a ``model.yaml``.
    :raises ManifestError: with every problem of the file.
    """
    if os.path.isdir(path):  # Path.is_dir raises without permission
        path = path / MANIFEST_NAME
    try:
        text = read_regular(path, most_bytes=MOST_MANIFEST_BYTES).decode('utf-8')
    except (OSError, ValueError) as error:
        raise ManifestError(str(path), [f'cannot be read: {_reason(error)}']) from error
    try:
        values = read_yaml(text)
    except ValueError as error:
        raise ManifestError(str(path), [str(error)]) from error
    return parse_manifest(values, folder=path.parent, subject=str(path))


def parse_manifest(values: object, *, folder: Path, subject: str) -> ModelManifest:
    """
    Check a manifest that was read already.

    :param values: the mapping as YAML gives it.
    :param folder: where the label file is looked for.
    :param subject: what messages call this manifest.
    :raises ManifestError: with every problem.
    """
    problems: list[str] = []
    fields = Fields(values, problems=problems)
    _check_version(fields)
    source, decoder = fields.inner('source'), fields.inner('decoder')
    keypoint_names = fields.texts('keypoints')
    manifest = ModelManifest(
        name=_name(fields),
        source=_file_inside(source, 'file'),
        sha256=_digest(source),
        input=_input_recipe(fields.inner('input')),
        decoder=decoder.text('name'),
        decoder_options=decoder.mapping('options'),
        labels=_labels(fields, folder),
        keypoint_names=keypoint_names,
        skeleton=_skeleton(fields, len(keypoint_names)),
        object_points=_object_points(fields, len(keypoint_names)),
        pose=_pose_recipe(fields.inner('pose')),
        selection=_selection(fields.inner('selection')),
        gate=_gate(fields),
        license=fields.text('license', ''),
        description=fields.text('description', ''),
    )
    for each in (source, decoder, fields):
        each.finish()
    if problems:
        raise ManifestError(subject, problems)
    return manifest


def dump_manifest(manifest: ModelManifest) -> dict[str, Any]:
    """Return the mapping that ``parse_manifest`` reads back as an equal manifest."""
    recipe, selection = manifest.input, manifest.selection
    values: dict[str, Any] = {
        'manifest_version': MANIFEST_VERSION,
        'name': manifest.name,
        'description': manifest.description,
        'license': manifest.license,
        'source': {'file': manifest.source, 'sha256': manifest.sha256},
        'input': {name: _plain(getattr(recipe, name)) for name in InputRecipe.__slots__},
        'decoder': {'name': manifest.decoder, 'options': dict(manifest.decoder_options)},
        'labels': list(manifest.labels.names),
        'keypoints': list(manifest.keypoint_names),
        'skeleton': [list(pair) for pair in manifest.skeleton],
        'object_points': [list(row) for row in manifest.object_points],
        'pose': {name: _plain(getattr(manifest.pose, name)) for name in PoseRecipe.__slots__},
        'selection': {
            'score_threshold': selection.score_threshold,
            'iou_threshold': selection.iou_threshold,
            'max_detections': selection.max_detections,
        },
        'gate': {precision: dict(limits) for precision, limits in manifest.gate.items()},
    }
    if not manifest.object_points and manifest.pose == PoseRecipe():
        del values['pose']
    groups = ('source', 'input', 'decoder', 'pose')
    for mapping in (values, *(values.get(group, {}) for group in groups)):
        for key in [key for key, value in mapping.items() if value in ('', [], {})]:
            del mapping[key]
    return values


def _reason(error: Exception) -> str:
    """Return what went wrong without number and path, which the message has already."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _check_version(fields: Fields) -> None:
    version = fields.raw('manifest_version')
    if type(version) is int and version > MANIFEST_VERSION:
        fields.problem('manifest_version', version, f'{MANIFEST_VERSION}; update edge_perception')
    elif type(version) is not int or version != MANIFEST_VERSION:
        fields.problem('manifest_version', version, str(MANIFEST_VERSION))


def _input_recipe(fields: Fields) -> InputRecipe:
    recipe = InputRecipe(
        name=fields.text('name', ''),
        width=fields.integer('width', minimum=1, maximum=MOST_PIXELS),
        height=fields.integer('height', minimum=1, maximum=MOST_PIXELS),
        layout=fields.choice('layout', LAYOUTS, 'nchw'),
        dtype=fields.choice('dtype', INPUT_DTYPES, 'float32'),
        color=fields.choice('color', COLORS, 'rgb'),
        scale=fields.number('scale', 1.0),
        resize=fields.choice('resize', RESIZES, 'letterbox_center'),
        interpolation=fields.choice('interpolation', INTERPOLATIONS, 'linear'),
        fill=fields.integer('fill', 114, minimum=0, maximum=255),
    )
    mean = fields.numbers('mean', recipe.channels, 0.0)
    std = fields.numbers('std', recipe.channels, 1.0)
    if 0.0 in std:
        fields.problem('std', list(std), 'numbers other than 0')
    fields.finish()
    return replace(recipe, mean=mean, std=std)


def _pose_recipe(fields: Fields) -> PoseRecipe:
    default = PoseRecipe()
    recipe = PoseRecipe(
        keypoint_sigma=fields.number(
            'keypoint_sigma', default.keypoint_sigma, minimum=0.01, maximum=100
        ),
        refine=fields.switch('refine', default.refine),
        refined_sigma=fields.number(
            'refined_sigma', default.refined_sigma, minimum=0.01, maximum=100
        ),
        pattern=_pattern(fields),
    )
    fields.finish()
    return recipe


def _pattern(fields: Fields) -> tuple[str, ...]:
    rows = fields.texts('pattern')
    square = len(rows) >= _SMALLEST_PATTERN and all(len(row) == len(rows) for row in rows)
    if rows and not (square and set(''.join(rows)) == {'#', '.'}):
        expected = f"a square of '#' and '.', {_SMALLEST_PATTERN} rows or more, each a string"
        fields.problem('pattern', list(rows), expected)
        return ()
    return rows


def _selection(fields: Fields) -> Selection:
    default = Selection()
    selection = Selection(
        score_threshold=fields.number(
            'score_threshold', default.score_threshold, minimum=0, maximum=1
        ),
        iou_threshold=fields.number('iou_threshold', default.iou_threshold, minimum=0, maximum=1),
        max_detections=fields.integer('max_detections', default.max_detections, minimum=1),
    )
    fields.finish()
    return selection


def _name(fields: Fields) -> str:
    """Return a name that files can have."""
    name = fields.text('name')
    if name.startswith('.') or any(each in '/\\' or category(each) == 'Cc' for each in name):
        expected = 'a string without /, \\ and control characters, and no dot in front'
        fields.problem('name', name, expected)
    fields.short('name', (name,))
    return name


def _gate(fields: Fields) -> Mapping[str, Any]:
    gate = fields.mapping('gate')
    for precision, limits in gate.items():
        if not isinstance(limits, dict):
            fields.problem(f'gate.{precision}', limits, 'a mapping of limits')
    return gate


def _file_inside(fields: Fields, key: str) -> str:
    """Return a file name that does not point outside of the model folder; empty when it would."""
    name = fields.text(key)
    path = PurePosixPath(name)
    if path.is_absolute() or '..' in path.parts:
        fields.problem(key, name, 'a file inside the model folder')
        return ''
    return name


def _digest(fields: Fields) -> str:
    digest = fields.text('sha256', '').lower()
    if digest and (len(digest) != 64 or not set(digest) <= set('0123456789abcdef')):
        fields.problem('sha256', digest, '64 hexadecimal digits')
    return digest


def _labels(fields: Fields, folder: Path) -> LabelMap:
    """Return names given as a list, or as a text file with one name on each line."""
    value = fields.raw('labels')
    if not isinstance(value, str):
        return LabelMap(fields.texts('labels'))
    name = _file_inside(fields, 'labels')
    if not name:
        return LabelMap()
    try:
        path = folder / name
        _refuse_system_file(path)
        lines = read_regular(path, most_bytes=MOST_TEXT_BYTES).decode('utf-8-sig').splitlines()
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a name with a zero byte
        fields.problems.append(f'labels: {name} cannot be read: {_reason(error)}')
        return LabelMap()
    while lines and not lines[-1].strip():
        lines.pop()
    return LabelMap(fields.short('labels', tuple(line.strip() for line in lines)))


def _refuse_system_file(path: Path) -> None:
    """Raise ``ValueError`` for a link that leads out of its folder into one of the system."""
    real, folder = path.resolve(), path.parent.resolve()
    if folder not in real.parents and any(each in real.parents for each in SYSTEM_FOLDERS):
        raise ValueError(f'it is a link to {real}, a file of the system')


def _skeleton(fields: Fields, keypoints: int) -> tuple[tuple[int, int], ...]:
    pairs = fields.rows('skeleton', 2)
    for first, second in pairs:
        if first not in range(keypoints) or second not in range(keypoints):
            fields.problems.append(
                f'skeleton: got [{first:g}, {second:g}], expected indices of two of the '
                f'{keypoints} keypoints'
            )
    return tuple((int(first), int(second)) for first, second in pairs)


def _object_points(fields: Fields, keypoints: int) -> tuple[tuple[float, ...], ...]:
    rows = fields.rows('object_points', 3)
    if rows and len(rows) != keypoints:
        fields.problems.append(
            f'object_points: got {len(rows)} rows, expected one for each of the '
            f'{keypoints} keypoints'
        )
    return rows
