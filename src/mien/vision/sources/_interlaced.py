"""Recognize interlaced video, which OpenCV from 4.13 on does not convert to pixels.

It returns the unwritten memory of a frame instead: black, or what was there before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

import cv2
import numpy as np

from mien.images.decode import quiet_opencv

_FIRST_AFFECTED: Final = (4, 13)
_PACKETS: Final = 64  # that are searched for a header; a stream may begin between two of them
_COMPARED: Final = 8  # frames

_DV: Final = frozenset({"dvsd", "dvcp", "dvc ", "dv25", "dv50", "dvh1", "dvhd", "dvpp", "dvhp",
                        "dvh5", "dvh6", "dv5n", "dv5p", "dvcs", "cdvc", "cdv5"})  # fmt: skip
_PROGRESSIVE: Final = frozenset({"vp60", "vp61", "vp62", "vp6f", "vp80", "vp90", "vp08", "vp09",
                                 "av01", "theo", "flv1", "h263", "s263", "mpg1", "mp41", "mp42",
                                 "mp43", "div3", "wmv1", "wmv2", "svq1", "svq3", "cvid", "png ",
                                 "mpng", "gif ", "rv10", "rv20", "rv30", "rv40"})  # fmt: skip
_H264_HIGH: Final = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)

# Opens a capture of an address, with OpenCV's property numbers, each followed by its value.
Connect = Callable[[str, Sequence[int]], cv2.VideoCapture]


def is_affected() -> bool:
    """Return whether this OpenCV cannot convert interlaced frames."""
    return tuple(map(int, re.findall(r"\d+", cv2.__version__)[:2])) >= _FIRST_AFFECTED


def may_be_interlaced(connect: Connect, address: str, capture: cv2.VideoCapture) -> bool:
    """Return whether a video is coded such that some of its frames may be interlaced.

    Args:
        connect: function that opens a capture.
        address: path or address of the video.
        capture: opened capture of the video, which is not read.
    """
    code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    codec = code.to_bytes(4, "little").decode("latin-1").lower()
    if codec in _PROGRESSIVE or codec in _DV:
        return codec in _DV
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    raw = connect(address, [cv2.CAP_PROP_FORMAT, -1])
    packets = []
    for packet in islice(_packets(raw), _PACKETS):
        answer = _by_header(codec, packet, height)
        if answer is not None:
            raw.release()
            return answer
        packets.append(hash(packet))
    raw.release()
    # A still picture may have identical frames: in these codecs, its packets are identical too.
    return len(set(packets[1 : 1 + _COMPARED])) > 1 and _is_still(connect(address, []))


def _packets(raw: cv2.VideoCapture) -> Iterator[bytes]:
    """Yield the codec's header, empty if there is none, and the packets of a capture of these."""
    with quiet_opencv:
        index = int(raw.get(cv2.CAP_PROP_CODEC_EXTRADATA_INDEX))
        is_read, data = raw.retrieve(flag=index) if index > 0 else (False, None)
        yield data.tobytes() if is_read and data is not None else b""
        while (read := raw.read())[0]:
            yield read[1].tobytes()


def _is_still(capture: cv2.VideoCapture) -> bool:
    """Return whether the first frames of a capture, which is released, are identical."""
    with quiet_opencv:
        _, first = capture.read()
        others = islice(iter(capture.read, (False, None)), _COMPARED - 1)
        is_still = first is not None and all(np.array_equal(one, first) for _, one in others)
    capture.release()
    return is_still


def _by_header(codec: str, packet: bytes, height: int) -> bool | None:
    """Return whether the header in a packet allows interlaced frames; None if there is none."""
    if codec in ("h264", "avc1", "avc3", "x264", "davc"):
        return _h264(packet)
    if codec in ("hevc", "hvc1", "hev1", "h265"):
        at = packet.find(b"\0\0\1\x42") + 3
        # The flags of the source: progressive, interlaced (ITU-T H.265, 2021, 7.3.3).
        return packet[at + 8] & 0xC0 == 0x40 if at >= 3 and len(packet) > at + 8 else None
    if codec in ("mjpg", "jpeg", "avrn", "mjpa", "mjpb"):
        frame = re.search(rb"\xff[\xc0-\xc2]\0.\x08(..)", packet, re.DOTALL)
        return int.from_bytes(frame[1], "big") <= height * 2 // 3 if frame else None
    if packet[4:8] == b"icpf":  # SMPTE RDD 36, Apple ProRes, 2015, 6.1.1
        return packet[20] & 0x0C != 0
    sequence = re.search(rb"\0\0\x01\xb5[\x10-\x1f](.)", packet, re.DOTALL)
    if sequence:  # ITU-T H.262, 2012, 6.2.2.3: progressive_sequence
        return not sequence[1][0] & 0x08
    layer = re.search(rb"\0\0\x01[\x20-\x2f]", packet)
    return _mpeg4(packet[layer.end() :]) if layer else None


class _Bits:
    """Reads a header bit by bit.

    Args:
        content: content of the header.
    """

    def __init__(self, content: bytes) -> None:
        self._value, self._left = int.from_bytes(content, "big"), 8 * len(content)

    def read(self, count: int = 1) -> int:
        """Return the next bits as a number; zeros beyond the end."""
        self._left -= count
        return (self._value >> max(0, self._left)) & ((1 << count) - 1)

    def read_golomb(self) -> int:
        """Return the next number in Exp-Golomb code."""
        zeros = 0
        while zeros < 32 and not self.read():
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros)

    def read_signed_golomb(self) -> int:
        """Return the next signed number in Exp-Golomb code."""
        code = self.read_golomb()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def _h264(packet: bytes) -> bool | None:
    """Return whether a sequence parameter set allows fields (ITU-T H.264, 2021, 7.3.2.1.1)."""
    if packet[:1] == b"\1" and len(packet) > 12:  # the header of MP4 and Matroska
        content = packet[9 : 8 + int.from_bytes(packet[6:8], "big")]
    else:
        unit = re.search(rb"\0\0\x01[\x07\x27\x47\x67]", packet)
        if unit is None:
            return None
        content = packet[unit.end() : unit.end() + 512]
    bits = _Bits(content.replace(b"\0\0\3", b"\0\0"))
    profile = bits.read(8)
    bits.read(16)
    bits.read_golomb()
    if profile in _H264_HIGH:
        _skip_chroma(bits)
    bits.read_golomb()
    order = bits.read_golomb()
    if order == 0:
        bits.read_golomb()
    elif order == 1:
        bits.read()
        bits.read_golomb()
        bits.read_golomb()
        for _ in range(min(bits.read_golomb(), 255)):
            bits.read_golomb()
    bits.read_golomb()
    bits.read()
    bits.read_golomb()
    bits.read_golomb()
    return not bits.read()  # frame_mbs_only_flag


def _skip_chroma(bits: _Bits) -> None:
    """Read the part of a sequence parameter set that only high profiles have."""
    chroma = bits.read_golomb()
    if chroma == 3:
        bits.read()
    bits.read_golomb()
    bits.read_golomb()
    bits.read()
    if bits.read():
        for number in range(12 if chroma == 3 else 8):
            if bits.read():
                last = following = 8
                for _ in range(16 if number < 6 else 64):
                    if following:
                        following = (last + bits.read_signed_golomb()) % 256
                    last = following or last


def _mpeg4(content: bytes) -> bool:
    """Return whether a video object layer is interlaced (ISO/IEC 14496-2, 2004, 6.2.3)."""
    bits = _Bits(content[:64])
    bits.read(9)
    if bits.read():
        bits.read(7)
    if bits.read(4) == 15:
        bits.read(16)
    if bits.read():
        bits.read(3)
        if bits.read():
            bits.read(79)
    shape = bits.read(2)
    bits.read()
    resolution = bits.read(16)
    bits.read()
    if bits.read():
        bits.read(max(1, (resolution - 1).bit_length()))
    if shape == 0:
        bits.read(29)
    return bool(bits.read())
