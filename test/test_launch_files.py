# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The launch files pass on what the node understands, and start it where ROS can launch.

What they would start is looked at with stand-ins for ``launch``, and read by a real node. The
tests that launch need ``launch_ros``, and a workspace in which the package was built.
"""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from edge_perception.contract import option_specs
from edge_perception.contract import parse_options
from edge_perception.ros.output.debug_image import DebugOptions
from edge_perception.ros.parameters.node_parameters import NodeConfig
from edge_perception.ros.system.process_environment import DISCOVERY_VARIABLES
from edge_perception.ros.system.process_environment import LOOPBACK_PROFILE
from edge_perception.ros.system.process_environment import PROFILE
from edge_perception.ros.system.process_environment import PROFILE_VARIABLES
from edge_perception.simulation.nodes.rendered_camera import CameraConfig
from test.support.launch_stubs import LaunchFile
from test.support.launch_stubs import Noted
from test.support.node_parameters import read
from test.support.raising import raises

# Of Nav2's bringup, as far as they fit a node without components.
NAV2 = {'namespace', 'params_file', 'use_sim_time', 'autostart', 'use_respawn', 'log_level'}


@pytest.fixture
def nothing_chosen(monkeypatch):
    """Let nobody have chosen a profile or a range."""
    for name in (*DISCOVERY_VARIABLES, *PROFILE_VARIABLES, 'ROS_DISTRO'):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def perception(repository, nothing_chosen):
    return LaunchFile(repository / 'launch' / 'perception.launch.py')


@pytest.fixture
def demo(repository, nothing_chosen):
    return LaunchFile(repository / 'launch' / 'demo.launch.py')


def node_of(started: list[Noted]) -> dict[str, Any]:
    (node,) = [each.keywords for each in started if each.kind == 'Node']
    return node


def plain(value: Any) -> Any:
    """Return the value of a parameter as launch would write it."""
    if isinstance(value, Noted):
        assert (value.kind, value.keywords) == ('ParameterValue', {'value_type': str})
        return value.arguments[0]
    return value


def understood(started: list[Noted], folder: Path) -> tuple[NodeConfig, dict[str, Any]]:
    """Let a real node read the parameters that are passed to it."""
    *files, values = node_of(started)['parameters']
    written = {name: plain(value) for name, value in values.items()}
    explicit = folder / 'explicit.yaml'
    explicit.write_text(yaml.safe_dump({'/**': {'ros__parameters': written}}))
    config, options, problems = read(*files, explicit)
    assert problems == []
    return config, options


def test_without_arguments_the_node_decides_on_everything_but_autostart(perception, tmp_path):
    config, _ = understood(perception.start(), tmp_path)
    assert config == NodeConfig(autostart=True)
    assert set(perception.arguments) >= NAV2


def test_every_argument_reaches_the_node(perception, tmp_path):
    started = perception.start(
        model='/models/7',
        engine='auto',
        image_topic='/front/image_raw',
        camera_info_topic='/front/info',
        latency_budget_ms='80',
        autostart='False',
        use_sim_time='true',
        namespace='drone1',
        use_respawn='false',
        log_level='warn',
    )
    config, _ = understood(started, tmp_path)
    assert config == NodeConfig(
        model='/models/7',
        engine='auto',
        image_topic='/front/image_raw',
        camera_info_topic='/front/info',
        latency_budget_ms=80.0,
        autostart=False,
    )
    node = node_of(started)
    assert node['parameters'][-1]['use_sim_time'] is True
    assert (node['namespace'], node['respawn']) == ('drone1', False)
    assert node['arguments'] == ['--ros-args', '--log-level', 'warn']


def test_a_text_that_looks_like_a_number_stays_a_text(perception, tmp_path):
    assert understood(perception.start(model='7'), tmp_path)[0].model == '7'


def test_several_cameras(perception, tmp_path):
    config, _ = understood(perception.start(cameras='front, down'), tmp_path)
    assert config.cameras == ('front', 'down')


def test_the_choices_of_preset_are_the_files(perception, repository):
    files = {
        path.stem for path in (repository / 'config').glob('*.yaml') if '/**:' in path.read_text()
    }
    assert set(perception.arguments['preset']['choices']) == {'', *files - {'default'}}


def test_a_file_wins_over_a_preset_and_an_argument_over_both(perception, tmp_path):
    file = tmp_path / 'mine.yaml'
    file.write_text('/**: {ros__parameters: {precision: fp32, latency_budget_ms: 70.0}}')
    started = perception.start(
        preset='jetson', params_file=str(file), latency_budget_ms='90', engine='onnxruntime'
    )
    config, options = understood(started, tmp_path)
    assert options['tensorrt']['device'] == 'gpu:0'
    assert (config.precision, config.latency_budget_ms) == ('fp32', 90.0)
    assert config.engine == 'onnxruntime'


@pytest.mark.parametrize('name', ['perception', 'demo', 'gazebo'])
def test_the_python_of_launch_needs_no_pluggy(name, repository):
    script = (
        'import sys; from pathlib import Path\n'
        'sys.modules["pluggy"] = None\n'
        'from test.support.launch_stubs import LaunchFile\n'
        'file = LaunchFile(Path(sys.argv[1]))\n'
        'assert "gazebo" in sys.argv[1] or file.start()\n'
    )
    command = [sys.executable, '-c', script, f'launch/{name}.launch.py']
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_mistakes_are_sentences(perception):
    with raises(RuntimeError, 'params_file: ', 'nix.yaml'):
        perception.start(params_file='nix.yaml')
    with raises(RuntimeError, 'latency_budget_ms: ', "'fast'", 'float'):
        perception.start(latency_budget_ms='fast')


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (b'a: [1', 'while parsing'),
        (b'\xff\xfe', 'codec'),
        (b'model', 'holds no parameters'),
        (b'latency_budget_ms: 71.0', 'line 1'),
        (b'perception:\n ros_parameters: {rotate: 90}', 'line 2'),
        (b'/**:\n ros__parameters:\n  classes: [0, person]', 'same type'),
        (b'a: &a {x: 1}\nb: {<<: [*a, *a]}', 'reference, *a'),
        (b'[' * 1000, 'levels'),
        (b'#' * 2_000_000, 'at most 1048576 bytes'),
    ],
)
def test_a_file_that_the_node_cannot_read_is_refused(content, words, perception, tmp_path):
    """The node would end and be started again, every three seconds."""
    file = tmp_path / 'params.yaml'
    file.write_bytes(content)
    with pytest.raises(RuntimeError) as caught:
        perception.start(params_file=str(file))
    assert words in str(caught.value) and str(file) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_lines_in_the_output_begin_with_the_node_and_have_no_colors_in_a_pipe(
    perception, demo, monkeypatch
):
    for terminal in (True, False):
        monkeypatch.setattr(sys.stdout, 'isatty', lambda value=terminal: value)
        node = node_of(perception.start(namespace='/drone1', name='eyes'))
        assert (node['exec_name'], node['emulate_tty']) == ('drone1.eyes', terminal)
    assert camera_of(demo)['name'] == 'camera'


def test_defaults_are_among_the_choices(perception, demo):
    for declared in (*perception.arguments.values(), *demo.arguments.values()):
        choices = declared.get('choices')
        assert choices is None or declared['default_value'] in choices


def test_a_level_that_rcl_does_not_know_is_refused(perception):
    choices = perception.arguments['log_level']['choices']
    assert {'debug', 'INFO', 'warn'} <= set(choices)
    assert 'verbose' not in choices


def test_debug_draws_every_image_and_says_where(perception):
    started = perception.start(debug='true', namespace='/drone1')
    values = node_of(started)['parameters'][-1]
    own = parse_options(DebugOptions, {'max_rate': values['debug.max_rate']}, owner='debug')
    assert own.max_rate == 0
    assert '/drone1/perception/debug_image' in said(started)


def test_the_line_about_debug_images_names_the_namespace_around_the_file_too(perception):
    assert '/fleet/drone1/perception/debug_image' in said(
        perception.start(debug='true', around='/fleet', namespace='drone1')
    )
    assert ' /drone1/perception/debug_image' in said(
        perception.start(debug='true', around='/fleet', namespace='/drone1')
    )


@pytest.mark.parametrize(
    ('header', 'around', 'namespace'),
    [
        ('perception', '', 'drone1'),
        ('perception', '', '/drone1/'),
        ('perception', '/fleet', 'drone1'),
        ('perception', '/drone1', ''),
        ('drone1/perception', '', 'drone1'),
        ('/drone1/perception', '', 'drone1'),
        ('/**', '', 'drone1'),
        ('/*/perception', '', 'drone1'),
        ('perception', '', ''),
    ],
)
def test_a_file_headed_by_the_name_reaches_the_node_in_its_namespace(
    perception, header, around, namespace, tmp_path
):
    file = tmp_path / 'mine.yaml'
    values = "{latency_budget_ms: 70.0, model: '7', precision: \"fp32\", classes: ['1']}"
    file.write_text(f'{header}:\n  ros__parameters: {values}\n')
    started = perception.start(params_file=str(file), around=around, namespace=namespace)
    (path, _) = node_of(started)['parameters']
    whole = '/'.join(filter(None, (around.strip('/'), namespace.strip('/'))))
    config, _, problems = read(path, namespace=f'/{whole}')
    assert problems == []
    assert (config.latency_budget_ms, config.model) == (70.0, '7')
    assert (config.precision, config.classes) == ('fp32', ('1',))


def test_a_misspelled_argument_is_told_with_the_nearest_one(perception, demo):
    words = said(perception.start(argv=['modle:=x', 'model:=y', 'weights:=z']))
    assert "modle: no such argument, it is not used; did you mean 'model'?" in words
    assert "'model'" in words and 'weights' not in words
    started = demo.start(argv=['pad_sise:=2'])
    assert "did you mean 'pad_size'?" in started[0].keywords['msg']


def test_what_an_including_file_misspells_is_told_too(perception, demo):
    words = said(perception.start(included={'modle': 'x', 'weights': 'z'}))
    assert words.count('did you mean') == 1 and 'modle: no such argument' in words
    assert 'pad_sise' in said(demo.start(included={'pad_sise': '2'}))


@pytest.mark.parametrize('own', ['modle', 'model_path', 'use_namespace', 'camera_name'])
def test_what_an_including_file_keeps_for_itself_is_not_misspelled(own, perception):
    started = perception.start(included={own: 'x', 'model': 'y'}, around='/drone1')
    assert 'did you mean' not in said(started)


def test_arguments_of_an_including_file_are_not_misspelled(perception, demo):
    given = [f'{name}:=x' for name in {*demo.arguments, *perception.arguments}]
    for file in (perception, demo):
        for each in file.start(argv=given, included=dict.fromkeys(demo.arguments, 'x')):
            assert 'did you mean' not in each.keywords.get('msg', '')


def said(started: list[Noted]) -> str:
    return '\n'.join(each.keywords['msg'] for each in started if each.kind == 'LogInfo')


def test_processes_keep_to_this_machine_and_it_is_said(perception, demo, repository):
    started = perception.start()
    profile = str(repository / LOOPBACK_PROFILE)
    assert said(started).count('discovery:=subnet') == 1
    for variables in (node_of(started)['additional_env'], camera_of(demo)['additional_env']):
        assert variables.pop('ROS_AUTOMATIC_DISCOVERY_RANGE') == 'LOCALHOST'
        assert list(variables.values()) == [profile]
        assert set(variables) < set(PROFILE_VARIABLES)
    # The launch file has changed nothing for others.
    assert not {*DISCOVERY_VARIABLES, *PROFILE_VARIABLES} & set(os.environ)


def test_other_machines_are_reached_when_asked_for(perception, demo, repository):
    started = perception.start(discovery='subnet')
    assert list(node_of(started)['additional_env'].values()) == [str(repository / PROFILE)]
    assert not set(DISCOVERY_VARIABLES) & set(node_of(started)['additional_env'])
    assert not set(DISCOVERY_VARIABLES) & set(
        camera_of(demo, discovery='subnet')['additional_env']
    )
    assert said(started) == ''


def test_humble_has_an_older_variable(perception, monkeypatch):
    monkeypatch.setenv('ROS_DISTRO', 'humble')
    assert node_of(perception.start())['additional_env']['ROS_LOCALHOST_ONLY'] == '1'


@pytest.mark.parametrize('name', [*DISCOVERY_VARIABLES, *PROFILE_VARIABLES])
def test_what_the_user_has_chosen_stays(name, perception, demo, monkeypatch):
    monkeypatch.setenv(name, 'chosen')
    kind = DISCOVERY_VARIABLES if name in DISCOVERY_VARIABLES else PROFILE_VARIABLES
    started = perception.start()
    assert not set(kind) & set(node_of(started)['additional_env'])
    assert not set(kind) & set(camera_of(demo)['additional_env'])
    assert ('discovery:=' in said(started)) == (name in PROFILE_VARIABLES)


def camera_of(demo: LaunchFile, **given: str) -> dict[str, Any]:
    (camera,) = demo.start(**given)
    assert camera.kind == 'ExecuteProcess'
    return camera.keywords


def test_the_demonstration_starts_a_camera_and_includes_perception(demo, perception):
    (include,) = demo.includes
    passed = dict(include.keywords['launch_arguments'])
    assert set(passed) <= set(perception.arguments)
    assert passed['image_topic'] == '/camera/image_raw'
    assert set(demo.arguments) & set(perception.arguments) == {'model', 'discovery'}
    command = camera_of(demo, source='7', seconds='5', pad_size='0.6')['cmd']
    assert command[:4] == [
        sys.executable,
        '-m',
        'edge_perception.simulation.nodes.rendered_camera',
        '--ros-args',
    ]
    values = dict(each.split(':=') for each in command[5::2])
    values = {name: yaml.safe_load(value) for name, value in values.items()}
    assert values == {'source': '7', 'seconds': 5, 'field_of_view': 0.0, 'pad_size': 0.6}
    assert parse_options(CameraConfig, values, owner='parameter')
    specs = {spec.name: spec.default for spec in option_specs(CameraConfig)}
    for name in ('field_of_view', 'pad_size'):
        assert demo.arguments[name]['default_value'] == str(specs[name])


# In a launch file of the user


def included_by_python(file: Path) -> tuple[list[dict[str, str]], list[tuple[str, str]]]:
    launched = LaunchFile(file)
    passed = [dict(each.keywords['launch_arguments']) for each in launched.includes]
    return passed, [(each['src'], each['dst']) for each in launched.remappings]


def included_by_xml(file: Path) -> tuple[list[dict[str, str]], list[tuple[str, str]]]:
    root = ElementTree.parse(file).getroot()
    passed = [
        {argument.attrib['name']: argument.attrib['value'] for argument in each.iter('arg')}
        for each in root.iter('include')
    ]
    return passed, [(each.attrib['from'], each.attrib['to']) for each in root.iter('set_remap')]


@pytest.mark.parametrize(
    ('name', 'read_example'),
    [
        ('two_perceptions.launch.py', included_by_python),
        ('two_perceptions.launch.xml', included_by_xml),
    ],
)
def test_the_examples_include_the_launch_file_twice(
    name, read_example, perception, repository, tmp_path
):
    passed, remapped = read_example(repository / 'docs' / 'examples' / name)
    assert remapped == [('~/detections', '/obstacles/detections')]
    names = []
    for given in passed:
        started = perception.start(**given)
        config, _ = understood(started, tmp_path)
        assert (config.model, config.image_topic) == (given['model'], given['image_topic'])
        node = node_of(started)
        assert node['namespace'] == 'drone1'
        names.append(node['name'])
    assert names == ['front_perception', 'down_perception']
