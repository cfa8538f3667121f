# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception score`` with the rendered camera and the shipped model, all of it real."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import threading
from xml.etree import ElementTree

import cv2
import pytest
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from edge_perception.simulation.nodes.rendered_camera import RenderedCamera
from test.support.graph import Spinner
from test.support.graph import Tester
from test.support.graph import until
from test.support.process import node_process

PATIENCE_S = 60.0
SCORE = [sys.executable, '-m', 'edge_perception.cli.main', 'score']


def test_an_approach_is_scored_and_the_report_is_complete(tmp_path):
    """The camera flies for 3 s; a threshold that cannot be kept makes the command fail."""
    thresholds = tmp_path / 'thresholds.yaml'
    thresholds.write_text(
        '- {figure: recall, minimum: 0.8, from_size_px: 48, from_inside: 0.6}\n'
        '- {figure: position_percent, maximum: 1.5}\n'
        '- {figure: age_ms, statistic: max, maximum: 0.001}\n'
    )
    out = tmp_path / 'out'
    parameters = {'seconds': 3.0, 'hold': True, 'pad_size': 1.0}
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    spinner, ours = Spinner(), Spinner()
    tester = Tester(ours, target='/rendered_camera')
    command = [*SCORE, '--thresholds', str(thresholds), '--out', str(out), '--quiet-seconds', '2']
    with (
        node_process(
            tmp_path / 'node.log',
            model='landing_pad',
            image_topic='/camera/image_raw',
            autostart=True,
        ) as node,
        open(tmp_path / 'score.log', 'w') as log,
    ):
        score = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            until(lambda: ' active,' in node.log, bool)
            until((tmp_path / 'score.log').read_text, lambda text: 'listening' in text)
            camera = spinner.add(
                lambda context: RenderedCamera(context=context, parameter_overrides=overrides)
            )
            # Held until all know each other, so that nothing of the approach is missed.
            until(lambda: camera.count_subscribers('/camera/image_raw'), lambda count: count == 2)
            start = tester.node.create_client(Trigger, '/rendered_camera/start')
            assert tester.call(start, Trigger.Request()).success
            until(camera.finished.done, bool)
            assert score.wait(PATIENCE_S) == 1
        finally:
            score.kill()
            spinner.close()
            ours.close()
    said = (tmp_path / 'score.log').read_text()
    assert 'error [score_failed]: age_ms, max: got' in said and 'Traceback' not in said
    suite = ElementTree.parse(out / 'junit.xml').getroot()
    assert (suite.get('tests'), suite.get('failures')) == ('3', '1')
    figures = json.loads((out / 'score.json').read_text())
    assert figures['results'] > 10 and not figures['passed']
    rows = list(csv.DictReader((out / 'images.csv').open()))
    assert len(rows) == figures['images']
    page = (out / 'report.html').read_text()
    assert page.count('<svg') == 3 and 'data:image/jpeg;base64,' in page
    assert cv2.imread(str(out / 'picture.jpg')).shape == (480, 640, 3)
    assert cv2.VideoCapture(str(out / 'video.mp4')).read()[0]


def test_interrupted_before_anything_came_it_says_that_there_was_nothing(tmp_path):
    process = subprocess.Popen(
        [*SCORE, '--out', str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, 'PYTHONUNBUFFERED': '1'},
    )
    killer = threading.Timer(PATIENCE_S, process.kill)
    killer.start()
    try:
        assert 'listening' in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
        assert process.wait() == 1
    finally:
        killer.cancel()
        process.kill()
    assert 'recall' in said and 'nothing to measure' in said
    assert 'Traceback' not in said


@pytest.mark.parametrize(
    ('text', 'sentence'),
    [('- {figure: recall}', 'got neither minimum nor maximum'), (None, 'No such file')],
)
def test_wrong_thresholds_end_it_at_once(tmp_path, text, sentence):
    path = Path(tmp_path, 'thresholds.yaml')
    if text is not None:
        path.write_text(text)
    done = subprocess.run(
        [*SCORE, '--thresholds', str(path), '--out', str(tmp_path / 'out')],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 2 and sentence in done.stderr
    assert not (tmp_path / 'out').exists()
