# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``run`` with the options of a stage: ids in the JSON."""

from __future__ import annotations

import json

import pytest


def test_persons_of_a_video_have_ids(invoke, model, shared_data):
    """By the time of the video: ten frames a second, of which every second is looked at."""
    video = shared_data / 'video/one-by-one-person-detection.mp4'
    options = ('--json', '--limit', '45', '--every', '2', '--classes', 'person')
    result = invoke('run', model('yolox_nano'), video, *options, '-o', 'tracking.enabled=true')
    frames = [json.loads(line)['detections'] for line in result.stdout.splitlines()]
    ids = [each['id'] for found in frames for each in found]
    assert ids[0] == '' and len(set(ids)) == 2
    without = invoke('run', model('yolox_nano'), video, *options).stdout.splitlines()[40]
    assert 'id' not in json.loads(without)['detections'][0]


@pytest.mark.parametrize('given', ['tracking.enabledd=true', 'tracking.keep_s=-1'])
def test_a_wrong_option_of_a_stage_is_refused(invoke, model, shared_data, given):
    result = invoke('run', model('yolox_nano'), shared_data / 'coco_cc20', '-o', given)
    assert result.exit_code == 2
    assert "error [option_invalid]: stage 'tracking': " in result.stderr
