# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
OpenCV, which computes, and onnx, which reads what a file says of itself.

OpenCV alone does not know names and shapes of the inputs of a model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_perception.contract import ArtifactError
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import in_words
from edge_perception.contract import TensorSpec
from edge_perception.contract import vendor_import

ENGINE = 'opencv_dnn'
PACKAGES = 'opencv-python-headless onnx'
# Backend and target, by the value of the option device.
DEVICES = {
    'cpu': ('DNN_BACKEND_OPENCV', 'DNN_TARGET_CPU'),
    'opencl': ('DNN_BACKEND_OPENCV', 'DNN_TARGET_OPENCL'),
    'opencl_fp16': ('DNN_BACKEND_OPENCV', 'DNN_TARGET_OPENCL_FP16'),
    'cuda': ('DNN_BACKEND_CUDA', 'DNN_TARGET_CUDA'),
    'cuda_fp16': ('DNN_BACKEND_CUDA', 'DNN_TARGET_CUDA_FP16'),
}


def load_libraries() -> tuple[Any, Any]:
    """
    Return the modules ``cv2`` and ``onnx``.

    :raises EngineUnavailableError: one is missing or broken.
    """
    with vendor_import(
        ENGINE,
        'cv2 or onnx',
        install=f'install both with: pip install {PACKAGES}',
        repair=f'install them again: pip install --force-reinstall {PACKAGES}',
    ):
        import cv2
        import onnx
    return cv2, onnx


def devices(cv2: Any) -> tuple[str, ...]:
    """Return the values of the option device that work with this build on this machine."""
    return tuple(
        name
        for name, (backend, target) in DEVICES.items()
        if getattr(cv2.dnn, target) in cv2.dnn.getAvailableTargets(getattr(cv2.dnn, backend))
    )


def open_network(artifact: Path, device: str) -> Any:
    """
    Load a file for a device, and for no other.

    :raises EngineUnavailableError: a library or the device is missing.
    :raises ArtifactError: OpenCV cannot load the file.
    """
    cv2, _ = load_libraries()
    here = devices(cv2)
    if device not in here:
        # OpenCV itself only warns, and computes on the CPU.
        raise EngineUnavailableError(
            ENGINE,
            reason=f'this OpenCV {cv2.__version__} has no device {device}, only {", ".join(here)}',
            remedy='set the option device to one of these, or install an OpenCV that has it',
        )
    backend, target = (getattr(cv2.dnn, name) for name in DEVICES[device])
    try:
        network = cv2.dnn.readNetFromONNX(str(artifact))
        if device != 'cpu':  # which is what it does anyway; OpenCV 5 warns of the question
            network.setPreferableBackend(backend)
            network.setPreferableTarget(target)
    except cv2.error as error:
        raise ArtifactError(
            artifact,
            reason=f'cannot be loaded by OpenCV {cv2.__version__}: {in_words(error)}',
            remedy='export it with a lower opset, or use the engine onnxruntime',
        ) from error
    return network


def read_specs(artifact: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """
    Return inputs and outputs as the file declares them.

    :raises EngineUnavailableError: a library is missing.
    :raises ArtifactError: it is not an ONNX file.
    """
    _, onnx = load_libraries()
    try:
        model = onnx.load(str(artifact), load_external_data=False)
        if not model.graph.node:
            raise ValueError('there is no network in it')
        constants = {each.name for each in model.graph.initializer}
        inputs = [each for each in model.graph.input if each.name not in constants]
        return _specs(onnx, inputs), _specs(onnx, model.graph.output)
    except Exception as error:
        raise ArtifactError(
            artifact,
            reason=f'is not an ONNX file that can be read: {in_words(error)}',
            remedy='correct the path, or export the model again',
        ) from error


def _specs(onnx: Any, values: Any) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            value.name,
            tuple(size.dim_value or -1 for size in value.type.tensor_type.shape.dim),
            onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type),
        )
        for value in values
    )
