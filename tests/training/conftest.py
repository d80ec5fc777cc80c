"""A small dataset, a base model fitted to it, quick settings."""

import pytest
from accelerate.state import AcceleratorState

from tests.fixtures.base_model import *  # noqa: F403 - fixtures
from tests.fixtures.training import *  # noqa: F403 - fixtures
from tests.vits.conftest import fixed_noise  # noqa: F401 - a fixture


@pytest.fixture(autouse=True)
def own_state():
    """A training has a process of its own; here they share one, and accelerate remembers."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
