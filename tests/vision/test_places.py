from __future__ import annotations

import os

import pytest

from mien.errors import MienError
from mien.vision.places import SourceFiles, refuse_output, short_stem


def test_a_source_is_known_under_every_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"photo")
    (tmp_path / "soft.jpg").symlink_to(photo)
    os.link(photo, tmp_path / "hard.jpg")
    (tmp_path / "b.jpg").write_bytes(b"photo")
    sources = SourceFiles(["a.jpg", "", "0", "http://host/a.jpg", "nul\0.jpg", "gone.jpg"])
    for name in ("a.jpg", "soft.jpg", "hard.jpg"):
        with pytest.raises(MienError, match="is one of the sources"):
            refuse_output(tmp_path / name, sources)
    for name in ("b.jpg", "new/c.jpg", "gone.jpg"):
        refuse_output(tmp_path / name, sources)
    with pytest.raises(MienError, match="is not a file"):
        refuse_output(tmp_path, sources)


def test_a_stem_leaves_room_for_more():
    assert short_stem("some/фото.jpg") == "фото"
    assert short_stem("") == "picture"
    assert short_stem("写" * 83 + ".jpg") == "写" * 66
