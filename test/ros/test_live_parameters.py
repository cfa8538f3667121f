# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters and services that take effect while the node runs, over DDS."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
import re

import cv2
import numpy as np
import pytest
from rcl_interfaces.srv import SetParameters
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool
from std_srvs.srv import Trigger

from edge_perception.ros.input.raw_images import image_to_frame
from edge_perception.ros.output import saved_frame
from edge_perception.runtime.drawing import draw
from edge_perception.testing import FakeClock
from test.support.fake_node import picture
from test.support.graph import until


def set_parameters(here, **values):
    client = here.tester.node.create_client(
        SetParametersAtomically, '/perception/set_parameters_atomically'
    )
    named = {name.replace('__', '.'): value for name, value in values.items()}
    messages = [Parameter(name, value=value).to_parameter_msg() for name, value in named.items()]
    return here.tester.call(client, SetParametersAtomically.Request(parameters=messages)).result


def call(here, kind, name, request):
    return here.tester.call(here.tester.node.create_client(kind, f'/perception/{name}'), request)


def channel(here):
    return here.node.session.cameras[0].channel


def test_what_may_change_takes_effect_at_once(world):
    here = world(latency_budget_ms=500.0)
    here.start()
    answer = set_parameters(
        here,
        score_threshold=0.9,
        max_detections=3,
        classes=['thing'],
        latency_budget_ms=70.0,
        publish_late=True,
        debug__max_rate=2.0,
    )
    assert answer.successful, answer.reason
    selection = channel(here).selection
    assert (selection.score_threshold, selection.max_detections) == (0.9, 3)
    assert selection.class_ids == {0}
    assert channel(here).policy.publish_late
    assert here.node.session.cameras[0].budget_ms == 70.0
    assert here.node.session.cameras[0].debug_image.options.max_rate == 2.0


def test_of_several_values_all_take_effect_or_none(world):
    here = world()
    here.start()
    before = channel(here).selection
    answer = set_parameters(here, score_threshold=0.9, classes=['ting'])
    assert not answer.successful
    assert answer.reason == (
        "classes: got 'ting', which the model does not know, did you mean 'thing'?"
    )
    assert channel(here).selection == before
    assert here.node.get_parameter('score_threshold').value == -1.0


def test_a_value_out_of_range_is_refused(world):
    here = world()
    here.start()
    answer = set_parameters(here, debug__jpeg_quality=101)
    assert answer.reason == 'debug.jpeg_quality: got 101, expected an integer from 1 to 100'


def test_an_unknown_name_gets_the_nearest_one(world):
    here = world()
    here.start()
    before = channel(here).selection
    answer = set_parameters(here, scor_threshold=0.5, max_detections=3)
    assert not answer.successful
    assert answer.reason == ("scor_threshold: unknown parameter, did you mean 'score_threshold'?")
    assert channel(here).selection == before
    client = here.tester.node.create_client(SetParameters, '/perception/set_parameters')
    request = SetParameters.Request(parameters=[Parameter('xyz', value=1).to_parameter_msg()])
    (result,) = here.tester.call(client, request).results
    assert (result.successful, result.reason) == (False, 'xyz: unknown parameter')


def test_others_say_that_they_need_a_configure(world):
    here = world()
    here.start()
    assert set_parameters(here, rotate=90).successful
    here.logged('rotate: takes effect with the next configure')


def test_perception_is_switched_off_and_on_without_a_transition(world):
    here = world()
    camera = here.start()
    answer = call(here, SetBool, 'enable', SetBool.Request(data=False))
    assert (answer.success, answer.message) == (True, 'perception is off')
    until(lambda: here.node.session.cameras[0].input.subscribed, lambda there: not there)
    here.logged('perception is off, switched by ~/enable')
    assert here.status('camera', 'switched off by ~/enable')
    assert here.tester.state() == 'active'
    assert call(here, SetBool, 'enable', SetBool.Request(data=True)).success
    here.logged('perception is on, switched by ~/enable')
    camera.wait(here.node)
    camera.publish(picture(here.now()))
    assert here.detections.get(timeout=30) is not None


def test_an_inactive_node_is_not_switched(world):
    here = world()
    answer = call(here, SetBool, 'enable', SetBool.Request(data=True))
    assert (answer.success, answer.message) == (
        False,
        'the node is not active; activate it first',
    )


def test_the_switch_and_the_lifecycle_do_not_confuse_each_other(world):
    here = world()
    camera = here.start()
    assert call(here, SetBool, 'enable', SetBool.Request(data=False)).success
    assert here.tester.transition('deactivate')
    here.logged('inactive, no images are subscribed to; the engine stays loaded')
    answer = call(here, SetBool, 'enable', SetBool.Request(data=True))
    assert not answer.success, 'an inactive node lets no frame in'
    assert not here.node.session.cameras[0].input.subscribed
    assert here.tester.transition('activate')
    camera.wait(here.node)
    camera.publish(picture(here.now()))
    assert here.detections.get(timeout=30) is not None
    assert call(here, SetBool, 'enable', SetBool.Request(data=False)).success
    assert not here.node.session.cameras[0].input.subscribed


def test_budgets_stay_with_their_cameras_when_the_list_of_cameras_is_set(world):
    here = world(
        cameras=['front', 'down'],
        **{'front.latency_budget_ms': 70.0, 'down.latency_budget_ms': 300.0},
    )
    assert here.tester.transition('configure')
    assert set_parameters(here, cameras=['down', 'front']).successful
    budgets = {camera.name: camera.budget_ms for camera in here.node.session.cameras}
    assert budgets == {'front': 70.0, 'down': 300.0}


def test_other_cameras_wait_for_the_next_configure_and_the_one_at_work_keeps_its_parameters(world):
    here = world()
    assert here.tester.transition('configure')
    answer = set_parameters(here, cameras=['front', 'down'])
    assert answer.successful, answer.reason
    here.logged('cameras: takes effect with the next configure')
    assert set_parameters(here, score_threshold=0.9, latency_budget_ms=70.0).successful
    (camera,) = here.node.session.cameras
    assert (camera.channel.selection.score_threshold, camera.budget_ms) == (0.9, 70.0)
    assert here.tester.transition('cleanup')
    assert here.tester.transition('configure')
    assert [camera.name for camera in here.node.session.cameras] == ['front', 'down']


def test_a_frame_is_kept_with_its_result(world, tmp_path):
    clock = FakeClock()
    here = world(clock=clock, save_folder=str(tmp_path / 'kept'))
    camera = here.start()
    answer = call(here, Trigger, 'save_frame', Trigger.Request())
    assert not answer.success
    assert answer.message == 'there is no frame yet; activate the node and wait for an image'
    message = picture(here.now())
    camera.publish(message)
    here.detections.get(timeout=30)
    answer = call(here, Trigger, 'save_frame', Trigger.Request())
    assert answer.success, answer.message
    paths, _, age = answer.message.partition(', of a frame that is ')
    saved, result = paths.split(' and ')
    assert re.fullmatch(r'\d+ ms old', age)
    np.testing.assert_array_equal(cv2.imread(saved), image_to_frame(message).image)
    values = json.loads(Path(result).read_text())
    assert (values['model'], values['frame_id']) == ('fake', 'camera_optical_frame')
    assert isinstance(values['detections'], list)
    # The last frame stays, but nobody can take it for a new one.
    assert call(here, SetBool, 'enable', SetBool.Request(data=False)).success
    clock.now_ns += 90_000_000_000
    answer = call(here, Trigger, 'save_frame', Trigger.Request())
    assert answer.success and answer.message.endswith('of a frame that is 1.5 minutes old')


def test_a_frame_that_cannot_be_kept_says_why(world, tmp_path):
    (tmp_path / 'file').touch()
    here = world(save_folder=str(tmp_path / 'file' / 'kept'))
    camera = here.start()
    camera.publish(picture(here.now()))
    here.detections.get(timeout=30)
    answer = call(here, Trigger, 'save_frame', Trigger.Request())
    assert not answer.success
    assert answer.message.startswith('the frame could not be saved: ')


def test_of_a_frame_that_cannot_be_kept_whole_nothing_stays(world, tmp_path, monkeypatch):
    def full(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    here = world(save_folder=str(tmp_path))
    camera = here.start()
    camera.publish(picture(here.now()))
    here.detections.get(timeout=30)
    before = set(tmp_path.iterdir())
    monkeypatch.setattr(saved_frame, 'write_whole', full)
    answer = call(here, Trigger, 'save_frame', Trigger.Request())
    assert not answer.success and 'No space left' in answer.message
    assert set(tmp_path.iterdir()) == before


def test_frames_are_kept_one_at_a_time_and_none_is_written_over(world, tmp_path):
    here = world(save_folder=str(tmp_path / 'kept'))
    camera = here.start()
    camera.publish(picture(here.now()))
    here.detections.get(timeout=30)
    client = here.tester.node.create_client(Trigger, '/perception/save_frame')
    assert client.wait_for_service(30)
    # As many as a service keeps waiting at most, and two less.
    asked = [client.call_async(Trigger.Request()) for _ in range(8)]
    until(lambda: [each for each in asked if not each.done()], lambda left: not left)
    answers = [each.result() for each in asked]
    kept = {each.message.partition(' and ')[0] for each in answers if each.success}
    refused = [each.message for each in answers if not each.success]
    assert kept and len(kept) + len(refused) == 8
    assert set(refused) <= {'a frame is being written; ask again when it is'}
    files = {str(each) for each in (tmp_path / 'kept').iterdir()}
    assert files == kept | {each.removesuffix('png') + 'json' for each in kept}


def test_the_folder_of_kept_frames_takes_effect_at_once(world, tmp_path):
    here = world(save_folder=str(tmp_path / 'first'))
    camera = here.start()
    camera.publish(picture(here.now()))
    here.detections.get(timeout=30)
    assert set_parameters(here, save_folder=str(tmp_path / 'second')).successful
    assert call(here, Trigger, 'save_frame', Trigger.Request()).success
    assert len(list((tmp_path / 'second').iterdir())) == 2
    assert not (tmp_path / 'first').exists()
    # Nobody was told to wait for a configure.
    assert set_parameters(here, rotate=90).successful
    assert 'rotate: takes effect' in here.logged('takes effect')


@pytest.mark.parametrize('compressed', [False, True])
def test_the_debug_image_is_drawn_while_somebody_looks(world, compressed):
    here = world(**{'debug.max_rate': 0.0})
    camera = here.start()
    camera.publish(picture(here.now()))
    here.detections.get(timeout=30)
    debug = here.node.session.cameras[0].debug_image
    assert not debug.wanted(1 << 62), 'nobody looks yet'
    kind, suffix = (CompressedImage, '/compressed') if compressed else (Image, '')
    viewer = here.tester.collect(kind, f'/perception/debug_image{suffix}')
    viewer.wait(here.node)
    message = picture(here.now())
    camera.publish(message)
    here.detections.get(timeout=30)
    shown = viewer.get(timeout=30)
    assert shown.header == message.header
    if compressed:
        image = cv2.imdecode(np.frombuffer(shown.data, np.uint8), cv2.IMREAD_COLOR)
    else:
        image = image_to_frame(shown).image
    assert image.shape == (48, 64, 3)
    # The caption is drawn on it.
    assert (image != image_to_frame(message).image).any()


def test_a_faster_debug_image_need_not_wait_for_the_slow_one(world):
    here = world(**{'debug.max_rate': 0.001})
    camera = here.start()
    viewer = here.tester.collect(Image, '/perception/debug_image')
    viewer.wait(here.node)
    camera.publish(picture(here.now()))
    assert viewer.get(timeout=30) is not None
    assert set_parameters(here, debug__max_rate=1000.0).successful
    camera.publish(picture(here.now()))
    assert viewer.get(timeout=30) is not None


def test_the_debug_image_shows_the_age_that_the_budget_counts(world, monkeypatch):
    captions = []

    def noting(*arguments, caption, **others):
        captions.append(caption)
        return draw(*arguments, caption=caption, **others)

    monkeypatch.setattr('edge_perception.ros.output.debug_image.draw', noting)
    here = world(clock=FakeClock(), on_bad_stamp='arrival')
    camera = here.start()
    viewer = here.tester.collect(Image, '/perception/debug_image')
    viewer.wait(here.node)
    camera.publish(picture(None))  # its stamp is zero, so it counts from its arrival
    assert viewer.get(timeout=30) is not None
    assert captions == ['fake 0 ms']
