"""The OpenTelemetry recipe: every attempt is a span, and no span holds a key, an id or anybody's data."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

EXAMPLES = Path(__file__).parents[1] / "examples"
KEY, ADDRESS, ID = "k3y-that-nobody-may-see", "mara@customer.example", 987654

# In an interpreter of its own: OpenTelemetry reads its environment once.
PROGRAM = f"""
import asyncio, json, os
from contextlib import suppress
from functools import partial

from helpcrunch_async import HelpCrunchClient, HelpCrunchError, NO_RETRY, RetryPolicy, open_session
from helpcrunch_async.testing import FakeHelpCrunch
from opentelemetry.instrumentation.aiohttp_client import create_trace_config
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from traced import traced_client

os.environ["HELPCRUNCH_API_KEY"] = {KEY!r}
reader = InMemoryMetricReader()
set_meter_provider(MeterProvider(metric_readers=[reader]))
spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))


def make_client():
    if "WITHOUT_THE_RECIPE" not in os.environ:
        return traced_client(provider)
    plain = create_trace_config(tracer_provider=provider)
    return HelpCrunchClient(session=partial(open_session, trace_configs=[plain]))


async def main():
    async with FakeHelpCrunch(api_key={KEY!r}) as server:
        os.environ["HELPCRUNCH_BASE_URL"] = server.url
        server.add_customer({{"id": {ID}, "email": {ADDRESS!r}}})
        async with make_client() as opened:
            client = opened.with_options(retry=RetryPolicy(max_backoff=0.0))
            await client.get_customer({ID})
            server.fail_next(1, "disconnect")
            server.fail_next(1, "503")
            await client.get_customer({ID})
            assert await client.find_customer(email={ADDRESS!r})
            for path in ("customers/{ID}/visits", "customers/{ID}0"):
                with suppress(HelpCrunchError):
                    await client.request("GET", path, query={{"email": {ADDRESS!r}}})
        sent = len(server.requests)
        assert all("traceparent" in each.headers for each in server.requests)
    async with make_client() as client:  # nobody listens any more
        with suppress(HelpCrunchError):
            await client.with_options(retry=NO_RETRY).get_customer({ID})
    return sent + 1


print(json.dumps({{
    "attempts": asyncio.run(main()),
    "spans": [json.loads(each.to_json()) for each in spans.get_finished_spans()],
    "metrics": json.loads(reader.get_metrics_data().to_json()),
}}))
"""


def traced(**environment: str) -> dict[str, Any]:
    """Run the program; gives what was exported."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(EXAMPLES), *sys.path]), **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    told: dict[str, Any] = json.loads(run.stdout)
    return told


CONVENTIONS = pytest.mark.parametrize("conventions", ["", "http", "http/dup"], ids=["old", "new", "both"])


@CONVENTIONS
def test_nothing_is_given_away(conventions: str) -> None:
    """Also when somebody wants every header captured, in whichever spelling of the attributes."""
    told = traced(
        OTEL_SEMCONV_STABILITY_OPT_IN=conventions,
        OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST=".*",
        OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE=".*",
    )
    assert told["attempts"] == len(told["spans"]) == 8
    exported = json.dumps(told)
    for secret in (KEY, ADDRESS, "mara", "customer.example", str(ID), "Bearer"):
        assert secret not in exported
    urls = [
        url
        for span in told["spans"]
        for name, url in span["attributes"].items()
        if name in ("http.url", "url.full")
    ]
    paths = {URL(url).path for url in urls}
    assert paths == {"/v1/customers/{id}", "/v1/customers/{id}/visits", "/v1/customers/search"}


@CONVENTIONS
def test_without_the_recipe_it_would_be(conventions: str) -> None:
    """So that the test above is known to look in the right places."""
    exported = json.dumps(traced(OTEL_SEMCONV_STABILITY_OPT_IN=conventions, WITHOUT_THE_RECIPE="1")["spans"])
    assert str(ID) in exported
    assert "mara" in exported
    assert KEY not in exported


def test_failed_attempts_are_marked() -> None:
    """A connection that breaks, and an answer that is an error."""
    spans = traced()["spans"]
    assert [span["status"]["status_code"] for span in spans].count("ERROR") == 5
    statuses = [span["attributes"].get("http.status_code") for span in spans]
    assert statuses == [200, None, 503, 200, 200, 404, 404, None]
