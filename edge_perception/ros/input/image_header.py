# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Read what the header of a compressed image says, before anything is decoded.

The decoder must not see another image than this reader, or a small message could claim gigabytes
behind our back. So whatever libjpeg and this reader could take differently is refused: before the
frame header only segments with a length are legal.
"""

from __future__ import annotations

from dataclasses import dataclass
import reprlib
import struct

from edge_perception.contract import ImageError

# ITU-T T.81, table B.1.
_JPEG_START = b'\xff\xd8\xff'
_JPEG_END = b'\xff\xd9'
_JPEG_SCAN = b'\xff\xda'
_JPEG_FRAME_MARKERS = frozenset(range(0xFFC0, 0xFFD0)) - {0xFFC4, 0xFFC8, 0xFFCC}
# Stuffed bytes, TEM, RST0 to RST7, SOI and EOI have no length; none may stand before the frame.
_JPEG_WITHOUT_LENGTH = frozenset({0xFF00, 0xFF01, *range(0xFFD0, 0xFFDA)})
# Far above the 255 segments that one color profile may take.
_MAX_JPEG_SEGMENTS = 1000
# libjpeg writes 10 for color, and 18 for four components; each goes over the whole image.
_MAX_JPEG_SCANS = 20

# W3C Portable Network Graphics, sections 5.2 and 11.2.
_PNG_START = b'\x89PNG\r\n\x1a\n'
_PNG_END = b'IEND\xaeB`\x82'
_PNG_GRAY_TYPES = (0, 4)


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """
    What a compressed image says of itself.

    :param kind: ``jpeg`` or ``png``.
    :param deep: whether it has samples of 16 bits.
    :param complete: whether it has an end.
    :param scans: how often the decoder goes over the image; 1 for PNG.
    """

    kind: str
    width: int
    height: int
    gray: bool
    deep: bool
    complete: bool
    scans: int

    def __str__(self) -> str:
        """Return kind and size for messages."""
        return f'{self.kind} image: got {self.width}x{self.height} pixels'


def read_header(data: bytes, described_as: str) -> ImageHeader:
    """
    Read the header of a JPEG or PNG.

    :param described_as: the field ``format`` of the message, for the error.
    :raises ImageError: neither of them, or the header is cut or not legal.
    """
    try:
        if data.startswith(_JPEG_START):
            return _read_jpeg(data)
        if data.startswith(_PNG_START):
            return _read_png(data)
    except struct.error:
        raise ImageError(
            f'image: got {len(data)} bytes that end or break within the header; '
            'check the camera driver and the network'
        ) from None
    raise ImageError(
        f'image: got {len(data)} bytes that are neither jpeg nor png, format '
        f'{reprlib.repr(described_as)}, expected jpeg or png; '
        'set the camera driver to one of them'
    )


def check_header(header: ImageHeader, *, size: int, max_pixels: int) -> None:
    """
    Refuse an image that should not be decoded.

    :param size: of the message, bytes.
    :param max_pixels: of width times height; half of it for samples of 16 bits, which take twice
        the memory: 805 MB for 49 megapixels, and 6 s in which no other camera was served.
    :raises ImageError: empty, too large, not complete, or with too many scans.
    """
    if not header.width or not header.height:
        raise ImageError(f'{header}, expected at least 1x1; check the camera driver')
    most = max_pixels // 2 if header.deep else max_pixels
    if header.width * header.height > most:
        raise ImageError(
            f'{header}, expected at most {most} in all; '
            'lower the resolution of the camera or raise max_image_megapixels'
        )
    if not header.complete:
        raise ImageError(
            f'{header} in {size} bytes without an end, expected a complete image; '
            'check the camera driver and the network'
        )
    if header.scans > _MAX_JPEG_SCANS:
        raise ImageError(
            f'{header} in {header.scans} scans, expected at most {_MAX_JPEG_SCANS}; '
            'check who publishes the images'
        )


def _read_jpeg(data: bytes) -> ImageHeader:
    position = 2
    for _ in range(_MAX_JPEG_SEGMENTS):
        (marker,) = struct.unpack_from('>H', data, position)
        if marker == 0xFFFF:  # any number of fill bytes may stand before a marker
            position += 1
            continue
        length, _, height, width, components = struct.unpack_from('>HBHHB', data, position + 2)
        if marker in _JPEG_FRAME_MARKERS:
            return ImageHeader(
                'jpeg',
                width,
                height,
                gray=components == 1,
                deep=False,
                # Searched behind the frame header: a thumbnail in EXIF has an end as well.
                complete=data.rfind(_JPEG_END, position) >= 0,
                scans=data.count(_JPEG_SCAN, position),
            )
        if marker < 0xFF00 or marker in _JPEG_WITHOUT_LENGTH or length < 2:
            break
        position += 2 + length
    raise struct.error


def _read_png(data: bytes) -> ImageHeader:
    name, width, height, bits, color_type = struct.unpack_from(
        '>4sIIBB', data, len(_PNG_START) + 4
    )
    if name != b'IHDR':
        raise struct.error
    return ImageHeader(
        'png',
        width,
        height,
        gray=color_type in _PNG_GRAY_TYPES,
        deep=bits > 8,
        complete=_PNG_END in data,
        scans=1,
    )
