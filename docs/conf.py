"""How Sphinx builds these pages: `make docs`."""

import builtins
import re
import sys
from pathlib import Path
from typing import Any

from sphinx import addnodes
from sphinx.application import Sphinx

import helpcrunch_async

project = "helpcrunch_async"
author = "The helpcrunch_async developers"
copyright = "2026, the helpcrunch_async developers"  # noqa: A001 - Sphinx's own name
version = release = helpcrunch_async.__version__

sys.path.insert(0, str(Path(__file__).parent))  # for those beside this file
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
extensions += ["command_reference", "limiter_figures"]
exclude_patterns = ["_build", "explanation/made"]  # what limiter_figures makes is included
root_doc = "index"

# Pages
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Docstrings
default_role = "py:obj"  # `get_customer` becomes a link where it names something of ours, else plain code
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_use_type_comments = False
napoleon_numpy_docstring = False
napoleon_use_rtype = False
python_display_short_literal_types = True
python_maximum_signature_line_length = 120
add_module_names = False
toc_object_entries_show_parents = "hide"

# Every reference to something of ours must lead somewhere. Other libraries are not linked, so that building
# needs no network; a single backtick may hold any word; type variables are nowhere documented.
nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", ".*"),
    ("py:(class|exc|data|func|meth|attr|mod)", r"(?!helpcrunch_async\b).*"),
    ("py:class", r".*\.(T|M|Noun)"),
    ("py:class", r"helpcrunch_async\.walk\.Walk"),  # what a listing makes `Pages` of
]

# Looks
html_theme = "furo"
html_title = f"helpcrunch_async {version}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "monokai"

_SECTION = re.compile(r"(Args|Raises|Returns|Yields|Attributes|Example|Note):")
_QUOTED = re.compile(r"(`[^`]*`)")
_CONSTANT = re.compile(r"= (_?[A-Z][A-Z_]+)\b")
_NAME = re.compile(r"`[A-Za-z_][\w.]*`")
_BUILTINS = frozenset(dir(builtins))


def mark_code(  # noqa: PLR0917 - Sphinx calls it so
    app: Sphinx, what: str, name: str, thing: object, options: dict[str, bool], lines: list[str]
) -> None:
    """Read docstrings as they are written: plain text, `code`, and indented paragraphs of code."""
    # an empty comment first: napoleon would take what stands before a colon in a field for its type
    marked = ["..", ""] if what in ("attribute", "data", "property") else []
    in_section = in_code = False
    for line in lines:
        is_indented = line.startswith("    ")
        if line and not is_indented:
            in_section, in_code = _SECTION.fullmatch(line) is not None, False
        elif is_indented and not in_section and not in_code and marked and not marked[-1]:
            marked += [".. code-block:: python", ""]
            in_code = True
        marked.append(line if in_code else _escape(line))
    lines[:] = marked


def _escape(line: str) -> str:
    """Keep reStructuredText from seeing emphasis in a star, let `code`s have an s, and link names only."""
    parts = _QUOTED.split(line)
    for index, text in enumerate(parts):
        if index % 2:
            parts[index] = text if _NAME.fullmatch(text) else f"`{text}`"
        else:
            parts[index] = text.replace("*", "\\*")
            if index and text[:1].isalnum():
                parts[index] = f"\\ {parts[index]}"
    return "".join(parts)


def tidy_signature(  # noqa: PLR0917 - as above
    app: Sphinx, what: str, name: str, thing: Any, options: dict[str, bool], signature: str, result: str
) -> tuple[str, str] | None:
    """Write defaults as readers know them: numbers for their names, and nothing of our imports.

    Arguments are left out where a class is a list of fields, each of which is listed below it.
    """
    if what in ("class", "exception") and hasattr(thing, "__attrs_attrs__"):
        return "", ""
    if not signature:
        return None
    module = sys.modules[thing.__module__]

    def number_of(match: re.Match[str]) -> str:
        value = getattr(module, match[1], None)
        return f"= {value}" if isinstance(value, int | float) else match[0]

    signature = _CONSTANT.sub(number_of, signature)
    return signature.replace("_Unset.UNSET", "UNSET").replace("random_module.", "random."), result


def leave_builtins(app: Sphinx, doctree: Any) -> None:
    """Do not take `type` in an annotation for the field of a model that has the same name."""
    for node in doctree.findall(addnodes.pending_xref):
        if node.get("refdomain") == "py" and node["reftarget"] in _BUILTINS:
            node.attributes.pop("refspecific", None)


def setup(app: Sphinx) -> None:
    """Let Sphinx call the functions above."""
    # before napoleon, whose priority is 500
    app.connect("autodoc-process-docstring", mark_code, priority=400)
    app.connect("autodoc-process-signature", tidy_signature)
    app.connect("doctree-read", leave_builtins)
