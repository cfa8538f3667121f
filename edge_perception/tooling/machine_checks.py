# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
What ``edge-perception doctor`` checks on the machine; it only reads.

Each check looks at one thing and gives what it found, or nothing where the thing does not exist
here. ROS has checks of its own in ``ros/system/ros_checks.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from functools import partial
from importlib.metadata import distributions
import os
from pathlib import Path
import platform
import shutil
import sys

from edge_perception.contract import ConfigurationError
from edge_perception.contract.errors import in_words
from edge_perception.models.artifact_directories import cache_root
from edge_perception.models.finding import PATH_VARIABLE
from edge_perception.runtime.findings import Check
from edge_perception.runtime.findings import green
from edge_perception.runtime.findings import Level
from edge_perception.tooling.building.artifact_cache import entries
from edge_perception.tooling.plugin_survey import Record

SUPPORTED_PYTHON = ((3, 10), (3, 13))
OPENCV_PACKAGES = (
    *('opencv-python', 'opencv-python-headless'),
    *('opencv-contrib-python', 'opencv-contrib-python-headless'),
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


def examine(checks: Iterable[Callable[[], Iterable[Check]]]) -> list[Check]:
    """Run checks one after the other; one that fails is a line of the report as well."""
    report: list[Check] = []
    for check in checks:
        try:
            report += check()
        except ConfigurationError as error:  # a setting, which the sentence names
            report.append(
                Check(error.subject, Level.RED, error.problems[0], f'set {error.subject}')
            )
        except Exception as error:  # the doctor goes on with the next
            subject = getattr(check, 'func', check).__name__.strip('_').replace('_', ' ')
            found = f'could not be looked at: {in_words(error)}'
            report.append(Check(subject, Level.YELLOW, found, 'report it'))
    return report


def machine_checks(
    found: Sequence[Record], root: Path = ROOT
) -> list[Callable[[], Iterable[Check]]]:
    """
    Return the checks of everything but ROS.

    :param found: the plugins, from ``survey``.
    :param root: where /proc and /sys are looked for.
    """
    of_files = (machine, usb_devices, video_devices, jetson, raspberry_pi, governor)
    return [
        *(partial(check, root) for check in (*of_files, network_buffers)),
        *(python_version, numpy_library, opencv_library),
        *(partial(engines, found), partial(plugins, found)),
        *(shared_memory, model_path, cache, disk),
    ]


def machine(root: Path = ROOT) -> Iterator[Check]:
    """Name the board, its processor and its system."""
    model = _text(root / 'proc/device-tree/model').rstrip('\0') or platform.processor() or 'PC'
    cores = os.cpu_count() or 1
    words = f'{model}, {platform.machine()}, {cores} cores, {platform.platform(terse=True)}'
    yield green('machine', words)


def python_version() -> Iterator[Check]:
    """Tell whether this Python is one that was tested."""
    found = platform.python_version()
    low, high = SUPPORTED_PYTHON
    if low <= sys.version_info[:2] <= high:
        yield green('Python', found)
    else:
        remedy = f'use Python {low[0]}.{low[1]} to {high[0]}.{high[1]}'
        yield Check('Python', Level.YELLOW, f'{found}, not tested', remedy)


def numpy_library() -> Iterator[Check]:
    """Name the NumPy."""
    import numpy as np

    yield green('NumPy', np.__version__)


def opencv_library() -> Iterator[Check]:
    """Tell whether there is one OpenCV, and that it is not broken."""
    installed = {(each.metadata['Name'] or '').lower() for each in distributions()}
    several = [name for name in OPENCV_PACKAGES if name in installed]
    try:
        import cv2
    except ImportError as error:
        remedy = 'apt install python3-opencv, or pip install opencv-python-headless'
        yield Check('OpenCV', Level.RED, f'cannot be imported: {in_words(error)}', remedy)
        return
    if len(several) > 1:
        remedy = f'pip uninstall {" ".join(several)}, then install one of them again'
        yield Check('OpenCV', Level.RED, f'{" and ".join(several)} conflict', remedy)
    else:
        yield green('OpenCV', str(cv2.__version__))


def engines(found: Sequence[Record]) -> Iterator[Check]:
    """Tell which engines work here; one is enough."""
    working = False
    every = [engine for plugin in found for engine in plugin['engines']]
    for engine in sorted(every, key=lambda each: str(each['name'])):
        subject = f'engine {engine["name"]}'
        working |= engine['available']
        if engine['available']:
            devices = f', devices {", ".join(engine["devices"])}' if engine['devices'] else ''
            yield green(subject, engine['runtime'] + devices)
        else:
            yield Check(subject, Level.YELLOW, engine['reason'], engine['remedy'])
    if not working:
        remedy = 'pip install onnxruntime'
        yield Check('engines', Level.RED, 'none works on this machine', remedy)


def plugins(found: Sequence[Record]) -> Iterator[Check]:
    """Name the plugins that are not used."""
    for each in found:
        if not each['usable']:
            yield Check(f'plugin {each["name"]}', Level.YELLOW, each['reason'], each['remedy'])


def usb_devices(root: Path = ROOT) -> Iterator[Check]:
    """Tell of accelerators on USB whether this user may open them, and how fast their port is."""
    for device in sorted((root / 'sys/bus/usb/devices').glob('*')):
        identity = (_text(device / 'idVendor'), _text(device / 'idProduct'))
        if identity not in USB_DEVICES:
            continue
        subject, speed = USB_DEVICES[identity], _text(device / 'speed')
        bus, number = _text(device / 'busnum'), _text(device / 'devnum')
        node = root / f'dev/bus/usb/{int(bus or 0):03d}/{int(number or 0):03d}'
        if not os.access(node, os.R_OK | os.W_OK):
            remedy = 'install the udev rule of the device, or: sudo usermod -aG plugdev $USER'
            yield Check(subject, Level.RED, f'{node} may not be opened', remedy)
        elif speed and float(speed) < 5000:
            remedy = 'use a USB 3 port and cable'
            yield Check(subject, Level.YELLOW, f'USB 2 at {speed} Mbit/s', remedy)
        else:
            yield green(subject, f'{speed or "unknown"} Mbit/s')


def video_devices(root: Path = ROOT) -> Iterator[Check]:
    """Tell whether this user may open the cameras."""
    for device in sorted((root / 'dev').glob('video*')):
        if os.access(device, os.R_OK | os.W_OK):
            yield green(f'camera {device}', 'may be opened')
        else:
            remedy = 'sudo usermod -aG video $USER, then log in again'
            yield Check(f'camera {device}', Level.RED, 'may not be opened', remedy)


def jetson(root: Path = ROOT) -> Iterator[Check]:
    """Name JetPack's release and the power mode, where this is a Jetson."""
    release = _text(root / 'etc/nv_tegra_release')
    # Which number is the fastest mode differs from board to board, so none is called slow.
    mode = _text(root / 'var/lib/nvpmodel/status')
    if release:
        yield green('Jetson', release.splitlines()[0].lstrip('# '))
    if release and mode:
        words = f'{mode}; sudo nvpmodel -q --verbose lists the others, jetson_clocks holds clocks'
        yield green('power mode', words)


def raspberry_pi(root: Path = ROOT) -> Iterator[Check]:
    """Tell whether a Raspberry Pi is slowed down by its supply or by heat."""
    word = _text(root / 'sys/devices/platform/soc/soc:firmware/get_throttled')
    if not word:
        return
    # Bits of the firmware, in this order; 16 higher those since the start.
    kinds = ('under-voltage', 'frequency capped', 'throttled', 'soft temperature limit')
    remedy = 'use the original power supply, and cool the board'
    now, before = (
        ', '.join(words for bit, words in enumerate(kinds) if int(word, 16) & 1 << (bit + first))
        for first in (0, 16)
    )
    if now:
        yield Check('throttling', Level.RED, f'now: {now}', remedy)
    elif before:
        yield Check('throttling', Level.YELLOW, f'since the start: {before}', remedy)
    else:
        yield green('throttling', 'none since the start')


def governor(root: Path = ROOT) -> Iterator[Check]:
    """Tell whether the processor may run at its full clock."""
    found = _text(root / 'sys/devices/system/cpu/cpu0/cpufreq/scaling_governor')
    remedy = 'echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor'
    if found in ('performance', 'schedutil'):
        yield green('clock governor', found)
    elif found:
        yield Check('clock governor', Level.YELLOW, f'{found}: frames take longer', remedy)


def network_buffers(root: Path = ROOT) -> Iterator[Check]:
    """Tell whether an image from another machine fits into the socket buffer."""
    found = int(_text(root / 'proc/sys/net/core/rmem_max') or 0)
    words = f'net.core.rmem_max is {found} bytes, an image of 640x480 has {VGA_IMAGE_BYTES}'
    if found >= VGA_IMAGE_BYTES:
        yield green('socket buffers', words)
    elif found:
        remedy = 'sudo sysctl -w net.core.rmem_max=16777216'
        yield Check('socket buffers', Level.YELLOW, f'{words}: large ones are lost', remedy)


def shared_memory() -> Iterator[Check]:
    """Tell whether there is room for images in shared memory."""
    folder = Path('/dev/shm')
    if not folder.is_dir():
        return
    free = shutil.disk_usage(folder).free
    words = f'{free >> 20} MiB free in {folder}'
    if free >= SHARED_MEMORY_BYTES:
        yield green('shared memory', words)
    else:
        # Which of them a running node still uses cannot be told from their names.
        files = f'{folder}/fastrtps_* {folder}/fastdds_*'
        remedy = f'end all ROS nodes of this machine, then remove what they left: rm {files}'
        yield Check('shared memory', Level.RED, f'{words}: images are lost', remedy)


def model_path() -> Iterator[Check]:
    """Tell whether the folders in which models are looked for exist."""
    for folder in map(Path, filter(None, os.environ.get(PATH_VARIABLE, '').split(os.pathsep))):
        subject = f'models in {folder}'
        if folder.is_dir():
            yield green(subject, f'{len(list(folder.glob("*/model.yaml")))} found')
        else:
            yield Check(subject, Level.YELLOW, 'no such folder', f'correct {PATH_VARIABLE}')


def cache() -> Iterator[Check]:
    """Name the artifacts that were built on this machine."""
    root = cache_root()
    sizes = [entry.size for entry, _ in entries(root)] if root.is_dir() else []
    found = f'{len(sizes)} artifacts, {sum(sizes) >> 20} MiB in {root}'
    yield green('cache', found if sizes else f'nothing was built on this machine ({root})')


def disk() -> Iterator[Check]:
    """Tell whether there is room for artifacts."""
    folder = cache_root()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free >= LOW_DISK_BYTES:
        yield green('disk', f'{free >> 30} GiB free in {folder}')
    else:
        remedy = 'edge-perception cache prune, or make room'
        yield Check('disk', Level.YELLOW, f'{free >> 20} MiB free in {folder}', remedy)


def _text(path: Path) -> str:
    """Return the text of a file of the system; empty when it is not there or not for us."""
    try:
        return path.read_text(errors='replace').strip()
    except OSError:
        return ''
