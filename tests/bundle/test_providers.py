from __future__ import annotations

import pytest

from mien.bundle.provider_names import PROVIDERS, RUNTIME_NAMES
from mien.bundle.providers import choose_provider, missing_note
from mien.errors import BundleError

CPU = RUNTIME_NAMES["cpu"]
ALL = [*RUNTIME_NAMES.values(), "TensorrtExecutionProvider"]


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_cpu_is_always_last_and_serves_alone_where_nothing_else_is(name):
    assert choose_provider(name, ALL).names[-1] == CPU
    assert choose_provider(name, [CPU]).names == (CPU,)


@pytest.mark.parametrize("name", [name for name in RUNTIME_NAMES if name != "cpu"])
def test_an_installed_provider_is_taken_and_a_missing_one_is_said(name):
    assert choose_provider(name, ALL).names == (RUNTIME_NAMES[name], CPU)
    assert choose_provider(name, ALL).note == ""
    assert f"no {name} provider" in choose_provider(name, [CPU]).note


def test_auto_takes_the_best_that_is_installed_without_a_word():
    assert choose_provider("auto", ALL).names[0] == RUNTIME_NAMES["cuda"]
    assert (
        choose_provider("auto", [CPU, RUNTIME_NAMES["openvino"]]).names[0]
        == (RUNTIME_NAMES["openvino"])
    )
    assert choose_provider("auto", [CPU]).note == ""


def test_a_provider_that_cannot_start_is_said():
    choice = choose_provider("cuda", ALL)
    assert missing_note(choice, choice.names) == ""
    assert "could not start its cuda provider" in missing_note(choice, (CPU,))


def test_an_unknown_provider_is_refused():
    with pytest.raises(BundleError, match="expected auto, cuda, coreml"):
        choose_provider("gpu")
