"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from helpcrunch_async.cli.files.layouts import Format

Out = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="FILE|-",
        help="Gets JSON lines, or CSV if its name ends in .csv; - is stdout.",
        show_default=False,
    ),
]
FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format", help="JSON lines or CSV, whatever the name of the file ends in.", show_default=False
    ),
]
Bom = Annotated[
    bool, typer.Option("--bom", help="Begin a CSV with a byte order mark, by which Excel recognizes UTF-8.")
]
Fields = Annotated[
    str | None,
    typer.Option(
        "--fields",
        metavar="NAME,...",
        help="Only these fields, such as name,email; the id always comes first.",
        show_default=False,
    ),
]
Column = Annotated[
    str | None,
    typer.Option(
        "--column",
        metavar="NAME",
        help="The ids are in this column of a CSV, whose first line names its columns.",
        show_default=False,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Start over: replace what is in the files.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, even on a terminal.")]
