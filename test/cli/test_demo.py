# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The demonstration with its three processes, short."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import json
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import threading

import cv2
import numpy as np
import psutil
import pytest

from edge_perception.ros.system.process_environment import PROFILE
from edge_perception.ros.system.process_environment import PROFILE_VARIABLES
from edge_perception.simulation.nodes import demonstration
from edge_perception.simulation.nodes.processes import for_camera
from edge_perception.simulation.nodes.processes import isolate
from test.support.graph import until

COMMAND = 'from edge_perception.cli.main import main; main()'
PATIENCE_S = 60


class Demo:
    """The command in a process, on a terminal of its own."""

    def __init__(self, *arguments: object) -> None:
        self._terminal, theirs = os.openpty()
        self._process = subprocess.Popen(
            [sys.executable, '-c', COMMAND, 'demo', *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, 'TERM': 'xterm', 'COLUMNS': '100'},
            start_new_session=True,
        )
        os.close(theirs)
        self.pid = self._process.pid
        self.shown = ''
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._terminal, 1 << 16)
            except OSError:  # the other end is closed
                return
            self.shown += re.sub(r'\x1b\[[0-9;?]*[A-Za-z]', '', data.decode(errors='replace'))

    def child(self, module: str) -> psutil.Process:
        """Return the process of the node or of the camera, once it is there."""

        def find() -> psutil.Process | None:
            children = psutil.Process(self.pid).children()
            return next((each for each in children if module in each.cmdline()), None)

        return until(find, bool)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        status = self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return status

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(PATIENCE_S)
        os.close(self._terminal)


@contextmanager
def running(*arguments: object) -> Iterator[tuple[Demo, psutil.Process, psutil.Process]]:
    """Run the demonstration until its first result; yields it, its node and its camera."""
    demo = Demo(*arguments)
    try:
        node = demo.child('edge_perception.ros.main')
        camera = demo.child('edge_perception.simulation.nodes.rendered_camera')
        until(lambda: re.search(r'results +[1-9]', demo.shown), bool)
        yield demo, node, camera
    finally:
        demo.close()


def gone(*processes: psutil.Process) -> bool:
    """Wait until processes have ended; a zombie has."""
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_S)
    return not alive


@pytest.fixture
def short(yolox, street, tmp_path) -> tuple[object, ...]:
    """Return arguments for a demonstration of a network that everybody has."""
    return ('--model', yolox, '--image', street, '--out', tmp_path / 'out', '--seconds', 3)


def test_results_of_a_model_and_a_picture_of_ones_own(invoke, short, tmp_path):
    result = invoke('demo', *short)
    assert result.exit_code == 0, result.stderr
    out = tmp_path / 'out'
    values = json.loads((out / 'summary.json').read_text())
    assert values['results'] >= 3
    assert values['share_with_objects'] == 1.0
    assert values['pose_error'] is None
    node = values['node']
    assert node['received'] == node['published'] + sum(node['dropped'].values())
    for name in ('video.mp4', 'picture.jpg', 'report.html', 'summary.json'):
        assert str(out / name) in result.stdout
    picture = cv2.imread(str(out / 'picture.jpg'))
    assert picture.shape == (428, 640, 3)
    source = cv2.imread(str(short[3]))
    assert cv2.absdiff(source, picture)[160:399, 2:5].mean() > 40  # edge of the first person
    read, frame = cv2.VideoCapture(str(out / 'video.mp4')).read()
    assert read and frame.shape == picture.shape
    assert 'error' not in result.stdout
    assert_needs_no_other_file((out / 'report.html').read_text())


def assert_needs_no_other_file(page: str) -> None:
    assert '<img' in page
    for reference in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert reference.startswith(('data:', '#')), reference
    assert 'url(http' not in page and '@import' not in page


@pytest.mark.parametrize('size', [1.0, 0.6])
def test_the_approach_to_the_pad_with_poses_against_the_truth(invoke, tmp_path, size):
    out, model = tmp_path / 'out', tmp_path / 'landing_pad'
    given = ()
    if size != 1.0:  # then the pad of the approach is as large as the model takes it for
        invoke('pad', '--size', size, '--model', model)
        given = ('--model', model)
    result = invoke('demo', '--seconds', 4, '--out', out, *given)
    assert result.exit_code == 0, result.stderr
    values = json.loads((out / 'summary.json').read_text())
    error = values['pose_error']
    assert error['poses'] > 20
    # The bars of the model for single pictures.
    assert error['position_percent_of_distance']['p50'] < 1.0
    assert error['yaw_degrees']['p50'] < 2.0
    assert error['tilt_degrees']['p50'] < 3.0
    assert 'position error' in result.stdout
    picture = cv2.imread(str(out / 'picture.jpg')).astype(int)
    red = (picture[..., 2] > 200) & (picture[..., :2].max(axis=-1) < 60)
    assert np.count_nonzero(red) > 100  # an axis


def test_ctrl_c_ends_everything(short, tmp_path):
    with running(*short[:-1], 60) as (demo, node, camera):
        demo.signal(signal.SIGINT)
        assert demo.wait() == 130
        assert gone(node, camera)
    assert 'interrupted; camera and node have ended' in demo.shown
    assert 'Traceback' not in demo.shown
    left = sorted(each.name for each in (tmp_path / 'out').iterdir())
    assert left == ['camera.log', 'node.log']


def test_nothing_outlives_a_demonstration_that_is_killed(short):
    if sys.platform != 'linux':
        pytest.skip('only Linux tells a process that its parent has died')
    with running(*short[:-1], 60) as (demo, node, camera):
        demo.signal(signal.SIGKILL)
        assert gone(node, camera)


@pytest.mark.parametrize('name', ['node', 'camera'])
def test_a_process_that_dies_is_named_with_its_last_words(short, tmp_path, name):
    with running(*short[:-1], 60) as (demo, node, camera):
        {'node': node, 'camera': camera}[name].kill()
        assert demo.wait() == 1
        assert gone(node, camera)
    said = ' '.join(demo.shown.split())
    assert f'[demo_failed]: the {name} ended with status -9; the last lines of the {name}:' in said
    words = {'node': 'configured: model yolox_nano', 'camera': '640x428 at 30 Hz'}
    assert words[name] in said
    assert not (tmp_path / 'out' / 'report.html').exists()
    assert not list((tmp_path / 'out').glob('*.mp4'))


def test_too_few_results_are_no_success(invoke, short, monkeypatch, tmp_path):
    monkeypatch.setattr(demonstration, 'MIN_RESULTS_PER_S', 1000.0)
    result = invoke('demo', *short[:-1], 1)
    assert result.exit_code == 1
    assert re.search(r'got \d+ results in 1 s, expected at least 1000', result.stderr)
    assert 'active, ' in result.stderr  # from the log of the node
    assert not (tmp_path / 'out' / 'report.html').exists()


@pytest.mark.parametrize(
    ('given', 'status', 'sentence'),
    [
        (('--image', 'a.jpg', '--camera', '0'), 2, 'got --image and --camera, expected one'),
        (('--image', 'a.jpg'), 2, 'a.jpg: no such file'),
        (('--image', 'text.jpg'), 2, 'text.jpg: is not an image that OpenCV can read'),
        (('--video', 'text.mp4'), 2, 'text.mp4: is neither an image nor a video'),
        (('--camera', 'text.mp4'), 2, "--camera: got 'text.mp4', expected the number of a camera"),
        (('--video', '0'), 2, "--video: got '0', expected a file"),
        (('--seconds', '0'), 2, "'--seconds': 0.0 is not in the range"),
        (('--seconds', 'nan'), 2, "--seconds: got 'nan'"),
        (('--field-of-view', '70'), 2, '--field-of-view only goes with --image'),
        (('--model', 'nothing'), 2, "[model_not_found]: model 'nothing'"),
        (('--out', 'text.jpg/out'), 2, 'cannot be written'),
    ],
)
def test_a_mistake_is_said_before_anything_starts(
    invoke, yolox, tmp_path, monkeypatch, given, status, sentence
):
    monkeypatch.chdir(tmp_path)
    for name in ('text.jpg', 'text.mp4'):
        (tmp_path / name).write_text('no picture')
    monkeypatch.setattr(demonstration, 'Child', None)
    result = invoke('demo', '--model', yolox, *given)
    assert result.exit_code == status
    assert sentence in result.stderr


def test_a_camera_that_is_not_there(invoke, yolox, tmp_path):
    out = tmp_path / 'out'
    result = invoke('demo', '--model', yolox, '--camera', 63, '--out', out)
    assert result.exit_code == 1
    assert 'the camera ended with status 2' in result.stderr
    assert 'error [bad_image]: camera:63: no such camera' in result.stderr


def test_a_log_that_cannot_be_written_is_a_sentence(invoke, yolox, street, tmp_path):
    (tmp_path / 'node.log').mkdir()
    result = invoke('demo', '--model', yolox, '--image', street, '--out', tmp_path)
    assert result.exit_code == 2
    assert f'{tmp_path / "node.log"}: cannot be written: Is a directory' in result.stderr


def test_a_network_of_ones_own_is_left_alone_unless_the_user_has_chosen():
    made = isolate({})
    assert 1 <= int(made['ROS_DOMAIN_ID']) <= 101
    assert made['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
    chosen = {'ROS_DOMAIN_ID': '7', 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'}
    assert isolate(chosen) == chosen
    assert isolate({'ROS_DISTRO': 'humble'})['ROS_LOCALHOST_ONLY'] == '1'
    assert 'ROS_AUTOMATIC_DISCOVERY_RANGE' not in isolate({'ROS_LOCALHOST_ONLY': '1'})


def test_large_images_get_through_unless_the_user_has_chosen(repository):
    made = for_camera({})
    (variable,) = made
    assert variable in PROFILE_VARIABLES
    assert Path(made[variable]) == repository / PROFILE
    for name in PROFILE_VARIABLES:
        assert for_camera({name: 'mine.xml'}) == {name: 'mine.xml'}
