"""The `helpcrunch` script, and `python -m helpcrunch_async`."""

import sys


def main() -> None:
    """Run the command, or say what to install for it."""
    try:
        from helpcrunch_async.cli.app import app  # noqa: PLC0415 - it needs an extra that may be absent
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"typer", "rich"}:
            raise
        sys.stderr.write("helpcrunch: the command needs an extra: pip install 'helpcrunch-async[cli]'\n")
        raise SystemExit(1) from None
    app(prog_name="helpcrunch")


if __name__ == "__main__":
    main()
