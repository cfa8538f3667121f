# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Export models by Ultralytics, and write down what it finds itself: ``python exporter.py FOLDER``,
or with names of cases behind it.

Runs with the Python of an environment that has ultralytics, and imports nothing of ours. Models
are made from its own yaml files with seeded weights; that of the classes is spread, so that scores
differ. Nothing is downloaded or installed.
"""

from __future__ import annotations

from contextlib import suppress
import json
import os
from pathlib import Path
import sys
from typing import Any

import cv2
import numpy as np

# Name, yaml of the package, image size (height, width), further arguments of the export.
CASES: dict[str, tuple[str, tuple[int, int], dict[str, Any]]] = {
    'yolov8n': ('yolov8n.yaml', (320, 320), {}),
    'yolo11n': ('yolo11n.yaml', (320, 320), {}),
    'yolo11n-480x640': ('yolo11n.yaml', (480, 640), {}),
    'yolo11n-dynamic': ('yolo11n.yaml', (320, 320), {'dynamic': True}),
    'yolo11n-seg': ('yolo11n-seg.yaml', (320, 320), {}),
    'yolo11n-seg-480x640': ('yolo11n-seg.yaml', (480, 640), {}),
    'yolo11n-pose': ('yolo11n-pose.yaml', (320, 320), {}),
    'yolo11n-obb': ('yolo11n-obb.yaml', (320, 320), {}),
    'yolo11n-cls': ('yolo11n-cls.yaml', (224, 224), {}),
    'yolov10n': ('yolov10n.yaml', (320, 320), {}),
    'yolo26n': ('yolo26n.yaml', (320, 320), {}),
    'yolo26n-seg': ('yolo26n-seg.yaml', (320, 320), {}),
    'yolo26n-pose': ('yolo26n-pose.yaml', (320, 320), {}),
    'yolo26n-obb': ('yolo26n-obb.yaml', (320, 320), {}),
    'rtdetr-l': ('rtdetr-l.yaml', (320, 320), {}),
}
KEPT: list[Any] = []
SCORE, SUPPRESS = 0.05, 1.0  # nothing is suppressed: equal scores would decide by rounding


def image() -> np.ndarray:
    """Return an image (BGR) of colored shapes, 400x300."""
    rng = np.random.default_rng(7)
    drawn = cv2.resize(rng.integers(0, 255, (12, 16, 3), np.uint8), (400, 300))
    for index in range(12):
        x, y, size = (int(value) for value in rng.integers(20, 280, 3))
        color = tuple(int(value) for value in rng.integers(0, 255, 3))
        cv2.rectangle(drawn, (x, y), (x + size // 3, y + size // 4), color, -1 if index % 2 else 5)
    return drawn


def make(yaml: str, size: tuple[int, int]) -> Any:
    """Return a model with seeded weights whose activations and scores are spread."""
    import torch
    from ultralytics import RTDETR
    from ultralytics import YOLO

    torch.manual_seed(1)
    model = (RTDETR if 'rtdetr' in yaml else YOLO)(yaml)
    network = model.model
    noise = torch.rand(4, 3, *size)
    with torch.no_grad():
        network.train()
        for _ in range(0 if 'rtdetr' in yaml else 6):
            network.predict(noise)  # statistics of the normalization
        for name, weight in network.named_parameters():
            # The last layer of the coefficients of masks, which are empty otherwise.
            if yaml.endswith('-seg.yaml') and '.cv4.' in name and name.endswith('2.weight'):
                weight *= 50
            # The last layer of the class branches.
            last = '.cv3.' in name and name.split('.')[-2] == '2'
            if last and name.endswith('weight'):
                weight *= 6
            elif last:
                weight -= weight.mean() + 2.5
    network.eval()
    return model


def prepare_torchvision() -> None:
    """Make torchvision importable beside a torch for CPUs; PyPI has it for CUDA only."""
    import torch

    with suppress(RuntimeError):
        import torchvision

        return
    for name in [name for name in sys.modules if name.startswith('torchvision')]:
        del sys.modules[name]
    KEPT.append(torch.library.Library('torchvision', 'DEF'))
    KEPT[0].define('nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    KEPT[0].define('qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    for name in ('roi_align', 'roi_pool', 'ps_roi_align', 'ps_roi_pool', 'deform_conv2d'):
        for each in (name, f'_{name}_backward'):
            KEPT[0].define(f'{each}(Tensor a) -> Tensor')
    import torchvision

    # With an overlap of 1 nothing is suppressed: what is left of it is the order.
    torchvision.ops.nms = lambda boxes, scores, overlap: scores.argsort(descending=True)


def found(model: Any, picture: np.ndarray, size: tuple[int, int]) -> dict[str, Any]:
    """Return what Ultralytics finds by an exported file."""
    # Objects with an empty mask are left out, and with such weights the best ones are.
    most = 2000 if model.task == 'segment' else 300
    settings = {'conf': SCORE, 'iou': SUPPRESS, 'max_det': most, 'retina_masks': True}
    (result,) = model.predict(picture, imgsz=size, verbose=False, **settings)
    if result.probs is not None:
        return {'classes': result.probs.data.tolist()}
    boxes = result.obb if result.obb is not None else result.boxes
    values = {
        'xyxy': boxes.xyxy.tolist(),
        'score': boxes.conf.tolist(),
        'class_id': boxes.cls.int().tolist(),
    }
    if result.obb is not None:
        values['rotated'] = boxes.xywhr.tolist()
    if result.keypoints is not None:
        values['keypoints'] = result.keypoints.data.tolist()
    if result.masks is not None:
        union = result.masks.data.numpy().astype(bool).any(axis=0)
        values['masks'] = {'shape': union.shape, 'bits': np.packbits(union).tobytes().hex()}
    return values


def main(folder: Path, names: list[str]) -> None:
    """Write a file and what is found in the image by it, for each case."""
    os.environ.update(YOLO_AUTOINSTALL='false', YOLO_OFFLINE='true', YOLO_VERBOSE='false')
    os.environ['YOLO_CONFIG_DIR'] = str(folder)
    prepare_torchvision()
    from ultralytics import __version__
    from ultralytics import RTDETR
    from ultralytics import YOLO

    os.chdir(folder)
    picture = image()
    cv2.imwrite('image.png', picture)
    for name in names or CASES:
        yaml, size, arguments = CASES[name]
        problem, values = '', {}
        try:
            model = make(yaml, size)
            written = model.export(format='onnx', imgsz=size, opset=17, **arguments)
            path = Path(written).rename(folder / f'case_{name}.onnx')
            kind = RTDETR if 'rtdetr' in yaml else YOLO
            options = {} if kind is RTDETR else {'task': model.task}
            values = found(kind(str(path), **options), picture, size)
        except Exception as error:  # the record says which exports this version cannot make
            problem = f'{type(error).__name__}: {error}'[:300]
        record = {'version': __version__, 'problem': problem, 'size': size, **values}
        (folder / f'{name}.json').write_text(json.dumps(record))
        said = problem or {key: len(each) for key, each in values.items()}
        sys.stdout.write(f'{name}: {said}\n')


if __name__ == '__main__':
    main(Path(sys.argv[1]).resolve(), sys.argv[2:])
