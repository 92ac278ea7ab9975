"""What every check of an audit must do; the cases come from the registry."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest

from mien.curation.checks.base import CHECKS, NotChecked, Subject
from mien.data.duplicates.groups import find_duplicates


@pytest.fixture(params=CHECKS.names())
def check(request):
    return CHECKS[request.param]()


def test_it_has_a_rank_of_its_own(check):
    ranks = [other.order for other in CHECKS.all().values()]
    assert ranks.count(check.order) == 1


def test_its_findings_are_complete_and_end_without_a_full_stop(check, planted):
    subject = Subject(planted, find_duplicates(planted.images))
    if not check.applies(subject):
        return
    for found in check.find(subject):
        assert found.check == found.check.lower().replace("_", "-")
        assert found.title
        assert not found.title.endswith(".")
        assert found.why.endswith((".", "?"))
        assert found.what_to_do.endswith((".", "?"))
        for item in found.items:
            assert item.images or item.note


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_few_images_are_no_trouble(check, clean, count):
    few = clean.take(np.arange(count))
    subject = Subject(few, find_duplicates(few.images))
    if check.applies(subject):
        with suppress(NotChecked):
            assert isinstance(check.find(subject), list)
