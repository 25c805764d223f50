"""Bytes as people have them at hand: hexadecimal in any dress, base64, a file, standard input."""

from __future__ import annotations

import base64
import binascii
import re
import sys
from argparse import ArgumentParser, Namespace
from typing import BinaryIO, Final

from mqttws.cli.outcome import UsageError

__all__ = ["add_octet_options", "octets", "parse_base64", "parse_hex"]

#: Bytes of input that are taken: the largest Control Packet in hexadecimal, with a separator for each byte.
_LIMIT: Final = 3 * 268_435_460

#: What stands between the digits: white space, and the signs of dumps, lists and string literals.
_SEPARATORS: Final = re.compile(r"[\s,:;|_{}\[\]()<>\"'\-]+")
_PREFIX: Final = re.compile(r"\\x|0x", re.IGNORECASE)
_DIGITS: Final = re.compile(r"[0-9A-Fa-f]+")
#: A bytes literal, or a string that begins with an escape; the quotes may be missing.
_LITERAL: Final = re.compile(r"(?:b['\"]|['\"](?=.*\\)|(?=\\x))(?P<inner>.*?)['\"]?", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.?))", re.DOTALL)
_ESCAPED: Final = {"0": "\0", "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def add_octet_options(parser: ArgumentParser) -> None:
    """Where the bytes come from, and how they are written."""
    parser.add_argument("octets", nargs="*", metavar="HEX",
                        help=r"hexadecimal: '3005 0001', 30:05, 0x30,0x05, '\x30\x05', or a bytes literal")  # fmt: skip
    parser.add_argument("--file", metavar="FILE", help="read them from a file ('-': standard input, also without HEX)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--hex", dest="form", action="store_const", const="hex", help="the input is hexadecimal")
    form.add_argument("--base64", dest="form", action="store_const", const="base64", help="the input is base64")
    form.add_argument("--raw", dest="form", action="store_const", const="raw",
                      help="the input is the bytes themselves (a file that looks like hexadecimal is not)")  # fmt: skip


def octets(args: Namespace) -> bytes:
    """The bytes that the options ask for. Raises :class:`UsageError`."""
    if args.octets:
        if args.file is not None:
            raise UsageError("bytes are given twice, as arguments and by --file")
        if args.form == "raw":
            raise UsageError("--raw goes with --file or standard input")
        text = " ".join(args.octets)
        return parse_base64(text) if args.form == "base64" else parse_hex(text)
    data = _read_file(args.file)
    if args.form == "raw" or (args.form is None and not _is_text(data)):
        return data
    text = data.decode("latin-1")
    if args.form == "base64":
        return parse_base64(text)
    try:
        return parse_hex(text)
    except UsageError:
        if args.form == "hex":
            raise
        return data


def _is_text(data: bytes) -> bool:
    """Whether this may be hexadecimal; most packets have a control character in a length."""
    return data.isascii() and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in set(data))


def _read_file(path: str | None) -> bytes:
    if path in (None, "-"):
        return _limited(sys.stdin.buffer, "standard input")
    try:
        with open(path, "rb") as file:
            return _limited(file, path)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _limited(file: BinaryIO, name: str) -> bytes:
    data = file.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise UsageError(f"{name} is longer than any MQTT packet")
    return data


def parse_hex(text: str) -> bytes:
    r"""Bytes out of hexadecimal digits in pairs, whatever stands between; ``0x1`` counts as one byte.

    A literal with escapes is taken as one: ``b'0\x05\x00\x01ahi'``. Raises :class:`UsageError`, which names what is no
    digit.
    """
    literal = _LITERAL.fullmatch(text.strip())
    digits = []
    for word in _SEPARATORS.split(_PREFIX.sub(r" \g<0>", text)):
        bare = _PREFIX.sub("", word)
        if not bare:
            continue
        if literal is not None and (bare == word or len(bare) != 2 or not _DIGITS.fullmatch(bare)):
            return _unescape(literal["inner"])
        if not _DIGITS.fullmatch(bare):
            raise UsageError(f"{word[:20]!a} is not hexadecimal")
        digits.append(bare.zfill(2) if bare != word else bare)
    joined = "".join(digits)
    if len(joined) % 2:
        raise UsageError("an odd number of hexadecimal digits")
    return bytes.fromhex(joined)


def _unescape(text: str) -> bytes:
    """The inside of a bytes literal."""

    def character(match: re.Match[str]) -> str:
        digits, other = match.groups()
        if digits is not None:
            return chr(int(digits, 16))
        if other not in _ESCAPED and other not in ("\\", "'", '"'):
            raise UsageError(f"'\\{other}' is no escape of a bytes literal")
        return _ESCAPED.get(other, other)

    try:
        return _ESCAPE.sub(character, text).encode("latin-1")
    except UnicodeEncodeError:
        raise UsageError("a bytes literal has characters beyond one byte") from None


def parse_base64(text: str) -> bytes:
    """Bytes out of base64 of either alphabet, with or without padding and line breaks. Raises :class:`UsageError`."""
    plain = "".join(text.split()).rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        raise UsageError("the input is not base64") from None
