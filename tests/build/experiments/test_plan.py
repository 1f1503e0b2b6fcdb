"""Plans and campaigns are checked whole before anything runs; each fault is named with a way out."""

from __future__ import annotations

import pytest

from noria.build.experiments.sweeps.campaign import read_campaign
from noria.build.experiments.sweeps.plan import plan_of, read_plan
from noria.errors import UsageError

GOOD = {"name": "a", "data": "d", "space": {"svm_c": [0.1, 1.0]}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rnus": 3}, "unknown key 'rnus'. Did you mean 'runs'"),
        ({"runs": 0}, "runs = 0 is outside"),
        ({"runs": True}, "wrong kind"),
        ({"name": "A b"}, "lower-case"),
        ({"data": ""}, "data is missing"),
        ({"sampler": "tpr"}, "'tpr' is none of"),
        ({"space": {"svm_d": [1]}}, "no setting 'svm_d'. Did you mean 'svm_c'"),
        ({"fixed": {"svm_d": 1}}, "unknown setting 'svm_d'"),
        ({"fixed": {"svm_c": 1.0}}, "both fixed and in the space"),
        ({"space": {"svm_c": []}}, "choices must be given"),
        ({"space": {"svm_c": [1.0, 1.0]}}, "each once"),
        ({"space": {"svm_c": {"low": 2.0, "high": 1.0}}}, "hold no value"),
        ({"space": {"svm_c": {"low": 0.0, "high": 1.0, "log": True}}}, "starts above 0"),
        ({"space": {"svm_c": {"low": 0.1}}}, "give a list of choices, or"),
        ({"space": {"svm_c": {"low": 0.1, "high": 1e9}}}, "outside"),
        ({"space": {"lineup": ["ngrams", "nothing"]}}, "is none of"),
        ({"space": {"lineup": {"low": 0, "high": 1}}}, "is no number"),
        ({"space": {"char_max_n": {"low": 2.5, "high": 4}}}, "whole numbers"),
        ({"space": {"char_min_n": [6, 7], "char_max_n": [3, 4]}}, "the search space is impossible"),
        ({"sampler": "grid", "space": {"svm_c": {"low": 0.1, "high": 1.0}}}, "a grid needs choices or a step"),
        ({"rungs": [0.5, 0.2]}, "rising"),
        ({"objective": [{"criterion": "intent.acuracy"}]}, "Did you mean 'intent.accuracy'"),
        ({"objective": [{"criterion": "intent.accuracy", "direction": "up"}]}, '"maximize" or "minimize"'),
        (
            {"rungs": [0.5], "objective": [{"criterion": "intent.accuracy"}, {"criterion": "calibration.ece"}]},
            "several objectives cannot be pruned",
        ),
    ],
)
def test_a_fault_of_a_plan_is_named(changes, said):
    with pytest.raises(UsageError) as told:
        plan_of({**GOOD, **changes}, "p.toml")
    assert said in str(told.value)
    assert str(told.value).startswith("p.toml")


def test_text_that_is_no_toml_is_refused_with_its_line():
    with pytest.raises(UsageError, match=r"p.toml: .*line 1"):
        read_plan("name = = 2", "p.toml")


def test_a_plan_has_150_runs_unless_it_says_otherwise_and_knows_which_way_is_better():
    plan = plan_of({**GOOD, "objective": [{"criterion": "calibration.ece"}]}, "p.toml")
    assert plan.runs == 150
    assert plan.objectives[0].direction == "minimize"


def test_a_grid_is_every_combination_in_the_order_of_the_plan():
    space = {
        "svm_c": [0.1, 1.0],
        "char_max_n": {"low": 3, "high": 5},
        "answer_at": {"low": 0.1, "high": 0.3, "step": 0.1},
    }
    grid = list(plan_of({**GOOD, "sampler": "grid", "space": space}, "p.toml").grid())
    assert len(grid) == 2 * 3 * 3
    assert grid[0] == {"svm_c": 0.1, "char_max_n": 3, "answer_at": 0.1}
    assert grid[-1] == {"svm_c": 1.0, "char_max_n": 5, "answer_at": pytest.approx(0.3)}


def test_a_campaign_names_the_experiment_that_is_at_fault():
    text = '[[experiment]]\nname = "a"\ndata = "d"\n[[experiment]]\nname = "b"\ndata = "d"\nrnus = 2\n'
    with pytest.raises(UsageError, match=r"c\.toml, experiment 2: unknown key 'rnus'"):
        read_campaign(text, "c.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "x"', "has one"),
        ('[[experiment]]\nname = "a"\ndata = "d"\n[[experiment]]\nname = "a"\ndata = "d"', "comes twice"),
        ("[[experimnet]]\n", "Did you mean 'experiment'"),
    ],
)
def test_a_fault_of_a_campaign_is_named(text, said):
    with pytest.raises(UsageError, match=said):
        read_campaign(text, "c.toml")


def test_each_plan_of_a_campaign_can_stand_as_a_file_of_its_own():
    text = (
        '[defaults]\ndata = "d"\nruns = 4\n[[experiment]]\nname = "a"\nquestion = "Why?"\n'
        'space = { svm_c = [0.1, 1.0], answer_at = { low = 0.1, high = 0.2 } }\nfixed = { lineup = "ngrams" }\n'
    )
    campaign = read_campaign(text, "c.toml")
    ((plan, alone),) = campaign.plans
    assert read_plan(alone, "a.toml") == plan
    assert campaign.questions == {"a": "Why?"}
