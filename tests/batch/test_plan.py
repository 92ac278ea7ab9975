"""The plan of a batch job: the same parts from the same files, whoever asks."""

from __future__ import annotations

import pytest
from tests.batch.made import pngs, write_clip, write_parquet, write_photos, write_shard

from mien.batch.plan import Part, describe_left_out, make_plan
from mien.errors import MienError, SourceError


def plan_of(*sources, column="image", part_pictures=1000):
    return make_plan([str(one) for one in sources], column=column, part_pictures=part_pictures)


@pytest.fixture
def mixed(tmp_path):
    """A folder with a source of each kind."""
    write_photos(tmp_path / "mixed", 5)
    write_parquet(tmp_path / "mixed" / "faces.parquet", pngs(25))
    write_shard(tmp_path / "mixed" / "faces-000.tar", {"0.png": pngs(1)[0]})
    write_clip(tmp_path / "mixed" / "clip.avi")
    (tmp_path / "mixed" / "notes.txt").write_text("x")
    return tmp_path / "mixed"


def test_every_kind_of_file_is_planned(mixed):
    plan = plan_of(mixed, part_pictures=10)
    kinds = [(part.kind, part.first, part.count) for part in plan.parts]
    assert kinds == [
        ("photos", 0, 5),
        ("parquet", 0, 10),
        ("parquet", 10, 10),
        ("parquet", 20, 5),
        ("shard", 0, None),
        ("video", 0, 1),
    ]
    assert [part.number for part in plan.parts] == list(range(6))
    assert plan.parts[0].file_name == "part-000000.parquet"
    assert plan.pictures is None
    assert describe_left_out(plan.left_out) == "1 file of other kinds left out: 1 .txt"


def test_a_part_is_the_same_on_another_machine(mixed):
    odd = Part(3, "photos", ("caf\udce9.jpg", "b.jpg"), 7, 2)  # a name that is not UTF-8
    for part in (*plan_of(mixed).parts, odd):
        assert Part.from_json(part.to_json()) == part


def test_a_plan_is_the_same_until_a_file_changes(mixed):
    before = plan_of(mixed).digest
    assert plan_of(mixed).digest == before
    assert plan_of(mixed, part_pictures=10).digest != before
    (mixed / "0000.png").write_bytes(b"shorter")
    assert plan_of(mixed).digest != before


def test_photos_are_cut_so_that_every_core_has_some(tmp_path):
    write_photos(tmp_path, 100)
    assert [part.count for part in plan_of(tmp_path).parts] == [32, 32, 32, 4]
    assert [part.first for part in plan_of(tmp_path, part_pictures=60).parts] == [0, 32, 64, 96]
    assert plan_of(tmp_path).pictures == 100


def test_row_groups_are_never_cut(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", pngs(9), group=4)
    assert [part.row_groups for part in plan_of(path, part_pictures=2).parts] == [(0,), (1,), (2,)]
    assert [part.row_groups for part in plan_of(path, part_pictures=8).parts] == [(0, 1), (2,)]


def test_a_parquet_file_without_the_column_is_one_line(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", pngs(1))
    with pytest.raises(MienError, match=r"no column 'imag' \(did you mean 'image'\?\).*--column"):
        plan_of(path, column="imag")


def test_a_damaged_parquet_file_is_planned_as_one_row(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no more")
    (part,) = plan_of(tmp_path).parts
    assert (part.kind, part.count, part.row_groups) == ("parquet", 1, ())


def test_a_source_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(SourceError, match=r"nothing: cannot be listed \(No such file"):
        plan_of(tmp_path / "nothing")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match=r"nothing to read, expected photos.*there: 1 \.txt"):
        plan_of(tmp_path)
