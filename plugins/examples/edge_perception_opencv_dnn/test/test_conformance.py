# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from edge_perception_opencv_dnn.engine import OpenCvEngineType

from edge_perception.testing.conformance import EngineConformance


class TestOpenCvDnn(EngineConformance):
    engine_type = OpenCvEngineType()
    vendor_modules = ('cv2', 'onnx')
    parity = {'fp32': 1e-5}
    known_failures = {'E13': 'OpenCV reads what it can of any version of ONNX'}
