# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever a file holds, the answer is a manifest or a ManifestError."""

from __future__ import annotations

from contextlib import suppress
import os
from pathlib import Path

from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import pytest
import yaml

from edge_perception.contract import dump_manifest
from edge_perception.contract import InputRecipe
from edge_perception.contract import LabelMap
from edge_perception.contract import load_manifest
from edge_perception.contract import ManifestError
from edge_perception.contract import ModelManifest
from edge_perception.contract import parse_manifest
from edge_perception.contract import PoseRecipe
from edge_perception.contract import Selection
from edge_perception.contract.manifest import COLORS
from edge_perception.contract.manifest import INPUT_DTYPES
from edge_perception.contract.manifest import INTERPOLATIONS
from edge_perception.contract.manifest import LAYOUTS
from edge_perception.contract.manifest import RESIZES
from test.support.raising import raises

KEYS = {
    '': (
        'manifest_version',
        'name',
        'description',
        'license',
        'source',
        'input',
        'decoder',
        'labels',
        'keypoints',
        'skeleton',
        'object_points',
        'pose',
        'selection',
    ),
    'source': ('file', 'sha256'),
    'input': InputRecipe.__slots__,
    'decoder': ('name', 'options'),
    'pose': PoseRecipe.__slots__,
    'selection': ('score_threshold', 'iou_threshold', 'max_detections'),
}

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400)])
    | st.floats()
    | st.text()
    | st.binary()
    | st.dates()
    | st.datetimes()
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(st.tuples(inner, inner), max_size=2)  # !!pairs
        | st.sets(scalars, max_size=2)
        | st.dictionaries(scalars, inner, max_size=4)
    ),
    max_leaves=8,
)


def mapping_of(section: str) -> st.SearchStrategy[dict[object, object]]:
    """Return mappings with the right keys more often than chance would."""
    return st.dictionaries(st.sampled_from(KEYS[section]) | st.text(max_size=3), values)


manifests = mapping_of('').flatmap(
    lambda top: st.fixed_dictionaries({name: mapping_of(name) for name in KEYS if name}).map(
        lambda sections: {**top, **sections}
    )
)


@settings(deadline=None)
@given(values | manifests)
def test_no_value_of_yaml_gets_anything_but_a_manifest_error(value):
    with suppress(ManifestError):
        parse_manifest(value, folder=Path('nowhere'), subject='model.yaml')


@settings(deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: raw.decode('latin-1')))
@example('2020-13-45')
@example('0b_')
@example('!!bool maybe')
@example('!!timestamp x')
@example('[' * 3000)
@example('a: &a [*a]\n? *a\n: 1')
@example('{[1]: 2}')
@example('!!python/object/apply:os.getcwd []')
def test_no_text_gets_anything_but_a_manifest_error(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / 'junk.yaml'
    path.write_bytes(text.encode('utf-8', 'surrogatepass'))
    with pytest.raises(ManifestError):
        load_manifest(path)


def test_a_nested_bomb_of_aliases_is_reported_quickly(tmp_path):
    lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]']
    lines += [f'a{n}: &a{n} [{", ".join([f"*a{n - 1}"] * 9)}]' for n in range(1, 12)]
    path = tmp_path / 'model.yaml'
    path.write_text('\n'.join([*lines, 'name: *a11']), encoding='utf-8')
    with pytest.raises(ManifestError) as raised:
        load_manifest(path)
    assert len(str(raised.value)) < 5000


def test_a_missing_manifest_is_said_in_words(tmp_path):
    path = tmp_path / 'model.yaml'
    with pytest.raises(ManifestError) as raised:
        load_manifest(path)
    assert str(raised.value) == f'{path}: cannot be read: No such file or directory'


def test_the_folder_of_a_model_will_do(tmp_path):
    with pytest.raises(ManifestError) as raised:
        load_manifest(tmp_path)
    assert str(raised.value) == f'{tmp_path}/model.yaml: cannot be read: No such file or directory'
    text = 'manifest_version: 1\nname: net\nsource: {file: net.onnx}\ndecoder: {name: yolox}\n'
    (tmp_path / 'model.yaml').write_text(f'{text}input: {{width: 8, height: 8}}\nlabels: a.txt\n')
    (tmp_path / 'a.txt').write_text('cat\n')
    assert load_manifest(tmp_path) == load_manifest(tmp_path / 'model.yaml')
    assert load_manifest(tmp_path).labels.names == ('cat',)


def test_a_file_that_is_not_yaml_is_said_in_one_line_with_its_place(tmp_path):
    path = tmp_path / 'model.yaml'
    path.write_text('name: [yolox\ninput: {}\n', encoding='utf-8')
    with pytest.raises(ManifestError) as raised:
        load_manifest(path)
    (problem,) = raised.value.problems
    assert problem.startswith('is not YAML: ')
    assert 'line 2' in problem
    assert '\n' not in problem


numbers = st.floats(-1e6, 1e6, allow_nan=False)
words = st.text(st.characters(exclude_categories=('C',)), min_size=1, max_size=8)
model_names = words.filter(lambda text: text[0] != '.' and not set(text) & set('/\\'))


@st.composite
def recipes(draw: st.DrawFn) -> InputRecipe:
    color = draw(st.sampled_from(COLORS))
    channels = 1 if color == 'gray' else 3
    return InputRecipe(
        width=draw(st.integers(1, 4096)),
        height=draw(st.integers(1, 4096)),
        name=draw(words | st.just('')),
        layout=draw(st.sampled_from(LAYOUTS)),
        dtype=draw(st.sampled_from(INPUT_DTYPES)),
        color=color,
        scale=draw(numbers),
        mean=draw(st.tuples(*[numbers] * channels)),
        std=draw(st.tuples(*[numbers.filter(bool)] * channels)),
        resize=draw(st.sampled_from(RESIZES)),
        interpolation=draw(st.sampled_from(INTERPOLATIONS)),
        fill=draw(st.integers(0, 255)),
    )


@st.composite
def model_manifests(draw: st.DrawFn) -> ModelManifest:
    names = tuple(draw(st.lists(words, max_size=4)))
    indices = st.integers(0, max(len(names) - 1, 0))
    return ModelManifest(
        name=draw(model_names),
        source=draw(st.sampled_from(['model.onnx', 'sub/model.tflite'])),
        input=draw(recipes()),
        decoder=draw(words),
        sha256=draw(st.sampled_from(['', '0123456789abcdef' * 4])),
        decoder_options=draw(st.dictionaries(words, st.integers() | words, max_size=3)),
        labels=LabelMap(tuple(draw(st.lists(words, max_size=4)))),
        keypoint_names=names,
        skeleton=tuple(draw(st.lists(st.tuples(indices, indices), max_size=3)) if names else ()),
        object_points=draw(
            st.just(()) | st.tuples(*[st.tuples(numbers, numbers, numbers)] * len(names))
        ),
        pose=PoseRecipe(
            keypoint_sigma=draw(st.floats(0.01, 100)),
            refine=draw(st.booleans()),
            refined_sigma=draw(st.floats(0.01, 100)),
            pattern=draw(st.sampled_from([(), ('#.#.', '.#.#', '#...', '....')])),
        ),
        selection=Selection(
            score_threshold=draw(st.floats(0, 1)),
            iou_threshold=draw(st.floats(0, 1)),
            max_detections=draw(st.integers(1, 1000)),
        ),
        license=draw(words | st.just('')),
        description=draw(words | st.just('')),
    )


@settings(deadline=None)
@given(model_manifests())
def test_what_is_dumped_is_read_back_equal(manifest):
    text = yaml.safe_dump(dump_manifest(manifest), allow_unicode=True)
    again = parse_manifest(yaml.safe_load(text), folder=Path('nowhere'), subject='model.yaml')
    assert again == manifest


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / 'model.yaml'
    path.write_text('name: one\nname: two\n')
    with pytest.raises(ManifestError) as raised:
        load_manifest(path)
    assert "the key 'name' stands twice" in str(raised.value)


@pytest.mark.parametrize('pattern', [['#.', '.#'], ['#.#.'] * 3, ['#.#x'] * 4, ['####'] * 4])
def test_a_pattern_that_cannot_be_compared_is_said_in_words(pattern):
    values = {
        'manifest_version': 1,
        'name': 'target',
        'source': {'file': 'network.onnx'},
        'input': {'width': 32, 'height': 32},
        'decoder': {'name': 'heatmap'},
        'pose': {'pattern': pattern},
    }
    with pytest.raises(ManifestError) as raised:
        parse_manifest(values, folder=Path('nowhere'), subject='model.yaml')
    (problem,) = raised.value.problems
    assert problem.startswith(f'pose.pattern: got {pattern!r}, expected a square of')


def merge_bomb() -> str:
    lines = ['a0: &a0 {' + ', '.join(f'k{i}: 1' for i in range(9)) + '}']
    for level in range(1, 12):
        merged = ', '.join([f'*a{level - 1}'] * 9)
        lines.append(f'a{level}: &a{level} {{<<: [{merged}], x{level}: 1}}')
    return '\n'.join(lines)


def alias_bomb() -> str:
    lines = ['b0: &b0 [1, 1]']
    lines += [f'b{i}: &b{i} [{", ".join([f"*b{i - 1}"] * 9)}]' for i in range(1, 12)]
    return '\n'.join([*lines, 'decoder: {name: yolo, options: {x: *b11}}'])


BOMBS = {
    'merged mappings': (merge_bomb(), 'holds more than 50000 keys and values'),
    'references': (alias_bomb(), 'holds more than 50000 keys and values'),
    'many keys': (
        '\n'.join(f'k{i}: 1' for i in range(60_000)),
        'holds more than 50000 keys and values',
    ),
    'deep lists': ('[' * 100_000, 'has more than 50 levels'),
    'deep mappings': ('{a: ' * 100_000, 'has more than 50 levels'),
    'itself': ('a: &a {<<: *a}', 'holds a reference, *a, to what it stands in'),
    'size': ('# ' + 'x' * (1 << 20), 'and at most 1048576 are read'),
}


@pytest.mark.parametrize('kind', BOMBS)
def test_a_manifest_that_grows_when_it_is_read_is_refused_in_one_sentence(tmp_path, kind):
    text, reason = BOMBS[kind]
    (tmp_path / 'model.yaml').write_text(text)
    with pytest.raises(ManifestError) as raised:
        load_manifest(tmp_path)
    (problem,) = raised.value.problems
    assert reason in problem


def test_keys_may_still_be_merged(tmp_path):
    (tmp_path / 'model.yaml').write_text(
        'manifest_version: 1\nname: a\nsource: {file: a.onnx}\ndecoder: {name: yolo}\n'
        'input: {<<: &size {width: 4, height: 4}, height: 8}\n'
    )
    recipe = load_manifest(tmp_path).input
    assert (recipe.width, recipe.height) == (4, 8)


def test_many_unknown_keys_are_told_by_their_number():
    with pytest.raises(ManifestError) as raised:
        parse_manifest({f'k{i}': 1 for i in range(1000)}, folder=Path('nowhere'), subject='m')
    assert len(raised.value.problems) < 30
    assert 'the file: 990 more unknown keys' in raised.value.problems


@pytest.mark.parametrize('target', ['/etc/hostname', '/proc/self/environ', '/dev/zero'])
def test_labels_are_no_file_of_the_system(tmp_path, target):
    (tmp_path / 'labels.txt').symlink_to(target)
    with pytest.raises(ManifestError) as raised:
        parse_manifest({'labels': 'labels.txt'}, folder=tmp_path, subject='m')
    assert any('a file of the system' in each for each in raised.value.problems)


def test_labels_may_be_linked_to_from_another_folder(tmp_path):
    (tmp_path / 'model').mkdir()
    (tmp_path / 'names.txt').write_text('cat\n')
    (tmp_path / 'model' / 'labels.txt').symlink_to(tmp_path / 'names.txt')
    with pytest.raises(ManifestError) as raised:
        parse_manifest({'labels': 'labels.txt'}, folder=tmp_path / 'model', subject='m')
    assert not any(each.startswith('labels') for each in raised.value.problems)


def test_a_pipe_is_neither_manifest_nor_labels(tmp_path):
    os.mkfifo(tmp_path / 'model.yaml')
    with raises(ManifestError, tmp_path / 'model.yaml', 'pipe'):
        load_manifest(tmp_path)
    os.mkfifo(tmp_path / 'labels.txt')
    with raises(ManifestError, 'labels.txt', 'pipe', subject='m'):
        parse_manifest({'labels': 'labels.txt'}, folder=tmp_path, subject='m')


@pytest.mark.parametrize('side', ['width', 'height'])
def test_an_input_that_no_memory_holds_is_refused(side):
    values = {'input': {'width': 4, 'height': 4, side: 10**12}}
    with pytest.raises(ManifestError) as raised:
        parse_manifest(values, folder=Path('nowhere'), subject='m')
    assert any(each.startswith(f'input.{side}: got 10000') for each in raised.value.problems)
