# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Find Coral Edge TPUs: names of devices, what is plugged in, and what is missing.

An Edge TPU runs files that edgetpu_compiler made. What it computes is one custom operator in
them; operators that stayed beside it run on the CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
import os
from pathlib import Path
import platform
import re

from edge_perception.contract import ArtifactError
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import LoadOutcome
from edge_perception_litert.interpreter import Delegate
from edge_perception_litert.library import ENGINE
from edge_perception_litert.library import Library
from edge_perception_litert.model_file import ModelFile

CUSTOM_OPERATOR = 'edgetpu-custom-op'
DEVICE = 'edgetpu'
LIBRARIES = {'Darwin': 'libedgetpu.1.dylib', 'Windows': 'edgetpu.dll'}
LINUX_LIBRARY = 'libedgetpu.so.1'
# Vendor and product: as it is plugged in, and once the library has sent it its firmware.
USB_IDS = (('1a6e', '089a'), ('18d1', '9302'))
ROOT = Path('/')

REBUILT = 'a libedgetpu that was built for this version, e.g. of github.com/feranick/libedgetpu'


@dataclass(frozen=True, slots=True)
class Stick:
    """
    An Edge TPU of this machine.

    :param kind: usb or pci.
    :param node: the file by which it is opened.
    """

    kind: str
    node: Path


def parse_device(device: str) -> str | None:
    """
    Return what libedgetpu is told of a device; None for the CPU.

    :raises EngineUnavailableError: there is no device of this name.
    """
    if device == 'cpu':
        return None
    found = re.fullmatch(rf'{DEVICE}(?::(usb|pci))?(?::(\d+))?', device)
    if found is None:
        raise EngineUnavailableError(
            ENGINE,
            reason=f'device {device!r} is none of cpu, {DEVICE}, {DEVICE}:usb, {DEVICE}:pci, '
            f'{DEVICE}:0',
            remedy='correct the option device; other accelerators are reached by the option '
            'delegate',
        )
    kind, number = found.groups()
    return (kind or '') + (f':{number}' if number else '')


def find_sticks() -> tuple[Stick, ...]:
    """Return what is plugged in, USB first; does not open anything."""
    usb = []
    for folder in sorted(ROOT.glob('sys/bus/usb/devices/*')):
        if (_word(folder / 'idVendor'), _word(folder / 'idProduct')) in USB_IDS:
            bus, number = _word(folder / 'busnum'), _word(folder / 'devnum')
            usb.append(Stick('usb', ROOT / 'dev/bus/usb' / bus.zfill(3) / number.zfill(3)))
    return (*usb, *(Stick('pci', node) for node in sorted(ROOT.glob('dev/apex_*'))))


def health(device: str) -> dict[str, float]:
    """
    Return temperature and throttling of the hottest Edge TPU on PCIe; empty for a USB stick.

    The driver slows the clock from its first trip point on; both files are in millidegrees.
    Source: "Manage the PCIe module temperature", coral.ai/docs/pcie-parameters.

    :param device: as libedgetpu calls it.
    """
    sticks = find_sticks()
    if device.startswith('usb') or any(each.kind == 'usb' for each in sticks):
        return {}
    read = []
    for stick in sticks:
        folder = ROOT / 'sys/class/apex' / stick.node.name
        found = [_word(folder / name) for name in ('temp', 'trip_point0_temp')]
        if all(each.isdecimal() for each in found):
            read.append(tuple(int(each) / 1000 for each in found))
    if not read:
        return {}
    return {
        'temperature_c': max(now for now, _ in read),
        'throttled': float(any(now >= trip for now, trip in read)),
    }


def device_names() -> tuple[str, ...]:
    """Return the devices that the option accepts here."""
    kinds = dict.fromkeys(f'{DEVICE}:{stick.kind}' for stick in find_sticks())
    return ('cpu', *((DEVICE, *kinds) if kinds else ()))


def edge_tpu_delegate(device: str, library: str) -> Delegate:
    """
    Return the delegate of an Edge TPU.

    :param device: as libedgetpu calls it; empty for the first that it finds.
    :param library: another than the usual one; empty for that.
    """
    usual = LIBRARIES.get(platform.system(), LINUX_LIBRARY)
    options = (('device', device),) if device else ()
    return Delegate(library or usual, DEVICE, options)


def check_compiled(model: ModelFile, *, wanted: bool, artifact: Path) -> None:
    """
    Refuse a file for the Edge TPU on another device, and any other file on an Edge TPU.

    :param wanted: whether the device is an Edge TPU.
    :raises ArtifactError: device and file do not belong together.
    """
    compiled = CUSTOM_OPERATOR in model.custom_operators
    if compiled and not wanted:
        raise ArtifactError(
            artifact,
            reason='was compiled for a Coral Edge TPU',
            remedy=f"set the option device to '{DEVICE}', or load the file from which it was "
            'compiled',
        )
    if wanted and not compiled:
        raise ArtifactError(
            artifact,
            reason='was not compiled for the Edge TPU, all of it would run on the CPU',
            remedy='build the model with --target edgetpu, compile the file with '
            "edgetpu_compiler, or set the option device to 'cpu'",
        )


def operators_on_cpu(model: ModelFile, library: Library) -> str:
    """Return what does not run on the Edge TPU, e.g. ``3 ADD, 1 CAST``; empty: nothing."""
    names = _builtin_names(library)
    counts = {
        **{
            names.get(number, f'operator {number}'): n
            for number, n in model.builtin_operators.items()
        },
        **{name: n for name, n in model.custom_operators.items() if name != CUSTOM_OPERATOR},
    }
    return ', '.join(f'{count} {name}' for name, count in sorted(counts.items()))


def delegate_error(
    outcome: LoadOutcome, delegate: Delegate, runtime: str
) -> EngineUnavailableError:
    """Return the error for an Edge TPU that did not start."""
    library = delegate.library
    if outcome.crashed:
        reason = f'{library} makes {runtime} crash ({outcome.kind}): it was built for another one'
        return _unavailable(reason, f'install {REBUILT}')
    if outcome.kind == 'OSError' and library in outcome.error.partition(':')[0]:
        return _unavailable(
            f'{library} is not installed',
            'install the package libedgetpu1-std of the Coral package repository, or with a '
            f'newer runtime than TensorFlow Lite 2.11 {REBUILT}',
        )
    if 'tflite_plugin_create_delegate' in outcome.error:
        return _unavailable(f'{library} is not a delegate library', f'install {REBUILT}')
    sticks = find_sticks()
    if not sticks:
        reason = 'no Coral Edge TPU is plugged in, on USB or PCIe'
        return _unavailable(reason, 'plug one in, on USB 3 if possible, and try again')
    for stick in sticks:
        if not os.access(stick.node, os.R_OK | os.W_OK):
            return _unavailable(
                f'this user may not open {stick.node}, which is the Coral Edge TPU',
                'install the udev rules of the package libedgetpu1-std, add the user to the group '
                'plugdev (USB) or apex (PCIe), and plug it in again',
            )
    return _unavailable(
        f'{library} did not start: {" ".join(outcome.error.split())}',
        'see that no other process uses it, and plug it in again',
    )


def _unavailable(reason: str, remedy: str) -> EngineUnavailableError:
    return EngineUnavailableError(ENGINE, reason=f'device {DEVICE!r}: {reason}', remedy=remedy)


def _builtin_names(library: Library) -> Mapping[int, str]:
    """Return the names of operators; tflite-runtime has none."""
    try:
        schema = import_module(f'{library.name.rpartition(".")[0]}.schema_py_generated')
    except ModuleNotFoundError:
        return {}
    return {
        number: name
        for name, number in vars(schema.BuiltinOperator).items()
        if isinstance(number, int)
    }


def _word(path: Path) -> str:
    try:
        return path.read_text(encoding='ascii').strip()
    except (OSError, ValueError):
        return ''
