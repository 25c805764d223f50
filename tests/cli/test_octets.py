"""Bytes in all the dresses that people paste them in."""

from __future__ import annotations

import base64
import io
from argparse import ArgumentParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.cli.octets import add_octet_options, octets, parse_base64, parse_hex
from mqttws.cli.outcome import UsageError

PACKET = b"0\x05\0\1ahi"


@pytest.mark.parametrize(
    "text",
    [
        "30 05 00 01 61 68 69",
        "3005 0001 616869",
        "30:05:00:01:61:68:69",
        "30-05-00-01-61-68-69",
        "0x30,0x05,0x00,0x01,0x61,0x68,0x69",
        "{0x30, 0x5, 0x0, 0x1, 0x61, 0x68, 0x69}",
        r"\x30\x05\x00\x01\x61\x68\x69",
        r"\x30 \x05 \x00 \x01 \x61 \x68 \x69",
        r'"\x30\x05\x00\x01\x61\x68\x69"',
        r"b'0\x05\x00\x01ahi'",
        r'b"0\x05\x00\x01ahi"',
        r"\x30\x05\x00\x01ahi",
        r"'\x30\x05\0\x01ahi'",
        "\n30 05\t00 01 61 68 69\r\n",
        "0x30050001616869",
    ],
)
def test_hexadecimal_in_any_dress(text: str) -> None:
    assert parse_hex(text) == PACKET


@given(st.binary(max_size=40))
def test_what_python_prints_is_taken_back(data: bytes) -> None:
    assert parse_hex(repr(data)) == data
    assert parse_hex(data.hex()) == parse_hex(data.hex(" ")) == data
    assert parse_base64(base64.b64encode(data).decode()) == data
    assert parse_base64(base64.urlsafe_b64encode(data).decode().rstrip("=")) == data


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("300", "odd number"),
        ("30 0g", "'0g' is not hexadecimal"),
        ("PUBLISH", "'PUBLISH' is not"),
        (r"b'\q'", r"'\q' is no escape"),
        ("b'\\", "is no escape"),
        ("b'€'", "beyond one byte"),
        ("x" * 99, "x' is not"),
    ],
)
def test_what_is_no_hexadecimal_is_named(text: str, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_hex(text)
    assert complaint in str(caught.value)
    assert len(str(caught.value)) < 60


@pytest.mark.parametrize("text", ["A", "!!!!", "MAUAAWE=aA"])
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not base64"):
        parse_base64(text)


def read(*arguments: str) -> bytes:
    parser = ArgumentParser()
    add_octet_options(parser)
    return octets(parser.parse_args(list(arguments)))


def test_arguments_are_joined() -> None:
    assert read("30", "05", "0001", "616869") == PACKET
    assert read("--base64", "MAUA", "AWFoaQ==") == PACKET


@pytest.mark.parametrize(
    ("content", "options", "data"),
    [
        (PACKET, [], PACKET),
        (b"30 05 00 01 61 68 69\n", [], PACKET),
        (b"30 05 00 01 61 68 69\n", ["--raw"], b"30 05 00 01 61 68 69\n"),
        (b"GET / HTTP/1.1\r\n\r\n", [], b"GET / HTTP/1.1\r\n\r\n"),
        (b"MAUAAWFoaQ==\n", ["--base64"], PACKET),
        (b"3005", ["--hex"], b"0\x05"),
        (b"\x30\xff", [], b"\x30\xff"),
        (b"", [], b""),
    ],
)
def test_a_file_is_read_as_what_it_looks_like(content: bytes, options: list[str], data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(content)
    assert read("--file", str(path), *options) == data


@pytest.mark.parametrize("arguments", [[], ["--file", "-"]])
def test_without_arguments_it_is_standard_input(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(PACKET)))
    assert read(*arguments) == PACKET


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["30", "--file", "x"], "given twice"),
        (["30", "--raw"], "--raw goes with"),
        (["--file", "/nowhere/at/all"], "cannot read /nowhere/at/all: No such file"),
    ],
)
def test_contradictions_are_usage_errors(arguments: list[str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        read(*arguments)


def test_a_file_that_is_asked_to_be_hexadecimal_has_to_be(tmp_path: Path) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(b"PUBLISH")
    with pytest.raises(UsageError, match="'PUBLISH' is not hexadecimal"):
        read("--file", str(path), "--hex")


def test_more_than_the_largest_packet_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("mqttws.cli.octets._LIMIT", 10)
    path = tmp_path / "bytes"
    path.write_bytes(bytes(11))
    with pytest.raises(UsageError, match="longer than any MQTT packet"):
        read("--file", str(path))
