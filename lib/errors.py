"""Errors that several rooms know, and what their messages suggest."""

import difflib
from collections.abc import Collection


class ExpectedStop(Exception):  # noqa: N818 - an event, not an error
    """An end that is nobody's fault: its message says all, and no traceback is wanted."""


def suggest(wrong: str, valid: Collection[str]) -> str:
    """Return a sentence with the valid name nearest to a wrong one, or with some of them."""
    near = difflib.get_close_matches(wrong, list(valid), n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    shown = sorted(valid)[:8]
    more = ", ..." if len(valid) > len(shown) else ""
    return f"there are {', '.join(shown)}{more}." if shown else "there are none yet."
