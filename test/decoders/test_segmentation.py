# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from edge_perception.contract import DecodeError
from edge_perception.contract import DecoderMismatchError
from edge_perception.contract import Frame
from edge_perception.contract import ImageTransform
from edge_perception.contract import InputRecipe
from edge_perception.contract import TensorSpec
from edge_perception.runtime.preprocessing import Preprocessor
from test.decoders.network import make_decoder
from test.decoders.outputs import bind
from test.decoders.outputs import decode
from test.decoders.outputs import make_manifest
from test.decoders.outputs import specs

LABELS = ('background', 'road', 'tree')
# A class for each cell of an input of 64x64 whose output is 16x16.
MAP = np.zeros((16, 16), np.uint8)
MAP[4:12, 3:5] = 1
MAP[9:12, 8:16] = 2


def logits(layout: str) -> np.ndarray:
    """Return numbers whose greatest channel is the class in MAP."""
    noise = np.random.default_rng(0).random((3, 16, 16))
    channels = (noise + 2 * (np.arange(3)[:, None, None] == MAP)).astype(np.float32)[None]
    return channels if layout == 'nchw' else np.ascontiguousarray(channels.transpose(0, 2, 3, 1))


OUTPUTS = {
    'nchw': logits('nchw'),
    'nhwc': logits('nhwc'),
    'map of int64': MAP[None].astype(np.int64),
    'map of int32 with a channel': MAP[None, None].astype(np.int32),
    'map of uint8 with a last channel': MAP[None, :, :, None],
}


@pytest.mark.parametrize('output', OUTPUTS)
def test_every_form_gives_the_class_of_each_pixel(output):
    tensors = {'classes': OUTPUTS[output]}
    decoder = bind(make_manifest('segmentation', labels=LABELS), tensors)
    mask = decode(decoder, tensors).mask
    assert mask.dtype == np.uint8
    assert mask.flags.c_contiguous
    np.testing.assert_array_equal(mask, MAP.repeat(4, axis=0).repeat(4, axis=1))
    assert decoder.class_count == (3 if output in ('nchw', 'nhwc') else None)


@pytest.mark.parametrize('rotation', [0, 90, 180, 270])
@pytest.mark.parametrize('resize', ['letterbox_center', 'letterbox_top_left', 'stretch'])
@pytest.mark.parametrize('width, height', [(320, 200), (64, 64), (33, 87), (80, 640)])
def test_the_mask_lies_on_the_image(resize, width, height, rotation):
    """What a pixel is in the input, it is in the mask of the source."""
    recipe = InputRecipe(width=64, height=64, layout='nhwc', dtype='uint8', resize=resize, fill=0)
    preprocessor = Preprocessor(
        recipe,
        spec=TensorSpec('images', recipe.shape, np.dtype(np.uint8)),
        rotation=rotation,
    )
    image = np.zeros((height, width, 3), np.uint8)
    image[height // 3 :, width // 2 :] = 1
    tensor = np.empty(recipe.shape, np.uint8)
    transform = preprocessor(Frame(image), tensor)
    tensors = {'classes': np.ascontiguousarray(tensor[..., 0])}
    decoder = bind(make_manifest('segmentation'), tensors)
    mask = decode(decoder, tensors, transform=transform).mask
    assert mask.shape == (height, width)
    # Away from the edge, which a small picture cannot place better than a pixel.
    y, x = np.mgrid[:height, :width] + 0.5
    reach = np.array([1.5 / transform.scale_x, 1.5 / transform.scale_y])
    if rotation in (90, 270):
        reach = reach[::-1]
    clear = (abs(x - width // 2) > reach[0]) & (abs(y - height // 3) > reach[1])
    np.testing.assert_array_equal(mask[clear], image[..., 0][clear])
    assert clear.mean() > 0.2


def test_one_channel_is_foreground_or_not():
    probability = np.where(MAP == 1, 0.7, 0.2).astype(np.float32)[None, None]
    tensors = {'mask': probability}
    decoder = bind(make_manifest('segmentation'), tensors)
    expected = (MAP == 1).repeat(4, axis=0).repeat(4, axis=1)
    np.testing.assert_array_equal(decode(decoder, tensors).mask, expected)
    assert decoder.class_count == 2
    strict = bind(make_manifest('segmentation', foreground_threshold=0.8), tensors)
    assert not decode(strict, tensors).mask.any()


def test_a_second_source_size_gets_its_own_mask():
    tensors = {'classes': OUTPUTS['nchw']}
    decoder = bind(make_manifest('segmentation', labels=LABELS), tensors)
    for width, height in ((64, 64), (128, 32), (64, 64)):
        transform = ImageTransform(width, height, 64, 64, 64 / width, 64 / height)
        mask = decode(decoder, tensors, transform=transform).mask
        assert mask.shape == (height, width)
        assert mask[height * 5 // 16, width * 4 // 16] == 1
        assert mask[height * 10 // 16, width * 9 // 16] == 2


@pytest.mark.parametrize(
    'labels, layout, channels', [((), 'nchw', 16), ((), 'nhwc', 3), (LABELS, 'nchw', 3)]
)
def test_channels_are_found_by_labels_else_they_are_where_those_of_the_input_are(
    labels, layout, channels
):
    manifest = make_manifest('segmentation', labels=labels, layout=layout)
    decoder = make_decoder(manifest, *specs(classes=(1, 16, 16, 3)))
    assert decoder.class_count == channels


@pytest.mark.parametrize(
    'outputs, expected',
    [
        ([], 'expected one output 1xCxHxW'),
        ([TensorSpec('a', (16, 16), np.dtype(np.uint8))], 'expected one output 1xCxHxW'),
        ([TensorSpec('a', (1, 16, 16), np.dtype(np.float32))], 'expected integers in a map'),
        (
            [TensorSpec('a', (1, 3, 16, 16), np.dtype(np.uint8))],
            'expected one channel of integers',
        ),
        ([TensorSpec('a', (1, 300, 16, 16), np.dtype(np.float32))], 'at most 256 channels'),
    ],
)
def test_other_outputs_are_refused(outputs, expected):
    with pytest.raises(DecoderMismatchError, match=expected):
        make_decoder(make_manifest('segmentation'), *outputs)


def test_numbers_that_are_not_finite_are_an_error_and_not_background():
    tensors = {'classes': OUTPUTS['nchw'].copy()}
    tensors['classes'][0, 1, 8, 8] = np.nan
    with pytest.raises(DecodeError, match='not finite'):
        decode(bind(make_manifest('segmentation', labels=LABELS), tensors), tensors)


@pytest.mark.parametrize('number', [-1, 256, 2**40])
def test_a_number_that_is_no_class_is_an_error_and_not_the_nearest_one(number):
    tensors = {'classes': OUTPUTS['map of int64'].copy()}
    tensors['classes'][0, 8, 8] = number
    with pytest.raises(DecodeError, match=f'the model gave class {number}, expected 0 to 255'):
        decode(bind(make_manifest('segmentation'), tensors), tensors)
