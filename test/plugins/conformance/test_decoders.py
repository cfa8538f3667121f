# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The kit on every decoder that comes with the package."""

from __future__ import annotations

import numpy as np

from edge_perception.contract import Detections
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.contract import Perception
from edge_perception.decoders import DECODERS
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
from edge_perception.testing.conformance import DecoderConformance

SIDE = 64
# Cells of an input of 64x64 at the strides 8, 16, 32.
CELLS = {8: 64, 16: 16, 32: 4}
NOSE_AND_TAIL = ('nose', 'tail')
BODY = tuple(f'point_{index}' for index in range(17))


def manifest(decoder: str, *, keypoints: tuple[str, ...] = (), **options: object) -> ModelManifest:
    return ModelManifest(
        name='model',
        source='model.onnx',
        input=InputRecipe(width=SIDE, height=SIDE),
        decoder=decoder,
        decoder_options=options,
        keypoint_names=keypoints,
    )


def zeros(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return np.zeros(shape, dtype)


def nothing(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.zeros_like(each) for name, each in tensors.items()}


def with_rows(tensor: np.ndarray, rows: dict[int, list[float]]) -> np.ndarray:
    for row, values in rows.items():
        tensor[0, row] = values
    return tensor


def gaussian(x: float, y: float) -> np.ndarray:
    rows, columns = np.mgrid[: SIDE // 4, : SIDE // 4] + 0.5
    return 0.9 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 4)


def boxes(*rows: tuple[tuple[float, float, float, float], float, int]) -> Perception:
    xyxy, score, class_id = zip(*rows)
    return Perception(
        detections=Detections(
            np.array(xyxy, np.float32), np.array(score, np.float32), np.array(class_id, np.int32)
        )
    )


class BuiltIn(DecoderConformance):
    plugin_module = 'edge_perception.decoders'


class TestAnchors(BuiltIn):
    decoder_type = AnchorDecoder
    manifest = manifest('yolo_anchors')
    seen = {
        f'out{stride}': np.full((1, 3, SIDE // stride, SIDE // stride, 7), -20, np.float32)
        for stride in CELLS
    }
    seen['out16'][0, 1, 1, 2] = [0, 0, 0, 0, 3, 3, -9]
    seen['out8'][0, 0, 6, 6] = [1, 0, 0, 1, 1, -9, 2]
    unseen = {name: np.full_like(each, -20) for name, each in seen.items()}
    # The anchor of 62x45 pixels around the center of its cell, (40, 24).
    expected = boxes(
        ((9, 1.5, 71, 46.5), 0.9074, 0),
        ((50.697, 38.104, 60.697, 65.896), 0.6439, 1),
    )


class TestClassifier(BuiltIn):
    decoder_type = ClassifierDecoder
    manifest = manifest('classifier', activation='sigmoid')
    seen = {'scores': np.array([[2, -1, 3, 0.5, -9]], np.float32)}
    unseen = {'scores': np.full((1, 5), -9, np.float32)}


class TestFinished(BuiltIn):
    decoder_type = FinishedDecoder
    manifest = manifest('finished')
    seen = {'rows': np.array([[2, 0.9, 1, 1, 30, 30], [1, 0.6, 40, 8, 60, 20]], np.float32)}
    unseen = {'rows': np.array([[-1, 0, 0, 0, 0, 0]], np.float32)}
    expected = boxes(((1, 1, 30, 30), 0.9, 2), ((40, 8, 60, 20), 0.6, 1))


class TestHeatmap(BuiltIn):
    decoder_type = HeatmapDecoder
    manifest = manifest('heatmap', keypoints=NOSE_AND_TAIL)
    seen = {'heat': np.stack([gaussian(4, 6), gaussian(9, 12)])[None].astype(np.float32)}
    unseen = nothing(seen)


class TestMoveNet(BuiltIn):
    decoder_type = MoveNetDecoder
    manifest = manifest('movenet', keypoints=BODY)
    seen = {'points': np.linspace(0.2, 0.8, 51, dtype=np.float32).reshape(1, 1, 17, 3)}
    unseen = nothing(seen)


class TestNanoDet(BuiltIn):
    decoder_type = NanoDetDecoder
    manifest = manifest('nanodet')
    seen = {
        **{f'cls_{stride}': zeros(1, cells, 3) for stride, cells in CELLS.items()},
        **{f'dis_{stride}': zeros(1, cells, 32) for stride, cells in CELLS.items()},
        'cls_16': with_rows(zeros(1, 16, 3), {6: [0, 0, 0.7], 9: [0.6, 0, 0]}),
    }
    unseen = nothing(seen)


class TestRtDetr(BuiltIn):
    decoder_type = RtDetrDecoder
    manifest = manifest('rtdetr')
    rows = {0: [0.5, 0.5, 0.4, 0.6, 0, 0, 0.9], 1: [0.2, 0.3, 0.1, 0.1, 0.6, 0, 0]}
    seen = {'output': with_rows(zeros(1, 8, 7), rows)}
    unseen = nothing(seen)


class TestRfDetr(BuiltIn):
    decoder_type = RtDetrDecoder
    manifest = manifest('rtdetr')
    seen = {
        'dets': with_rows(zeros(1, 8, 4), {0: [0.5, 0.5, 0.4, 0.6], 1: [0.2, 0.3, 0.1, 0.1]}),
        'labels': with_rows(zeros(1, 8, 4) - 9, {0: [-9, -9, 2, 9], 1: [1, -9, -9, 9]}),
        'masks': np.ones((1, 8, 16, 16), np.float32),
    }
    unseen = {**seen, 'labels': zeros(1, 8, 4) - 9}
    expected = boxes(((19.2, 12.8, 44.8, 51.2), 0.8808, 2), ((9.6, 16, 16, 22.4), 0.7311, 0))


class TestSegmentation(BuiltIn):
    decoder_type = SegmentationDecoder
    manifest = manifest('segmentation')
    seen = {'classes': np.random.default_rng(0).random((1, 3, 16, 16), np.float32)}
    unseen = {'classes': np.zeros((1, 3, 16, 16), np.float32)}


class TestSsd(BuiltIn):
    decoder_type = SsdDecoder
    manifest = manifest('ssd')
    seen = {
        'boxes': np.array([[[0.5, 0.25, 1, 0.75], [0.1, 0.2, 0.3, 0.4]]], np.float32),
        'classes': np.array([[2, 0]], np.float32),
        'scores': np.array([[0.5, 0.75]], np.float32),
        'count': np.array([2], np.float32),
    }
    unseen = {**seen, 'count': np.zeros(1, np.float32)}
    expected = boxes(((12.8, 6.4, 25.6, 19.2), 0.75, 0), ((16, 32, 48, 64), 0.5, 2))


class TestListsInPixels(BuiltIn):
    decoder_type = SsdDecoder
    manifest = manifest('ssd', boxes='xyxy_pixels')
    seen = {
        'labels': np.array([[2, 0]], np.int64),
        'boxes': np.array([[[1, 1, 30, 30], [40, 8, 60, 20]]], np.float32),
        'scores': np.array([[0.9, 0.6]], np.float32),
    }
    unseen = nothing(seen)
    expected = boxes(((1, 1, 30, 30), 0.9, 2), ((40, 8, 60, 20), 0.6, 0))


class TestYolo(BuiltIn):
    decoder_type = YoloDecoder
    manifest = manifest('yolo')
    seen = {'output': zeros(1, 4 + 3, 84)}
    seen['output'][0, :, 7] = [20, 20, 10, 16, 0.8, 0, 0]
    seen['output'][0, :, 70] = [40, 44, 20, 8, 0, 0, 0.6]
    unseen = nothing(seen)
    expected = boxes(((15, 12, 25, 28), 0.8, 0), ((30, 40, 50, 48), 0.6, 2))


class TestYoloPose(BuiltIn):
    decoder_type = YoloDecoder
    manifest = manifest('yolo', keypoints=NOSE_AND_TAIL)
    seen = {'output': zeros(1, 4 + 1 + 6, 84)}
    seen['output'][0, :, 7] = [20, 20, 10, 16, 0.8, 18, 18, 0.9, 22, 22, 0.8]
    seen['output'][0, :, 70] = [40, 44, 20, 8, 0.6, 36, 44, 0.9, 44, 44, 0.7]
    unseen = nothing(seen)


class TestYoloEndToEnd(BuiltIn):
    decoder_type = YoloDecoder
    manifest = manifest('yolo')
    rows = {0: [1, 1, 30, 30, 0.9, 2], 1: [40, 8, 60, 20, 0.6, 1]}
    seen = {'output': with_rows(zeros(1, 8, 6), rows)}
    unseen = nothing(seen)
    expected = boxes(((1, 1, 30, 30), 0.9, 2), ((40, 8, 60, 20), 0.6, 1))


class TestYoloRotated(BuiltIn):
    decoder_type = YoloDecoder
    manifest = manifest('yolo', rotated=True)
    seen = {'output': zeros(1, 4 + 2 + 1, 84)}
    seen['output'][0, :, 7] = [20, 20, 10, 16, 0.8, 0, np.pi / 2]
    seen['output'][0, :, 70] = [40, 44, 20, 8, 0, 0.6, 0.01]
    unseen = nothing(seen)


class TestYoloMasks(BuiltIn):
    decoder_type = YoloDecoder
    manifest = manifest('yolo', layout='end_to_end')
    rows = {0: [1, 1, 30, 30, 0.9, 2, 1, 0.5], 1: [40, 8, 60, 20, 0.6, 1, 0.5, 1]}
    seen = {
        'output': with_rows(zeros(1, 8, 8), rows),
        'prototypes': np.ones((1, 2, 16, 16), np.float32),
    }
    unseen = nothing(seen)
    expected = boxes(((1, 1, 30, 30), 0.9, 2), ((40, 8, 60, 20), 0.6, 1))


class TestYolox(BuiltIn):
    decoder_type = YoloxDecoder
    manifest = manifest('yolox')
    rows = {70: [0.5, 0.25, 0.7, -0.7, 0.8, 0.1, 0.9], 5: [0.5, 0.5, 0, 0, 0.9, 0.6, 0]}
    seen = {'output': with_rows(zeros(1, 84, 7), rows)}
    unseen = nothing(seen)


class TestYuNet(BuiltIn):
    decoder_type = YuNetDecoder
    manifest = manifest('yunet', keypoints=tuple('abcde'))
    seen = {
        f'{kind}_{stride}': zeros(1, cells, width)
        for kind, width in {'cls': 1, 'obj': 1, 'bbox': 4, 'kps': 10}.items()
        for stride, cells in CELLS.items()
    }
    for cell, score in {6: 0.9, 9: 0.5}.items():
        seen['cls_16'][0, cell] = seen['obj_16'][0, cell] = score
        seen['bbox_16'][0, cell] = [0.5, 0.5, 0.7, 0]
        seen['kps_16'][0, cell] = [0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1]
    unseen = nothing(seen)


def test_every_decoder_is_proven() -> None:
    proven = {each.decoder_type for each in BuiltIn.__subclasses__()}
    assert set(DECODERS) <= proven
