# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Engines with artifacts of their own, and what is chosen for them."""

from __future__ import annotations

from dataclasses import dataclass

import onnx
import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import option
from edge_perception.contract import Options
from edge_perception.models.artifacts import ArtifactRequest
from edge_perception.models.artifacts import choose_artifact
from edge_perception.testing import FakeEngineType
from test.support.networks import save_conv


@dataclass(frozen=True, slots=True)
class Precise(Options):
    precision: str = option('fp32', 'of the computation')


class Planner(FakeEngineType):
    """Loads plans, which are made for one device."""

    name = 'planner'
    artifact_suffixes = ('.plan',)

    def device_key(self, options):
        return 'GPU 7'


class Reader(FakeEngineType):
    """Loads ONNX, and computes in what its options say."""

    name = 'reader'
    artifact_suffixes = ('.onnx',)
    options_type = Precise

    def precision(self, options):
        return options.precision


def choose(model, engine_type, options=None, **request):
    options = options or engine_type.options_type()
    return choose_artifact(model, engine_type, options, request=ArtifactRequest(**request))


def refusal(model, engine_type, options=None, **request):
    with pytest.raises(ArtifactError) as raised:
        choose(model, engine_type, options, **request)
    return str(raised.value).replace(str(model.folder), 'M')


def save_onnx_in_two_files(path):
    network = onnx.load(save_conv(path))
    weights = 'net.weights'
    onnx.save(network, path, save_as_external_data=True, location=weights, size_threshold=0)
    return path.with_name(weights)
