# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
What ``edge-perception doctor`` looks at on the machine; it only reads.

Each check looks at one thing and returns what it found, or nothing where the thing does not exist
here. ROS has checks of its own in ``ros/system/ros_checks.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from functools import partial
from importlib.metadata import distributions
import os
from pathlib import Path
import platform
import shutil
import sys

from edge_perception.contract.errors import in_words
from edge_perception.models.artifact_directories import cache_root
from edge_perception.models.finding import PATH_VARIABLE
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.plugin_host import probe
from edge_perception.runtime.findings import Check
from edge_perception.runtime.findings import green
from edge_perception.runtime.findings import Level
from edge_perception.tooling.building.artifact_cache import entries

SUPPORTED_PYTHON = ((3, 10), (3, 13))
OPENCV_PACKAGES = (
    'opencv-python',
    'opencv-python-headless',
    'opencv-contrib-python',
    'opencv-contrib-python-headless',
)
# Enough for one VGA image in color, which is the smallest that people use.
VGA_IMAGE_BYTES = 640 * 480 * 3
SHARED_MEMORY_BYTES = 64 << 20
LOW_DISK_BYTES = 1 << 30
# USB identities: before and after the firmware was loaded.
USB_DEVICES = {
    ('1a6e', '089a'): 'Coral Edge TPU, without firmware yet',
    ('18d1', '9302'): 'Coral Edge TPU',
    ('03e7', '2485'): 'Intel Myriad X',
    ('03e7', 'f63b'): 'Intel Myriad X, booted',
    ('03e7', '2150'): 'Intel Myriad 2',
}
ROOT = Path('/')


def examine(checks: Iterable[Callable[[], Sequence[Check]]]) -> list[Check]:
    """Run checks one after the other; one that fails is a line of the report as well."""
    report: list[Check] = []
    for check in checks:
        try:
            report += check()
        except Exception as error:  # the doctor goes on with the next
            subject = getattr(check, 'func', check).__name__.strip('_').replace('_', ' ')
            found = f'could not be looked at: {in_words(error)}'
            report.append(Check(subject, Level.YELLOW, found, 'report it'))
    return report


def machine_checks(host: PluginHost, root: Path = ROOT) -> list[Callable[[], Sequence[Check]]]:
    """
    Return the checks of everything but ROS.

    :param root: where /proc and /sys are looked for.
    """
    return [
        partial(machine, root),
        python_version,
        numpy_library,
        opencv_library,
        partial(engines, host),
        partial(plugins, host),
        partial(usb_devices, root),
        partial(video_devices, root),
        partial(jetson, root),
        partial(raspberry_pi, root),
        partial(governor, root),
        partial(network_buffers, root),
        shared_memory,
        model_path,
        cache,
        disk,
    ]


def machine(root: Path = ROOT) -> list[Check]:
    """Name the board, its processor and its system."""
    model = _text(root / 'proc/device-tree/model').rstrip('\0') or platform.processor() or 'PC'
    cores = os.cpu_count() or 1
    words = f'{model}, {platform.machine()}, {cores} cores, {platform.platform(terse=True)}'
    return [green('machine', words)]


def python_version() -> list[Check]:
    """Tell whether this Python is one that was tested."""
    found = platform.python_version()
    low, high = SUPPORTED_PYTHON
    if low <= sys.version_info[:2] <= high:
        return [green('Python', found)]
    wanted = f'{low[0]}.{low[1]} to {high[0]}.{high[1]}'
    return [Check('Python', Level.YELLOW, f'{found}, not tested', f'use Python {wanted}')]


def numpy_library() -> list[Check]:
    """Name the NumPy."""
    import numpy as np

    return [green('NumPy', np.__version__)]


def opencv_library() -> list[Check]:
    """Tell whether there is one OpenCV, and that it is not broken."""
    remedy = 'apt install python3-opencv, or pip install opencv-python-headless'
    try:
        import cv2
    except ImportError as error:
        return [Check('OpenCV', Level.RED, f'cannot be imported: {in_words(error)}', remedy)]
    installed = {(each.metadata['Name'] or '').lower() for each in distributions()}
    several = [name for name in OPENCV_PACKAGES if name in installed]
    if len(several) > 1:
        return [
            Check(
                'OpenCV',
                Level.RED,
                f'{" and ".join(several)} lie over each other',
                f'pip uninstall {" ".join(several)}, then install one of them again',
            )
        ]
    return [green('OpenCV', str(cv2.__version__))]


def engines(host: PluginHost) -> list[Check]:
    """Tell which engines work here; one is enough."""
    report = []
    for name, engine_type in sorted(host.engines.items()):
        found = probe(engine_type)
        subject = f'engine {name}'
        if found.available:
            devices = f', devices {", ".join(found.devices)}' if found.devices else ''
            report.append(green(subject, found.runtime + devices))
        else:
            report.append(Check(subject, Level.YELLOW, found.reason, found.remedy))
    if not any(check.level is Level.GREEN for check in report):
        remedy = 'pip install onnxruntime'
        report.append(Check('engines', Level.RED, 'none works on this machine', remedy))
    return report


def plugins(host: PluginHost) -> list[Check]:
    """Name the plugins that are not used."""
    return [
        Check(f'plugin {each.name}', Level.YELLOW, each.reason, each.remedy)
        for each in host.plugins
        if not each.usable
    ]


def usb_devices(root: Path = ROOT) -> list[Check]:
    """Tell of accelerators on USB whether this user may open them, and how fast their port is."""
    report = []
    for device in sorted((root / 'sys/bus/usb/devices').glob('*')):
        identity = (_text(device / 'idVendor'), _text(device / 'idProduct'))
        if identity not in USB_DEVICES:
            continue
        subject, speed = USB_DEVICES[identity], _text(device / 'speed')
        bus, number = _text(device / 'busnum'), _text(device / 'devnum')
        node = root / f'dev/bus/usb/{int(bus or 0):03d}/{int(number or 0):03d}'
        if not os.access(node, os.R_OK | os.W_OK):
            remedy = 'install the udev rule of the device, or: sudo usermod -aG plugdev $USER'
            report.append(Check(subject, Level.RED, f'{node} may not be opened', remedy))
        elif speed and float(speed) < 5000:
            remedy = 'use a USB 3 port and cable'
            report.append(Check(subject, Level.YELLOW, f'USB 2 at {speed} Mbit/s', remedy))
        else:
            report.append(green(subject, f'{speed or "unknown"} Mbit/s'))
    return report


def video_devices(root: Path = ROOT) -> list[Check]:
    """Tell whether this user may open the cameras."""
    report = []
    for device in sorted((root / 'dev').glob('video*')):
        if os.access(device, os.R_OK | os.W_OK):
            report.append(green(f'camera {device}', 'may be opened'))
        else:
            remedy = 'sudo usermod -aG video $USER, then log in again'
            report.append(Check(f'camera {device}', Level.RED, 'may not be opened', remedy))
    return report


def jetson(root: Path = ROOT) -> list[Check]:
    """Name JetPack's release and the power mode, where this is a Jetson."""
    release = _text(root / 'etc/nv_tegra_release')
    if not release:
        return []
    report = [green('Jetson', release.splitlines()[0].lstrip('# '))]
    # Which number is the fastest mode differs from board to board, so none is called slow.
    mode = _text(root / 'var/lib/nvpmodel/status')
    if mode:
        words = f'{mode}; sudo nvpmodel -q --verbose lists the others, jetson_clocks holds clocks'
        report.append(green('power mode', words))
    return report


def raspberry_pi(root: Path = ROOT) -> list[Check]:
    """Tell whether a Raspberry Pi is slowed down by its supply or by heat."""
    word = _text(root / 'sys/devices/platform/soc/soc:firmware/get_throttled')
    if not word:
        return []
    bits = int(word, 16)
    # Bits of the firmware: 0 under-voltage, 1 frequency capped, 2 throttled, 3 soft limit.
    now = [words for bit, words in enumerate(_THROTTLING) if bits & 1 << bit]
    before = [words for bit, words in enumerate(_THROTTLING) if bits & 1 << (bit + 16)]
    if now:
        return [Check('throttling', Level.RED, f'now: {", ".join(now)}', _THROTTLING_REMEDY)]
    if before:
        found = f'since the start: {", ".join(before)}'
        return [Check('throttling', Level.YELLOW, found, _THROTTLING_REMEDY)]
    return [green('throttling', 'none since the start')]


_THROTTLING = ('under-voltage', 'frequency capped', 'throttled', 'soft temperature limit')
_THROTTLING_REMEDY = 'use the original power supply, and cool the board'


def governor(root: Path = ROOT) -> list[Check]:
    """Tell whether the processor may run at its full clock."""
    found = _text(root / 'sys/devices/system/cpu/cpu0/cpufreq/scaling_governor')
    if not found:
        return []
    if found in ('performance', 'schedutil'):
        return [green('clock governor', found)]
    remedy = 'echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor'
    return [Check('clock governor', Level.YELLOW, f'{found}: frames take longer', remedy)]


def network_buffers(root: Path = ROOT) -> list[Check]:
    """Tell whether an image from another machine fits into the socket buffer."""
    found = int(_text(root / 'proc/sys/net/core/rmem_max') or 0)
    if not found:
        return []
    words = f'net.core.rmem_max is {found} bytes, an image of 640x480 has {VGA_IMAGE_BYTES}'
    if found >= VGA_IMAGE_BYTES:
        return [green('socket buffers', words)]
    remedy = 'sudo sysctl -w net.core.rmem_max=16777216'
    return [Check('socket buffers', Level.YELLOW, f'{words}: large ones are lost', remedy)]


def shared_memory() -> list[Check]:
    """Tell whether there is room for images in shared memory."""
    folder = Path('/dev/shm')
    if not folder.is_dir():
        return []
    free = shutil.disk_usage(folder).free
    words = f'{free >> 20} MiB free in {folder}'
    if free >= SHARED_MEMORY_BYTES:
        return [green('shared memory', words)]
    # Which of them a running node still uses cannot be told from their names.
    files = f'{folder}/fastrtps_* {folder}/fastdds_*'
    remedy = f'end all ROS nodes of this machine, then remove what they left: rm {files}'
    return [Check('shared memory', Level.RED, f'{words}: images are lost', remedy)]


def model_path() -> list[Check]:
    """Tell whether the folders in which models are looked for exist."""
    folders = [Path(part) for part in os.environ.get(PATH_VARIABLE, '').split(os.pathsep) if part]
    return [
        green(f'models in {folder}', f'{len(list(folder.glob("*/model.yaml")))} found')
        if folder.is_dir()
        else Check(f'models in {folder}', Level.YELLOW, 'no such folder', f'mend {PATH_VARIABLE}')
        for folder in folders
    ]


def cache() -> list[Check]:
    """Name the artifacts that were built on this machine."""
    root = cache_root(os.environ)
    sizes = [entry.size for entry, _ in entries(root)] if root.is_dir() else []
    found = f'{len(sizes)} artifacts, {sum(sizes) >> 20} MiB in {root}'
    return [green('cache', found if sizes else f'nothing was built on this machine ({root})')]


def disk() -> list[Check]:
    """Tell whether there is room for artifacts."""
    folder = cache_root(os.environ)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free >= LOW_DISK_BYTES:
        return [green('disk', f'{free >> 30} GiB free in {folder}')]
    remedy = 'edge-perception cache prune, or make room'
    return [Check('disk', Level.YELLOW, f'{free >> 20} MiB free in {folder}', remedy)]


def _text(path: Path) -> str:
    """Return the text of a file of the system; empty when it is not there or not for us."""
    try:
        return path.read_text(errors='replace').strip()
    except OSError:
        return ''
