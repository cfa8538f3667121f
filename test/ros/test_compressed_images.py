# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import cv2
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage

from edge_perception.contract import FRAME_ENCODINGS
from edge_perception.contract import ImageError
from edge_perception.ros.input.compressed_images import compressed_to_frame
from edge_perception.ros.input.compressed_images import SizeLimit
from edge_perception.runtime.sample_range import SampleRange
from test.support.raising import raises

WIDTH, HEIGHT = 48, 32
MAX_PIXELS = 4096 * 4096
JPEG_FORMATS = ('jpeg', 'jpg', 'bgr8; jpeg compressed bgr8', 'rgb8; jpeg compressed bgr8', '')
PNG_FORMATS = ('png', 'bgr8; png compressed bgr8', 'rgb8; png compressed bgr8', '', 'jpeg')


def smooth_picture() -> np.ndarray:
    """Return BGR that JPEG keeps well, different in each channel and direction."""
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.dstack([across * 5, down * 7, 255 - across * 4]).astype(np.uint8)


def encoded(picture: np.ndarray, suffix: str, *parameters: int) -> bytes:
    return cv2.imencode(suffix, picture, parameters)[1].tobytes()


JPEG = encoded(smooth_picture(), '.jpg', cv2.IMWRITE_JPEG_QUALITY, 95)
GRAY_JPEG = encoded(smooth_picture()[..., 0], '.jpg', cv2.IMWRITE_JPEG_QUALITY, 95)
PROGRESSIVE_JPEG = encoded(smooth_picture(), '.jpg', cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
PNG = encoded(smooth_picture(), '.png')


def compressed(data: bytes, image_format: str = '') -> CompressedImage:
    message = CompressedImage(format=image_format)
    message.data = data
    return message


def decode(data: bytes, image_format: str = ''):
    return compressed_to_frame(compressed(data, image_format), limit=SizeLimit(MAX_PIXELS))


def with_exif(jpeg: bytes, *, orientation: int, thumbnail: bytes = b'') -> bytes:
    """Insert an APP1 segment with one IFD entry; JEITA CP-3451, section 4.6."""
    entry = struct.pack('>HHIHH', 0x0112, 3, 1, orientation, 0)
    body = b'Exif\0\0MM\0*' + struct.pack('>IH', 8, 1) + entry + struct.pack('>I', 0) + thumbnail
    return jpeg[:2] + b'\xff\xe1' + struct.pack('>H', len(body) + 2) + body + jpeg[2:]


def claiming(picture: bytes, *, width: int, height: int) -> bytes:
    """Return a picture whose header was changed to claim another size."""
    if picture.startswith(b'\x89PNG'):
        return picture[:16] + struct.pack('>II', width, height) + picture[24:]
    at = picture.index(b'\xff\xc0') + 5
    return picture[:at] + struct.pack('>HH', height, width) + picture[at + 4 :]


@pytest.mark.parametrize('image_format', JPEG_FORMATS)
@pytest.mark.parametrize('data', [JPEG, PROGRESSIVE_JPEG])
def test_jpeg_whatever_its_format_is_called(data, image_format):
    frame = decode(data, image_format)
    assert frame.encoding == 'bgr8'
    difference = np.abs(frame.image.astype(int) - smooth_picture())
    assert difference.mean() < 4
    assert difference.max() < 40


@pytest.mark.parametrize('image_format', PNG_FORMATS)
def test_png_is_exact_whatever_its_format_is_called(image_format):
    frame = decode(PNG, image_format)
    assert frame.encoding == 'bgr8'
    np.testing.assert_array_equal(frame.image, smooth_picture())


def test_stamp_and_frame_id_come_from_the_header():
    message = compressed(JPEG)
    message.header.stamp.sec, message.header.stamp.nanosec = 5, 7
    message.header.frame_id = 'camera_optical_frame'
    frame = compressed_to_frame(message, limit=SizeLimit(MAX_PIXELS))
    assert (frame.stamp_ns, frame.frame_id) == (5_000_000_007, 'camera_optical_frame')


def test_gray_pictures_stay_gray():
    gray = smooth_picture()[..., 0]
    from_jpeg, from_png = decode(GRAY_JPEG), decode(encoded(gray, '.png'))
    assert (from_jpeg.encoding, from_png.encoding) == ('mono8', 'mono8')
    np.testing.assert_array_equal(from_png.image, gray)
    np.testing.assert_allclose(from_jpeg.image.astype(int), gray, atol=12)


@pytest.mark.parametrize('channels', [1, 3])
def test_16_bit_png_keeps_the_upper_byte(channels):
    values = np.random.default_rng(2).integers(0, 2**16, (HEIGHT, WIDTH, channels), np.uint16)
    frame = decode(encoded(values, '.png'))
    np.testing.assert_array_equal(frame.image.reshape(values.shape), values >> 8)


def test_transparency_is_left_out():
    picture = np.dstack([smooth_picture(), np.full((HEIGHT, WIDTH), 9, np.uint8)])
    np.testing.assert_array_equal(decode(encoded(picture, '.png')).image, smooth_picture())


def test_exif_does_not_turn_the_picture():
    turned, plain = decode(with_exif(JPEG, orientation=6)), decode(JPEG)
    np.testing.assert_array_equal(turned.image, plain.image)


def test_a_mosaic_becomes_color():
    blue, green, red = 20, 120, 240
    seen = np.empty((HEIGHT, WIDTH), np.uint8)
    seen[0::2, 0::2], seen[0::2, 1::2] = green, red
    seen[1::2, 0::2], seen[1::2, 1::2] = blue, green
    frame = decode(encoded(seen, '.png'), 'bayer_grbg8; png compressed ')
    assert frame.encoding == 'bgr8'
    assert np.unique(frame.image.reshape(-1, 3), axis=0).tolist() == [[blue, green, red]]


@pytest.mark.parametrize('data', [JPEG, PNG])
def test_bytes_behind_the_picture_are_accepted(data):
    np.testing.assert_array_equal(decode(data + bytes(100)).image, decode(data).image)


def test_the_limit_counts_pixels():
    message = compressed(PNG)
    assert compressed_to_frame(message, limit=SizeLimit(WIDTH * HEIGHT)).width == WIDTH
    with pytest.raises(ImageError) as caught:
        compressed_to_frame(message, limit=SizeLimit(WIDTH * HEIGHT - 1))
    assert str(caught.value) == (
        'png image: got 48x32 pixels, expected at most 1535 in all; '
        'lower the resolution of the camera or raise max_image_megapixels'
    )


def test_samples_of_16_bits_count_twice():
    deep = compressed(encoded(np.zeros((HEIGHT, WIDTH), np.uint16), '.png'))
    assert compressed_to_frame(deep, limit=SizeLimit(2 * WIDTH * HEIGHT)).width == WIDTH
    with raises(ImageError, WIDTH * HEIGHT - 1):
        compressed_to_frame(deep, limit=SizeLimit(2 * WIDTH * HEIGHT - 1))


@pytest.mark.parametrize(('data', 'kind'), [(JPEG, 'jpeg'), (PNG, 'png')])
def test_a_picture_that_claims_gigabytes_is_not_decoded(data, kind, monkeypatch):
    bomb = claiming(data, width=60_000, height=60_000)
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('was decoded'))
    with raises(ImageError, f'{kind} image: ', '60000x60000'):
        decode(bomb)


@pytest.mark.parametrize(('data', 'kind'), [(JPEG, 'jpeg'), (PNG, 'png')])
def test_a_picture_without_pixels_is_refused(data, kind):
    with pytest.raises(ImageError) as caught:
        decode(claiming(data, width=0, height=32))
    assert str(caught.value) == (
        f'{kind} image: got 0x32 pixels, expected at least 1x1; check the camera driver'
    )


def test_a_png_damaged_in_the_middle_is_refused():
    damaged = bytearray(PNG)
    damaged[len(PNG) // 2] ^= 0x55
    with pytest.raises(ImageError) as caught:
        decode(bytes(damaged))
    assert str(caught.value) == (
        f'png image: got {len(PNG)} bytes that cannot be decoded, expected 48x32 pixels; '
        'check the camera driver and the network'
    )


@pytest.mark.parametrize(
    ('data', 'kind'),
    [
        (JPEG, 'jpeg'),
        (GRAY_JPEG, 'jpeg'),
        (PROGRESSIVE_JPEG, 'jpeg'),
        (with_exif(JPEG, orientation=1, thumbnail=GRAY_JPEG), 'jpeg'),
        (PNG, 'png'),
    ],
)
def test_a_truncated_picture_is_refused_wherever_it_ends(data, kind):
    for length in range(len(data)):
        with pytest.raises(ImageError) as caught:
            decode(data[:length])
        if length == len(data) - 2 and kind == 'jpeg':
            assert str(caught.value) == (
                f'jpeg image: got 48x32 pixels in {length} bytes without an end, '
                'expected a complete image; check the camera driver and the network'
            )


@pytest.mark.parametrize(
    ('data', 'image_format', 'sentence'),
    [
        (
            b'',
            'jpeg',
            "image: got 0 bytes that are neither jpeg nor png, format 'jpeg', "
            'expected jpeg or png; set the camera driver to one of them',
        ),
        (
            b'\0\0\0\1gB',
            'h264',
            "image: got 6 bytes that are neither jpeg nor png, format 'h264', "
            'expected jpeg or png; set the camera driver to one of them',
        ),
        (
            JPEG[:100],
            'jpeg',
            'image: got 100 bytes that end or break within the header; '
            'check the camera driver and the network',
        ),
        (
            bytes(12) + PNG,
            '16UC1; compressedDepth png',
            "format: got '16UC1; compressedDepth png', which holds distances, expected a color "
            'or gray image; subscribe to the color topic of the camera',
        ),
        (
            PNG,
            '16UC1; png compressed ',
            "format: got '16UC1; png compressed ', which holds distances, expected a color or "
            'gray image; subscribe to the color topic of the camera',
        ),
    ],
)
def test_a_malformed_message_gets_one_sentence(data, image_format, sentence):
    with pytest.raises(ImageError) as caught:
        decode(data, image_format)
    assert str(caught.value) == sentence


def assert_frame_or_image_error(message: CompressedImage) -> None:
    try:
        frame = compressed_to_frame(message, limit=SizeLimit(1_000_000))
    except ImageError as error:
        assert '\n' not in str(error)
    else:
        assert frame.encoding in FRAME_ENCODINGS
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous
        assert frame.image.ndim == (2 if frame.encoding == 'mono8' else 3)


formats = st.sampled_from([*JPEG_FORMATS, *PNG_FORMATS, 'bayer_rggb8; jpeg']) | st.text()
starts = st.sampled_from([b'', JPEG[:3], JPEG[:160], JPEG[:400], PNG[:8], PNG[:33]])


@settings(max_examples=500, deadline=None)
@given(starts, st.binary(), formats)
def test_any_bytes_give_a_frame_or_an_image_error(start, rest, image_format):
    assert_frame_or_image_error(compressed(start + rest, image_format))


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from([JPEG, GRAY_JPEG, PROGRESSIVE_JPEG, PNG]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    st.floats(0, 1),
    formats,
)
def test_damaged_pictures_give_a_frame_or_an_image_error(data, changes, kept, image_format):
    damaged = bytearray(data)
    for position, value in changes:
        damaged[int(position * len(data))] = value
    assert_frame_or_image_error(compressed(bytes(damaged[: int(kept * len(data))]), image_format))


def test_a_marker_without_length_before_the_frame_is_refused(shared_data):
    """libjpeg skips the marker and finds 30000x30000 pixels; a segment would hide 16x16."""
    data = (shared_data.parent / 'cases' / 'hostile' / 'fake_header.jpg').read_bytes()
    with raises(ImageError, 'header'):
        decode(data)


@pytest.mark.parametrize('marker', [0x00, 0x01, *range(0xD0, 0xDA)])
def test_no_marker_without_length_may_stand_before_the_frame(marker):
    with pytest.raises(ImageError):
        decode(JPEG[:2] + bytes([0xFF, marker]) + JPEG[2:])


def test_a_jpeg_of_many_scans_is_not_decoded(monkeypatch):
    monkeypatch.setattr(cv2, 'imdecode', None)
    scan = PROGRESSIVE_JPEG.rindex(b'\xff\xda')
    with raises(ImageError, '21 scans', 20):
        decode(PROGRESSIVE_JPEG[:-2] + PROGRESSIVE_JPEG[scan:-2] * 11 + PROGRESSIVE_JPEG[-2:])


@pytest.mark.parametrize('gray', [False, True])
@pytest.mark.parametrize('share', [0.1, 0.5])
def test_a_jpeg_whose_scan_stops_early_is_refused_although_it_has_an_end(gray, share):
    noise = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
    data = encoded(noise[..., 0] if gray else noise, '.jpg')
    scan = data.index(b'\xff\xda')
    with raises(ImageError, 'rows'):
        decode(data[: scan + int(share * (len(data) - scan))] + b'\xff\xd9')


def test_a_gray_image_is_no_image_that_was_not_sent():
    assert (decode(encoded(np.full((32, 48), 128, np.uint8), '.jpg')).image == 128).all()


def png(width: int, height: int) -> bytes:
    return encoded(np.zeros((height, width), np.uint8), '.png')


def test_the_limit_is_learned_from_the_camera_and_a_new_resolution_comes_in_a_row():
    limit = SizeLimit(MAX_PIXELS)

    def accepted(data: bytes) -> bool:
        try:
            compressed_to_frame(compressed(data), limit=limit)
        except ImageError:
            return False
        return True

    small, large, other = png(64, 48), png(640, 480), png(641, 480)
    assert accepted(large), 'nothing is known yet'
    assert all(accepted(small) for _ in range(10))
    assert accepted(png(128, 96)), 'four times as many'
    assert [accepted(each) for each in (large, small, large)] == [False, True, False]
    assert [accepted(each) for each in (other, large, other)] == [False] * 3
    assert [accepted(large) for _ in range(4)] == [False, False, True, True]


@pytest.mark.parametrize('channels', [1, 3])
def test_the_range_of_16_bit_samples_may_be_chosen(channels):
    samples = np.linspace(7500, 8199, 32 * 32 * channels).reshape(32, 32, channels)
    message = compressed(encoded(samples.astype(np.uint16), '.png'))
    limit = SizeLimit(10**6)
    assert np.ptp(compressed_to_frame(message, limit=limit).image) < 16
    chosen = compressed_to_frame(message, limit=limit, sample_range=SampleRange('percentile'))
    assert np.ptp(chosen.image) > 200
