"""What is installed and set on this machine."""

import os
import platform
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from helpcrunch_async import __version__
from helpcrunch_async.cli.doctor.finding import Finding, State
from helpcrunch_async.cli.exits import ExitCode

_DISTRIBUTION: Final = "helpcrunch-async"
_PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9._-]+).*?>=\s*([0-9.]+)")
_NEEDED: Final = ("aiohttp", "attrs", "cattrs", "tenacity", "typer", "rich")


def look_at_versions() -> list[Finding]:
    """Look at Python, at this package, and at what it needs."""
    return [
        Finding("python", State.GOOD, f"{platform.python_version()} on {platform.system()}"),
        Finding(_DISTRIBUTION, State.GOOD, __version__),
        *_look_at_needed(_least_versions()),
    ]


def _least_versions() -> dict[str, str]:
    try:
        wanted = requires(_DISTRIBUTION) or []
    except PackageNotFoundError:  # run from its sources
        return {}
    matches = (_REQUIREMENT.match(each) for each in wanted)
    return {match[1]: match[2] for match in matches if match is not None}


def _look_at_needed(least: Mapping[str, str]) -> Iterable[Finding]:
    for name in _NEEDED:
        try:
            there = version(name)
        except PackageNotFoundError:
            yield Finding(name, State.ODD, "version unknown: its metadata is missing")
            continue
        if name in least and _numbers(there) < _numbers(least[name]):
            yield Finding(
                name,
                State.BAD,
                f"{there}, and {least[name]} or newer is needed",
                f"pip install --upgrade '{_DISTRIBUTION}[cli]'",
                ExitCode.FAILED,
            )
        else:
            yield Finding(name, State.GOOD, there)


def _numbers(version_text: str) -> tuple[int, ...]:
    """Give the numbers that a version begins with, padded so that 3.14 is not older than 3.14.0."""
    numbers = [int(each) for each in re.findall(r"[0-9]+", re.split(r"[^0-9.]", version_text)[0])]
    return tuple([*numbers, 0, 0, 0][:4])


def look_at_proxies(url: str, *, use_proxy: bool) -> Finding:
    """Look at the variables that name proxies; what they hold can have a password in it."""
    # of two spellings the lower one counts, as in all of Python
    there = {
        name: value for name in _PROXIES if (value := os.environ.get(name.lower()) or os.environ.get(name))
    }
    parts = urlsplit(url)
    wanted = f"{parts.scheme.upper()}_PROXY"
    if not there:
        words = f"--use-proxy, and {wanted} is not set" if use_proxy else "none set"
        return Finding("proxy", State.ODD if use_proxy else State.GOOD, words)
    shown = {name: f"{name}={_without_password(name, value)}" for name, value in there.items()}
    if not use_proxy:
        return Finding(
            "proxy",
            State.ODD,
            f"set, and not used: {', '.join(shown.values())}",
            "if HelpCrunch can only be reached through it, add --use-proxy; in Python, "
            "session=partial(open_session, trust_env=True)",
        )
    if wanted not in there:
        advice = f"set {wanted}: it alone counts for this base URL"
        return Finding("proxy", State.ODD, f"not used: {', '.join(shown.values())}", advice)
    if proxy_bypass(parts.hostname or ""):
        words = f"not used, because of {shown.get('NO_PROXY', 'a setting of the system')}"
        advice = "take the host out of it if it can only be reached through the proxy"
        return Finding("proxy", State.ODD, words, advice)
    if urlsplit(there[wanted]).scheme != "http":
        advice = "write it as http://host:port: aiohttp knows no other proxies"
        return Finding("proxy", State.BAD, f"not usable: {shown[wanted]}", advice, ExitCode.FAILED)
    return Finding("proxy", State.GOOD, f"used: {shown[wanted]}")


def _without_password(name: str, value: str) -> str:
    if name == "NO_PROXY":
        return value
    parts = urlsplit(value if "//" in value else f"//{value}")
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.hostname or '?'}{port}"
