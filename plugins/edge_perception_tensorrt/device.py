# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What computes: a GPU, or one of the deep learning accelerators (DLA) of a Jetson."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import re

from edge_perception.contract import EngineUnavailableError
from edge_perception_tensorrt.cuda import Driver
from edge_perception_tensorrt.cuda import ENGINE
from edge_perception_tensorrt.cuda import GpuFacts
from edge_perception_tensorrt.cuda import load_driver
from edge_perception_tensorrt.library import load_library

KERNEL_MODULE_VERSION = Path('/sys/module/nvidia/version')
_NAMES = re.compile(r'(?:gpu:(\d+)|dla(\d+))', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Device:
    """
    A device that exists as far as the CUDA driver knows.

    :param dla: number of the accelerator; None for the GPU itself.
    """

    driver: Driver
    gpu: GpuFacts
    dla: int | None

    def describe(self) -> str:
        """Return it for people, e.g. ``gpu:0 (NVIDIA H100)``."""
        name = f'gpu:{self.gpu.index}' if self.dla is None else f'dla{self.dla}'
        return f'{name} ({self.gpu.name})'


def find_device(name: str) -> Device:
    """
    Return the device of an option.

    :raises EngineUnavailableError: the name is not one, or there is no such GPU.
    """
    found = _NAMES.fullmatch(name.strip())
    driver = load_driver()
    count = driver.count()
    index = int(found[1] or 0) if found else count
    if found is None or index >= count:
        here = ', '.join(f'gpu:{number}' for number in range(count))
        raise EngineUnavailableError(
            ENGINE,
            reason=f'device {name!r} is not here, the driver finds {here or "no GPU"}',
            remedy='set the option device to one of these, or to dla0 or dla1 on a Jetson',
        )
    dla = int(found[2]) if found[2] is not None else None
    return Device(driver=driver, gpu=driver.facts(index), dla=dla)


def device_key(name: str) -> str:
    """Return all that a plan is bound to: device, its architecture, driver and TensorRT."""
    version = load_library()
    device = find_device(name)
    dla = '' if device.dla is None else f', DLA {device.dla}'
    return (
        f'{device.gpu.name}, compute capability {device.gpu.compute_capability}{dla}, '
        f'driver {_driver_version(device.gpu)}, TensorRT {version}'
    )


def _driver_version(gpu: GpuFacts) -> str:
    """Return the version of the kernel module, or the CUDA version where it has no such file."""
    try:
        return KERNEL_MODULE_VERSION.read_text(encoding='utf-8').strip()
    except OSError:
        return f'CUDA {gpu.cuda}'
