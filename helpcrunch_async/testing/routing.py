"""Which function answers which method and path.

An endpoint is a plain function of the account and the call. It does no I/O, so it cannot be interrupted half
way, and knows nothing of keys, rate limits or faults. A new one is a line in the `ROUTES` of its module in
`resources`.
"""

from collections.abc import Callable, Iterable, Mapping

import attrs

from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.answers import (
    Answer,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    bad_request,
    not_found,
    refused,
)
from helpcrunch_async.testing.paging import read_digits


@attrs.frozen
class Call:
    """One request as an endpoint sees it."""

    method: str
    path: str
    """Without the `/v1`, as it came over the wire: "/customers/8737843"."""
    query: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> int:
        """The id in the path.

        Raises:
            NotFoundError: it is not a positive integer, hence nobody's; a 400 is not documented here.
        """
        _, noun, segment, *_ = self.path.split("/")
        number = read_digits(segment)
        if number is None or number < 1:
            raise NotFoundError(noun.removesuffix("s").capitalize())
        return number


Endpoint = Callable[[Account, Call], Answer]


class Router:
    """A table from (method, path) to endpoints; `{id}` stands for the one segment that varies."""

    def __init__(self, routes: Iterable[tuple[str, str, Endpoint]]) -> None:
        self._endpoints = {(method, path): endpoint for method, path, endpoint in routes}

    def answer(self, account: Account, call: Call) -> Answer:
        """Let the endpoint answer; an unknown path or method is a 404, as no other status is documented."""
        endpoint = self._find(call)
        if endpoint is None:
            return not_found(account.spelling, "Resource")
        try:
            return endpoint(account, call)
        except InvalidRequestError as error:
            return bad_request(account.spelling, error)
        except RefusedError as error:
            return refused(error)
        except NotFoundError as error:
            return not_found(account.spelling, error.noun, error.code)

    def _find(self, call: Call) -> Endpoint | None:
        exact = self._endpoints.get((call.method, call.path))
        if exact is not None:
            return exact
        # Every path of the API that holds an id holds one, in second place.
        _, _, rest = call.path.partition("/")
        noun, slash, rest = rest.partition("/")
        _, last_slash, verb = rest.partition("/")
        return self._endpoints.get((call.method, f"/{noun}{slash}{{id}}{last_slash}{verb}"))
