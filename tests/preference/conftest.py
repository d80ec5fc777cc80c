"""A small dataset and a trained voice, to compare its checkpoints."""

from tests.fixtures.base_model import *  # noqa: F403 - fixtures
from tests.fixtures.training import *  # noqa: F403 - fixtures
