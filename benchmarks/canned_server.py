"""A server that is never the bottleneck: a bare protocol in a process of its own, answering canned customers.

`GET /v1/customers/{id}` gives a customer of 1.4 kB, `POST /v1/customers/search` a row for every id asked for.
Whatever is asked for exists. Bytes are rendered once per id.
"""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from helpcrunch_async import RateLimiter
from helpcrunch_async.testing import documented_customer, write_customer
from helpcrunch_async.testing.answers import encode

SOME_ID: Final = 8737843
KEY: Final = "key"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_VALUE = re.compile(rb'"value": *(\d+)')
_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 01 Jun 2026 12:00:00 GMT\r\n"
    b"Content-Type: application/json\r\nConnection: keep-alive\r\nContent-Length: %d\r\n\r\n"
)


def customer_body(customer_id: int = SOME_ID) -> bytes:
    """Give a customer of about 1.4 kB as the API would send it.

    What is a person's own differs from customer to customer; countries, browsers, tags and plans do not.
    """
    documented = documented_customer()
    row = documented | {
        "id": customer_id,
        "name": f"Cindy Example {customer_id}",
        "email": f"cindy.{customer_id}@example.com",
        "userId": f"example_{customer_id}",
        "phone": f"+4989{customer_id}",
        "company": f"Company {customer_id % 1_000} AG",
        "notes": f"Asked for invoice {customer_id} in German; prefers e-mail to calls. Wants to be told "
        "before the trial ends, and again when the plan changes.",
        "lastPage": f"https://example.com/orders/{customer_id}",
        "device": documented["device"]
        | {
            "id": 3 * customer_id,
            "ip": f"10.{customer_id >> 16 & 255}.{customer_id >> 8 & 255}.{customer_id & 255}",
        },
        "createdFrom": "telegram",
        "integrationId": f"5{customer_id}",
        "tags": [{"name": name, "color": "#00c2e0"} for name in ("lead", "Paid", "vip")],
    }
    return encode(write_customer(row, "new"))


def never_limited() -> RateLimiter:
    """Make a limiter that is in the path but never in the way.

    Its period is short because it remembers its turns for three of them: at the real 120 a minute those are
    360, which is what it should carry around here too.
    """
    return RateLimiter(limit=10_000, period=0.1)


@lru_cache(maxsize=20_000)
def _rendered(customer_id: bytes) -> bytes:
    return customer_body(int(customer_id))


def _answer(body: bytes) -> bytes:
    return _HEAD % len(body) + body


class _Canned(asyncio.Protocol):
    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, rest = self._received.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            size = int(length[1]) if length else 0
            if len(rest) < size:
                return
            body, self._received = rest[:size], rest[size:]
            if head.startswith(b"POST"):
                rows = b",".join(map(_rendered, _VALUE.findall(body)))
                self._transport.write(_answer(b'{"data":[%b],"total":%d}' % (rows, rows.count(b'"userId"'))))
            else:
                path = head.split(b" ", 2)[1]
                self._transport.write(_answer(_rendered(path.rpartition(b"/")[2])))


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Canned, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # until whoever started it closes the pipe


@contextmanager
def canned_server() -> Iterator[str]:
    """Run it in another process, and give its base URL."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(_serve())
