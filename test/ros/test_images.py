# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest
from sensor_msgs.msg import Image

from edge_perception.contract import Frame
from edge_perception.contract import FRAME_ENCODINGS
from edge_perception.contract import ImageError
from edge_perception.ros.input.raw_images import ENCODINGS
from edge_perception.ros.input.raw_images import image_to_frame
from edge_perception.ros.input.raw_images import MAX_SURPLUS_ROWS
from edge_perception.runtime.sample_range import SampleRange

WIDTH, HEIGHT = 16, 12
NOISE = np.random.default_rng(7).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)  # BGR
OPAQUE = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)

SUPPORTED = (
    'bgr8, rgb8, mono8, bgra8, rgba8, mono16, bgr16, rgb16, 8UC1, 8UC3, 8UC4, uyvy, yuv422, yuyv, '
    'yuy2, yuv422_yuy2, nv12, nv21, bayer_rggb8, bayer_bggr8, bayer_gbrg8, bayer_grbg8, '
    'bayer_rggb16, bayer_bggr16, bayer_gbrg16, bayer_grbg16'
)


def image_message(
    rows: np.ndarray, encoding: str, *, width: int, height: int, padding: int = 0
) -> Image:
    """Return a message from the bytes of each row, shape (rows, bytes)."""
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xAB)
    message = Image(encoding=encoding, width=width, height=height, step=padded.shape[1])
    message.data = padded.tobytes()
    return message


def picture_message(samples: np.ndarray, encoding: str, *, padding: int = 0) -> Image:
    """Return a message whose rows are those of an array (height, width, ...)."""
    height, width = samples.shape[:2]
    rows = np.ascontiguousarray(samples).view(np.uint8).reshape(height, -1)
    return image_message(rows, encoding, width=width, height=height, padding=padding)


def color_blocks() -> np.ndarray:
    """Return BGR of one color in each 2x2 block: subsampled chroma loses nothing."""
    small = np.random.default_rng(3).integers(0, 256, (HEIGHT // 2, WIDTH // 2, 3), np.uint8)
    return small.repeat(2, axis=0).repeat(2, axis=1)


def bt601(bgr: np.ndarray) -> np.ndarray:
    """Return Y, Cb, Cr in video range; ITU-R BT.601, section 2.5."""
    blue, green, red = np.moveaxis(bgr.astype(float) / 255, -1, 0)
    brightness = 16 + 65.481 * red + 128.553 * green + 24.966 * blue
    blue_difference = 128 - 37.797 * red - 74.203 * green + 112.0 * blue
    red_difference = 128 + 112.0 * red - 93.786 * green - 18.214 * blue
    planes = np.stack([brightness, blue_difference, red_difference], axis=-1)
    return planes.round().astype(np.uint8)


def packed_yuv(order: str) -> np.ndarray:
    yuv = bt601(color_blocks())
    samples = np.empty((HEIGHT, WIDTH // 2, 4), np.uint8)
    brightness = iter((yuv[:, 0::2, 0], yuv[:, 1::2, 0]))
    for index, name in enumerate(order):
        chroma = {'u': yuv[:, ::2, 1], 'v': yuv[:, ::2, 2]}
        samples[..., index] = next(brightness) if name == 'y' else chroma[name]
    return samples.reshape(HEIGHT, -1)


def planar_yuv(order: str) -> np.ndarray:
    yuv = bt601(color_blocks())
    first, second = (1, 2) if order == 'uv' else (2, 1)
    chroma = np.stack([yuv[::2, ::2, first], yuv[::2, ::2, second]], axis=-1)
    return np.concatenate([yuv[..., 0], chroma.reshape(HEIGHT // 2, WIDTH)])


def mosaic(bgr: np.ndarray, pattern: str) -> np.ndarray:
    """Return what a sensor sees whose color filter starts with this 2x2 pattern, row by row."""
    seen = np.empty(bgr.shape[:2], bgr.dtype)
    for index, name in enumerate(pattern):
        row, column = divmod(index, 2)
        seen[row::2, column::2] = bgr[row::2, column::2, 'bgr'.index(name)]
    return seen


@pytest.mark.parametrize('padding', [0, 7])
@pytest.mark.parametrize(
    ('encoding', 'samples', 'expected', 'result'),
    [
        ('bgr8', NOISE, NOISE, 'bgr8'),
        ('8UC3', NOISE, NOISE, 'bgr8'),
        ('rgb8', NOISE[..., ::-1], NOISE[..., ::-1], 'rgb8'),
        ('mono8', NOISE[..., 0], NOISE[..., 0], 'mono8'),
        ('8UC1', NOISE[..., 0], NOISE[..., 0], 'mono8'),
        ('bgra8', np.dstack([NOISE, OPAQUE]), NOISE, 'bgr8'),
        ('8UC4', np.dstack([NOISE, OPAQUE]), NOISE, 'bgr8'),
        ('rgba8', np.dstack([NOISE[..., ::-1], OPAQUE]), NOISE, 'bgr8'),
    ],
)
def test_colors_are_exact(encoding, samples, expected, result, padding):
    frame = image_to_frame(picture_message(samples, encoding, padding=padding))
    assert frame.encoding == result
    assert frame.image.flags.c_contiguous
    np.testing.assert_array_equal(frame.image, expected)


@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize('big_endian', [False, True])
@pytest.mark.parametrize(
    ('encoding', 'channels', 'result'),
    [('mono16', 1, 'mono8'), ('bgr16', 3, 'bgr8'), ('rgb16', 3, 'rgb8')],
)
def test_16_bit_keeps_the_upper_byte(encoding, channels, result, big_endian, padding):
    values = np.random.default_rng(5).integers(0, 2**16, (HEIGHT, WIDTH, channels))
    samples = values.astype('>u2' if big_endian else '<u2')
    message = picture_message(samples, encoding, padding=padding)
    message.is_bigendian = int(big_endian)
    frame = image_to_frame(message)
    assert frame.encoding == result
    np.testing.assert_array_equal(frame.image.reshape(values.shape), values >> 8)


@pytest.mark.parametrize('padding', [0, 10])
@pytest.mark.parametrize(
    ('encoding', 'rows'),
    [
        ('uyvy', packed_yuv('uyvy')),
        ('yuv422', packed_yuv('uyvy')),
        ('yuyv', packed_yuv('yuyv')),
        ('yuy2', packed_yuv('yuyv')),
        ('yuv422_yuy2', packed_yuv('yuyv')),
        ('nv12', planar_yuv('uv')),
        ('nv21', planar_yuv('vu')),
    ],
)
def test_yuv_colors_are_right_up_to_rounding(encoding, rows, padding):
    frame = image_to_frame(
        image_message(rows, encoding, width=WIDTH, height=HEIGHT, padding=padding)
    )
    assert frame.encoding == 'bgr8'
    np.testing.assert_allclose(frame.image.astype(int), color_blocks(), atol=3)


@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
@pytest.mark.parametrize('depth', [8, 16])
def test_mosaics_name_the_first_two_rows(pattern, depth, padding):
    blue, green, red = 20, 120, 240
    picture = np.full((HEIGHT, WIDTH, 3), (blue, green, red), np.uint8)
    seen = mosaic(picture, pattern)
    if depth == 16:
        seen = seen.astype('<u2') << 8
    frame = image_to_frame(picture_message(seen, f'bayer_{pattern}{depth}', padding=padding))
    assert frame.encoding == 'bgr8'
    np.testing.assert_array_equal(frame.image, picture)


@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_mosaics_keep_the_place_of_what_they_show(pattern):
    ramp = np.linspace(0, 220, WIDTH)[None, :, None] + np.linspace(0, 33, HEIGHT)[:, None, None]
    picture = (ramp * np.array([1.0, 0.8, 0.6])).astype(np.uint8)
    frame = image_to_frame(picture_message(mosaic(picture, pattern), f'bayer_{pattern}8'))
    inside = np.s_[1:-1, 1:-1]  # at the border neighbors are missing
    np.testing.assert_allclose(frame.image[inside].astype(int), picture[inside], atol=3)


@pytest.mark.parametrize('encoding', ['bgr8', 'rgb8', 'mono8'])
def test_plain_images_are_not_copied_and_cannot_be_written(encoding):
    samples = NOISE[..., 0] if encoding == 'mono8' else NOISE
    message = picture_message(samples, encoding)
    frame = image_to_frame(message)
    assert np.shares_memory(frame.image, np.frombuffer(message.data, np.uint8))
    assert not frame.image.flags.writeable


def test_a_frame_outlives_its_message():
    frame = image_to_frame(picture_message(NOISE, 'bgr8'))
    np.testing.assert_array_equal(frame.image, NOISE)


def test_stamp_and_frame_id_come_from_the_header():
    message = picture_message(NOISE, 'bgr8')
    message.header.stamp.sec, message.header.stamp.nanosec = 1_700_000_000, 123_456_789
    message.header.frame_id = 'front_camera_optical_frame'
    frame = image_to_frame(message)
    assert frame.stamp_ns == 1_700_000_000_123_456_789
    assert frame.frame_id == 'front_camera_optical_frame'


def test_rows_behind_the_image_and_a_bare_last_row_are_accepted():
    padded = picture_message(NOISE, 'bgr8', padding=7)
    bare = picture_message(NOISE, 'bgr8', padding=7)
    bare.data = bare.data[:-7]
    longer = picture_message(NOISE, 'bgr8', padding=7)
    longer.data.extend(bytes(longer.step * MAX_SURPLUS_ROWS))
    for message in (padded, bare, longer):
        np.testing.assert_array_equal(image_to_frame(message).image, NOISE)


@pytest.mark.parametrize(
    ('fields', 'sentence'),
    [
        (
            {'encoding': 'jpeg'},
            f"encoding: got 'jpeg', expected one of {SUPPORTED}",
        ),
        (
            {'encoding': 'BGR8'},
            f"encoding: got 'BGR8', expected one of {SUPPORTED}, did you mean 'bgr8'?",
        ),
        (
            {'encoding': '16UC1'},
            "encoding: got '16UC1', which holds distances (REP 118), expected a color or gray "
            'picture; subscribe to the color topic of the camera',
        ),
        (
            {'width': 0},
            'size: got 0x12 pixels of bgr8, expected at least 1x1; check the camera driver',
        ),
        (
            {'height': 0},
            'size: got 16x0 pixels of bgr8, expected at least 1x1; check the camera driver',
        ),
        (
            {'step': 47},
            'step: got 47 bytes, expected at least 48 for 16 pixels of bgr8; '
            'check the camera driver',
        ),
        (
            {'step': 0},
            'step: got 0 bytes, expected at least 48 for 16 pixels of bgr8; '
            'check the camera driver',
        ),
        (
            {'width': 17},
            'step: got 48 bytes, expected at least 51 for 17 pixels of bgr8; '
            'check the camera driver',
        ),
        (
            {'height': 13},
            'data: got 576 bytes, expected 624 for 16x13 bgr8 with step 48; '
            'check the camera driver',
        ),
        (
            {'step': 2**32 - 1},
            'data: got 576 bytes, expected 51539607540 for 16x12 bgr8 with step 4294967295; '
            'check the camera driver',
        ),
        (
            {'data': bytes(575)},
            'data: got 575 bytes, expected 576 for 16x12 bgr8 with step 48; '
            'check the camera driver',
        ),
        (
            {'data': b''},
            'data: got 0 bytes, expected 576 for 16x12 bgr8 with step 48; check the camera driver',
        ),
        (
            {'data': bytes(576 + 48 * MAX_SURPLUS_ROWS + 1)},
            'data: got 3649 bytes, expected 576 for 16x12 bgr8 with step 48; '
            'check the camera driver',
        ),
        (
            {'encoding': 'uyvy', 'width': 15},
            'size: got 15x12 pixels of uyvy, expected an even width; check the camera driver',
        ),
        (
            {'encoding': 'nv12', 'width': 15},
            'size: got 15x12 pixels of nv12, expected an even width; check the camera driver',
        ),
        (
            {'encoding': 'nv21', 'height': 11},
            'size: got 16x11 pixels of nv21, expected an even height; check the camera driver',
        ),
        (
            {'encoding': 'nv12', 'step': 16, 'data': bytes(16 * 18 + 1)},
            'data: got 289 bytes, expected 288 for 16x12 nv12 with step 16; '
            'check the camera driver',
        ),
        (
            {'encoding': 'bayer_rggb8', 'width': 2},
            'size: got 2x12 pixels of bayer_rggb8, expected at least 3x3; check the camera driver',
        ),
    ],
)
def test_a_malformed_message_gets_one_sentence(fields, sentence):
    message = picture_message(NOISE, 'bgr8')
    for name, value in fields.items():
        setattr(message, name, value)
    with pytest.raises(ImageError) as caught:
        image_to_frame(message)
    assert str(caught.value) == sentence


def test_a_very_long_encoding_does_not_flood_the_log():
    with pytest.raises(ImageError) as caught:
        image_to_frame(picture_message(NOISE, 'x' * 1_000_000))
    assert len(str(caught.value)) < 500


sizes = st.integers(0, 12) | st.integers(0, 2**32 - 1)
any_message = st.builds(
    Image,
    encoding=st.sampled_from(sorted(ENCODINGS)) | st.text(max_size=20),
    width=sizes,
    height=sizes,
    step=st.integers(0, 80) | st.integers(0, 2**32 - 1),
    is_bigendian=st.integers(0, 255),
    data=st.binary(max_size=900),
)


@settings(max_examples=1000, deadline=None)
@given(any_message)
def test_any_message_gives_a_frame_or_an_image_error(message):
    try:
        frame = image_to_frame(message)
    except ImageError as error:
        assert '\n' not in str(error)
    else:
        assert_frame_of(frame, message)


@st.composite
def well_formed_messages(draw) -> Image:
    name = draw(st.sampled_from(sorted(ENCODINGS)))
    encoding = ENCODINGS[name]
    width = encoding.block[0] * draw(st.integers(encoding.smallest, 9))
    height = encoding.block[1] * draw(st.integers(encoding.smallest, 9))
    step = width * encoding.channels * encoding.sample_bytes + draw(st.integers(0, 9))
    size = step * (height * 3 // 2 if encoding.half_planes else height)
    seed = draw(st.integers(0, 2**32 - 1))
    return Image(
        encoding=name,
        width=width,
        height=height,
        step=step,
        is_bigendian=draw(st.integers(0, 1)),
        data=np.random.default_rng(seed).bytes(size),
    )


@settings(max_examples=500, deadline=None)
@given(well_formed_messages())
def test_every_well_formed_message_gives_a_frame(message):
    assert_frame_of(image_to_frame(message), message)


def assert_frame_of(frame: Frame, message: Image) -> None:
    assert frame.encoding in FRAME_ENCODINGS
    colors = () if frame.encoding == 'mono8' else (3,)
    assert frame.image.shape == (message.height, message.width, *colors)
    assert frame.image.dtype == np.uint8
    assert frame.image.flags.c_contiguous


@pytest.mark.parametrize('big_endian', [False, True])
@pytest.mark.parametrize('encoding', ['mono16', 'bgr16', 'bayer_rggb16'])
def test_the_range_of_16_bit_samples_may_be_chosen(encoding, big_endian):
    channels = 3 if encoding == 'bgr16' else 1
    samples = np.linspace(7500, 8199, 32 * 32 * channels).reshape(32, 32, channels)
    message = picture_message(samples.astype('>u2' if big_endian else '<u2'), encoding, padding=6)
    message.is_bigendian = int(big_endian)
    assert np.ptp(image_to_frame(message).image) < 16
    chosen = image_to_frame(message, sample_range=SampleRange('percentile')).image
    assert np.ptp(chosen) > 200
