# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Call the CUDA driver through pycuda or cuda-python, as far as the engine needs it."""

from __future__ import annotations

from dataclasses import dataclass
import functools
from typing import Any
from typing import Protocol

from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import Tensor

ENGINE = 'tensorrt'
# Numbers of the driver (cuda.h), the same in every version.
OUT_OF_MEMORY = 2
NO_DEVICE = 100
DRIVER_MISMATCH = 803
NON_BLOCKING_STREAM = 1
DEVICE_MAP = 2

_INSTALL_BINDING = (
    'install one: pip install cuda-python (of the CUDA version of the driver), or pycuda, which '
    'is compiled where it is installed'
)
_INSTALL_DRIVER = 'install the NVIDIA driver; in a container start it with --gpus all'


class CudaError(Exception):
    """
    A call of the CUDA driver failed.

    :param call: e.g. ``cuMemAlloc``.
    :param code: of the driver; 0 where the binding does not tell.
    """

    def __init__(self, call: str, reason: str, *, code: int = 0) -> None:
        super().__init__(f'{call} failed: {reason}')
        self.code = code


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """
    What the driver says of one GPU.

    :param cuda: newest CUDA version of the driver, e.g. ``12.6``.
    :param integrated: it shares the memory of the processor, as on a Jetson.
    """

    index: int
    name: str
    compute_capability: str
    cuda: str
    integrated: bool


class Driver(Protocol):
    """
    Calls of the CUDA driver; each raises ``CudaError``.

    Handles are objects of the binding, addresses are numbers. From ``make_stream`` on, a call
    wants a context that is current on the calling thread.
    """

    name: str

    def count(self) -> int:
        """Return how many GPUs this process may use."""

    def facts(self, index: int) -> GpuFacts: ...

    def retain(self, index: int) -> Any:
        """Return the primary context of a GPU, counted once more, not made current."""

    def release(self, context: Any) -> None:
        """Release it once; any thread may do so, and it may be current on none."""

    def push(self, context: Any) -> None: ...

    def pop(self) -> None: ...

    def make_stream(self) -> tuple[Any, int]:
        """Return a stream that does not wait for the default stream: handle and address."""

    def destroy_stream(self, stream: Any) -> None: ...

    def allocate(self, size: int) -> tuple[Any, int]:
        """Return handle and address of memory of the GPU, aligned to 256 bytes."""

    def free(self, memory: Any) -> None: ...

    def allocate_host(self, size: int) -> tuple[Any, int, int]:
        """Return page-locked memory: handle, address, address as the GPU sees it."""

    def free_host(self, memory: Any) -> None: ...

    def copy_to_gpu(self, address: int, array: Tensor, stream: Any) -> None:
        """Begin to copy a C-contiguous page-locked array."""

    def copy_to_host(self, array: Tensor, address: int, stream: Any) -> None:
        """Begin to copy into a C-contiguous page-locked array."""

    def synchronize(self, stream: Any) -> None:
        """Wait until all that was begun is done; raises what failed meanwhile."""

    def memory_info(self) -> tuple[int, int]:
        """Return how many bytes of the GPU are free, and how many there are."""


@functools.cache
def load_driver() -> Driver:
    """
    Return pycuda, else cuda-python, ready to be used.

    :raises EngineUnavailableError: both are missing, or there is no driver or no GPU.
    """
    from edge_perception_tensorrt.cuda_pycuda import PycudaDriver
    from edge_perception_tensorrt.cuda_python import CudaPythonDriver

    broken = []
    for kind in (PycudaDriver, CudaPythonDriver):
        try:
            return kind()
        except ModuleNotFoundError:
            continue
        except CudaError as error:
            raise _no_gpu(error) from error
        except Exception as error:
            broken.append(' '.join(str(error).split()))
    if broken:
        raise EngineUnavailableError(
            ENGINE, reason=f'the CUDA driver cannot be used: {broken[0]}', remedy=_INSTALL_DRIVER
        )
    raise EngineUnavailableError(
        ENGINE, reason='neither pycuda nor cuda-python is installed', remedy=_INSTALL_BINDING
    )


def _no_gpu(error: CudaError) -> EngineUnavailableError:
    if error.code == NO_DEVICE:
        reason, remedy = 'the CUDA driver finds no GPU', _INSTALL_DRIVER
    elif error.code == DRIVER_MISMATCH:
        reason = 'the library of the CUDA driver is of another version than its kernel module'
        remedy = 'restart the machine after an update of the driver'
    else:
        reason, remedy = f'the CUDA driver does not start: {error}', _INSTALL_DRIVER
    return EngineUnavailableError(ENGINE, reason=reason, remedy=remedy)
