# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Write the model folder of the landing pad from a checkpoint: network, manifest, drawing."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from network import LandingPadNet
import numpy as np
import onnx
import onnxruntime
import torch
import yaml

from edge_perception.contract import dump_manifest
from edge_perception.contract import InputRecipe
from edge_perception.contract import LabelMap
from edge_perception.contract import ModelManifest
from edge_perception.contract import Selection
from edge_perception.contract.manifest import PoseRecipe
from edge_perception.simulation import landing_pad as pad
from edge_perception.tooling import pad_drawing

# Larger than the images of the training (320 x 240), in the last part of which pads are as
# large as here: a network of convolutions has no fixed size. Of rendered images with seeds of
# their own 98.5 % were found with 512 x 384, 99.2 % with 576 x 432, 99.0 % with 640 x 480.
WIDTH, HEIGHT = 576, 432
OPSET = 17
# Scores of a peak below this say nothing; see report.md.
SCORE_THRESHOLD = 0.2
# Pixels of the input and of the image; measured by evaluate.py on held-out data.
KEYPOINT_SIGMA, REFINED_SIGMA = 1.0, 0.2


def export(network: LandingPadNet, path: Path) -> None:
    """Write the network as ONNX with a fixed input, and check that it gives the same numbers."""
    network.eval()
    network.scores = True
    image = torch.rand(1, 1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    torch.onnx.export(
        network, (image,), str(path), dynamo=False, opset_version=OPSET,
        input_names=['image'], output_names=['heatmaps'],
    )  # fmt: skip
    onnx.checker.check_model(onnx.load(str(path)), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    (got,) = session.run(None, {'image': image.numpy()})
    with torch.no_grad():
        difference = float(np.abs(got - network(image).numpy()).max())
    if difference > 1e-4:
        raise SystemExit(f'{path}: differs from the checkpoint by {difference}, expected 1e-4')
    print(f'{path.name}: {path.stat().st_size} bytes, largest difference {difference:.1e}')


def manifest(digest: str) -> ModelManifest:
    """Return the manifest of the model."""
    return ModelManifest(
        name='landing_pad',
        description='Keypoints of our landing pad; print it with: edge-perception pad',
        license='Apache-2.0',
        source='model.onnx',
        sha256=digest,
        input=InputRecipe(
            name='image', width=WIDTH, height=HEIGHT, color='gray', scale=1 / 255,
            mean=(0.0,), std=(1.0,), resize='letterbox_center', interpolation='area',
        ),
        decoder='heatmap',
        labels=LabelMap(('landing_pad',)),
        keypoint_names=tuple(point.name for point in pad.KEYPOINTS),
        skeleton=_skeleton(),
        object_points=tuple(
            tuple(round(float(value), 9) + 0.0 for value in row) for row in pad.object_points()
        ),
        pose=PoseRecipe(
            keypoint_sigma=KEYPOINT_SIGMA, refine=True, refined_sigma=REFINED_SIGMA,
            pattern=pad.pattern(),
        ),
        selection=Selection(score_threshold=SCORE_THRESHOLD),
    )  # fmt: skip


def _skeleton() -> tuple[tuple[int, int], ...]:
    """Return the lines to draw: left and lower edge of the pattern, and to the far corner."""
    names = [point.name for point in pad.KEYPOINTS]
    corners = ('a5', 'a4', 'a3', 'a2', 'a1', 'b1', 'c1', 'd1', 'e1', 'e5', 'a5')
    way = [names.index(name) for name in corners]
    return tuple(zip(way, way[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('folder', type=Path, help='model folder to write')
    arguments = parser.parse_args()
    network = LandingPadNet(len(pad.KEYPOINTS))
    network.load_state_dict(torch.load(arguments.checkpoint, weights_only=True))
    arguments.folder.mkdir(parents=True, exist_ok=True)
    source = arguments.folder / 'model.onnx'
    export(network, source)
    values = dump_manifest(manifest(hashlib.sha256(source.read_bytes()).hexdigest()))
    text = yaml.safe_dump(values, sort_keys=False, default_flow_style=None, width=99)
    (arguments.folder / 'model.yaml').write_text(text, encoding='utf-8')
    (arguments.folder / 'pad.svg').write_text(pad_drawing.svg(1.0), encoding='utf-8')


if __name__ == '__main__':
    main()
