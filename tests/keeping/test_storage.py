"""What is put to a place comes back from it, whole."""

import pytest

from lib.keeping.storage import FolderStorage, RsyncStorage, StorageError, open_storage


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "made"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.bin").write_bytes(bytes(range(256)))
    (folder / "inner/state.json").write_text("{}")
    return folder


def contents(folder) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_folder_comes_back_as_it_was(storage, folder, tmp_path):
    storage.put(folder, "voice/checkpoints/one")
    assert storage.list() == ["voice"]
    assert storage.list("voice/checkpoints") == ["one"]
    back = tmp_path / "back"
    back.mkdir()
    storage.get("voice/checkpoints/one", back)
    assert contents(back) == contents(folder)


def test_a_later_one_takes_the_place_of_the_earlier(storage, folder, tmp_path):
    storage.put(folder, "voice/best")
    (folder / "a.bin").write_bytes(b"other content of the very same length".ljust(256))
    (folder / "inner/state.json").unlink()
    storage.put(folder, "voice/best")
    back = tmp_path / "back"
    back.mkdir()
    storage.get("voice/best", back)
    assert contents(back) == contents(folder)


def test_one_kind_of_file_can_be_asked_for(storage, folder, tmp_path):
    storage.put(folder, "voice/one")
    back = tmp_path / "back"
    back.mkdir()
    storage.get("voice", back, only="state.json")
    assert contents(back) == {"one/inner/state.json": b"{}"}


def test_what_is_removed_is_gone_and_nothing_else(storage, folder):
    for name in ("one", "two"):
        storage.put(folder, f"voice/{name}")
    storage.remove("voice/one")
    assert storage.list("voice") == ["two"]
    storage.remove("voice/one")


def test_what_is_not_there_has_no_names(storage):
    assert storage.list("nobody") == []


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="file/place cannot be written to"):
        open_storage(f"{tmp_path}/file/place")


def test_a_machine_that_does_not_answer_is_refused_and_named(tmp_path, monkeypatch):
    monkeypatch.setenv("RSYNC_RSH", "false")
    with pytest.raises(StorageError, match="nobody:kept"):
        open_storage("nobody:kept")


def test_the_kind_of_a_place_follows_from_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(RsyncStorage, "__init__", lambda self, target: None)
    monkeypatch.chdir(tmp_path)
    for remote in ("host:kept", "me@host:/a/b", "host::module", "rsync://host/module"):
        assert isinstance(open_storage(remote), RsyncStorage), remote
    for local in ("kept", "/a/b:c".replace("/a", str(tmp_path)), "./a:b"):
        assert isinstance(open_storage(local), FolderStorage), local
    with pytest.raises(StorageError, match="got an option"):
        open_storage("-e:sh")
