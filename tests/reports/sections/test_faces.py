from __future__ import annotations

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest

from mien.bundle.scores import Score
from mien.labels import FER2013
from mien.reports.sections import SECTIONS

FacesSection = SECTIONS["faces"]


@pytest.fixture(scope="module")
def section(content):
    return FacesSection(learned(content))


def learned(content):
    """The content with an accuracy that no guessing reaches."""
    accuracy = Score(value=0.9, low=0.8, high=1.0)
    return replace(content, evaluation=content.evaluation.model_copy(update={"accuracy": accuracy}))


def test_a_network_that_has_learned_nothing_judges_no_label(content):
    body = str(FacesSection(content).render({}))
    assert "learned too little to judge labels" in body
    assert set(re.findall(r'<li class="(\w+) ', body)) == {"drawn"}


def test_its_sample_shows_what_is_in_the_evaluation(text):
    right, wrong = text.count('class="drawn right"'), text.count('class="drawn wrong"')
    assert right + wrong == 24
    assert f"{right} are read as labelled" in text
    assert f"{wrong} are not" in text
    assert text.count("<br>label: ") == len(re.findall(r'class="(\w+ )wrong"', text))
    assert text.count('class="unsure wrong"') == 0


def test_the_mistakes_are_the_most_confident(section, content):
    mistakes = section.mistakes
    assert 0 < len(mistakes) <= 12
    assert not any(sample.right for sample in mistakes)
    sure = [sample.probability for sample in mistakes]
    assert sure == sorted(sure, reverse=True)
    probabilities = np.array(content.evaluation.probabilities)
    assert sure[0] == probabilities[~content.evaluation.right()].max()


def test_no_face_is_shown_both_as_a_mistake_and_as_a_doubtful_label(section):
    doubted = {one.id for one in section.doubts.samples}
    assert not doubted & {one.id for one in section.mistakes}
    for _, examples in SECTIONS["errors"](section.content).confused:
        assert not doubted & {one.id for one in examples}
        assert not {one.id for one in section.mistakes} & {one.id for one in examples}


def test_every_face_names_its_id(section, content):
    ids = set(content.dataset.split("val").ids.tolist())
    shown = section.numbers()["faces"]
    assert [len(some) for some in shown.values()] == [
        len(section.drawn), len(section.mistakes), len(section.least_certain),
        len(section.doubts.samples),
    ]  # fmt: skip
    for one in itertools.chain.from_iterable(shown.values()):
        assert one in ids
        assert f'<span class="id">{one}</span>' in str(section.render({}))


def test_the_least_certain_are_read_as_labelled(section, content):
    right = content.evaluation.right()
    confidence = np.array(content.evaluation.probabilities).max(1)
    assert [one.probability for one in section.least_certain] == sorted(confidence[right])[:12]
    assert all(one.right for one in section.least_certain)


def with_answers(content, labels, probabilities):
    update = {"labels": tuple(labels), "probabilities": tuple(map(tuple, probabilities))}
    return replace(content, evaluation=content.evaluation.model_copy(update=update))


def test_the_surest_doubts_are_labels_that_were_changed(content):
    labels = np.array(content.evaluation.labels)
    probabilities = np.full((len(labels), 7), 0.02)
    probabilities[np.arange(len(labels)), labels] = 0.88
    probabilities[5] += np.eye(7)[labels[5]] * 0.05  # surer than the mean of its class
    wrong = labels.copy()
    wrong[5] = (wrong[5] + 1) % 7
    section = FacesSection(with_answers(learned(content), wrong.tolist(), probabilities.tolist()))
    doubts = section.doubts
    assert doubts.images == 1
    assert doubts.among_mistakes == 1
    assert doubts.samples == []
    (mistake,) = section.mistakes
    assert mistake.label == FER2013.names[wrong[5]]
    assert mistake.emotion == FER2013.names[labels[5]]
    assert "1 of them is shown among the mistakes above." in str(section.render({}))
    assert doubts.voters_agree is None


def test_voters_are_asked_about_mistakes_where_there_are_votes(content, faces):
    votes = np.zeros((len(faces), 10), np.int8)
    votes[:, 1] = 10  # happiness, all of them
    voted = replace(learned(content), dataset=replace(content.dataset, votes=votes))
    section = FacesSection(voted)
    wrong = ~content.evaluation.right()
    read = np.array(content.evaluation.probabilities).argmax(1)
    assert section.doubts.mistakes_voted == wrong.sum()
    happy = FER2013.names.index("happy")
    assert section.doubts.voters_agree == np.count_nonzero(wrong & (read == happy))
    assert f"For {wrong.sum()} of its mistakes, most FER+ voters" in str(section.render({}))
    assert "FER+" not in str(FacesSection(content).render({}))
