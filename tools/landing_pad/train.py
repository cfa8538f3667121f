# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Trains the network of the landing pad on rendered pictures; keeps a checkpoint as it goes."""

from __future__ import annotations

import argparse
import copy
from dataclasses import dataclass
import math
from pathlib import Path
import time
from typing import Any

import cv2
from network import heatmap_targets
from network import LandingPadNet
from network import loss
from network import STRIDE
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

SEED = 20260
BATCH = 32
WEIGHT_DECAY = 1e-2
WARM_UP = 0.05
# Cells; smaller peaks are sharper but harder to learn.
DEVIATION = 1.1
# The weights that are kept are a running mean; this is the share that each step leaves.
AVERAGE = 0.998
REPORT_EVERY = 50
VALIDATE_EVERY = 600

Array = npt.NDArray[Any]
Batch = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass
class Pictures:
    """
    Rendered pictures in memory.

    :param image: uint8 (N, H, W).
    :param keypoints: float32 (N, K, 2), pixels.
    :param seen: bool (N, K).
    :param with_pad: bool (N,).
    """

    image: Array
    keypoints: Array
    seen: Array
    with_pad: Array

    @classmethod
    def load(cls, folder: Path, split: str) -> Pictures:
        """Read all chunks of a split."""
        chunks = [np.load(path) for path in sorted(folder.glob(f'{split}_*.npz'))]
        if not chunks:
            raise SystemExit(f'{folder}: got no {split}_*.npz, expected pictures; run dataset.py')
        names = ('image', 'keypoints', 'seen', 'with_pad')
        return cls(**{name: np.concatenate([chunk[name] for chunk in chunks]) for name in names})

    def __len__(self) -> int:
        return len(self.image)


def batch(
    pictures: Pictures, rows: Array, random: np.random.Generator | None = None, zoom: float = 0.0
) -> Batch:
    """
    Return tensors for some rows, altered at random if there is a generator.

    :param zoom: logarithm of the largest enlargement.

    :return: images (N, 1, H, W), keypoints (N, K, 2), target presence (N, K), weight (N, K).
    """
    images, keypoints = pictures.image[rows], pictures.keypoints[rows].copy()
    hidden = _inside(keypoints, images.shape) & ~pictures.seen[rows]
    if random is not None:
        images = images.copy()
        for row in range(len(rows)):
            images[row], keypoints[row] = alter(images[row], keypoints[row], random, zoom)
    within = _inside(keypoints, images.shape) & pictures.with_pad[rows][:, None]
    # What is hidden may be guessed or not, as the network likes.
    weight = ~(hidden & pictures.with_pad[rows][:, None])
    return (
        torch.from_numpy(images[:, None]).float() / 255,
        torch.from_numpy(keypoints),
        torch.from_numpy(within).float(),
        torch.from_numpy(weight).float(),
    )


def _inside(keypoints: Array, shape: tuple[int, ...]) -> Array:
    within = (keypoints >= 0) & (keypoints < (shape[2], shape[1]))
    return np.asarray(within.all(axis=-1))


def alter(
    image: Array, keypoints: Array, random: np.random.Generator, zoom: float
) -> tuple[Array, Array]:
    """Turn, move, scale and expose a picture anew, so that none is seen twice."""
    height, width = image.shape
    turn = random.uniform(-20, 20) + (180 if random.random() < 0.5 else 0)
    scale = math.exp(random.uniform(-0.2, zoom))
    matrix: Array = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, scale)
    matrix[:, 2] += random.uniform(-0.1, 0.1, 2) * (width, height)
    image = cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT, borderValue=int(random.integers(0, 256)),
    )  # fmt: skip
    keypoints = (keypoints - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5
    values = np.arange(256, dtype=np.float32) / 255
    values = values ** math.exp(random.normal(0, 0.25)) * math.exp(random.normal(0, 0.2))
    values = (255 * (values + random.normal(0, 0.05))).clip(0, 255)
    image = cv2.LUT(image, values.astype(np.uint8))
    return image, keypoints.astype(np.float32)


def course(done: float) -> float:
    """Return the share of the learning rate at a time: a short rise, then a cosine."""
    if done < WARM_UP:
        return done / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


@torch.no_grad()
def validate(network: LandingPadNet, pictures: Pictures) -> str:
    """Return loss, median error of the seen keypoints, and peaks with and without a pad."""
    network.eval()
    losses, errors, right, wrong = [], [], [], []
    for start in range(0, len(pictures), 50):
        rows = np.arange(start, min(start + 50, len(pictures)))
        images, keypoints, present, weight = batch(pictures, rows)
        logits = network(images)
        targets = _targets(keypoints, present, logits)
        losses.append(float(loss(logits, targets, weight=weight)))
        peak, cell = torch.sigmoid(logits).flatten(2).max(-1)
        columns = logits.shape[3]
        found = torch.stack([cell % columns + 0.5, cell // columns + 0.5], -1) * STRIDE
        known = (present * weight) > 0
        errors.append((found - keypoints).norm(dim=-1)[known])
        right.append(peak[known])
        wrong.append(peak[~torch.from_numpy(pictures.with_pad[rows])].amax(-1))
    distance = torch.cat(errors)
    return (
        f'loss {np.mean(losses):.4f}, median error {distance.median():.2f} px, '
        f'within 8 px {100 * (distance < 8).float().mean():.1f} %, '
        f'median peak {torch.cat(right).median():.2f}, '
        f'negatives above 0.3: {100 * (torch.cat(wrong) > 0.3).float().mean():.1f} %'
    )


def _targets(keypoints: Tensor, present: Tensor, logits: Tensor) -> Tensor:
    rows, columns = logits.shape[2:]
    maps = heatmap_targets(keypoints, rows=rows, columns=columns, deviation=DEVIATION)
    return maps * present[..., None, None]


def train(
    network: LandingPadNet,
    pictures: Pictures,
    validation: Pictures,
    *,
    steps: int,
    rate: float,
    zoom: float,
    seed: int,
    output: Path,
) -> None:
    """Train for so many batches; write a checkpoint as it goes."""
    random = np.random.default_rng(seed)
    network.to(memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
    order, total, start = np.empty(0, int), 0.0, time.monotonic()
    for step in range(1, steps + 1):
        if len(order) < BATCH:
            order = random.permutation(len(pictures))
        rows, order = order[:BATCH], order[BATCH:]
        for group in optimiser.param_groups:
            group['lr'] = rate * course(step / steps)
        total += _step(network, optimiser, batch(pictures, rows, random, zoom))
        _follow(average, network, min(AVERAGE, step / (step + 10)))
        if step % REPORT_EVERY == 0:
            seconds, mean = time.monotonic() - start, total / REPORT_EVERY
            print(f'{seconds:.0f} s: step {step} of {steps}, loss {mean:.4f}', flush=True)
            total = 0.0
        if step % VALIDATE_EVERY == 0 or step == steps:
            print(validate(average, validation), flush=True)
            torch.save(average.state_dict(), output)


def _step(network: LandingPadNet, optimiser: torch.optim.Optimizer, data: Batch) -> float:
    images, keypoints, present, weight = data
    network.train()
    logits = network(images.to(memory_format=torch.channels_last))
    value = loss(logits, _targets(keypoints, present, logits), weight=weight)
    optimiser.zero_grad()
    value.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimiser.step()
    return float(value.detach())


@torch.no_grad()
def _follow(average: LandingPadNet, network: LandingPadNet, share: float) -> None:
    state = network.state_dict()
    for name, value in average.state_dict().items():
        if value.dtype.is_floating_point:
            value.lerp_(state[name], 1 - share)
        else:
            value.copy_(state[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('pictures', type=Path, help='folder made by dataset.py')
    parser.add_argument('output', type=Path, help='checkpoint to write')
    parser.add_argument('--start', type=Path, help='checkpoint to go on from')
    parser.add_argument('--steps', type=int, default=4800, help=f'batches of {BATCH}')
    parser.add_argument('--rate', type=float, default=4e-3, help='largest learning rate')
    parser.add_argument('--zoom', type=float, default=0.3, help='log of the largest enlargement')
    parser.add_argument('--seed', type=int, default=SEED)
    parser.add_argument('--threads', type=int, default=2)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(1)
    pictures = Pictures.load(arguments.pictures, 'train')
    network = LandingPadNet(pictures.keypoints.shape[1])
    if arguments.start:
        network.load_state_dict(torch.load(arguments.start, weights_only=True))
    train(
        network,
        pictures,
        Pictures.load(arguments.pictures, 'validation'),
        steps=arguments.steps,
        rate=arguments.rate,
        zoom=arguments.zoom,
        seed=arguments.seed,
        output=arguments.output,
    )


if __name__ == '__main__':
    main()
