# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Train the network of the landing pad on rendered images, and write checkpoints."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
import copy
import math
from pathlib import Path
import time

import cv2
from network import heatmap_targets
from network import LandingPadNet
from network import loss
from network import STRIDE
import numpy as np
from pictures import Alteration
from pictures import Array
from pictures import Batch
from pictures import batch
from pictures import TrainingImages
from pictures import whole
from pictures import window
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


def course(done: float) -> float:
    """Return the share of the learning rate at a time: a short rise, then a cosine."""
    if done < WARM_UP:
        return done / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


@torch.no_grad()
def validate(network: LandingPadNet, pictures: TrainingImages) -> str:
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
    pictures: TrainingImages,
    validation: TrainingImages,
    *,
    alter: Alteration,
    steps: int,
    rate: float,
    seed: int,
    output: Path,
) -> None:
    """Train for ``steps`` batches, and write checkpoints."""
    random = np.random.default_rng(seed)
    network.to(memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
    draw = by_size(pictures, random) if alter is window else in_turn(pictures, random)
    total, start = 0.0, time.monotonic()
    for step in range(1, steps + 1):
        rows = next(draw)
        for group in optimizer.param_groups:
            group['lr'] = rate * course(step / steps)
        total += _step(network, optimizer, batch(pictures, rows, alter, random))
        _follow(average, network, min(AVERAGE, step / (step + 10)))
        if step % REPORT_EVERY == 0:
            seconds, mean = time.monotonic() - start, total / REPORT_EVERY
            print(f'{seconds:.0f} s: step {step} of {steps}, loss {mean:.4f}', flush=True)
            total = 0.0
        if step % VALIDATE_EVERY == 0 or step == steps:
            print(validate(average, validation), flush=True)
            torch.save(average.state_dict(), output)


def in_turn(pictures: TrainingImages, random: np.random.Generator) -> Iterator[Array]:
    """Yield rows for batches: all images, in another order each time."""
    order = np.empty(0, int)
    while True:
        if len(order) < BATCH:
            order = random.permutation(len(pictures))
        rows, order = order[:BATCH], order[BATCH:]
        yield rows


def by_size(pictures: TrainingImages, random: np.random.Generator) -> Iterator[Array]:
    """Yield rows for batches, those of small pads more often."""
    shares = pictures.shares()
    while True:
        yield random.choice(len(pictures), BATCH, p=shares)


def _step(network: LandingPadNet, optimizer: torch.optim.Optimizer, data: Batch) -> float:
    images, keypoints, present, weight = data
    network.train()
    logits = network(images.to(memory_format=torch.channels_last))
    value = loss(logits, _targets(keypoints, present, logits), weight=weight)
    optimizer.zero_grad()
    value.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()
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
    parser.add_argument('--windows', action='store_true', help='of whole images, without --zoom')
    parser.add_argument('--chunks', type=int, help='of images to take; all if not given')
    parser.add_argument('--seed', type=int, default=SEED)
    parser.add_argument('--threads', type=int, default=2)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(1)
    folder, halved = arguments.pictures, not arguments.windows
    pictures = TrainingImages.load(folder, 'train', halved=halved, chunks=arguments.chunks)
    network = LandingPadNet(pictures.keypoints.shape[1])
    if arguments.start:
        network.load_state_dict(torch.load(arguments.start, weights_only=True))
    train(
        network,
        pictures,
        TrainingImages.load(folder, 'validation', halved=True),
        alter=window if arguments.windows else whole(arguments.zoom),
        steps=arguments.steps,
        rate=arguments.rate,
        seed=arguments.seed,
        output=arguments.output,
    )


if __name__ == '__main__':
    main()
