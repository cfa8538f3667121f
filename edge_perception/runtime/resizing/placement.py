# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Decide where an image goes in the input of a network."""

from __future__ import annotations

from edge_perception.contract import ImageTransform
from edge_perception.contract import InputRecipe


def place(
    recipe: InputRecipe, *, width: int, height: int, rotation: int
) -> tuple[ImageTransform, tuple[int, int]]:
    """
    Decide where an image goes in the input of a network.

    A letterboxed image is as large as fits, and at least one pixel. In a centered letterbox an odd
    pixel of padding goes to the right or the bottom. Each rule is that of its origin, because
    published models were trained and are judged by it:

    * ``letterbox_center``, Ultralytics: sides are rounded to the nearest pixel, and boxes go back
      by the one ratio that was wanted before rounding.
    * ``letterbox_top_left``, YOLOX: the shorter side is rounded down, boxes go back by the ratio.
    * ``letterbox_center_floor``, NanoDet: rounded down, each side goes back by its own ratio.
    * ``center_crop``, classifiers of torchvision and Ultralytics: the image covers the input, its
      longer side is rounded down, and what is outside of the center is not seen.

    :param width: of the source image, in pixels, before it is turned.
    :return: the transform, and width and height of the resized image in pixels, which may be
        larger than the input.
    """
    turned = (height, width) if rotation in (90, 270) else (width, height)
    new_width, new_height = _resized(recipe, *turned)
    scale_x, scale_y = new_width / turned[0], new_height / turned[1]
    if recipe.resize in ('letterbox_top_left', 'letterbox_center'):
        scale_x = scale_y = min(recipe.width / turned[0], recipe.height / turned[1])
    left, top = recipe.width - new_width, recipe.height - new_height
    if recipe.resize == 'letterbox_top_left':
        offset_x = offset_y = 0
    elif recipe.resize == 'center_crop':  # rounded to the even one
        offset_x, offset_y = round(left / 2), round(top / 2)
    else:
        offset_x, offset_y = left // 2, top // 2
    transform = ImageTransform(
        source_width=width,
        source_height=height,
        input_width=recipe.width,
        input_height=recipe.height,
        scale_x=scale_x,
        scale_y=scale_y,
        offset_x=offset_x,
        offset_y=offset_y,
        rotation=rotation,
    )
    return transform, (new_width, new_height)


def _resized(recipe: InputRecipe, width: int, height: int) -> tuple[int, int]:
    """Return width and height of an image, which is turned already, after resizing."""
    if recipe.resize == 'stretch':
        return recipe.width, recipe.height
    if recipe.resize == 'letterbox_center':
        ratio = min(recipe.width / width, recipe.height / height)
        return max(1, round(width * ratio)), max(1, round(height * ratio))
    # In whole numbers, because int(49 * (1 / 49)) is 0.
    wider = width * recipe.height >= height * recipe.width
    if wider != (recipe.resize == 'center_crop'):  # it is as wide as the input
        return recipe.width, max(1, height * recipe.width // width)
    return max(1, width * recipe.height // height), recipe.height


def placed(
    recipe: InputRecipe, *, left: int, top: int, width: int, height: int
) -> tuple[tuple[slice, slice], list[tuple[slice, slice]]]:
    """Return the rows and columns that a resized image takes, and those beside it."""
    left, top = max(0, left), max(0, top)
    right, bottom = min(recipe.width, left + width), min(recipe.height, top + height)
    rows, columns = slice(top, bottom), slice(left, right)
    beside = [
        (slice(0, top), slice(None)),
        (slice(bottom, recipe.height), slice(None)),
        (rows, slice(0, left)),
        (rows, slice(right, recipe.width)),
    ]
    sides = (top, recipe.height - bottom, left, recipe.width - right)
    return (rows, columns), [strip for strip, side in zip(beside, sides) if side]
