"""A directive for pages about the command: its options, as the command itself tells them with `--help`.

`{helpcrunch-command} fetch` stands for a part of the command, without a name for the command itself. The
option `:without-epilog:` leaves out what `--help` says below the options; what is the same there for all
parts is left out anyway.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import typer.main
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from helpcrunch_async.cli.app import app
from helpcrunch_async.cli.exits import EPILOG

_COMMAND: Final = typer.main.get_command(app)
_BARE_OPTION: Final = re.compile(r"(?<![\w`-])--[a-z][a-z-]*")
_REMARK: Final = re.compile(r"(.*?) *\[([^\]]*)\]", re.DOTALL)  # default, range, environment variable


def page_of(name: str, *, with_epilog: bool = True) -> str:
    """Write what `--help` tells of a part of the command as Markdown; an empty name is the command itself."""
    command: Any = vars(_COMMAND)["commands"][name].load() if name else _COMMAND
    program = f"helpcrunch {name}".strip()
    context = command.make_context(program, [], resilient_parsing=True)
    epilog = (command.epilog or "").replace(EPILOG, "") if with_epilog else ""
    return "\n\n".join(
        (
            f"```{{program}} {program}\n```",
            f"```text\n{program} {' '.join(command.collect_usage_pieces(context))}\n```" if name else "",
            _marked(command.help) if name else "",
            *_options(command, context),
            _marked(epilog),
        )
    )


def _options(command: Any, context: Any) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None or "--help" in parameter.opts:
            continue
        written, told = record
        if parameter.param_type_name == "argument":
            written = written.partition(" <")[0]  # its type is told by its range
        match = _REMARK.fullmatch(told)
        text = _marked(told) if match is None else f"{_marked(match[1])} ({match[2]})"
        yield f"```{{option}} {written.replace(' / ', ', ')}\n{text}\n```"


def _marked(text: str) -> str:
    """Mark options in a text as code; a dash would become of them."""
    return _BARE_OPTION.sub(r"`\g<0>`", text)


class CommandReference(SphinxDirective):
    """Puts the reference of a part of the command in its place."""

    optional_arguments = 1
    option_spec = {"without-epilog": bool}  # noqa: RUF012 - docutils reads it from the class

    def run(self) -> list[Any]:
        """Give the nodes, made of Markdown."""
        name = self.arguments[0] if self.arguments else ""
        # the command is no file of this directory; whoever builds twice in one build/ gets the new options
        self.env.note_reread()
        return self.parse_text_to_nodes(page_of(name, with_epilog="without-epilog" not in self.options))


def setup(app: Sphinx) -> None:
    """Let pages use it."""
    app.add_directive("helpcrunch-command", CommandReference)
