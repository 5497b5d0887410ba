"""The key is seen nowhere, and a customer's data in no text that lands in logs, whatever goes wrong."""

import asyncio
import logging
import warnings
from typing import Any

import aiohttp
import pytest
from faults.server import FaultServer
from leaks import before_sending, by_reply, on_the_way
from leaks.planted import EMAIL, KEY, PRIVATE, SECRETS, Failing, client_at, error_of, reply
from leaks.watch import PACKAGE, Witness, chain_of, locals_of, pickles_of, places, texts_of

from helpcrunch_async import APIError, HelpCrunchError, Page
from helpcrunch_async.errors import BadRequestError, ErrorDetail

EVERYTHING = (*SECRETS, *PRIVATE)


def looking_for(words: tuple[str, ...], *paths: list[Any]) -> list[Any]:
    """Paths, each with the words that no local of a frame may show."""
    return [
        pytest.param(*param.values, words, id=param.id, marks=param.marks) for each in paths for param in each
    ]


PATHS = [
    *looking_for(EVERYTHING, by_reply.PATHS, on_the_way.PATHS, before_sending.PATHS),
    *looking_for(SECRETS, by_reply.ADDRESSED, before_sending.ARGUMENTS, before_sending.WEBHOOKS),
    *looking_for((), before_sending.MISPLACED),
]


@pytest.mark.parametrize(("fail", "hidden"), PATHS)
async def test_nothing_is_given_away(fail: Failing, hidden: tuple[str, ...], witness: Witness) -> None:
    """Neither a key nor a customer's data is in any text of an error, in a log record at any level of any
    logger, in a warning, in what is printed, or in a span. Nor does either travel in a pickle, but for the
    server's own words about an error. Error trackers capture locals: they find no key in any frame, and below
    the method that was called with a customer's data none of that.
    """
    asyncio.get_running_loop().set_debug(True)  # asyncio logs more then
    with witness.listening():
        errors = await fail()
    assert errors
    assert places(EVERYTHING, witness.texts()) == []
    for error in errors:
        assert places(EVERYTHING, texts_of(error)) == []
        data = isinstance(error, APIError) or getattr(error, "page", None)  # is the caller's to send on
        assert places(SECRETS if data else EVERYTHING, pickles_of(error)) == []
        assert places(set(hidden) & set(SECRETS), locals_of(error)) == []
        assert places(set(hidden) & set(PRIVATE), locals_of(error, private=True)) == []
        assert_nothing_hangs_on_to(error)


def assert_nothing_hangs_on_to(error: BaseException) -> None:
    """What caused it, an aiohttp exception with headers in it or a body, is gone."""
    if isinstance(error, HelpCrunchError):
        plain = (str, int, float, bool, type(None), tuple, list, Page)
        assert [error] == list(chain_of(error))
        assert [value for value in vars(error).values() if not isinstance(value, plain)] == []


# So that the test above is known to look in the right places


async def test_a_careless_client_would_be_seen(witness: Witness) -> None:
    """Each place in which the key or an address could be is looked through."""
    with witness.listening():
        async with (
            FaultServer(f"HTTP/1.1 {EMAIL}\r\n\r\n".encode()) as server,
            aiohttp.ClientSession() as session,
        ):
            careless = await error_of(
                session.get(server.url, headers={"Authorization": f"Bearer {KEY}"}), aiohttp.ClientError
            )
        logging.getLogger("aiohttp.client").debug("sending %s", KEY)
        warnings.warn(f"insecure: {KEY}", stacklevel=1)
        print(KEY)  # noqa: T201 - as a careless client might
    careless.add_note(f"with {KEY}")
    seen = {place.partition(":")[0] for place in places(EVERYTHING, witness.texts())}
    assert {"log", "log record", "warning", "output", "span"} == seen
    error = RuntimeError(KEY)
    error.__context__ = careless
    seen = {place.partition(":")[0] for place in places(EVERYTHING, texts_of(error))}
    assert {"str", "repr", "args", "notes", "fields", "traceback"} == seen
    assert places(SECRETS, pickles_of(error))


@pytest.mark.parametrize("kind", [HelpCrunchError, RuntimeError])
@pytest.mark.parametrize("module", ["helpcrunch_async/session.py", "asyncio/tasks.py"])
def test_a_careless_frame_would_be_seen(module: str, kind: type[Exception]) -> None:
    """The locals of every frame are looked through for the key, and of ours for what is a customer's."""
    made: dict[str, Any] = {}
    source = "def send(key, error):\n    raise error"
    exec(compile(source, str(PACKAGE.parent / module), "exec"), made)
    error = kind("x")
    with pytest.raises(kind):
        made["send"](KEY, error)
    assert places(SECRETS, locals_of(error)) != []
    assert (module == "asyncio/tasks.py") == (places(SECRETS, locals_of(error, private=True)) == [])


async def test_the_servers_words_are_on_the_error() -> None:
    """Whoever asks for them, gets them."""
    taken = {"errors": [{"code": "email", "message": f"{EMAIL} is taken"}]}
    async with FaultServer(reply("400 Bad Request", taken)) as server, client_at(server.url) as client:
        with pytest.raises(BadRequestError) as caught:
            await client.get_customer(7)
    assert caught.value.message == f"{EMAIL} is taken"
    assert caught.value.errors == (ErrorDetail("email", f"{EMAIL} is taken"),)
