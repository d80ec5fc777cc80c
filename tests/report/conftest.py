"""A made-up run, and a browser."""

from tests.fixtures.made_run import *  # noqa: F403 - fixtures
