"""A small dataset and a base model fitted to it; a training for what is exported."""

from tests.fixtures.base_model import *  # noqa: F403 - fixtures
from tests.fixtures.training import *  # noqa: F403 - fixtures
