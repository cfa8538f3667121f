# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Decoders of the model families that come with the package, registered like those of plugins."""

from __future__ import annotations

from collections.abc import Callable

from edge_perception.contract import Decoder
from edge_perception.contract import hookimpl
from edge_perception.decoders.detection.anchors import AnchorDecoder
from edge_perception.decoders.detection.finished import FinishedDecoder
from edge_perception.decoders.detection.nanodet import NanoDetDecoder
from edge_perception.decoders.detection.rtdetr import RtDetrDecoder
from edge_perception.decoders.detection.ssd import SsdDecoder
from edge_perception.decoders.detection.yolo import YoloDecoder
from edge_perception.decoders.detection.yolox import YoloxDecoder
from edge_perception.decoders.detection.yunet import YuNetDecoder
from edge_perception.decoders.image.classifier import ClassifierDecoder
from edge_perception.decoders.image.segmentation import SegmentationDecoder
from edge_perception.decoders.keypoint.heatmap import HeatmapDecoder
from edge_perception.decoders.keypoint.movenet import MoveNetDecoder

EDGE_PERCEPTION_CONTRACT = '0.1'

DECODERS: tuple[type[Decoder], ...] = (
    AnchorDecoder,
    ClassifierDecoder,
    FinishedDecoder,
    HeatmapDecoder,
    MoveNetDecoder,
    NanoDetDecoder,
    RtDetrDecoder,
    SegmentationDecoder,
    SsdDecoder,
    YoloDecoder,
    YoloxDecoder,
    YuNetDecoder,
)


@hookimpl
def register_decoders(register: Callable[[type[Decoder]], None]) -> None:
    """Offer every built-in decoder."""
    for decoder in DECODERS:
        register(decoder)
