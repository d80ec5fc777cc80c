"""What a key of the configuration may hold, beyond its type.

A section is a frozen dataclass: the annotation of a field gives type and bounds, its default the
default. Of its docstring the first paragraph says what the key is; the rest helps to choose a
value. Everything else (the JSON schema, config/config.yaml and the tables of config/README.md) is
made of that by `python -m lib.config`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

STRICT = {"extra": "forbid", "use_attribute_docstrings": True}
"""How pydantic reads a section (`__pydantic_config__`): no other keys, docstrings as meanings."""


@dataclass(frozen=True, eq=False)
class InSchema:
    """Entries of the JSON schema that a type alone does not give."""

    entries: Mapping[str, Any]

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        """Add them; pydantic asks."""
        return {**handler(core_schema), **self.entries}


def bounds(
    *,
    ge: float | None = None,
    le: float | None = None,
    gt: float | None = None,
    lt: float | None = None,
) -> InSchema:
    """Bound a number: at least, at most, more than, less than."""
    names = {"minimum": ge, "maximum": le, "exclusiveMinimum": gt, "exclusiveMaximum": lt}
    return InSchema({name: value for name, value in names.items() if value is not None})


EXPERT = InSchema({"x-expert": True})
"""Of a key that nobody should need: it is not in the user's file, only in the tables."""

Text = Annotated[str, InSchema({"minLength": 1})]
Share = Annotated[float, bounds(ge=0, le=1)]
# A letter may come with its marks apart.
SingleCharacter = Annotated[
    str,
    InSchema({"pattern": "^.[\\u0300-\\u036f]*$", "description": "A single character, in quotes"}),
]
LanguageCode = Annotated[str, InSchema({"pattern": "^[a-z]{2,3}(-[A-Za-z0-9_]+)*$"})]
