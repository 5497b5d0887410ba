"""What it costs to make one customer of decoded JSON, against a constructor written by hand and others."""

import json
import timeit
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from statistics import median
from typing import Any, Final

import attrs
import orjson
from canned_server import customer_body
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from tables import Table, at_most, spread

from helpcrunch_async import Customer, CustomValue, Device, Location, Tag, from_dict

LIBRARIES: Final = ("attrs", "cattrs", "pydantic", "orjson")
_TARGET: Final = 2.3


def by_hand(row: Mapping[str, Any]) -> Customer:
    """Build the same customer with nothing checked and every field expected, once and in one spelling."""
    location, device = row["location"], row["device"]
    return Customer(
        id=row["id"],
        name=row["name"],
        email=row["email"],
        user_id=row["userId"],
        company=row["company"],
        phone=row["phone"],
        first_seen=datetime.fromtimestamp(int(row["firstSeen"]), UTC),
        last_seen=datetime.fromtimestamp(int(row["lastSeen"]), UTC),
        location=Location(location["regionCode"], location["countryCode"], location["city"]),
        device=Device(
            device["id"], device["ip"], device["timezone"], device["platform"], device["userAgent"]
        ),
        unsubscribed=row["unsubscribed"],
        blocked=row["blocked"],
        source=row["source"],
        referer=row["referer"],
        last_page=row["lastPage"],
        locale=row["locale"],
        created_from=row["createdFrom"],
        integration_id=row["integrationId"],
        notes=row["notes"],
        tags=tuple(Tag(tag["name"], tag["color"]) for tag in row["tags"]),
        custom_data=row["customData"],
    )


def plain_cattrs() -> Callable[[Mapping[str, Any]], Customer]:
    """Give what one writes first: a default converter, a rename rule, two hooks. It coerces, unchecked."""
    converter = Converter()
    converter.register_structure_hook(datetime, lambda value, _: datetime.fromtimestamp(int(value), UTC))
    converter.register_structure_hook(CustomValue, lambda value, _: value)

    def renamed(model: type[Any]) -> Any:
        renames: dict[str, Any] = {
            field.name: override(rename=to_camel(field.name)) for field in attrs.fields(model)
        }
        return make_dict_structure_fn(model, converter, **renames)

    converter.register_structure_hook_factory(attrs.has, renamed)
    return lambda row: converter.structure(row, Customer)


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="allow")


class _Location(_Model):
    region_code: str | None = None
    country_code: str | None = None
    city: str | None = None


class _Device(_Model):
    id: int | None = None
    ip: str | None = None
    timezone: str | None = None
    platform: str | None = None
    user_agent: str | None = None


class _Tag(_Model):
    name: str
    color: str | None = None


class PydanticCustomer(_Model):
    """The customer as a pydantic model; pydantic reads numeric strings as Unix seconds by itself."""

    id: int
    name: str | None = None
    email: str | None = None
    user_id: str | None = None
    company: str | None = None
    phone: str | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    location: _Location = _Location()
    device: _Device = _Device()
    unsubscribed: bool | None = None
    blocked: bool | None = None
    source: str | None = None
    referer: str | None = None
    last_page: str | None = None
    locale: str | None = None
    created_from: str | None = None
    integration_id: str | None = None
    notes: str | None = None
    tags: tuple[_Tag, ...] = ()
    custom_data: dict[str, CustomValue] = {}


def run(*, quick: bool) -> list[Table]:
    """Measure."""
    body = customer_body()
    row = json.loads(body)
    cattrs_default = plain_cattrs()
    contenders: dict[str, Callable[[], object]] = {
        "a constructor written by hand, unchecked": lambda: by_hand(row),
        "ours, `from_dict`": lambda: from_dict(Customer, row),
        "cattrs by default, a rename rule": lambda: cattrs_default(row),
        "pydantic, `model_validate`": lambda: PydanticCustomer.model_validate(row),
        "for scale: `json.loads` of the body": lambda: json.loads(body),
        "for scale: `orjson.loads` of the body": lambda: orjson.loads(body),
    }
    assert by_hand(row) == from_dict(Customer, row) == cattrs_default(row)
    assert PydanticCustomer.model_validate(row).first_seen == by_hand(row).first_seen
    rounds, number = (1, 100) if quick else (31, 1_000)
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, build in contenders.items():
            times[name].append(timeit.timeit(build, number=number) / number)
    by_hand_times = next(iter(times.values()))
    rows = []
    for name, mine in times.items():
        ratios = [one / other for one, other in zip(mine, by_hand_times, strict=True)]
        verdict = at_most(median(ratios), _TARGET) if name.startswith("ours") else ""
        rows.append([name, spread(ratios), f"{1e6 * min(mine):.1f} µs", verdict])
    return [
        Table(
            f"One customer of {len(body):,} bytes, from the decoded dict",
            f"Ratio to the first row, median of {rounds} interleaved rounds (least-greatest), and the best "
            "time. Ours checks every type, takes every documented spelling and keeps what does not fit; the "
            "first row does none of that, cattrs by default turns anything into a string, pydantic checks "
            "and coerces. The results of the first three rows compare equal.",
            ["", "ratio", "best", "target"],
            rows,
        )
    ]
