"""From many measured runs to one, by a policy that says what counts, with its reasons and its doubts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from noria.errors import NotFound, UsageError
from noria.release.choice import Choice, ChoicePolicy, Run, choose, report, shortlisted
from noria.stats.criteria import Measurement

POLICY = """
order = "weights"
ties = ["efficiency.bundle_bytes"]
shortlist = 3

[[limits]]
criterion = "decision.preciseness"
at_least = 0.9

[[limits]]
criterion = "efficiency.latency_p99_ms"
at_most = 50

[[objectives]]
criterion = "decision.success"
weight = 2

[[objectives]]
criterion = "calibration.ece"
weight = 1
"""


def run(tag: str, success: float, ece: float, preciseness: float = 0.95, latency: float = 10.0, **more) -> Run:
    criteria = {
        "decision.success": success,
        "calibration.ece": ece,
        "decision.preciseness": preciseness,
        "efficiency.latency_p99_ms": latency,
        "efficiency.bundle_bytes": 1e6,
    }
    return Run(tag, criteria, rows=1000, **more)


def fresh(success: float, ece: float, preciseness: float = 0.95, half: float = 0.02) -> Measurement:
    values = {
        "decision.success": success,
        "calibration.ece": ece,
        "decision.preciseness": preciseness,
        "efficiency.latency_p99_ms": 10.0,
    }
    intervals = {name: (max(0, v - half), min(1, v + half)) for name, v in values.items() if v < 1}
    return Measurement(500, values, intervals, {})


def policy(text: str = POLICY) -> ChoicePolicy:
    return ChoicePolicy.from_toml(text)


RUNS = [
    run("balanced", 0.85, 0.02),
    run("bold", 0.88, 0.06),
    run("beaten", 0.84, 0.03),
    run("careless", 0.95, 0.01, preciseness=0.8),
    run("slow", 0.95, 0.01, latency=80),
]


def test_limits_front_and_weights_choose():
    found = choose(RUNS, policy())
    assert found.refused == {"decision.preciseness at least 0.9": 1, "efficiency.latency_p99_ms at most 50": 1}
    assert found.within == 3
    assert set(found.front) == {"balanced", "bold"}
    # Two thirds are for success: the bold one has all of it, the balanced one a quarter.
    assert found.chosen == "bold"
    assert [(p.tag, round(p.score, 3)) for p in found.placed] == [("bold", 0.667), ("balanced", 0.5), ("beaten", 0.25)]
    assert not found.by_fresh
    assert [(g.criterion, g.tag) for g in found.gives_up] == [("calibration.ece", "balanced")]


def test_a_fixed_scale_does_not_hang_on_the_other_runs():
    text = POLICY.replace("weight = 2", "weight = 2\nworst = 0.5\nbest = 1.0").replace(
        "weight = 1", "weight = 1\nworst = 0.1\nbest = 0"
    )
    assert choose(RUNS, policy(text)).chosen == "balanced"


def test_a_lexicographic_order_takes_one_objective_after_the_other():
    text = POLICY.replace('"weights"', '"lexicographic"')
    assert choose(RUNS, policy(text)).chosen == "bold"
    tolerant = text.replace("weight = 2", "tolerance = 0.05")
    found = choose(RUNS, policy(tolerant))
    assert found.chosen == "balanced"
    assert found.sensitivity is None


def test_ties_are_broken_by_the_policy_then_by_the_tag():
    one, other = run("a", 0.9, 0.1), run("b", 0.9, 0.1)
    assert choose([other, one], policy()).chosen == "a"
    small = Run("b", {**other.criteria, "efficiency.bundle_bytes": 10.0})
    assert choose([small, one], policy()).chosen == "b"


def test_the_order_of_the_runs_changes_nothing():
    assert choose(RUNS, policy()).placed == choose(RUNS[::-1], policy()).placed


def test_fresh_rows_decide_by_what_is_certain():
    runs = [
        run("lucky", 0.95, 0.02, fresh=fresh(0.80, 0.03)),
        run("steady", 0.90, 0.02, fresh=fresh(0.89, 0.02)),
    ]
    assert choose([Run(r.tag, r.criteria) for r in runs], policy()).chosen == "lucky"
    found = choose(runs, policy())
    assert found.by_fresh
    assert found.chosen == "steady"
    assert found.placed[0].pessimistic["decision.success"] < 0.89 - 0.02 + 1e-9


def test_few_fresh_rows_count_for_less_than_many():
    runs = [
        run("known", 0.9, 0.02, fresh=fresh(0.88, 0.02, half=0.005)),
        run("hardly-known", 0.9, 0.02, fresh=fresh(0.885, 0.02, half=0.08)),
    ]
    assert choose(runs, policy()).chosen == "known"


def test_a_run_that_breaks_a_limit_on_fresh_rows_is_not_chosen():
    runs = [
        run("lucky", 0.95, 0.02, fresh=fresh(0.95, 0.02, preciseness=0.85)),
        run("steady", 0.90, 0.02, fresh=fresh(0.89, 0.02)),
    ]
    found = choose(runs, policy())
    assert found.chosen == "steady"
    assert found.placed[1].breaks == ("decision.preciseness at least 0.9",)
    alone = choose(runs[:1], policy())
    assert alone.chosen is None
    assert "none of the 1 of the shortlist keeps them on fresh rows" in alone.sentence


def test_a_policy_that_no_run_keeps_says_which_limit_fails_for_how_many():
    found = choose([*RUNS[3:], Run("unmeasured", {})], policy())
    assert found.chosen is None
    assert "1 break decision.preciseness at least 0.9" in found.sentence
    assert "1 break efficiency.latency_p99_ms at most 50" in found.sentence
    assert "1 were not measured in decision.success" in found.sentence
    assert "No run of 3 fits" in report(found, "markdown")


def test_no_runs_at_all_are_no_accident():
    assert "there are none" in choose([], policy()).sentence


def test_the_shortlist_is_the_front_first():
    assert shortlisted(RUNS, policy()) == ["bold", "balanced", "beaten"]
    assert shortlisted(RUNS, policy(POLICY.replace("shortlist = 3", "shortlist = 1"))) == ["bold"]


def test_thousands_of_equal_runs_are_told_as_luck():
    """3,000 runs that are all worth 0.85: the best one's surplus is told, and fresh rows show it."""
    rng = np.random.default_rng(0)
    runs = [run(f"r{i:04}", float(rng.binomial(1000, 0.85)) / 1000, 0.02) for i in range(3000)]
    found = choose(runs, policy())
    assert found.optimism is not None
    winner = next(p for p in found.placed if p.tag == found.chosen)
    surplus = winner.values["decision.success"] - 0.85
    assert surplus > 0.03
    assert found.optimism.expected == pytest.approx(surplus, abs=0.012)
    assert found.optimism.likely == pytest.approx(0.85, abs=0.012)


def test_ranking_by_fresh_bounds_picks_better_than_the_best_figure():
    """60 worlds of 500 runs with known worth: the choice by fresh rows is worth more, and is not flattered."""
    chosen, naive, flattery = [], [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        worth = rng.normal(0.85, 0.01, 500)
        seen = rng.binomial(400, worth) / 400
        runs = [run(f"r{i:03}", float(s), 0.02) for i, s in enumerate(seen)]
        one = policy(POLICY.replace("shortlist = 3", "shortlist = 10"))
        names = set(shortlisted(runs, one))
        with_fresh = []
        for i, r in enumerate(runs):
            again = rng.binomial(2000, worth[i]) / 2000
            half = 1.96 * np.sqrt(again * (1 - again) / 2000)
            told = fresh(float(again), 0.02, half=float(half)) if r.tag in names else None
            with_fresh.append(run(r.tag, r.criteria["decision.success"], 0.02, fresh=told))
        found = choose(with_fresh, one)
        assert found.by_fresh
        assert found.chosen is not None
        chosen.append(worth[int(found.chosen[1:])])
        naive.append(worth[int(seen.argmax())])
        flattery.append(seen.max() - worth[int(seen.argmax())])
        bound = found.placed[0].pessimistic["decision.success"]
        assert bound < chosen[-1] + 0.01
    assert np.mean(chosen) > np.mean(naive)
    assert np.mean(flattery) > 0.03


def test_sensitivity_tells_how_firm_the_choice_is():
    found = choose(RUNS, policy())
    assert found.sensitivity is not None
    assert sum(found.sensitivity.wins.values()) == pytest.approx(1)
    assert next(iter(found.sensitivity.wins)) == "bold"
    low, high = found.sensitivity.ranges["calibration.ece"]
    heavier = POLICY.replace("weight = 1", f"weight = {high * 1.01}")
    lighter = POLICY.replace("weight = 1", f"weight = {high * 0.99}")
    assert low == 0
    assert choose(RUNS, policy(heavier)).chosen == "balanced"
    assert choose(RUNS, policy(lighter)).chosen == "bold"


@pytest.fixture(scope="module")
def told() -> Choice:
    runs = [
        run("lucky<b>", 0.95, 0.02, fresh=fresh(0.80, 0.03)),
        run("steady", 0.90, 0.03, fresh=fresh(0.89, 0.035)),
    ]
    return choose(runs, policy())


def test_the_report_says_what_won_against_what_and_what_it_gives_up(told):
    text = report(told, "markdown")
    for part in (
        "steady is chosen of 2 runs",
        "## What it was up against",
        "## What it gives up",
        "| calibration.ece | 3.5 % | 3.0 % | lucky<b> |",
        "The chosen run had 90.0 % where runs were compared and 89.0 % on fresh rows.",
        "flatters itself by about",
        "its weight may be multiplied by",
    ):
        assert part in text


def test_the_page_stands_alone_and_escapes_what_it_shows(told):
    page = report(told, "html")
    assert "lucky&lt;b&gt;" in page
    assert "lucky<b>" not in page
    assert "default-src 'none'" in page
    assert "http://" not in page
    assert "https://" not in page


def test_a_choice_is_plain_json(told):
    assert json.loads(json.dumps(told.to_dict()))["chosen"] == "steady"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "is no TOML"),
        ("shortlist = 3", "at least one objective"),
        (POLICY + "\n[[objektives]]\n", "Did you mean 'objectives'"),
        (POLICY.replace("at_least", "atleast"), "Did you mean 'at_least'"),
        (POLICY.replace("at_least = 0.9", ""), "needs one of at_least and at_most"),
        (POLICY.replace("weight = 2", "weight = 0"), "give one above 0"),
        (POLICY.replace("weight = 2", 'weight = "two"'), "is no number"),
        (POLICY.replace("weight = 2", "weight = 2\nbest = 0.5"), "needs both worst and best"),
        (POLICY.replace("weight = 2", "worst = 0.9\nbest = 0.5"), "is not better than 0.9"),
        (POLICY.replace("calibration.ece", "decision.success"), "may stand once"),
        (POLICY.replace('"weights"', '"votes"'), "neither 'weights' nor 'lexicographic'"),
        (POLICY.replace("shortlist = 3", "shortlist = 0"), "give 1 or more"),
        (POLICY.replace("shortlist = 3", "shortlist = 2.5"), "no whole number"),
        ("limits = 3\n" + POLICY.replace("[[limits]]", "[[limitss]]"), "unknown setting"),
        ("objectives = 3", "written as tables"),
        ("[[objectives]]\nweight = 1", "names no criterion"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(text, message):
    with pytest.raises(UsageError, match=message.replace("[", r"\[")):
        policy(text)


@pytest.mark.parametrize("place", ["decision.success", "decision.preciseness", "efficiency.bundle_bytes"])
def test_an_unknown_criterion_is_refused_with_the_nearest(place):
    with pytest.raises(NotFound, match=f"'{place}x'.*'{place}'"):
        policy(POLICY.replace(place, f"{place}x"))
