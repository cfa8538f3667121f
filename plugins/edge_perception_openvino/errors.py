# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Explain errors of OpenVINO in one sentence each."""

from __future__ import annotations

from pathlib import Path
import re

from edge_perception.contract import ArtifactError
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import explained
from edge_perception.contract.loading.artifact_files import EXPORT_AGAIN
from edge_perception_openvino.library import ENGINE

OTHER_OPERATOR = (
    'export the model with standard ONNX operators only, or use an engine that has this one'
)
OTHER_VERSION = 'give the ONNX file instead, or install the version of openvino that made this one'
OR_CPU = "or set the option device to 'CPU'"

# What OpenVINO says of a device (2021.4 to 2026.4), what is wrong, what to do.
_DEVICES = (
    (
        r'Device with "MYRIAD" name is not registered',
        'this build has no plugin for MYRIAD',
        'the pip packages never hold it: unpack the archive of OpenVINO 2022.3.1 or 2022.3.2, '
        f'source its setupvars.sh, and use Python 3.10, {OR_CPU}',
    ),
    (
        r'libusb-1\.0\.so',
        'the plugin for MYRIAD needs libusb, which is missing',
        'install it with: sudo apt install libusb-1.0-0',
    ),
    (
        r'NC_\w+|MYRIAD device is not opened|Can not init Myriad',
        'no Myriad stick answers: none is plugged in, this user may not open it (udev rules), or '
        'another process has it',
        'plug it in, run install_dependencies/install_NCS_udev_rules.sh of the archive of '
        'OpenVINO once, and stop the other process',
    ),
    (
        r'Cannot load library "[^"]*gpu_plugin[^"]*".*libOpenCL',
        'the plugin for GPU needs OpenCL, which is missing',
        f'install it with: sudo apt install ocl-icd-libopencl1 intel-opencl-icd, {OR_CPU}',
    ),
    (
        r'\[GPU\] .*(no supported devices|No supported OCL devices|Context was not initialized)'
        r'|clGetPlatformIDs|Cannot get fallback device for index',
        'no Intel GPU is here, or its driver is missing, or this user may not use it',
        'install the driver with: sudo apt install intel-opencl-icd, and add the user to the '
        f'group render, {OR_CPU}',
    ),
    (
        r'VCL compiler loading failed|intel_npu|\[NPU\]|ze_loader|zeInit',
        'no Intel NPU is here, or its driver is missing',
        'install the driver: intel-driver-compiler-npu, intel-fw-npu and intel-level-zero-npu, '
        f'{OR_CPU}',
    ),
    (
        r'Wrong value for property key INFERENCE_PRECISION_HINT\. Supported values: (.+)',
        'the device computes in {0}, not in what the option precision says',
        'set the option precision to one of these',
    ),
    (
        r'Device with "([^"]*)" name is not registered',
        'device {0!r} is not in this build, which finds {found}',
        'correct the option device',
    ),
    (
        r'no supported devices can be used|was not assigned on any pointed device'
        r'|Unexpected node type found in model',
        'none of the devices that are named can be used, and there are {found}',
        'correct the option device',
    ),
)

# What OpenVINO says of a file (2022.3 and 2026.4), what is wrong, what to do.
_FILES = (
    (
        r'No conversion rule found for operations: (.+?)(?:-\d+)?(?: --|$)'
        r'|does not support the following ONNX operations: (.+)'
        r'|No translator found for (\S+) node',
        'uses the operator {0}, which is not in this runtime',
        OTHER_OPERATOR,
    ),
    (
        r'Cannot create (\w+) layer .* from unsupported opset: (\w+)',
        'uses the operator {0} of {1}, which this runtime does not know',
        OTHER_VERSION,
    ),
    (
        r"Opset (\w+) doesn't contain the operation with type: (\w+)",
        'uses the operator {1} of {0}, which this runtime does not know',
        OTHER_VERSION,
    ),
    (
        r'The support of IR v(\d+) has been removed',
        'is IR in version {0}, which is too old',
        'convert the model again',
    ),
    (
        r'Empty weights data in bin file or bin file cannot be found',
        'keeps its weights in a .bin of the same name, which is missing',
        'copy that file as well',
    ),
    (
        r'Incorrect weights in bin file',
        'keeps its weights in a .bin of the same name, of which a part is missing',
        'copy that file again',
    ),
    (
        r'externally stored data in file \(([^,]+),|data_full_path: ([^,)]+)',
        'keeps its weights in {0}, which does not exist or is damaged',
        'copy that file as well, or export the model into one file',
    ),
    (
        r'model format: "?\.?tflite"? is supported',
        'is not a TFLite file, or this runtime cannot read those (it needs openvino 2023.0)',
        'give the ONNX file instead, or use the engine litert',
    ),
    (
        r'Please check that model format',
        'is not a file in the format that its name says, or in a version of it that this runtime '
        'cannot read, or a part of it is missing',
        EXPORT_AGAIN,
    ),
    (
        r'tags mismatch|Loading input model|malformed flatbuffer|parsing element',
        'is damaged, or a part of it is missing',
        EXPORT_AGAIN,
    ),
)


def artifact_error(artifact: Path, text: str, *, runtime: str) -> ArtifactError:
    """Return the error for a file that the runtime refused with this text."""
    line = one_line(text)
    found = explained(line, _FILES)
    if found is None:
        reason = f'{runtime} cannot load it: {line}'
        return ArtifactError(artifact, reason=reason, remedy=EXPORT_AGAIN)
    return ArtifactError(artifact, reason=f'{found[0]} ({runtime})', remedy=found[1])


def device_error(
    device: str, text: str, *, runtime: str, found: list[str]
) -> EngineUnavailableError | None:
    """
    Return the error for a device that cannot be used; None when the text is about something else.

    :param found: the devices that are here.
    """
    reasons = explained(one_line(text), _DEVICES, found=', '.join(found) or 'none')
    if reasons is None:
        return None
    reason = f'device {device!r} with {runtime}: {reasons[0]}'
    return EngineUnavailableError(ENGINE, reason=reason, remedy=reasons[1])


def one_line(text: str) -> str:
    """Return a message of the vendor without its places in the source and line breaks."""
    line = re.sub(r"Exception from \S+:\d+:|Check '.*?' failed at \S+:\d+:", '', text)
    return ' '.join(line.split())
