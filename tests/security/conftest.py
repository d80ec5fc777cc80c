"""Voices that are packed, and the record of a training."""

from tests.packs.conftest import *  # noqa: F403 - fixtures
from tests.packs.test_pack import record  # noqa: F401
