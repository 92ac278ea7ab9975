"""Pictures that end their process, which is known only by what they leave."""

from __future__ import annotations

from mien.batch.attempts import FOLDER, REASON, Attempts


def test_a_picture_at_which_two_careful_attempts_ended_is_left_out(tmp_path):
    out = str(tmp_path)
    assert not Attempts(out, "part").is_careful
    assert not Attempts(out, "part").is_careful
    for _ in range(2):
        attempt = Attempts(out, "part")
        assert attempt.is_careful
        assert attempt.before(3) == ""
        assert attempt.before(4) == ""  # the process ends here
    attempt = Attempts(out, "part")
    assert attempt.before(3) == ""
    assert attempt.before(4) == REASON
    attempt.finished()
    assert not Attempts(out, "part").is_careful


def test_an_attempt_that_ends_between_pictures_blames_none(tmp_path):
    for _ in range(9):
        attempt = Attempts(str(tmp_path), "part")
    assert attempt.before(0) == ""


def test_a_damaged_note_only_costs_an_attempt(tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "part.json").write_text("[]")
    assert not Attempts(str(tmp_path), "part").is_careful
