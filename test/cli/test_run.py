# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
from pathlib import Path
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from edge_perception.contract import iou
from edge_perception.runtime.accounts import DOUBT_AFTER
from edge_perception.tooling.frame_sources import find_sources
from test.decoders.color_network import color_model
from test.models.plugin_shelf import Shelf

GOLDEN_SCORES = [0.8903, 0.8796, 0.8557]  # of the persons in the street


def lines(result) -> list[dict]:
    """Return the objects on standard output; NaN and Infinity are no JSON."""
    return [json.loads(line, parse_constant=pytest.fail) for line in result.stdout.splitlines()]


def overlap(a, b) -> float:
    return float(iou(np.array(a, float), np.array([b], float))[0])


def test_the_golden_persons_are_in_the_table(invoke, yolox, street):
    result = invoke('run', yolox, street)
    assert result.exit_code == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines() if 'person' in line]
    assert [row[1] for row in rows] == ['0.890', '0.880', '0.856']
    assert 'infer' in result.stdout


def test_json_has_one_object_for_each_picture_with_the_golden_boxes(
    invoke, yolox, shared_data, golden
):
    result = invoke('run', yolox, shared_data / 'coco_cc20/images', '--json')
    assert result.exit_code == 0, result.stderr
    found = {Path(each['file']).name: each for each in lines(result)}
    assert sorted(found) == sorted(golden)
    for name, expected in golden.items():
        got = found[name]['detections']
        assert [each['label'] for each in got] == [each['label'] for each in expected], name
        for mine, theirs in zip(got, expected):
            assert mine['score'] == pytest.approx(theirs['score'], abs=0.005)
            assert mine['xyxy'] == pytest.approx(theirs['xyxy'], abs=1.0)
    street = found['000000252219.jpg']
    assert (street['width'], street['height'], street['frame']) == (640, 428, 0)
    assert street['keypoints'] is None
    assert set(street['times_ms']) == {'preprocess', 'infer', 'decode'}


def test_boxes_in_another_unit_are_doubted_in_one_note(invoke, tmp_path):
    model = color_model(tmp_path / 'model', unit=64, options={'layout': 'channels_first'})
    (tmp_path / 'red').mkdir()
    image = np.zeros((64, 64, 3), np.uint8)
    image[16:24, 16:24, 2] = 255
    for index in range(DOUBT_AFTER):
        cv2.imwrite(str(tmp_path / f'red/{index}.png'), image)
    result = invoke('run', model, tmp_path / 'red', '--json')
    assert result.exit_code == 0
    assert all(each['detections'] for each in lines(result))
    assert result.stderr.count('box_units') == 1


def test_drawn_pictures_have_the_size_of_the_source_and_boxes_on_it(
    invoke, yolox, street, tmp_path
):
    before = street.read_bytes()
    out = tmp_path / 'new/drawn'
    assert invoke('run', yolox, street, '--out', out).exit_code == 0
    assert [each.name for each in out.iterdir()] == ['000000252219.jpg']
    source, drawn = cv2.imread(str(street)), cv2.imread(str(out / '000000252219.jpg'))
    assert drawn.shape == source.shape
    changed = cv2.absdiff(source, drawn).max(axis=2) > 60
    assert changed[160:399, 2:5].mean() > 0.5  # left edge of the first person
    assert changed[:150].mean() < 0.01
    assert street.read_bytes() == before


def test_wishes_go_over_what_the_manifest_recommends(invoke, yolox, street):
    given = ('--json', '--score-threshold', '0.05', '--classes', 'person, handbag')
    loose = lines(invoke('run', yolox, street, *given))[0]['detections']
    assert len(loose) > 3
    assert {each['label'] for each in loose} <= {'person', 'handbag'}
    best = lines(invoke('run', yolox, street, '--json', '--max-detections', 1))[0]['detections']
    assert [each['score'] for each in best] == pytest.approx(GOLDEN_SCORES[:1], abs=0.005)


@pytest.mark.parametrize('mono16_range', ['full', 'percentile'])
def test_16_bit_files_of_which_few_gray_levels_are_left_are_told_once(
    invoke, yolox, tmp_path, mono16_range
):
    thermal = np.linspace(7500, 8199, 64 * 64).reshape(64, 64).astype(np.uint16)
    for name in ('a.png', 'b.png', 'c.tiff'):
        cv2.imwrite(str(tmp_path / name), thermal)
    result = invoke('run', yolox, tmp_path, '--mono16-range', mono16_range)
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count('gray levels are left') == (mono16_range == 'full')
    (image,), _ = find_sources((str(tmp_path / 'a.png'),), mono16_range=mono16_range)
    ((_, frame),) = image.frames(every=1, limit=None)
    assert frame.image.shape == (64, 64, 3)
    assert (np.ptp(frame.image) > 200) == (mono16_range == 'percentile')


def test_a_camera_that_is_mounted_upside_down(invoke, yolox, street, tmp_path, golden):
    turned = tmp_path / 'turned.png'
    cv2.imwrite(str(turned), cv2.rotate(cv2.imread(str(street)), cv2.ROTATE_180))
    found = lines(invoke('run', yolox, turned, '--json', '--rotate', 180))[0]['detections']
    for mine, theirs in zip(found, golden[street.name], strict=True):
        x1, y1, x2, y2 = theirs['xyxy']
        assert overlap(mine['xyxy'], (640 - x2, 428 - y2, 640 - x1, 428 - y1)) > 0.98


def test_videos_give_the_golden_objects(invoke, yolox, shared_data):
    video = shared_data / 'video/one-by-one-person-detection.mp4'
    golden = json.loads((shared_data / 'golden/videos.json').read_text())[video.name]
    given = ('--json', '--every', 40, '--limit', 5)
    found = lines(invoke('run', yolox, video, *given))
    assert [each['frame'] for each in found] == [0, 40, 80, 120, 160]
    assert [each['frame'] for each in found] == [index for index, _ in golden['timeline'][:5]]
    for mine, (_, theirs) in zip(found, golden['timeline']):
        sure = [each for each in theirs if each[1] > 0.5]
        assert len([each for each in mine['detections'] if each['score'] > 0.5]) == len(sure)
        # The golden boxes came from another decoder of videos, whose pixels differ.
        for got, (label, score, box) in zip(mine['detections'], sure):
            assert got['label'] == label
            assert got['score'] == pytest.approx(score, abs=0.02)
            assert overlap(got['xyxy'], box) > 0.9


def test_a_drawn_video_keeps_size_and_speed(invoke, yolox, shared_data, tmp_path):
    video = shared_data / 'video/one-by-one-person-detection.mp4'
    result = invoke('run', yolox, video, '--every', 40, '--limit', 3, '--out', tmp_path / 'out')
    assert result.exit_code == 0, result.stderr
    assert '3 frames' in result.stdout
    assert ['person', '1', '80', '80'] in [line.split()[:4] for line in result.stdout.splitlines()]
    capture = cv2.VideoCapture(str(tmp_path / 'out' / video.name))
    size = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    assert size == (768, 432)
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(10 / 40, rel=0.01)
    frames = 0
    while capture.read()[0]:
        frames += 1
    assert frames == 3


def test_sources_that_cannot_be_read_are_said_once_and_the_others_are_done(
    invoke, yolox, street, tmp_path
):
    (tmp_path / 'text.jpg').write_text('no picture')
    (tmp_path / 'empty.png').touch()
    (tmp_path / 'film.mp4').write_bytes(b'no film' * 100)
    (tmp_path / 'notes').write_text('no suffix')
    (tmp_path / 'folder').mkdir()
    names = ['text.jpg', 'empty.png', 'film.mp4', 'notes', 'folder', 'missing.jpg']
    result = invoke('run', yolox, *(tmp_path / name for name in names), street, '--json')
    assert result.exit_code == 1
    assert len(lines(result)) == 1
    for name in names:
        said = [line for line in result.stderr.splitlines() if str(tmp_path / name) in line]
        assert len(said) == 1, (name, result.stderr)
        assert said[0].startswith('error [bad_image]: ')


def test_a_camera_that_is_not_there(invoke, yolox):
    result = invoke('run', yolox, 'camera:63')
    assert result.exit_code == 1
    assert 'error [bad_image]: camera:63: no such camera' in result.stderr


def test_a_source_is_never_overwritten(invoke, yolox, street, tmp_path):
    photo = Path(shutil.copy(street, tmp_path / 'photo.jpg'))
    before = photo.read_bytes()
    result = invoke('run', yolox, photo, '--out', tmp_path)
    assert result.exit_code == 2
    assert f'error [configuration_invalid]: --out: would overwrite the source {photo}' in (
        result.stderr
    )
    assert photo.read_bytes() == before


def test_sources_of_one_name_get_files_of_their_own(invoke, yolox, street, tmp_path):
    for folder in ('a', 'b'):
        (tmp_path / folder).mkdir()
        shutil.copy(street, tmp_path / folder / 'photo.jpg')
    out = tmp_path / 'out'
    assert invoke('run', yolox, tmp_path / 'a', tmp_path / 'b', '--out', out).exit_code == 0
    assert sorted(each.name for each in out.iterdir()) == ['photo-2.jpg', 'photo.jpg']


def test_a_folder_that_cannot_be_written(invoke, yolox, street, tmp_path):
    (tmp_path / 'file').touch()
    result = invoke('run', yolox, street, '--out', tmp_path / 'file/out')
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith('error [configuration_invalid]: ')
    assert 'cannot be written' in line


def test_an_unknown_model_names_the_known_ones(invoke, yolox, street, monkeypatch):
    monkeypatch.setenv('EDGE_PERCEPTION_MODEL_PATH', str(yolox.parent))
    assert invoke('run', 'yolox_nano', street).exit_code == 0
    result = invoke('run', 'yolox_micro', street)
    assert result.exit_code == 2
    assert "error [model_not_found]: model 'yolox_micro'" in result.stderr
    assert 'yolox_nano' in result.stderr


def test_all_mistakes_are_said_at_once(invoke, yolox, street):
    wrong = ('-o', 'thread=2', '-o', 'spinning=perhaps', '-o', 'nothing', '--classes', 'persn')
    result = invoke('run', yolox, street, *wrong)
    assert result.exit_code == 2
    assert result.stdout == ''
    assert "thread: unknown option, did you mean 'threads'?" in result.stderr
    assert "spinning: got 'perhaps', expected true or false" in result.stderr
    assert "--option: got 'nothing', expected name=value" in result.stderr
    assert "got 'persn', which the model does not know, did you mean 'person'?" in result.stderr
    result = invoke('run', yolox, street, '--engine', 'onxruntime')
    assert result.exit_code == 2
    assert "did you mean 'onnxruntime'?" in result.stderr


def test_engine_options_reach_the_engine(invoke, yolox, street):
    options = ('-o', 'threads=1', '-o', 'spinning=off', '-o', 'graph_level=basic')
    result = invoke('run', yolox, street, '--json', *options)
    found = [each['score'] for each in lines(result)[0]['detections']]
    assert found == pytest.approx(GOLDEN_SCORES, abs=0.005)


def test_a_problem_of_a_manifest_is_a_line(invoke, yolox, street):
    manifest = yolox / 'model.yaml'
    manifest.write_text(manifest.read_text().replace('color: bgr', 'colour: bgr\n  fil: 3'))
    result = invoke('run', yolox, street)
    assert result.exit_code == 2
    codes = [line.split(':')[0] for line in result.stderr.splitlines()]
    assert codes == ['error [manifest_invalid]'] * 2
    assert "did you mean 'color'?" in result.stderr


def test_keypoints_masks_and_classes_are_valid_json(invoke, model, shared_data, tmp_path):
    squat = shared_data / 'movenet_lightning/squat.bmp'
    result = invoke('run', model('movenet_lightning'), squat, '--json', '--score-threshold', '0.4')
    (person,) = lines(result)[0]['keypoints']
    points = {each['name']: each for each in person['points']}
    assert len(points) == 17
    assert points['left_knee']['x'] == pytest.approx(291, abs=20)
    unseen = [each for each in points.values() if each['score'] == 0]
    assert unseen and all(each['x'] is None for each in unseen)
    table = invoke('run', model('movenet_lightning'), squat, '--out', tmp_path / 'out').stdout
    assert 'left_knee' in table
    assert (tmp_path / 'out/squat.png').exists()
    cat = shared_data / 'classifiers/cat.bmp'
    classes = lines(invoke('run', model('mobilenet_v1'), cat, '--json'))[0]['classes']
    assert classes and 0 < classes[0]['score'] <= 1
    faces = lines(
        invoke('run', model('yunet_320'), shared_data / 'classifiers/grace_hopper.bmp', '--json')
    )
    assert faces[0]['detections'][0]['label'] == 'face'
    assert len(faces[0]['keypoints'][0]['points']) == 5


def test_a_progress_bar_does_not_touch_results_in_a_file(yolox, shared_data, tmp_path):
    """Standard error is a terminal, standard output is not."""
    terminal, theirs = os.openpty()
    command = 'from edge_perception.cli.main import main; main()'
    video = shared_data / 'video/one-by-one-person-detection.mp4'
    given = ['run', yolox, video, '--limit', '3', '--every', '40', '--json']
    with (tmp_path / 'results').open('wb') as results:
        done = subprocess.run(
            [sys.executable, '-c', command, *map(str, given)],
            stdout=results,
            stderr=theirs,
            env={**os.environ, 'TERM': 'xterm'},
        )
    os.close(theirs)
    shown = os.read(terminal, 1 << 16).decode(errors='replace')
    os.close(terminal)
    assert done.returncode == 0, shown
    assert 'of 3 frames' in shown
    frames = [json.loads(line)['frame'] for line in (tmp_path / 'results').open()]
    assert frames == [0, 40, 80]


def test_an_exported_folder_of_openvino_is_a_model(invoke, shared_data, tmp_path):
    pytest.importorskip('openvino', reason='OpenVINO is not installed')
    exported = shared_data / 'ultralytics' / 'yolo11n_int8_openvino_model'
    image = shared_data / 'coco_cc20' / 'images' / '000000458054.jpg'
    bare = tmp_path / 'bare'
    bare.mkdir()
    for file in exported.glob('yolo11n.*'):  # what the IR says of itself is enough
        shutil.copyfile(file, bare / file.name)
    seen = []
    for model in (exported, exported / 'yolo11n.xml', bare):
        result = invoke('run', model, image, '--json')
        assert result.exit_code == 0, result.stderr
        seen.append(
            [(each['label'], each['score']) for each in json.loads(result.stdout)['detections']]
        )
    assert seen[0] == seen[1] == seen[2]
    assert 'toilet' in dict(seen[0])


def test_a_tflite_file_chooses_its_own_engine(invoke, shared_data):
    pytest.importorskip('ai_edge_litert', reason='LiteRT (ai-edge-litert) is not installed')
    model = shared_data / 'ultralytics' / 'yolov8n_192_int8.tflite'
    image = shared_data / 'coco_cc20' / 'images' / '000000458054.jpg'
    result = invoke('run', model, image, '--json')
    assert result.exit_code == 0, result.stderr
    (found,) = json.loads(result.stdout)['detections']
    assert (found['label'], found['score']) == ('toilet', pytest.approx(0.422, abs=0.02))
    refused = invoke('run', model, image, '--engine', 'onnxruntime')
    assert refused.exit_code == 2
    assert 'edge-perception build' not in refused.stderr  # which needs an ONNX
    assert 'reads .tflite' in refused.stderr


@pytest.mark.parametrize(
    'name',
    ['yolov8n_320_int8', 'yolo26n_640_int8', 'yolo11n_pose_256_full_integer_quant'],
)
def test_files_that_people_have_find_the_persons_of_the_street(invoke, shared_data, street, name):
    """No manifest is given; the boxes are those that YOLOX finds, which is trained on COCO too."""
    pytest.importorskip('ai_edge_litert', reason='LiteRT (ai-edge-litert) is not installed')
    model = shared_data / 'ultralytics' / f'{name}.tflite'
    result = invoke('run', model, street, '--json', '--score-threshold', '0.5')
    assert result.exit_code == 0, result.stderr
    (frame,) = lines(result)
    persons = [each for each in frame['detections'] if each['label'] == 'person']
    for box in ([5, 168, 131, 396], [509, 170, 634, 383], [324, 170, 398, 376]):
        assert max(overlap(box, each['xyxy']) for each in persons) > 0.75
    if 'pose' in name:
        nose = frame['keypoints'][0]['points'][0]
        assert nose['name'] == 'nose' and nose['score'] > 0.5


def test_an_output_that_cannot_carry_scores_is_said_and_not_proven(invoke, shared_data, tmp_path):
    pytest.importorskip('ai_edge_litert', reason='LiteRT (ai-edge-litert) is not installed')
    folder, photos = shared_data / 'ultralytics', tmp_path / 'photos'
    photos.mkdir()
    shutil.copy(shared_data / 'coco_cc20' / 'images' / '000000458054.jpg', photos)
    coarse = shutil.copy(folder / 'yolo26n_640_full_integer_quant.tflite', tmp_path)
    seen = invoke('run', coarse, photos, '--json')
    assert (seen.exit_code, 'steps of 0.306' in seen.stderr) == (0, True)
    reference = ('--reference', folder / 'yolo26n_640_int8.tflite', '--reference-engine', 'litert')
    refused = invoke('verify', coarse, *reference, '--images', photos)
    assert refused.exit_code == 2
    assert 'steps of 0.306' in refused.stderr
    assert not list(tmp_path.glob('*.proof.json'))


def test_what_is_not_looked_at_is_said(invoke, yolox, street, tmp_path):
    photos = tmp_path / 'photos'
    (photos / 'more').mkdir(parents=True)
    shutil.copy(street, photos)
    if not cv2.imwritemulti(str(photos / 'two.tiff'), [np.zeros((8, 8, 3), np.uint8)] * 2):
        pytest.skip('this OpenCV cannot write TIFF')
    result = invoke('run', yolox, photos, '--json')
    assert result.exit_code == 0, result.stderr
    assert 'folders in it are not searched (1)' in result.stderr
    assert 'two.tiff: the first of its 2 images' in result.stderr


def test_json_stays_json_whatever_a_plugin_prints(yolox, street, tmp_path):
    """By Python, by C, while it is imported and while it is probed."""
    folder = tmp_path / 'loud'
    folder.mkdir()
    Shelf(folder).add(
        'loud',
        """
        import os
        print('imported')
        os.write(1, b'from C')

        @hookimpl
        def register_engines(register):
            print('registered')
            register(engine('loud'))
        """,
    )
    path = os.pathsep.join([str(folder), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, '-m', 'edge_perception.cli.main', 'run', yolox, street, '--json'],
        env={**os.environ, 'PYTHONPATH': path},
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = done.stdout.splitlines()
    assert json.loads(line)['detections']
    for said in ('imported', 'from C', 'registered'):
        assert said in done.stderr


def test_names_at_the_limit_of_the_disk_are_read_and_written(invoke, yolox, street, tmp_path):
    photo = Path(shutil.copy(street, tmp_path / f'{"p" * 244}.jpg'))
    out = tmp_path / 'out'
    result = invoke('run', yolox, photo, street, '--out', out)
    assert result.exit_code == 0, result.output
    assert len(list(out.iterdir())) == 2
    beyond = invoke('run', yolox, f'{"q" * 300}.jpg', street)
    assert beyond.exit_code == 1
    assert 'bad_image' in beyond.stderr
    assert street.name in beyond.stdout
