"""Answers as gzip, also such as are put together of parts that were compressed before.

A gzip holds blocks of deflate, and those that refer to nothing before them may
stand behind any others (RFC 1951, 1952). So of an answer to readers who lack
different hosts each host is compressed once, however many of them there are.
"""

import gzip
import importlib
import struct
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

LONG_BYTES = 65_536
SMALL_BYTES = 256
"""Up to this compressing gains little of a part, and takes as long as of a longer one."""

_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""Deflate, of no file, at no time, on no known system."""
_END = b"\x03\0"
"""A last block, with nothing in it."""


def _installed(name: str) -> Any:
    """A module of ISA-L's, several times as fast as the standard library's, or None."""
    try:
        return importlib.import_module(f"isal.{name}")
    except ImportError:
        return None


def fast_gzip() -> Callable[[bytes], bytes] | None:
    """ISA-L's compression where it is installed: six times as fast, and as small."""
    igzip = _installed("igzip")
    return igzip and partial(igzip.compress, compresslevel=2, mtime=0)


def plain_gzip(body: bytes) -> bytes:
    """The standard library's."""
    # Of long bodies the first level leaves a third more, in half the time.
    level = 6 if len(body) <= LONG_BYTES else 1
    return gzip.compress(body, compresslevel=level, mtime=0)


packed = fast_gzip() or plain_gzip
"""A whole body as gzip; equal ones are equal bytes."""
_deflate = _installed("isal_zlib") or zlib


class Part:
    """A part of answers, compressed once, when somebody takes it so."""

    __slots__ = ("_blocks", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._blocks = b""

    @property
    def blocks(self) -> bytes:
        """Of deflate, that refer to no others, end with a whole byte and are not the last."""
        if not self._blocks:
            is_small = len(self.text) <= SMALL_BYTES
            self._blocks = _stored(self.text) if is_small else _deflated(self.text)
        return self._blocks


class Gzip:
    """The texts of parts one behind the other, as gzip."""

    def __init__(self) -> None:
        self._pieces = [_HEAD]
        self._check = 0
        self._size = 0

    def add(self, part: Part) -> None:
        """Let a part follow, which is compressed if it is not yet."""
        self._pieces.append(part.blocks)
        self._check = _deflate.crc32(part.text, self._check)
        self._size += len(part.text)

    def pieces(self) -> list[bytes]:
        """The gzip; nothing may be added to it then."""
        end = struct.pack("<II", self._check, self._size % 2**32)
        return [*self._pieces, _END + end]


def _stored(text: bytes) -> bytes:
    return b"\0%b%b" % (struct.pack("<HH", len(text), len(text) ^ 0xFFFF), text)


def _deflated(text: bytes) -> bytes:
    stream = _deflate.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    blocks: bytes = stream.compress(text) + stream.flush(zlib.Z_SYNC_FLUSH)
    return blocks
