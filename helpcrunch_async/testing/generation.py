"""Customers made up from a seed: the same seed gives the same customers, on every machine."""

import random
from typing import Any

from helpcrunch_async.testing.customers import CustomerRow, read_customer

_FIRST_NAMES = (
    "Ada",
    "Björn",
    "Chloé",
    "Dmytro",
    "Elif",
    "Fatima",
    "Giulia",
    "Hana",
    "José",
    "Mei",
    "Олена",
)
_LAST_NAMES = (
    "Almeida",
    "Brandt",
    "Ćosić",
    "Dubois",
    "Eriksson",
    "Franko",
    "García",
    "Hoang",
    "Quill",
    "Шевченко",
)
_COMPANIES = ("acorn", "birch", "cedar", "dogwood", "elm", "fir")
_PLACES = (
    ("BY", "DE", "Munich"),
    ("CA", "US", "San Francisco"),
    ("30", "UA", "Kyiv"),
    ("IDF", "FR", "Paris"),
    (None, "SG", "Singapore"),
    (None, None, None),
)
_TIMEZONES = ("Europe/Berlin", "America/Los Angeles", "Europe/Kiev", "Asia/Singapore")
_TAGS = (
    ("lead", "#00c2e0"),
    ("Paid", "#c377e0"),
    ("trial", "#00aa88"),
    ("vip", "#ffb900"),
    ("churn risk", "red"),
)
_CHANNELS = (None, None, None, "telegram", "instagram_direct", "facebook")
_PLANS = ("Free", "Team", "Enterprise (Unlimited) $9999/mo")
_NOTES = ("prefers e-mail", "asked for an invoice", "speaks “formal” German\nand French")

_ID_FROM, _ID_STEP = 1_568_000, 97
_OLDEST, _YEAR = 1_546_300_800, 365 * 86_400
"""2019-01-01 in Unix seconds, and a year of them."""


def documented_customer() -> CustomerRow:
    """The customer that HelpCrunch's own page "Get a single customer" shows, its JSON mended."""
    return read_customer(
        {
            "id": 8737843,
            "name": "Cindy Mindy",
            "email": "cindy.mindy@example.com",
            "userId": "example_6268",
            "company": "example",
            "phone": None,
            "firstSeen": 1588927354,
            "lastSeen": 1591627673,
            "location": {"regionCode": "CA", "countryCode": "US", "city": "San Francisco"},
            "device": {
                "id": 28883192,
                "ip": "192.168.1.1",
                "timezone": "America/Los Angeles",
                "platform": "desktop",
                "userAgent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_1) AppleWebKit/537.36 "
                "(KHTML, like Gecko) Chrome/81.0.4044.138 Safari/537.36",
            },
            "unsubscribed": False,
            "blocked": False,
            "source": "http://helpcrunch.com/blog/best-live-chat-software/",
            "referer": "https://www.google.com/",
            "locale": "en",
            "notes": None,
            "lastPage": "https://example.helpcrunch.com/v2/chats",
            "tags": [{"name": "lead", "color": "#00c2e0"}],
            "customData": {
                "Role": "admin",
                "Plan": "Enterprise (Unlimited) $9999/mo",
                "segment": "PotentialChurn_premium_seg1",
                "Currency": "USD",
                "Emails sent": 621,
                "Trial end date": "2017-07-24 14:30:00",
                "Became payer at": "2017-09-13 00:00:00",
                "Registered date": "2017-07-10 14:30:00",
                "Next payment date": "2020-09-01 00:40:00",
                "Billing info added": True,
                "Number of payments": 35,
                "Subscription status": "active",
            },
        }
    )


def generate_customers(count: int, seed: int = 0) -> list[CustomerRow]:
    """Make up `count` different customers, the documented 8737843 first and the others by rising id.

    They hold what real ones hold: empty fields, a last visit without a first one, names beyond ASCII, e-mails
    that two customers share, custom values of every scalar type. A longer list with the same seed starts with
    the shorter one. `FakeHelpCrunch` takes the rows as they are; `write_customer` gives them either spelling.

    Raises:
        ValueError: `count` is negative.
    """
    if count < 0:
        raise ValueError(f"count must not be negative, not {count}")
    rows = [documented_customer()][:count]
    dice = random.Random(seed)
    customer_id = _ID_FROM
    while len(rows) < count:
        customer_id += dice.randint(1, _ID_STEP)
        if customer_id != rows[0]["id"]:
            rows.append(_customer(customer_id, dice))
    return rows


def _customer(customer_id: int, dice: random.Random) -> CustomerRow:
    first_name, last_name = dice.choice(_FIRST_NAMES), dice.choice(_LAST_NAMES)
    company = dice.choice(_COMPANIES)
    first_seen = _OLDEST + dice.randrange(4 * _YEAR)
    channel = dice.choice(_CHANNELS)
    region, country, city = dice.choice(_PLACES)
    # A small share of mailboxes is shared: HelpCrunch does not keep e-mails unique.
    mailbox = f"sales@{company}.example" if _one_in(dice, 20) else f"customer.{customer_id}@{company}.example"
    row: dict[str, Any] = {
        "id": customer_id,
        "name": None if _one_in(dice, 8) else f"{first_name} {last_name}",
        "email": None if _one_in(dice, 8) else mailbox,
        "userId": None if _one_in(dice, 4) else f"acct_{customer_id}",
        "company": None if _one_in(dice, 3) else company.title(),
        "phone": f"+4989{dice.randrange(10**7):07}" if _one_in(dice, 3) else None,
        "firstSeen": None if _one_in(dice, 20) else first_seen,
        "lastSeen": first_seen + dice.randrange(_YEAR),
        "location": {"regionCode": region, "countryCode": country, "city": city},
        "device": None if _one_in(dice, 8) else _device(dice),
        "unsubscribed": _one_in(dice, 10),
        "blocked": _one_in(dice, 30),
        "source": None if _one_in(dice, 4) else f"https://{company}.example/landing",
        "referer": "https://search.example/" if _one_in(dice, 2) else None,
        "locale": dice.choice(("en", "de", "uk", "fr")),
        "notes": dice.choice(_NOTES) if _one_in(dice, 5) else None,
        "lastPage": f"https://{company}.example/pricing",
        "createdFrom": channel,
        "integrationId": None if channel is None else str(dice.randrange(10**8, 10**9)),
        "tags": [
            {"name": name, "color": color} for name, color in dice.sample(_TAGS, dice.choice((0, 0, 1, 2)))
        ],
        "customData": _custom_data(dice),
    }
    if _one_in(dice, 50):
        row["location"] = None
    return row


def _device(dice: random.Random) -> dict[str, Any]:
    return {
        "id": dice.randrange(10**7, 10**8),
        "ip": f"203.0.113.{dice.randrange(1, 255)}",
        "timezone": dice.choice(_TIMEZONES),
        "platform": dice.choice(("desktop", "mobile")),
        "userAgent": f"ExampleBrowser/{dice.randrange(1, 99)}.{dice.randrange(10)}",
    }


def _custom_data(dice: random.Random) -> dict[str, Any]:
    chosen: dict[str, Any] = {"Plan": dice.choice(_PLANS)}
    if _one_in(dice, 2):
        chosen |= {"Seats": dice.randrange(1, 200), "Paid": _one_in(dice, 2)}
    if _one_in(dice, 3):
        chosen |= {"Last amount": dice.randrange(1, 40_000) / 4, "Renewal": "2026-09-01 00:40:00"}
    return chosen


def _one_in(dice: random.Random, chances: int) -> bool:
    return dice.randrange(chances) == 0
