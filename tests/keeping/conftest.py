"""Places of both kinds, and the fixtures of trainings."""

import shutil

import pytest

from lib.keeping.storage import open_storage
from tests.training.conftest import *  # noqa: F403 - fixtures


@pytest.fixture(params=["folder", "rsync"])
def target(request, tmp_path, monkeypatch) -> str:
    """A folder, or one on "another machine": what would go there by ssh is run here."""
    if request.param == "folder":
        return str(tmp_path / "place")
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed")
    shell = tmp_path / "ssh"
    shell.write_text('#!/bin/sh\n[ "$1" = -l ] && shift 2\nshift\neval "$*"\n')
    shell.chmod(0o755)
    monkeypatch.setenv("RSYNC_RSH", str(shell))
    return f"me@elsewhere:{tmp_path}/place"


@pytest.fixture
def storage(target):
    return open_storage(target)
