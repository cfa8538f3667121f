# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Define the network of the landing pad: a gray image to a heat map for each keypoint.

A U-Net of depthwise separable convolutions. Most layers work at a sixteenth of the resolution,
where 5 x 5 kernels see the whole image: which corner of a chessboard a corner is can only be
told from afar. A path back to a quarter of the resolution gives the positions.
"""

from __future__ import annotations

import torch
from torch import nn
from torch import Tensor
from torch.nn import functional

# Pixels of the input for each cell of the heat maps.
STRIDE = 4
STEM, QUARTER, EIGHTH, SIXTEENTH = 16, 24, 48, 96
DEEP_BLOCKS = 6


def _unit(
    inputs: int, outputs: int, *, kernel: int = 1, stride: int = 1, active: bool = True
) -> nn.Sequential:
    """Return convolution and normalization, and an activation where wanted."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if active else []))


class Separable(nn.Sequential):
    """
    A depthwise and a pointwise convolution.

    Nothing is between the two: on a CPU normalizing costs as much time as convolving here.
    """

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1,
                 active: bool = True) -> None:  # fmt: skip
        super().__init__(
            nn.Conv2d(inputs, inputs, kernel, stride, kernel // 2, groups=inputs, bias=False),
            _unit(inputs, outputs, active=active),
        )


class Residual(nn.Module):
    """Two separable convolutions beside a short cut."""

    def __init__(self, channels: int, *, kernel: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Separable(channels, channels, kernel=kernel),
            Separable(channels, channels, kernel=kernel, active=False),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.relu(inputs + self.body(inputs))


class LandingPadNet(nn.Module):
    """
    Image to heat maps.

    In: float32 (N, 1, H, W), 0 to 1, H and W multiples of 16. Out: (N, K, H / 4, W / 4) logits, or
    scores from 0 to 1 once ``scores`` is set, as in the exported file.
    """

    def __init__(self, keypoints: int) -> None:
        super().__init__()
        self.scores = False
        # The finest layers take most of the time: nothing there that is not needed.
        self.stem = nn.Sequential(nn.Conv2d(1, STEM, 3, 2, 1), nn.ReLU(inplace=True))
        self.quarter = nn.Sequential(
            Separable(STEM, QUARTER, stride=2), Separable(QUARTER, QUARTER)
        )
        self.eighth = nn.Sequential(
            Separable(QUARTER, EIGHTH, stride=2), Residual(EIGHTH, kernel=5)
        )
        self.sixteenth = nn.Sequential(
            Separable(EIGHTH, SIXTEENTH, stride=2),
            *(Residual(SIXTEENTH, kernel=5) for _ in range(DEEP_BLOCKS // 2)),
        )
        self.to_eighth = _unit(SIXTEENTH, EIGHTH, active=False)
        self.join_eighth = Separable(EIGHTH, EIGHTH, kernel=5)
        self.to_quarter = _unit(EIGHTH, 2 * STEM, active=False)
        self.skip_quarter = _unit(QUARTER, 2 * STEM, active=False)
        self.join_quarter = Separable(2 * STEM, 2 * STEM)
        self.head = nn.Conv2d(2 * STEM, keypoints, 1)
        # Almost every cell is empty: start there, or the first steps only learn that.
        nn.init.constant_(self.head.bias, -5.0)

    def forward(self, image: Tensor) -> Tensor:
        quarter = self.quarter(self.stem(image))
        eighth = self.eighth(quarter)
        up = functional.interpolate(self.to_eighth(self.sixteenth(eighth)), scale_factor=2.0)
        eighth = self.join_eighth(functional.relu(eighth + up))
        up = functional.interpolate(self.to_quarter(eighth), scale_factor=2.0)
        quarter = self.join_quarter(functional.relu(self.skip_quarter(quarter) + up))
        logits: Tensor = self.head(quarter)
        return torch.sigmoid(logits) if self.scores else logits


def heatmap_targets(keypoints: Tensor, *, rows: int, columns: int, deviation: float) -> Tensor:
    """
    Return a Gaussian for each keypoint.

    :param keypoints: (N, K, 2) in pixels of the input.
    :param deviation: of the Gaussian in cells.
    :return: (N, K, rows, columns), 0 to 1.
    """
    x = keypoints[..., :1] / STRIDE - 0.5 - torch.arange(columns)
    y = keypoints[..., 1:] / STRIDE - 0.5 - torch.arange(rows)
    across = torch.exp(-0.5 * (x / deviation) ** 2)
    down = torch.exp(-0.5 * (y / deviation) ** 2)
    return down[..., :, None] * across[..., None, :]


def loss(logits: Tensor, targets: Tensor, *, weight: Tensor) -> Tensor:
    """
    Return the quality focal loss, for each keypoint.

    Its minimum is at scores equal to the targets, so that the shape of a peak can be trusted below
    a cell; empty cells that are empty already weigh next to nothing.
    Source: Li et al., Generalized Focal Loss, 2020, with beta 2.

    :param weight: (N, K), 0 where a keypoint is not to be learned.
    """
    scores = torch.sigmoid(logits)
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction='none')
    focal = (targets - scores).square() * cross_entropy
    return (focal.sum((2, 3)) * weight).sum() / weight.sum().clamp(min=1)
