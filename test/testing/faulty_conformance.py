# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The kit on ``faulty_plugin.py``; the test of the kit copies both under other names."""

from __future__ import annotations

from faulty_plugin import FaultyBuilder
from faulty_plugin import FaultyDecoder
from faulty_plugin import FaultyStage
from faulty_plugin import FaultyType
from faulty_plugin import PARITY
from faulty_plugin import VERSION
import numpy as np

from edge_perception.contract import Detections
from edge_perception.contract import Frame
from edge_perception.contract import FrameTransform
from edge_perception.contract import ImageTransform
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.contract import Perception
from edge_perception.contract import SideImage
from edge_perception.contract import StageInputs
from edge_perception.testing.conformance import BuilderConformance
from edge_perception.testing.conformance import DecoderConformance
from edge_perception.testing.conformance import EngineConformance
from edge_perception.testing.conformance import StageConformance


class TestEngine(EngineConformance):
    engine_type = FaultyType()
    vendor_modules = ('colorsys',)
    parity = PARITY

    def make_artifact(self, network, precision, path, version=VERSION):
        weights = network.weights
        height, width = (-1, -1) if network.open_sizes else (network.height, network.width)
        np.savez(
            path,
            version=version,
            open_batch=network.open_batch,
            size=(height, width, network.channels, network.classes),
            mix=weights.mix,
            mix_bias=weights.mix_bias,
            dense=weights.dense,
            **network.shapes,
        )
        path.with_suffix('.bin').write_bytes(weights.dense_bias.tobytes())

    def make_stale_artifact(self, folder):
        from edge_perception.testing.conformance.networks import BASIC

        self.make_artifact(BASIC, 'fp32', folder / 'stale.npz', version=99)
        return folder / 'stale.npz'


class TestDecoder(DecoderConformance):
    decoder_type = FaultyDecoder
    manifest = ModelManifest(
        name='net', source='net.onnx', input=InputRecipe(width=64, height=48), decoder='faulty'
    )
    seen = {'boxes': np.array([[[1, 2, 30, 40, 0.8, 1], [40, 10, 60, 20, 0.9, 0]]], np.float32)}
    unseen = {'boxes': np.zeros((1, 2, 6), np.float32)}
    expected = Perception(
        detections=Detections(
            np.array([[40, 10, 60, 20], [1, 2, 30, 40]], np.float32),
            np.array([0.9, 0.8], np.float32),
            np.array([0, 1], np.int32),
        )
    )


class TestBuilder(BuilderConformance):
    builder = FaultyBuilder()
    vendor_modules = ('colorsys',)
    engine_type = FaultyType()


def frame_of(*scores):
    boxes = np.tile(np.array([[1, 2, 3, 4]], np.float32), (len(scores), 1))
    score = np.array(scores, np.float32)
    found = Detections(xyxy=boxes, score=score, class_id=np.zeros(len(scores), np.int32))
    return StageInputs(
        frame=Frame(np.zeros((8, 8, 3), np.uint8)),
        perception=Perception(detections=found),
        transform=ImageTransform(8, 8, 8, 8),
        images={'depth': SideImage(np.ones((8, 8), np.float32), '32FC1', 0, '')},
        transforms={'odom': FrameTransform(np.eye(3), np.zeros(3))},
        angular_rate=np.zeros(3),
    )


class TestStage(StageConformance):
    stage_type = FaultyStage
    manifest = TestDecoder.manifest
    frames = [frame_of(0.9, 0.6), frame_of(0.8)]
    unseen = frame_of()
