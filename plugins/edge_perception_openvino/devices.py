# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Parse device strings of OpenVINO, and set what each device supports."""

from __future__ import annotations

from pathlib import Path
import tempfile
from typing import Any

from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import OptionError
from edge_perception_openvino.library import ENGINE
from edge_perception_openvino.library import release
from edge_perception_openvino.options import OpenVinoOptions

# They compute in float16 whatever the hint says.
HALF_PRECISION_DEVICES = ('NPU', 'MYRIAD')
# In INT8, 2022.3.2, 2023.0.2 and 2023.3.0 give wrong keypoints of MoveNet without an
# error; 2024.6.0 and 2026.4.1 give those of ONNX Runtime.
TRUSTED_INT8 = (2024, 6)
# What stands for several devices.
MODES = ('AUTO', 'MULTI', 'HETERO', 'BATCH')
PRECISIONS = {'f32': 'fp32', 'bf16': 'bf16', 'f16': 'fp16'}


def device_string(options: OpenVinoOptions) -> str:
    """Return the option as OpenVINO wants it, e.g. ``HETERO:GPU,CPU``."""
    return ''.join(options.device.split()).upper()


def named_devices(text: str) -> list[str]:
    """Return the devices that a device string names: ``HETERO:GPU,CPU`` names GPU and CPU."""
    mode, colon, several = text.partition(':')
    names = several.split(',') if colon else [mode]
    # AUTO:-GPU excludes one; MULTI:CPU(2) says how many frames it takes at once.
    return [name.partition('(')[0] for name in names if not name.startswith('-')]


def precision(options: OpenVinoOptions) -> str:
    """Return in what float32 is computed: fp32, bf16 or fp16."""
    if _half_precision(named_devices(device_string(options))):
        return 'fp16'
    return PRECISIONS[options.precision]


def configure(library: Any, core: Any, options: OpenVinoOptions) -> None:
    """
    Tell each device of the option what is wanted, as far as it understands it.

    Told to the devices and not to the compiled network, because AUTO and HETERO refuse, or
    silently ignore, what is meant for the devices below them.

    :raises EngineUnavailableError: there is no device with the number that is named.
    :raises OptionError: the folder for compiled models cannot be used.
    :raises RuntimeError: of the vendor, a device refuses a value.
    """
    if options.cache_dir:
        core.set_property({'CACHE_DIR': str(_cache_folder(options))})
    wanted: dict[str, Any] = {
        'PERFORMANCE_HINT': 'LATENCY',
        'INFERENCE_PRECISION_HINT': options.precision,
        'ENABLE_CPU_PINNING': options.pinning,
        # The same before 2023.
        'AFFINITY': 'CORE' if options.pinning else 'NONE',
    }
    if options.threads:
        wanted['INFERENCE_NUM_THREADS'] = options.threads
    for device in _devices_below(core, options):
        if not _present(core, device):
            continue  # compiling says why
        known = _known_settings(core, device)
        if 'ENABLE_CPU_PINNING' in known:
            known.discard('AFFINITY')
        if _half_precision([device]):
            known.discard('INFERENCE_PRECISION_HINT')
        core.set_property(device, {name: wanted[name] for name in wanted if name in known})
        if device == 'CPU' and release(library) < TRUSTED_INT8:
            # Computes quantized operators in float32.
            core.set_property(device, {'LP_TRANSFORMS_MODE': False})


def network_settings(core: Any, options: OpenVinoOptions) -> dict[str, Any]:
    """Return what AUTO, HETERO and their like are told themselves; nothing for a plain device."""
    mode = device_string(options).partition(':')[0]
    if mode not in MODES:
        return {}
    wanted = {
        'PERFORMANCE_HINT': 'LATENCY',
        # Else AUTO begins on the CPU and moves to the device while frames are computed.
        'ENABLE_STARTUP_FALLBACK': False,
    }
    known = _known_settings(core, mode)
    return {name: value for name, value in wanted.items() if name in known}


def devices_taken(compiled: Any, options: OpenVinoOptions) -> str:
    """
    Return the devices that really compute, e.g. ``GPU.0,CPU``.

    :raises EngineUnavailableError: they compute less exactly than the options say.
    """
    try:
        taken = [name.strip('()') for name in compiled.get_property('EXECUTION_DEVICES')]
    except RuntimeError:  # 2022.3 tells it of AUTO and HETERO only
        taken = named_devices(device_string(options))
    if _half_precision(taken) and precision(options) != 'fp16':
        raise EngineUnavailableError(
            ENGINE,
            reason=f'device {options.device!r} chose {",".join(taken)}, which computes in f16, '
            f'not in {options.precision}',
            remedy='name the device in the option device, or set the option precision to f16',
        )
    return ','.join(taken)


def check_precision(compiled: Any, options: OpenVinoOptions) -> None:
    """
    Make sure that the precision was not just taken for a hint.

    :raises EngineUnavailableError: the device computes in another one.
    """
    name = taken_precision(compiled)
    if precision(options) != PRECISIONS[options.precision]:
        return
    if name and name != options.precision:
        raise EngineUnavailableError(
            ENGINE,
            reason=f'device {options.device!r} computes in {name}, not in {options.precision} as '
            'the option precision says',
            remedy=f'set the option precision to {name}',
        )


def taken_precision(compiled: Any) -> str:
    """Return in what a device computes, a key of ``PRECISIONS``; empty where it does not tell."""
    try:
        taken = compiled.get_property('INFERENCE_PRECISION_HINT')
    except RuntimeError:  # AUTO and HETERO do not tell
        return ''
    return taken.get_type_name() if hasattr(taken, 'get_type_name') else str(taken)


def _devices_below(core: Any, options: OpenVinoOptions) -> list[str]:
    named = named_devices(device_string(options))
    # AUTO alone, or AUTO:-GPU, chooses among all.
    return [name for name in named if name not in MODES] or list(core.available_devices)


def _half_precision(devices: list[str]) -> bool:
    return any(device.partition('.')[0] in HALF_PRECISION_DEVICES for device in devices)


def _present(core: Any, device: str) -> bool:
    """
    Tell whether OpenVINO finds devices of this kind.

    :raises EngineUnavailableError: it does, but none with this number.
    """
    if device == 'CPU':  # always, and looking for others takes time
        return True
    kind, dot, number = device.partition('.')
    found = core.available_devices
    alike = [name for name in found if name.partition('.')[0] == kind]
    # A single one has no number in the list, and is also found under 0, except the CPU.
    if dot and alike and device not in alike and not (number == '0' and kind != 'CPU'):
        raise EngineUnavailableError(
            ENGINE,
            reason=f'device {device!r} is not here, and there are {", ".join(found)}',
            remedy='correct the number in the option device',
        )
    return bool(alike)


def _known_settings(core: Any, device: str) -> set[str]:
    return set(core.get_property(device, 'SUPPORTED_PROPERTIES'))


def _cache_folder(options: OpenVinoOptions) -> Path:
    folder = Path(options.cache_dir).expanduser().resolve()
    temporary = Path(tempfile.gettempdir()).resolve()
    if folder.is_relative_to(temporary):
        raise OptionError(
            f'engine {ENGINE!r}: cache_dir: got {options.cache_dir!r}, expected a folder of your '
            f'own: in {temporary} others can replace a model, and it is emptied'
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(
            f'engine {ENGINE!r}: cache_dir: got {options.cache_dir!r}, which cannot be made: '
            f'{error.strerror}; name a folder that can be written'
        ) from error
    return folder
