# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The doctor on machines that are made of files."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from edge_perception.runtime.findings import Check
from edge_perception.runtime.findings import Level
from edge_perception.tooling import machine_checks as doctor


@pytest.fixture
def root(tmp_path):
    """Return a function that writes a file of the system and returns the root of all."""

    def write(path, text=''):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return tmp_path

    return write


def plug_in(root, *, node=True):
    device = 'sys/bus/usb/devices/2-1'
    for name, text in {
        'idVendor': '18d1\n',
        'idProduct': '9302\n',
        'speed': '480\n',
        'busnum': '2\n',
        'devnum': '7\n',
    }.items():
        base = root(f'{device}/{name}', text)
    return root('dev/bus/usb/002/007') if node else base


def test_a_coral_on_a_slow_port_is_yellow(root):
    (check,) = doctor.usb_devices(plug_in(root))
    assert check == Check(
        'Coral Edge TPU', Level.YELLOW, 'USB 2 at 480 Mbit/s', 'use a USB 3 port and cable'
    )


def test_a_coral_that_may_not_be_opened_is_red(root):
    (check,) = doctor.usb_devices(plug_in(root, node=False))
    assert check.level is Level.RED
    assert 'dev/bus/usb/002/007 may not be opened' in check.found
    assert 'udev' in check.remedy


def test_other_devices_on_usb_are_nobodys_business(root):
    root('sys/bus/usb/devices/1-1/idVendor', '046d')
    assert not list(doctor.usb_devices(root('sys/bus/usb/devices/1-1/idProduct', 'c31c')))


@pytest.mark.parametrize(
    ('word', 'level', 'found'),
    [
        ('0', Level.GREEN, 'none since the start'),
        ('50005', Level.RED, 'now: under-voltage, throttled'),
        ('50000', Level.YELLOW, 'since the start: under-voltage, throttled'),
    ],
)
def test_a_raspberry_pi_says_whether_it_is_throttled(root, word, level, found):
    path = 'sys/devices/platform/soc/soc:firmware/get_throttled'
    (check,) = doctor.raspberry_pi(root(path, word))
    assert (check.level, check.found) == (level, found)


def test_a_jetson_names_its_release_and_power_mode(root):
    root('etc/nv_tegra_release', '# R36 (release), REVISION: 4.0\n')
    release, mode = doctor.jetson(root('var/lib/nvpmodel/status', 'pmode:0002'))
    assert release.found == 'R36 (release), REVISION: 4.0'
    assert mode.found.startswith('pmode:0002; sudo nvpmodel')


def test_small_socket_buffers_are_yellow_with_the_command(root):
    (check,) = doctor.network_buffers(root('proc/sys/net/core/rmem_max', '212992'))
    assert check.level is Level.YELLOW
    assert check.found.startswith('net.core.rmem_max is 212992 bytes, an image of 640x480 has')
    assert check.remedy == 'sudo sysctl -w net.core.rmem_max=16777216'


def test_a_slow_governor_is_yellow(root):
    path = 'sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'
    (check,) = doctor.governor(root(path, 'powersave\n'))
    assert check.level is Level.YELLOW


def test_a_plain_machine_has_nothing_of_all_that(tmp_path):
    for look in (doctor.jetson, doctor.raspberry_pi, doctor.governor, doctor.usb_devices):
        assert list(look(tmp_path)) == []


def test_without_any_engine_the_report_is_red():
    engine = {'name': 'fake', 'available': False, 'reason': 'no device', 'remedy': 'plug it in'}
    one, all_ = doctor.engines([{'name': 'fakes', 'engines': [engine]}])
    assert (one.level, one.found, one.remedy) == (Level.YELLOW, 'no device', 'plug it in')
    assert (all_.level, all_.found) == (Level.RED, 'none works on this machine')


def test_a_check_that_fails_is_a_line_and_the_others_go_on():
    def model_path():
        raise OSError('disk on fire')

    report = doctor.examine([model_path, doctor.numpy_library])
    assert report[0] == Check(
        'model path', Level.YELLOW, 'could not be looked at: disk on fire', 'report it'
    )
    assert report[1].level is Level.GREEN


def test_a_check_of_the_machine_that_fails_has_its_name(tmp_path):
    report = doctor.examine(doctor.machine_checks([{'usable': True}], tmp_path))
    (check,) = [each for each in report if each.found.startswith('could not be looked at')]
    assert check.subject == 'engines'


def test_room_is_looked_for_where_artifacts_are_built(monkeypatch, tmp_path):
    monkeypatch.setenv('HOME', str(tmp_path))
    for value in ('', 'relative'):
        monkeypatch.setenv('XDG_CACHE_HOME', value)
        (check,) = doctor.disk()
        assert check.found.endswith(f'free in {tmp_path}')


def test_segments_of_running_nodes_are_not_removed(monkeypatch):
    full = SimpleNamespace(free=1 << 20)
    monkeypatch.setattr(doctor.shutil, 'disk_usage', lambda folder: full)
    (check,) = doctor.shared_memory()
    assert check.level is Level.RED
    assert check.remedy.startswith('end all ROS nodes of this machine, then remove')


def test_a_folder_of_models_that_does_not_exist_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv('EDGE_PERCEPTION_MODEL_PATH', str(tmp_path / 'nowhere'))
    (check,) = doctor.model_path()
    assert (check.level, check.remedy) == (Level.YELLOW, 'correct EDGE_PERCEPTION_MODEL_PATH')


def test_a_user_without_a_home_is_told_which_setting_is_missing(monkeypatch):
    for name in ('HOME', 'XDG_CACHE_HOME'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr('pwd.getpwuid', Mock(side_effect=KeyError))
    (check,) = doctor.examine([doctor.disk])
    assert (check.subject, check.level, check.remedy) == ('HOME', Level.RED, 'set HOME')
