# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The worlds that are written for Gazebo, and what is started with them."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import yaml

from edge_perception.contract import ConfigurationError
from edge_perception.pose.solver import quaternion
from edge_perception.pose.solver import rotation_matrix
from edge_perception.ros.system.process_environment import DISCOVERY_VARIABLES
from edge_perception.ros.system.process_environment import PROFILE
from edge_perception.ros.system.process_environment import PROFILE_VARIABLES
from edge_perception.simulation import landing_pad as pad
from edge_perception.simulation.approach import place
from edge_perception.simulation.approach import velocities
from edge_perception.simulation.gazebo import grounds as gazebo_grounds
from edge_perception.simulation.gazebo.worlds import DURATION_S
from edge_perception.simulation.gazebo.worlds import GROUNDS
from edge_perception.simulation.gazebo.worlds import HOVER_S
from edge_perception.simulation.gazebo.worlds import OPTICAL_IN_BODY
from edge_perception.simulation.gazebo.worlds import roll_pitch_yaw
from edge_perception.simulation.gazebo.worlds import SIMULATORS
from edge_perception.simulation.gazebo.worlds import World
from edge_perception.simulation.gazebo.worlds import write_world
from edge_perception.simulation.nodes.gazebo_launch import starts
from edge_perception.simulation.nodes.pad_truth import pad_in_image
from test.support.launch_stubs import LaunchFile
from test.support.raising import raises


@pytest.fixture
def templates(repository):
    return repository / 'config' / 'gazebo'


@pytest.mark.parametrize('simulator', SIMULATORS)
def test_a_world_has_no_gaps_and_its_pictures_are_there(templates, tmp_path, simulator):
    path = write_world(
        templates, tmp_path, world=World(ground='roof', pad_size=0.6), simulator=simulator
    )
    text = path.read_text()
    assert '$' not in text
    world = ElementTree.parse(path).getroot().find('world')
    sensors = {sensor.get('name') for sensor in world.iter('sensor')}
    assert {'down', 'front'} <= sensors
    for picture in world.iter('albedo_map'):
        assert cv2.imread(picture.text) is not None
    drawn = cv2.imread(str(tmp_path / 'materials' / 'landing_pad.png'), cv2.IMREAD_GRAYSCALE)
    small = cv2.resize(drawn, (24, 24), interpolation=cv2.INTER_AREA)
    assert np.array_equal(small, pad.raster(24))


@pytest.mark.parametrize('simulator', SIMULATORS)
def test_the_checker_of_libsdformat_accepts_it(templates, tmp_path, simulator):
    path = write_world(templates, tmp_path, world=World(ground='roof'), simulator=simulator)
    for command in (['gz', 'sdf'], ['ign', 'sdf']):
        if shutil.which(command[0]) is None:
            continue
        done = subprocess.run([*command, '--check', str(path)], capture_output=True, text=True)
        if 'cannot find' in done.stdout + done.stderr:
            continue  # the program without the library
        assert done.stdout.strip() in ('Valid.', 'Check complete'), done.stdout + done.stderr
        return
    pytest.skip('no checker of SDF: apt-get install libsdformat-dev ignition-tools')


def test_grounds_differ_and_are_the_same_each_time():
    drawn = {name: gazebo_grounds.GROUNDS[name](np.random.default_rng(7)) for name in GROUNDS}
    means = {name: picture.mean(axis=(0, 1)) for name, picture in drawn.items()}
    assert means['grass'][1] > 1.1 * means['grass'][2]  # green
    assert means['asphalt'].max() < 100 < means['roof'].min()
    again = gazebo_grounds.GROUNDS['roof'](np.random.default_rng(7))
    assert np.array_equal(again, drawn['roof'])


def test_the_scale_of_the_world_is_that_of_the_pad(templates, tmp_path):
    path = write_world(templates, tmp_path, world=World(ground='roof', pad_size=0.3))
    model = next(
        each
        for each in ElementTree.parse(path).getroot().iter('model')
        if each.get('name') == 'landing_pad'
    )
    assert model.find('.//size').text == '0.3 0.3'
    assert World(pad_size=0.3).waypoints()[0][1][2] == pytest.approx(8.8 * 0.3, rel=0.1)


@pytest.mark.parametrize('simulator', SIMULATORS)
@pytest.mark.parametrize('size', [pad.SMALLEST, pad.LARGEST])
def test_a_pad_of_any_size_that_can_be_printed_is_seen_all_the_way(
    templates, tmp_path, simulator, size
):
    world = World(ground='roof', pad_size=size)
    root = ElementTree.parse(
        write_world(templates, tmp_path, world=world, simulator=simulator)
    ).getroot()
    heights = [position[2] for _, position, _ in world.waypoints()]
    for clip in root.iter('clip'):
        assert float(clip.find('near').text) < 0.2 * min(heights)
        assert float(clip.find('far').text) > 2 * max(heights) > 0


def test_the_same_world_is_written_twice(templates, tmp_path):
    for name in ('one', 'two'):
        write_world(templates, tmp_path / name, world=World(ground='roof'), seen_as='/media')
    files = sorted(p.relative_to(tmp_path / 'one') for p in (tmp_path / 'one').rglob('*.*'))
    assert len(files) == 7
    for file in files:
        assert (tmp_path / 'one' / file).read_bytes() == (tmp_path / 'two' / file).read_bytes()


@pytest.mark.parametrize(
    ('fields', 'names'), [({'ground': 'sea'}, ["'sea'", 'grass']), ({'pad_size': 0.0}, ['got 0'])]
)
def test_what_is_no_world_is_refused(fields, names):
    with raises(ValueError, *names):
        World(**fields)


def test_the_vehicle_hovers_then_comes_down_above_the_pad():
    waypoints = World(approach=2).waypoints()
    heights = {round(time, 2): position[2] for time, position, _ in waypoints}
    assert waypoints[-1][0] == pytest.approx(DURATION_S + 1)
    assert abs(heights[0.0] - heights[HOVER_S]) < 0.6
    assert heights[0.0] > 8 and heights[DURATION_S] < 1.2


def test_the_way_keeps_the_pad_in_the_picture():
    world = World(approach=3)
    for _, position, rotation in world.waypoints():
        seen, turned = pad_in_image(position, quaternion(rotation))
        pixels = world.camera.project(
            np.zeros((1, 3)), rotation=rotation_matrix(turned), position=seen
        )
        assert seen[2] > 0
        assert (pixels > 0).all() and (pixels < (640, 480)).all()


def test_roll_pitch_and_yaw_make_the_rotation_again():
    for _, _, rotation in World().waypoints()[::20]:
        roll, pitch, yaw = roll_pitch_yaw(rotation)
        about = [cv2.Rodrigues(np.array(v))[0] for v in ((roll, 0, 0), (0, pitch, 0), (0, 0, yaw))]
        assert np.allclose(about[2] @ about[1] @ about[0], rotation, atol=1e-9)


def test_the_camera_looks_down_with_the_front_at_the_top():
    """Its axes as SDF and REP-103 have them: the sensor looks along its x, z is up."""
    sensor = cv2.Rodrigues(np.array([0, math.pi / 2, 0]))[0]
    optical_in_sensor = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], np.float64)
    assert np.allclose(sensor @ optical_in_sensor, OPTICAL_IN_BODY)


def test_velocities_bring_the_vehicle_onto_its_way():
    waypoints = World().waypoints()
    _, position, rotation = waypoints[0]
    position = position + (0.5, -0.4, 0.3)
    rotation = rotation @ cv2.Rodrigues(np.array([0.1, 0.0, 0.4]))[0]
    step, time = 0.01, 0.0
    while time < DURATION_S:
        linear, angular = velocities(waypoints, time, position=position, rotation=rotation)
        position = position + rotation @ linear * step
        rotation = rotation @ cv2.Rodrigues(angular * step)[0]
        time += step
    target, turned = place(waypoints, time)
    assert np.linalg.norm(position - target) < 0.05
    assert np.linalg.norm(cv2.Rodrigues(rotation.T @ turned)[0]) < 0.05


ARGUMENTS = {
    **{'gui': False, 'model': 'landing_pad', 'engine': ''},
    **{'approach': '2', 'pad_size': '0.6'},
}


def test_classic_starts_gzserver_with_what_brings_it_into_ros(tmp_path):
    found = {s.name: s for s in starts(tmp_path, simulator='classic', world='roof', **ARGUMENTS)}
    assert set(found) == {'gzserver', 'pad_truth', 'perception', 'score'}
    text = (tmp_path / 'world.sdf').read_text()
    for library in ('libgazebo_ros_camera.so', 'libgazebo_ros_p3d.so'):
        assert library in text
    assert str(tmp_path / 'world.sdf') in found['gzserver'].command
    parameters = found['perception'].parameters
    assert parameters['use_sim_time'] is True and 'engine' not in parameters
    # World and score are of the pad that the model knows.
    assert '<size>0.6 0.6</size>' in text
    score = found['score'].command
    assert score[score.index('--object-size') + 1] == '0.6'


@pytest.mark.parametrize(('simulator', 'program'), [('gz', 'gz'), ('ignition', 'ign')])
def test_modern_gazebo_gets_bridge_and_pilot(tmp_path, simulator, program):
    found = {s.name: s for s in starts(tmp_path, simulator=simulator, world='roof', **ARGUMENTS)}
    assert set(found) == {'gazebo', 'bridge', 'approach_pilot', 'pad_truth', 'perception', 'score'}
    assert found['gazebo'].command[0] == program and '-s' in found['gazebo'].command
    assert {'approach:=2', 'pad_size:=0.6'} <= set(found['approach_pilot'].command)


def test_the_bridge_hands_on_every_topic_of_the_world(templates, tmp_path):
    world = write_world(templates, tmp_path, world=World(ground='roof'), simulator='gz')
    entries = yaml.safe_load((templates / 'bridge.yaml').read_text())
    topics = {entry['gz_topic_name'].lstrip('/') for entry in entries}
    names = ('topic', 'camera_info_topic', 'odom_topic')
    root = ElementTree.parse(world).getroot()
    published = {each.text for name in names for each in root.iter(name)}
    assert published == topics - {'clock'}
    assert {'/clock', '/camera/image_raw', '/camera/camera_info', '/ground_truth/odometry'} <= {
        entry['ros_topic_name'] for entry in entries
    }


def test_wrong_arguments_of_the_launch_are_said_together(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        wrong = {**ARGUMENTS, 'approach': 'left', 'pad_size': '25'}
        starts(tmp_path, simulator='gazeboo', world='sea', **wrong)
    for words in (
        *("simulator: got 'gazeboo'", "world: got 'sea'", "approach: got 'left'"),
        "pad_size: got '25', expected 0.02 to 20 m",
    ):
        assert words in str(caught.value)


@pytest.fixture
def gazebo(tmp_path, monkeypatch):
    """Let the programs of Gazebo and its bridges to ROS be installed."""
    for name in ('gz', 'ign', 'gzserver'):
        program = tmp_path / 'bin' / name
        program.parent.mkdir(exist_ok=True)
        program.touch(mode=0o755)
    index = tmp_path / 'share' / 'ament_index' / 'resource_index' / 'packages'
    index.mkdir(parents=True)
    for name in ('ros_gz_bridge', 'gazebo_ros', 'gazebo_plugins'):
        (index / name).touch()
    for variable, folder in (('PATH', tmp_path / 'bin'), ('AMENT_PREFIX_PATH', tmp_path)):
        before = os.environ.get(variable, '')
        monkeypatch.setenv(variable, os.pathsep.join(filter(None, (str(folder), before))))


@pytest.mark.parametrize(
    ('simulator', 'lacking'),
    [('gz', ('gz', 'ros_gz_bridge')), ('classic', ('gzserver', 'gazebo_ros', 'gazebo_plugins'))],
)
def test_without_gazebo_the_launch_says_what_is_missing_and_leaves_nothing(
    simulator, lacking, repository, tmp_path
):
    script = (
        'import sys; from pathlib import Path\n'
        'from test.support.launch_stubs import LaunchFile\n'
        'file = LaunchFile(Path("launch/gazebo.launch.py"))\n'
        'try: file.start(simulator=sys.argv[1])\n'
        'except RuntimeError as error: print(error)\n'
    )
    environment = {**os.environ, 'TMPDIR': str(tmp_path), 'PATH': str(tmp_path)}
    done = subprocess.run(
        [sys.executable, '-c', script, simulator],
        **{'cwd': repository, 'env': environment, 'capture_output': True, 'text': True},
    )
    assert done.stdout.count('\n') == 1, done.stderr
    assert all(name in done.stdout for name in lacking)
    assert not list(tmp_path.iterdir())


def test_the_world_of_a_flight_goes_with_the_launch(gazebo, repository, tmp_path):
    script = (
        'from pathlib import Path\n'
        'from test.support.launch_stubs import LaunchFile\n'
        'assert LaunchFile(Path("launch/gazebo.launch.py")).start(world="roof", gui="false")\n'
    )
    folder = tmp_path / 'temporary'
    folder.mkdir()
    environment = {**os.environ, 'TMPDIR': str(folder)}
    subprocess.run([sys.executable, '-c', script], cwd=repository, env=environment, check=True)
    assert not list(folder.iterdir())


def test_the_launch_file_starts_what_belongs_to_a_flight(gazebo, repository):
    file = LaunchFile(repository / 'launch' / 'gazebo.launch.py')
    assert list(file.arguments) == [
        *('simulator', 'world', 'gui', 'model', 'engine', 'approach', 'pad_size')
    ]
    started = file.start(world='roof', gui='false', engine='onnxruntime')
    nodes = {each.keywords['name']: each.keywords for each in started if each.kind == 'Node'}
    assert nodes['bridge']['package'] == 'ros_gz_bridge'
    assert nodes['perception']['parameters'][0]['engine'] == 'onnxruntime'
    commands = [each.keywords['cmd'] for each in started if each.kind == 'ExecuteProcess']
    assert commands[0][:3] == ['gz', 'sim', '-r']
    assert any('edge_perception.simulation.nodes.pad_truth' in command for command in commands)
    assert 'score' in commands[-1] and started[-1].keywords['on_exit']


@pytest.mark.parametrize(
    ('simulator', 'publishers'),
    [('classic', {'gzserver', 'perception'}), ('gz', {'bridge', 'perception'})],
)
def test_who_publishes_images_gets_the_profile_for_large_ones(
    gazebo, repository, monkeypatch, simulator, publishers
):
    for name in (*PROFILE_VARIABLES, *DISCOVERY_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    file = LaunchFile(repository / 'launch' / 'gazebo.launch.py')
    variables = {
        each.keywords.get('name') or each.keywords['cmd'][0]: each.keywords['additional_env']
        for each in file.start(simulator=simulator, world='roof', gui='false')
    }
    assert {name for name, given in variables.items() if given} == publishers
    for name in publishers:
        ((variable, path),) = variables[name].items()
        assert variable in PROFILE_VARIABLES and path == str(repository / PROFILE)
