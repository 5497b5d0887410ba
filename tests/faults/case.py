"""What a fault is: a number, and the ways in which it comes about, each with what the caller must get."""

from enum import Enum

from attrs import frozen

from faults.acts import Act
from faults.clients import ATTEMPTS
from faults.stages import Staging
from helpcrunch_async import UNLIMITED, Limiter, RateLimiter


class Line(Enum):
    """A line of the retry table: what becomes of a request that can be repeated, and of one that cannot."""

    NEVER_SENT = "never sent", True, True, False
    CERTIFICATE = "never sent, for a certificate that asking again does not mend", False, False, False
    REFUSED = "429", True, True, False
    PATIENCE = "429 with a Retry-After beyond the caller's patience", False, False, False
    STATUS = "408, 500, 502, 503, 504, 520-524", True, False, True
    BROKEN = "closed, reset, silent or not HTTP after sending", True, False, True
    UNREADABLE = "body cut or unreadable after 2xx", True, False, True
    TOO_LARGE = "a body above the cap after 2xx", False, False, True
    OTHER_5XX = "other 5xx", False, False, True
    SAID_NO = "other 4xx, 3xx", False, False, False

    def __init__(self, condition: str, read: bool, write: bool, doubt: bool) -> None:  # noqa: FBT001 - a table
        self.condition = condition
        self.repeats_what_can_be_repeated = read
        self.repeats_what_cannot = write
        self.leaves_changes_in_doubt = doubt

    def attempts(self, *, repeatable: bool) -> int:
        """How often a request is sent while the fault lasts."""
        again = self.repeats_what_can_be_repeated if repeatable else self.repeats_what_cannot
        return ATTEMPTS if again else 1


@frozen
class Case:
    """One way in which a fault comes about: any request may meet it."""

    name: str
    stage: Staging
    line: Line
    error: type[Exception]
    words: str  # in the error's text
    timeout: float = 5.0  # seconds for an attempt
    lasts: bool = False  # it would hold an attempt for as long as that may take
    platform: str | None = None  # where alone it can be had
    acknowledges: bool = False  # all the same the promised answer of endpoints that answer "Ok"


@frozen
class Special:
    """One way in which a fault comes about that takes a particular call."""

    name: str
    stage: Staging
    act: Act
    gets: str
    error: type[BaseException] | None = None
    words: str | None = None
    requests: int = 1
    in_doubt: bool = False


@frozen
class Fault:
    """A row of the specification."""

    number: int
    fault: str
    cases: tuple[Case | Special, ...]


def limiter_for(case: Case) -> Limiter:
    """A generous limiter that gives its turns back; none where it would wait out what is to be counted."""
    return UNLIMITED if case.line is Line.REFUSED else RateLimiter(10_000, 1.0)
