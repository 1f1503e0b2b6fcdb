"""A candidate that passed the gate goes live by stages, and comes back by itself where it is worse in anything."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, text
from tests.house import examples, open_stores, train

from noria.errors import StateError, UsageError
from noria.label import SettlingPolicy
from noria.label.gathering import settle
from noria.records import Answer, Candidate, Example, Feedback, Label, LabelTask, Prediction, Query
from noria.records.serving.staging import Challenger, ShadowAnswer
from noria.release import GatePolicy, consider, roll_back, roll_out
from noria.release.certificate import read_certificate
from noria.release.proof import prove
from noria.release.staging import StagePolicy, decide, end, go_live, start_canary, start_shadow, watch
from noria.release.staging.deciding import Evidence
from noria.stores import Stores

HOUR = 3_600_000
POLICY = StagePolicy(stages=["shadow", 10, 100], stage_hours=1, stage_answers=20, stage_margin=0.2)
GATE = GatePolicy(margin=0.3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Candidate]:
    """A home where r0001 is live, and a candidate that the gate lets pass; trained once, copied for each test."""
    folder = tmp_path_factory.mktemp("trained")
    stores = open_stores(folder)
    first = train(stores, examples(), time_ms=1)
    roll_out(stores, first, consider(stores, first, [], GATE, time_ms=1), time_ms=1)
    second = train(stores, [*examples(), Example("x", "vpn gateway tunnel", "vpn", "train")], time_ms=2)
    stores.close()
    return folder, second


@pytest.fixture
def candidate(trained: tuple[Path, Candidate]) -> Candidate:
    return trained[1]


@pytest.fixture
def stores(trained: tuple[Path, Candidate], tmp_path: Path) -> Iterator[Stores]:
    stores = open_stores(shutil.copytree(trained[0], tmp_path / "home"))
    yield stores
    stores.close()


def enter(stores: Stores, candidate: Candidate, policy: StagePolicy = POLICY) -> Challenger:
    made = go_live(stores, candidate, consider(stores, candidate, [], GATE, time_ms=10), policy, now_ms=10)
    assert isinstance(made, Challenger)
    return made


def traffic(
    stores: Stores, since_ms: int, n: int, *, lost: int = 0, errors: int = 0, slow_ms: float = 1.0, canary: bool = False
) -> None:
    """Labelled queries that both answered; the challenger loses so many of them, and fails on so many."""
    running = stores.journal.staging.running()
    assert running is not None
    live = stores.journal.release(running.against)
    shown, beside = ("c0001", live.candidate.tag) if canary else (live.release, running.candidate.tag)
    predictions, answers, tasks, labels = [], [], [], []
    for i in range(n):
        name, at = f"{since_ms}-{i}", since_ms + i
        own = "printer" if i < lost else "vpn"
        broken = n - i <= errors
        query = Query(name, "acme", f"s{name}", "my vpn", at)
        answer = Answer("answer", own if canary else "vpn", 0.9, 1.0, in_scope=True)
        missing = ("agent: broken",) if canary and broken else ()
        predictions.append(Prediction(name, query, answer, shown, slow_ms if canary else 1.0, missing))
        failed = broken and not canary
        answers.append(
            ShadowAnswer(name, beside, at, None if failed else "answer", "vpn" if canary else own, 0.9,
                         1.0 if canary else slow_ms, "agent: broken" if failed else "")
        )  # fmt: skip
        tasks.append(LabelTask(f"t{name}", name, "acme", "my vpn", answer.intent, "answer", (), shown, at, "s", 1.0, 1,
                               "uniform-1", ("vpn", "printer"), at))  # fmt: skip
        labels.append(Label(f"l{name}", f"t{name}", name, "ann", "in_scope", "vpn", (), helpful=True, time_ms=at))
    stores.journal.add_predictions(predictions)
    stores.journal.staging.add_answers(answers)
    stores.journal.add_tasks(tasks)
    stores.journal.add_labels(labels)
    settle(stores, SettlingPolicy())


def kinds(stores: Stores) -> list[str]:
    return [entry.kind for entry in stores.journal.ledger()]


def test_a_good_candidate_goes_live_stage_by_stage(stores: Stores, candidate: Candidate) -> None:
    """Shadow, a tenth, all, then live as r0002: each step in a ledger that proves itself, and in the certificate."""
    made = enter(stores, candidate)
    assert (made.mode, made.judged) == ("shadow", 2)
    assert stores.journal.current_release().release == "r0001"
    assert "answers in shadow before it goes live" in read_certificate(stores, candidate.tag)["sentence"]
    for step, (mode, share) in enumerate([("canary", 0.1), ("canary", 1.0)]):
        traffic(stores, HOUR * (1 + 10 * step), 60, canary=step > 0)
        seen = watch(stores, POLICY, HOUR * (2 + 10 * step))
        assert (seen.step.kind, seen.challenger.mode, seen.challenger.share) == ("advance", mode, share)
        assert seen.entry.kind == "hold"
    traffic(stores, HOUR * 31, 60, canary=True)
    last = watch(stores, POLICY, HOUR * 32)
    assert (last.entry.kind, last.entry.release, last.challenger.state) == ("release", "r0002", "released")
    assert stores.journal.current_release().candidate == candidate
    assert watch(stores, POLICY, HOUR * 33) is None
    assert kinds(stores) == ["release", "hold", "hold", "hold", "release"]
    told = read_certificate(stores, "r0002")
    assert told["verdict"] == "promote"
    assert told["stage"]["stages"] == [0.0, 0.1, 1.0]
    assert "as a canary for 10 % of the sessions" in told["sentence"]
    assert {"frozen basket", "quality", "errors", "latency"} <= {check["name"] for check in told["checks"]}
    proof = prove(stores)
    assert [point.release for point in proof.graph] == ["r0001", "r0002"]
    assert proof.standing.cycle == 1
    assert proof.outcomes > 180


def test_a_worse_one_is_refused_in_shadow(stores: Stores, candidate: Candidate) -> None:
    """It loses on labelled queries: nothing went live, and the ledger says why."""
    enter(stores, candidate)
    traffic(stores, HOUR, 60, lost=25)
    seen = watch(stores, POLICY, HOUR + 1000)
    assert seen.step.kind == "roll back"
    assert seen.entry.kind == "refuse"
    assert "Ended in shadow: Labelled queries that both answered (60): -41.7 points" in seen.entry.evidence["reason"]
    assert stores.journal.staging.running() is None
    assert read_certificate(stores, candidate.tag)["verdict"] == "refuse"
    prove(stores)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"lost": 25}, "it is worse than the live release"),
        ({"errors": 30}, "it failed alone on 30 of 60 queries, the live release on 0; 0.5 % more are borne"),
        ({"slow_ms": 900.0}, "2 times as long is borne"),
    ],
)
def test_a_canary_that_breaks_is_rolled_back(stores: Stores, candidate: Candidate, fault, said) -> None:
    """On quality, errors or latency: a rollback in the ledger, and the live release was live all along."""
    enter(stores, candidate, replace(POLICY, stages=[10]))
    traffic(stores, HOUR, 60 if "slow_ms" not in fault else 300, canary=True, **fault)
    live = [Prediction(f"live{i}", Query(f"live{i}", "acme", f"x{i}", "vpn", HOUR), Answer("answer", "vpn", 0.9, 1.0,
            in_scope=True), "r0001", 1.0) for i in range(300)]  # fmt: skip
    stores.journal.add_predictions(live)
    seen = watch(stores, POLICY, HOUR + 1000)
    assert seen.step.kind == "roll back"
    assert (seen.entry.kind, seen.entry.release) == ("rollback", "r0001")
    assert said in seen.entry.evidence["reason"]
    assert seen.entry.evidence["from"] == "c0001"
    assert stores.journal.current_release().since_ms == 1
    assert prove(stores).standing.champion == "r0001"


def test_few_labels_hold_and_say_how_many_are_lacking(stores: Stores, candidate: Candidate) -> None:
    """Nothing is written while it waits; without asking for labels, it advances on the other checks."""
    enter(stores, candidate)
    traffic(stores, HOUR, 21)
    seen = watch(stores, replace(POLICY, stage_margin=0.05), HOUR * 2)
    assert (seen.step.kind, seen.entry) == ("hold", None)
    assert seen.step.lacking > 20
    assert f"about {seen.step.lacking} are lacking" in seen.step.sentence
    assert kinds(stores) == ["release", "hold"]
    assert watch(stores, replace(POLICY, stage_margin=0.05, stage_labels=False), HOUR * 2).step.kind == "advance"


def test_a_challenger_is_over_when_another_release_goes_live(stores: Stores, candidate: Candidate) -> None:
    """It was compared with r0001; it is ended, and can be proposed again."""
    enter(stores, candidate)
    first = stores.journal.release("r0001").candidate
    stores.journal.record_release(kind="release", time_ms=20, release="r0002", candidate=first, evidence={})
    seen = watch(stores, POLICY, HOUR)
    assert "r0002 is live instead of r0001" in seen.step.sentence
    assert stores.journal.staging.running() is None
    assert kinds(stores)[-1] == "refuse"


def test_a_challenger_that_no_server_can_load_is_rolled_back(stores: Stores, candidate: Candidate) -> None:
    enter(stores, candidate)
    stores.journal.staging.note_failure("c0001", "it cannot be loaded: damaged")
    seen = watch(stores, POLICY, HOUR)
    assert (seen.step.kind, seen.entry.kind) == ("roll back", "refuse")
    assert "In shadow: it cannot be loaded: damaged." in seen.step.sentence


def test_any_candidate_may_answer_in_shadow_but_not_go_live_by_it(stores: Stores, candidate: Candidate) -> None:
    """Without the gate's verdict it never advances; with it, what was seen in shadow counts."""
    start_shadow(stores, candidate, now_ms=10)
    traffic(stores, HOUR, 60)
    seen = watch(stores, POLICY, HOUR * 2)
    assert (seen.step.kind, seen.entry) == ("hold", None)
    assert "did not pass the gate yet" in seen.step.sentence
    assert kinds(stores) == ["release"]
    verdict = consider(stores, candidate, [], GATE, time_ms=11)
    made = go_live(stores, candidate, verdict, POLICY, now_ms=HOUR * 3)
    assert (made.challenger_id, made.began_ms) == ("c0002", 10)
    traffic(stores, HOUR * 4, 60)
    assert watch(stores, POLICY, HOUR * 5).entry.evidence["checks"][2]["figures"]["n"] == 120


def test_one_challenger_at_a_time(stores: Stores, candidate: Candidate) -> None:
    """Another one waits; the live one is none; ending it by hand is in the ledger."""
    enter(stores, candidate)
    other = replace(candidate, tag="other")
    with pytest.raises(UsageError, match="on its way in shadow; wait for it, or end it"):
        start_shadow(stores, other, now_ms=20)
    with pytest.raises(UsageError, match="live already"):
        start_shadow(stores, stores.journal.release("r0001").candidate, now_ms=20)
    assert "Ended by hand: too early" in end(stores, why="too early", now_ms=30).entry.evidence["reason"]
    with pytest.raises(StateError, match="no challenger"):
        end(stores, why="", now_ms=31)
    start_shadow(stores, other, now_ms=40)
    prove(stores)


def test_a_share_given_by_hand_grows_by_the_policy(stores: Stores, candidate: Candidate) -> None:
    """From shadow to a quarter by hand, then on to the policy's larger shares; a share never shrinks."""
    enter(stores, candidate)
    made = start_canary(stores, candidate, None, POLICY, share=0.25, unit="account", now_ms=20)
    assert (made.share, made.shares[made.stage + 1 :], made.unit) == (0.25, (1.0,), "account")
    with pytest.raises(UsageError, match="a share can only grow"):
        start_canary(stores, candidate, None, POLICY, share=0.1, unit="account", now_ms=30)
    with pytest.raises(UsageError, match="not on its way"):
        start_canary(stores, replace(candidate, tag="other"), None, POLICY, share=0.5, unit="session", now_ms=30)
    roll = end(stores, why="", now_ms=40)
    assert roll.entry.kind == "rollback"
    prove(stores)


def test_without_stages_and_for_a_first_release_nothing_changes(stores: Stores, candidate: Candidate) -> None:
    """A promoted candidate is live at once, with a certificate that names no stage; there is still a way back."""
    verdict = consider(stores, candidate, [], GATE, time_ms=10)
    live = go_live(stores, candidate, verdict, StagePolicy(), now_ms=10)
    assert live.release == "r0002"
    assert "stage" not in read_certificate(stores, "r0002")
    assert roll_back(stores, None, why="no", time_ms=20).release == "r0001"
    prove(stores)


def test_a_stage_that_claims_other_pairs_is_found(stores: Stores, candidate: Candidate) -> None:
    """Bounds are computed again from the labelled pairs; a ledger rewritten with its hashes does not pass."""
    enter(stores, candidate)
    traffic(stores, HOUR, 60)
    watch(stores, POLICY, HOUR * 2)
    entry = stores.journal.ledger()[-1]
    evidence = json.loads(json.dumps(entry.evidence, default=list))
    next(c for c in evidence["checks"] if c["name"] == "quality")["figures"]["lower"] = 0.5
    from noria.stores.journal.codec import dumps, plain
    from noria.stores.journal.releases import entry_hash

    row = {"seq": entry.seq, "time_ms": entry.time_ms, "kind": entry.kind, "release": entry.release, "tag": entry.tag,
           "evidence": plain(evidence), "previous_hash": entry.previous_hash}  # fmt: skip
    engine = create_engine(stores.journal._engine.url)
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER ledger_no_update"))
        connection.execute(
            text("UPDATE ledger SET evidence = :e, hash = :h WHERE seq = :s"),
            {"e": dumps(plain(evidence)), "h": entry_hash(row), "s": entry.seq},
        )
    engine.dispose()
    stores.journal.verify_ledger()
    with pytest.raises(StateError, match="its pairs say"):
        prove(stores)


# --- the decision alone ---------------------------------------------------------------------------------------------

SHADOW = Challenger("c0001", None, (0.0, 0.1, 1.0), "session", "r0001", 0, 0)  # type: ignore[arg-type]
CANARY = replace(SHADOW, stage=1)
FINE = Evidence(hours=2, answers=200, both=200, challenger_ms=[1.0] * 200, champion_ms=[1.0] * 200, x=[0] * 200,
                weight=[1.0] * 200)  # fmt: skip


def test_each_check_holds_or_rolls_back_by_itself() -> None:
    """All well: advance. One thing lacking: hold. One thing worse: roll back, whatever the others say."""
    assert decide(SHADOW, FINE, POLICY).kind == "advance"
    for short in ({"hours": 0.5}, {"answers": 19}, {"challenger_ms": []}, {"x": [0], "weight": [1.0]}):
        assert decide(SHADOW, replace(FINE, **short), POLICY).kind == "hold"
    bad = ({"failed_alone": 30}, {"challenger_ms": [500.0] * 200}, {"x": [-1] * 200})
    for worse in bad:
        assert decide(SHADOW, replace(FINE, hours=0.1, **worse), POLICY).kind == "roll back"


def test_slow_in_proportion_but_fast_for_people_is_borne() -> None:
    """Ten times as long, and still far below what anybody notices."""
    assert decide(SHADOW, replace(FINE, challenger_ms=[10.0] * 200), POLICY).kind == "advance"


def test_thumbs_count_between_sessions_of_a_canary_only() -> None:
    """In shadow nobody saw its answers; accounts differ by themselves; with all traffic nobody is left to compare."""
    unhappy = replace(FINE, thumbs=(100, 30, 900, 720))
    assert decide(CANARY, unhappy, POLICY).kind == "roll back"
    for other in (SHADOW, replace(CANARY, unit="account"), replace(CANARY, stage=2)):
        assert decide(other, unhappy, POLICY).kind == "advance"


def test_over_many_histories_wrong_steps_stay_in_their_budget() -> None:
    """Looked at three times: an equal one is rolled back, and one that is worse by the margin advances, hardly ever."""
    rng, policy, histories = np.random.default_rng(1), replace(POLICY, stage_margin=0.1, stage_alpha=0.1), 40
    wrong = {0.0: 0, -0.1: 0}
    for difference in wrong:
        for _ in range(histories):
            u = rng.random(600)
            won = 0.1 + difference / 2
            x = np.where(u < won, 1, np.where(u < 0.2, -1, 0))
            slow = rng.lognormal(4, 0.5, (2, 600))
            for n in (60, 200, 600):
                seen = replace(FINE, x=x[:n].tolist(), weight=[1.0] * n, challenger_ms=slow[0, :n].tolist(),
                               champion_ms=slow[1, :n].tolist())  # fmt: skip
                kind = decide(SHADOW, seen, policy).kind
                if kind != "hold":
                    wrong[difference] += kind == ("advance" if difference else "roll back")
                    break
    assert wrong[0.0] <= 9
    assert wrong[-0.1] <= 9


@pytest.mark.parametrize(
    "settings",
    [{"stages": "shadow"}, {"stages": [5, "shadow"]}, {"stages": [25, 5]}, {"stages": [0]}, {"stages": [101]},
     {"stages": ["canary"]}, {"stage_unit": "user"}, {"stage_margin": 0.0}, {"latency_ratio": 1.0}],
)  # fmt: skip
def test_senseless_stages_are_refused(settings) -> None:
    with pytest.raises(UsageError):
        StagePolicy(**settings)


def test_stages_are_shares() -> None:
    assert StagePolicy(stages=["shadow", 5, 2.5 * 10, 100]).shares == (0.0, 0.05, 0.25, 1.0)


def test_thumbs_reach_the_decision(stores: Stores, candidate: Candidate) -> None:
    """What users of a canary say in its sessions is held against what the others say in theirs."""
    enter(stores, candidate, replace(POLICY, stages=[10, 100]))
    answer = Answer("answer", "vpn", 0.9, 1.0, in_scope=True)
    rows, events = [], []
    for i in range(400):
        release = "c0001" if i % 4 == 0 else "r0001"
        rows.append(Prediction(f"p{i}", Query(f"q{i}", "acme", f"s{i}", "vpn", HOUR + i), answer, release, 1.0))
        unhappy = release == "c0001" and i % 8 == 0
        events.append(Feedback(f"e{i}", f"p{i}", "not_helpful" if unhappy else "helpful", HOUR + i))
    stores.journal.add_predictions(rows)
    stores.journal.add_feedback(events)
    seen = watch(stores, POLICY, HOUR * 2)
    assert seen.entry.kind == "rollback"
    assert "50.0 % of 100 sessions said that it helped, 100.0 % of 300" in seen.step.sentence
