"""Renders the HTML templates of the pages.

A room keeps its templates in a folder `templates`: HTML with Jinja's marks, and plain CSS and
JavaScript. A page is one file that loads nothing from elsewhere.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from lib.files import atomic_path

_SHARED = Path(__file__).with_name("templates")


def write_page(template: Path, values: Mapping[str, Any], output: Path) -> None:
    """Render a template and write the page, atomically.

    The template may extend or include the files beside it and those of `lib/report/templates`.
    Every value is escaped.

    Parameters
    ----------
    template
        HTML file with Jinja's marks.
    values
        What the template shows, by name.
    output
        HTML file to write.

    Raises
    ------
    jinja2.UndefinedError
        If the template uses a name that `values` does not have.
    """
    page = _make_environment(template.parent).get_template(template.name)
    with atomic_path(output) as temporary:
        temporary.write_text(page.render(values).strip() + "\n", "utf-8")


def breakable(text: object) -> Markup:
    """Escape a text, and let paths and names break after their marks, not within a word."""
    return Markup(re.sub(r"(?<=[^\W_])([/._-]+)(?=[^\W\d_])", r"\1<wbr>", str(escape(text))))


def _make_environment(folder: Path) -> Environment:
    """Return an environment that finds the templates of a folder and the shared ones."""
    environment = Environment(
        loader=FileSystemLoader([folder, _SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # JSON as short as it can be: pages hold thousands of clips.
    json_format = {"ensure_ascii": False, "separators": (",", ":")}
    environment.policies["json.dumps_kwargs"] = json_format

    def read_source(name: str) -> Markup:
        """Return a file of the templates as it is."""
        return Markup(environment.loader.get_source(environment, name)[0])

    environment.globals["read_source"] = read_source
    environment.filters["breakable"] = breakable
    environment.filters["csp_hash"] = _hash_source
    return environment


def _hash_source(source: str) -> str:
    """Return the hash by which a Content-Security-Policy allows a script."""
    digest = hashlib.sha256(source.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
