# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from edge_perception.contract import InputRecipe
from edge_perception.contract import load_manifest
from edge_perception.contract import ManifestError
from edge_perception.contract import parse_manifest
from edge_perception.contract import Selection

SMALLEST = {
    'manifest_version': 1,
    'name': 'yolox_nano',
    'source': {'file': 'yolox_nano.onnx'},
    'input': {'width': 416, 'height': 320},
    'decoder': {'name': 'yolox'},
}


def changed(**paths: object) -> dict[str, object]:
    """Return the smallest manifest with some keys changed: ``input__width=1``; None removes."""
    values = copy.deepcopy(SMALLEST)
    for path, value in paths.items():
        *outer, key = path.split('__')
        mapping = values
        for name in outer:
            mapping = mapping.setdefault(name, {})
        mapping[key] = value
        if value is None:
            del mapping[key]
    return values


def parse(values: object, folder: Path = Path('nowhere')):
    return parse_manifest(values, folder=folder, subject='model.yaml')


def problems(values: object, folder: Path = Path('nowhere')) -> tuple[str, ...]:
    with pytest.raises(ManifestError) as raised:
        parse(values, folder)
    return raised.value.problems


def test_the_smallest_manifest_gets_the_documented_defaults():
    manifest = parse(SMALLEST)
    assert manifest.input == InputRecipe(width=416, height=320)
    assert manifest.input.shape == (1, 3, 320, 416)
    assert manifest.selection == Selection()
    assert (manifest.sha256, manifest.license, len(manifest.labels)) == ('', '', 0)


def test_a_gray_input_has_one_channel_and_one_mean():
    manifest = parse(changed(input__color='gray', input__layout='nhwc', input__mean=127.5))
    assert manifest.input.shape == (1, 320, 416, 1)
    assert manifest.input.mean == (127.5,)
    assert manifest.input.std == (1.0,)


def test_one_number_stands_for_every_channel():
    assert parse(changed(input__std=58.0)).input.std == (58.0, 58.0, 58.0)


def test_every_problem_is_reported_at_once():
    values = changed(
        manifest_version=2,
        name=None,
        source__sha256='abc',
        input__width=0,
        input__layout='chw',
        input__std=0,
        decoder__options=[1],
        selection__score_threshold=1.5,
        skeleton=[[0, 1]],
        object_points=[[0, 0]],
        keypoint=['nose'],
    )
    with pytest.raises(ManifestError) as raised:
        parse(values)
    assert set(raised.value.problems) == {
        'manifest_version: got 2, expected 1; update edge_perception',
        'name: got nothing, expected a string',
        "source.sha256: got 'abc', expected 64 hexadecimal digits",
        'input.width: got 0, expected an integer from 1 to 16384',
        "input.layout: got 'chw', expected one of nchw, nhwc",
        'input.std: got [0.0, 0.0, 0.0], expected numbers other than 0',
        'decoder.options: got [1], expected a mapping',
        'selection.score_threshold: got 1.5, expected a float from 0 to 1',
        'skeleton: got [0, 1], expected indices of two of the 0 keypoints',
        'object_points: got [[0, 0]], expected a list of rows of 3 floats',
        "keypoint: unknown key, did you mean 'keypoints'?",
    }
    assert len(raised.value.sentences()) == 11
    assert all(
        code == 'manifest_invalid' and sentence.startswith('model.yaml: ')
        for code, sentence in raised.value.sentences()
    )


@pytest.mark.parametrize(
    ('values', 'problem'),
    [
        (changed(inptu={}), "inptu: unknown key, did you mean 'input'?"),
        (changed(input__widht=1), "input.widht: unknown key, did you mean 'width'?"),
        (changed(source__sha265=''), "source.sha265: unknown key, did you mean 'sha256'?"),
        (changed(decoder__opts={}), "decoder.opts: unknown key, did you mean 'options'?"),
        (
            changed(selection__score_treshold=0.5),
            "selection.score_treshold: unknown key, did you mean 'score_threshold'?",
        ),
        ({**SMALLEST, 7: 'x'}, '7: unknown key'),
        ({**SMALLEST, '': 'x'}, "'': unknown key"),
    ],
)
def test_unknown_keys_are_errors_with_a_proposal(values, problem):
    assert problems(values) == (problem,)


@pytest.mark.parametrize(
    ('values', 'problem'),
    [
        (changed(manifest_version=None), 'manifest_version: got nothing, expected 1'),
        (changed(manifest_version=True), 'manifest_version: got True, expected 1'),
        (changed(name=3), 'name: got 3, expected a string'),
        *(
            (
                changed(name=name),
                f'name: got {name!r}, expected a string without /, \\ and control characters, and '
                'no dot in front',
            )
            for name in ('ultralytics/yolov8n', '../x', 'a\\b', 'a\nb', '.hidden')
        ),
        (changed(gate={'int8': None}), 'gate.int8: got nothing, expected a mapping of limits'),
        (changed(gate={'int8': 0.1}), 'gate.int8: got 0.1, expected a mapping of limits'),
        (
            changed(input__width=True),
            'input.width: got True, expected an integer from 1 to 16384',
        ),
        (
            changed(input__height=320.0),
            'input.height: got 320.0, expected an integer from 1 to 16384',
        ),
        (
            changed(input__mean=[1, 2]),
            'input.mean: got [1, 2], expected one float or a list of 3 floats',
        ),
        (
            changed(input__mean=float('nan')),
            'input.mean: got nan, expected one float or a list of 3 floats',
        ),
        (
            changed(input__std=[1, 1, float('inf')]),
            'input.std: got [1, 1, inf], expected one float or a list of 3 floats',
        ),
        (
            changed(input__fill=114.5),
            'input.fill: got 114.5, expected an integer from 0 to 255',
        ),
        (changed(input__fill=256), 'input.fill: got 256, expected an integer from 0 to 255'),
        (
            changed(selection__max_detections=0),
            'selection.max_detections: got 0, expected an integer of at least 1',
        ),
        (changed(pose__refine=1), 'pose.refine: got 1, expected true or false'),
        (
            changed(pose__keypoint_sigma=0),
            'pose.keypoint_sigma: got 0, expected a float from 0.01 to 100',
        ),
        (changed(labels={'a': 1}), "labels: got {'a': 1}, expected a list of strings"),
        (
            changed(keypoints=['a'], skeleton=[[0, 0.5]]),
            'skeleton: got [0, 0.5], expected indices of two of the 1 keypoints',
        ),
        (
            changed(keypoints=['a'], object_points=[[0, 0, 0], [1, 0, 0]]),
            'object_points: got 2 rows, expected one for each of the 1 keypoints',
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_came_and_what_was_expected(values, problem):
    assert problems(values) == (problem,)


@pytest.mark.parametrize('section', ['source', 'input', 'decoder', 'pose', 'selection'])
@pytest.mark.parametrize('value', [0, False, '', [], 'text'])
def test_a_section_that_is_no_mapping_is_refused(section, value):
    assert f'{section}: got {value!r}, expected a mapping' in problems(changed(**{section: value}))


@pytest.mark.parametrize('values', [None, 3, 'model', [SMALLEST]])
def test_a_file_that_is_no_mapping_is_refused(values):
    assert problems(values)[0].startswith('the file: got ')


def test_a_number_too_large_for_a_float_is_refused():
    assert 'input.mean: got 1000' in problems(changed(input__mean=10**400))[0]


def test_a_huge_value_does_not_make_a_huge_message():
    assert all(len(each) < 200 for each in problems(changed(name=list(range(10**5)))))


@pytest.mark.parametrize('word', ['on', 'no', '~', '2020-01-01'])
def test_a_label_that_yaml_takes_for_something_else_is_refused(word):
    # 'off' would silently become the label 'False'.
    values = {**SMALLEST, 'labels': yaml.safe_load(f'[person, {word}]')}
    (problem,) = problems(values)
    assert problem.endswith(
        'expected a list of strings; put quotes around words that YAML reads as something else'
    )


def test_labels_that_are_numbers_stay_as_they_are():
    assert parse(changed(labels=[0, 1, 2])).labels.names == ('0', '1', '2')


@pytest.mark.parametrize('key', ['labels', 'keypoints', 'name'])
def test_a_name_longer_than_a_message_should_carry_is_refused(key):
    longest = 'ä' * 128
    for name, right in ((longest, True), (longest + 'x', False)):
        values = {**SMALLEST, key: name if key == 'name' else ['a', name]}
        if right:
            parse(values)
        else:
            (problem,) = problems(values)
            assert problem.startswith(f'{key}: ') and 'at most 256 bytes' in problem
            assert len(problem) < 200


def test_a_long_line_in_a_file_of_labels_is_refused(tmp_path):
    (tmp_path / 'coco.txt').write_text('person\n' + 'x' * 1_000_000)
    (problem,) = problems(changed(labels='coco.txt'), tmp_path)
    assert problem.startswith('labels: ') and len(problem) < 200


def test_labels_come_from_a_file_with_one_name_on_each_line(tmp_path):
    (tmp_path / 'coco.txt').write_bytes(
        b'\xef\xbb\xbfperson\r\n traffic light \r\n\r\ncar\r\n\r\n'
    )
    labels = parse(changed(labels='coco.txt'), tmp_path).labels
    assert labels.names == ('person', 'traffic light', '', 'car')


def test_a_label_file_that_is_missing_is_named(tmp_path):
    assert problems(changed(labels='coco.txt'), tmp_path) == (
        'labels: coco.txt cannot be read: No such file or directory',
    )


@pytest.mark.parametrize('name', ['a\0b', '\ud800', 'x' * 5000])
def test_a_label_file_that_no_system_could_name_is_refused(tmp_path, name):
    (problem,) = problems(changed(labels=name), tmp_path)
    assert problem.startswith('labels: ')


def test_a_label_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / 'coco.txt').write_bytes(b'\xff\xfe\x00')
    (problem,) = problems(changed(labels='coco.txt'), tmp_path)
    assert problem.startswith('labels: coco.txt cannot be read: ')


@pytest.mark.parametrize('name', ['/etc/hostname', '../secret.txt', 'a/../../secret.txt'])
@pytest.mark.parametrize('key', ['labels', 'source__file'])
def test_no_file_outside_of_the_model_folder_is_touched(tmp_path, key, name):
    folder = tmp_path / 'model'
    folder.mkdir()
    # Would be read as labels without an error of its own.
    (tmp_path / 'secret.txt').write_text('secret', encoding='utf-8')
    expected = f'{key.replace("__", ".")}: got {name!r}, expected a file inside the model folder'
    assert problems(changed(**{key: name}), folder) == (expected,)


def test_the_digest_may_be_written_in_capitals():
    assert parse(changed(source__sha256='AB' * 32)).sha256 == 'ab' * 32


def test_a_manifest_is_loaded_with_the_label_file_beside_it(tmp_path):
    (tmp_path / 'labels.txt').write_text('cat\ndog\n', encoding='utf-8')
    path = tmp_path / 'model.yaml'
    path.write_text(yaml.safe_dump(changed(labels='labels.txt')), encoding='utf-8')
    assert load_manifest(path).labels.names == ('cat', 'dog')
