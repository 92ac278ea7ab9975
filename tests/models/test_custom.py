"""Networks that a function builds, in place of a registered family."""

from __future__ import annotations

import functools

import pytest
import torch
from tests.conftest import TINY
from tests.training.test_train import StopAt, assert_same_weights
from torch import nn

from mien.errors import MienError, RecipeError
from mien.models import DEFAULT_TASK, build_model, to_unit
from mien.models.custom import CustomNetwork, register_callable
from mien.recipes import load_recipe
from mien.recipes.families import FAMILIES
from mien.reports.report import write_report
from mien.runs.run import Run
from mien.training.export import export
from mien.training.train import resume, train

OVERRIDES = [*(setting for setting in TINY if "model" not in setting), "train.votes_weight=1"]


@pytest.fixture(autouse=True)
def families(monkeypatch):
    """Forget at the end which functions a test has registered."""
    monkeypatch.setattr(FAMILIES, "_registered", dict(FAMILIES.all()))


def own_network(section, task):
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Dropout(section.dropout), nn.Linear(8, 7),
    )  # fmt: skip


def test_a_function_becomes_a_family():
    assert register_callable(own_network) == "own_network"
    classifier = build_model(load_recipe("quick", family="own_network").model, seed=1).eval()
    images = torch.randint(0, 256, (3, 48, 48), dtype=torch.uint8, generator=torch.manual_seed(0))
    with torch.no_grad():
        logits = classifier(to_unit(images))
        features = classifier.network.forward_features(to_unit(images))
    assert logits.shape == (3, 7)
    assert features.shape == (3, 8) == (3, classifier.network.num_features)
    assert isinstance(classifier.network.cam_layer, nn.Conv2d)


def test_it_is_trained_resumed_exported_and_reported(layouts, tmp_path):
    whole = train("quick", layouts["csv"], tmp_path / "a", overrides=OVERRIDES, network=own_network)
    assert whole.recipe.model.family == "own_network"
    with pytest.raises(MienError, match="stopped"):
        train(
            load_recipe("quick", OVERRIDES), layouts["csv"], tmp_path / "b",
            network=own_network, listener=StopAt(2, 1),
        )  # fmt: skip
    assert_same_weights(whole, resume(tmp_path / "b", network=own_network))
    assert export(whole, tmp_path / "c.onnx").metadata.parameters == whole.record.parameters
    assert "own_network" in write_report(Run(whole.path)).read_text()


def test_an_override_may_not_name_another_family(layouts, tmp_path):
    overrides = [*OVERRIDES, "model.family=stacked"]
    with pytest.raises(RecipeError, match="'stacked': the network is given by a function"):
        train("quick", layouts["csv"], tmp_path, overrides=overrides, network=own_network)
    recipe = load_recipe("quick", ["model={dropout=0.2}"], family=register_callable(own_network))
    assert (recipe.model.family, recipe.model.dropout) == ("own_network", 0.2)


def test_a_run_whose_family_is_not_known_here_keeps_its_results(layouts, tmp_path, monkeypatch):
    with pytest.raises(MienError, match="stopped"):
        train(
            "quick", layouts["csv"], tmp_path / "run", overrides=OVERRIDES, network=own_network,
            listener=StopAt(2, 1),
        )  # fmt: skip
    before = sorted(path.name for path in (tmp_path / "run").rglob("*"))
    monkeypatch.delitem(FAMILIES._registered, "own_network")  # as in another process
    with pytest.raises(RecipeError, match=r"own_network.*mien\.resume\(RUN, network="):
        resume(tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").rglob("*")) == before


def test_a_function_may_be_defined_again_but_takes_no_built_in_name():
    register_callable(own_network)

    def again(section, task):
        return own_network(section, task)

    again.__name__ = "own_network"  # as when a cell of a notebook is run once more
    assert register_callable(again) == "own_network"
    assert register_callable(functools.partial(own_network)) == "partial"
    again.__name__ = "stacked"
    with pytest.raises(MienError, match="'stacked': registered twice"):
        register_callable(again)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([nn.Conv2d(1, 4, 3), nn.Flatten()], r"an nn\.Linear that gives the logits"),
        ([nn.Flatten(), nn.Linear(48 * 48, 7)], "expected convolutions"),
        ([nn.Conv2d(1, 1, 1), nn.Flatten(), nn.Linear(48 * 48, 8)], "with 7 outputs"),
        (
            [nn.Conv2d(1, 1, 1), nn.Flatten(), nn.Linear(48 * 48, 7), nn.Softmax(1)],
            r"nothing \(no softmax\) after it",
        ),
        ([nn.Conv2d(1, 1, 1), nn.Flatten(), nn.Linear(10, 7)], "cannot read images of 1x48x48"),
        ([nn.Conv2d(3, 1, 1), nn.Flatten(), nn.Linear(48 * 48, 7)], "otherwise 1"),
        ([nn.Conv2d(1, 1, 1), nn.Flatten(), nn.Linear(48 * 48, 7, bias=False)], "has no bias"),
    ],
)
def test_what_is_no_classifier_is_refused(layers, said):
    with pytest.raises(RecipeError, match=said):
        CustomNetwork(nn.Sequential(*layers), DEFAULT_TASK, 1)


def test_a_function_that_builds_no_module_is_refused():
    register_callable(lambda *_: "no module")
    with pytest.raises(RecipeError, match=r"returned str, expected an nn\.Module"):
        build_model(load_recipe("quick", family="<lambda>").model)
