"""Errors that several rooms know."""


class ExpectedStop(Exception):  # noqa: N818 - an event, not an error
    """An end that is nobody's fault: its message says all, and no traceback is wanted."""
