"""What a fault server can do with a request: well-formed replies, and everything else."""

import asyncio
import gzip
import json
import socket
import struct
from functools import cache
from typing import Final

from faults.server import Exchange

CUSTOMER: Final = b'{"id": 7, "email": "mara.quill@customer.example"}'


def http(
    body: bytes,
    *headers: str,
    status: str = "200 OK",
    length: int | None = None,
    connection: str = "close",
) -> bytes:
    """A whole HTTP/1.1 reply; `length` may lie about the body."""
    length = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {length}", f"Connection: {connection}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


GOOD: Final = http(CUSTOMER)
KEPT: Final = http(CUSTOMER, connection="keep-alive")
TRUNCATED: Final = http(CUSTOMER[:40], length=len(CUSTOMER))
ENDLESS: Final = (
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"  # a body that only the end of the connection ends
)
CHUNKED: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PAGE: Final = b"<html><title>503</title><p>Dear mara.quill@customer.example, back soon</p></html>"
ZIPPED: Final = gzip.compress(CUSTOMER[:-1] + b', "notes": "' + b"x" * 200 + b'"}')


def refusal(*headers: str) -> bytes:
    """A 429 with HelpCrunch's words."""
    body = b'{"errors": [{"code": "too_many_requests", "message": "slow down"}]}'
    return http(body, *headers, status="429 Too Many Requests")


async def close(exchange: Exchange) -> None:
    """Close without a byte."""
    exchange.writer.close()


async def reset(exchange: Exchange) -> None:
    """Reset the connection."""
    connection = exchange.writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.writer.transport.abort()


async def hang(exchange: Exchange) -> None:
    """Say nothing."""
    await exchange.until_the_client_leaves()


async def stall(exchange: Exchange) -> None:
    """Begin a body, then say nothing more."""
    exchange.writer.write(TRUNCATED)
    await exchange.until_the_client_leaves()


async def drip(exchange: Exchange) -> None:
    """Send a body that never ends, byte by byte, so that no read is ever long."""
    exchange.writer.write(http(b"", length=10_000))
    while True:
        exchange.writer.write(b" ")
        await exchange.writer.drain()
        await asyncio.sleep(0.02)


@cache
def _bomb() -> bytes:
    return http(gzip.compress(bytes(50 * 2**20)), "Content-Encoding: gzip")


async def explode(exchange: Exchange) -> None:
    """Send 50 kB that become 50 MB."""
    exchange.writer.write(_bomb())
    await exchange.writer.drain()


async def echo_of_ids(exchange: Exchange) -> None:
    """Answer a search for customers by id with a customer each."""
    asked = [item["value"] for item in json.loads(exchange.body)["filter"]]
    rows = json.dumps({"data": [{"id": each} for each in asked], "total": len(asked)}).encode()
    exchange.writer.write(http(rows, connection="keep-alive"))
    await exchange.writer.drain()


async def answer_again_later(exchange: Exchange) -> None:
    """Answer, and when that is read, answer once more with another customer."""
    exchange.writer.write(KEPT)
    await exchange.writer.drain()
    await asyncio.sleep(0.02)
    exchange.writer.write(http(b'{"id": 8}', connection="keep-alive"))
    await exchange.writer.drain()


async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the beginning of a TLS handshake in plain HTTP."""
    await reader.read(1000)
    writer.write(http(b"", status="400 Bad Request"))
    await writer.drain()
