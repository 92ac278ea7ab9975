"""Paths and addresses of batch jobs."""

from __future__ import annotations

import pytest

from mien.batch.stores import join, normal_path, shown, store_of, with_options
from mien.errors import MienError


def test_a_folder_is_walked_by_name_without_hidden_files(tmp_path):
    for name in ("b.png", "a/z.png", "a/.hidden", ".git/x.png", "c.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"12")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = list(store_of(str(tmp_path)).walk(str(tmp_path)))
    assert [entry.path for entry in found] == [
        str(tmp_path / name) for name in ("a/z.png", "b.png", "c.png")
    ]
    assert {entry.size for entry in found} == {2}


def test_a_remote_folder_has_the_same_walk(tmp_path):
    """A file system of fsspec, as for any address that pyarrow does not know."""
    address = "memory://walked/photos"
    store = store_of(address)
    for name in ("b.png", "a/z.png", "a/.hidden", ".git/x.png"):
        store.write(join(address, name), name.encode())
    paths = [entry.path for entry in store.walk(address)]
    assert [path.removeprefix("memory://").lstrip("/") for path in paths] == [
        "walked/photos/a/z.png",
        "walked/photos/b.png",
    ]
    assert store.read(paths[0]) == b"a/z.png"
    assert store.read(join(address, "a/z.png")) == b"a/z.png"
    assert store.size(address) is None
    store.delete(join(address, "b.png"))
    store.delete(join(address, "b.png"))
    with pytest.raises(FileNotFoundError):
        store.size(join(address, "b.png"))


def test_passwords_and_options_are_never_shown():
    address = "s3://key:secret@bucket/photos/a.png?endpoint_override=127.0.0.1&scheme=http"
    assert shown(address) == "s3://bucket/photos/a.png"
    assert shown("/photos/what?.png") == "/photos/what?.png"


def test_the_options_of_an_address_stay_with_its_files():
    root = "s3://bucket/photos?scheme=http"
    assert join(root, "a.png") == "s3://bucket/photos/a.png?scheme=http"
    assert with_options("s3://bucket/photos/a.png", root) == join(root, "a.png")
    assert with_options("/photos/a.png", "/what?") == "/photos/a.png"


def test_a_local_path_is_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert normal_path("photos/../a") == str(tmp_path / "a")
    assert normal_path(f"file://{tmp_path}/a") == str(tmp_path / "a")
    assert normal_path("s3://bucket/a") == "s3://bucket/a"


def test_an_unknown_file_system_is_one_line():
    with pytest.raises(MienError, match=r"nowhere://a/: cannot be opened .* s3://bucket/folder"):
        store_of("nowhere://a")
