"""A small dataset and a base model fitted to it."""

from tests.fixtures.base_model import *  # noqa: F403 - fixtures
