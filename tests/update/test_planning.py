"""The plan of a turn follows from labels, findings and what people accepted."""

from __future__ import annotations

from noria.records import Finding, Judged, Label, LabelTask, Relevance
from noria.update import UpdatePolicy, plan

POLICY = UpdatePolicy(min_new_labels=10, min_after_finding=4, new_intent_labels=3)
FINDING = Finding("f", "success", 0, 0, 0, 0, 0.9, 0.7, "it fell")


def judged(number: int, relevance: Relevance = "in_scope", intent: str | None = "vpn") -> Judged:
    task = LabelTask(
        f"t{number}", f"p{number}", "acme", f"text {number}", "vpn", "answer", (), "r1", number, "s", 0.5, 1, "d",
        ("vpn",), 0,
    )  # fmt: skip
    return Judged(task, Label(f"l{number}", f"t{number}", f"p{number}", "ann", relevance, intent, (), None, number))


def make(rows: list[Judged], **options: object):  # type: ignore[no-untyped-def]
    given = {"learnt": (), "scope": ("vpn",), "accepted": (), "findings": (), "policy": POLICY} | options
    return plan(rows, **given)  # type: ignore[arg-type]


def test_few_labels_wait() -> None:
    """Below the limit nothing is trained and no label is used up."""
    result = make([judged(i) for i in range(9)])
    assert (result.retrain, result.label_ids) == (False, ())
    assert "9 of 10" in result.reason


def test_enough_new_labels_start_a_retraining() -> None:
    """Only labels that the examples do not hold yet count, and all of those are learnt."""
    rows = [judged(i) for i in range(14)]
    assert not make(rows, learnt={f"l{i}" for i in range(5)}).retrain
    result = make(rows, learnt={"l0", "l1"})
    assert result.retrain
    assert set(result.label_ids) == {f"l{i}" for i in range(2, 14)}


def test_a_finding_lowers_the_limit() -> None:
    """After a finding fewer labels start a retraining, and the plan says which metric it was."""
    rows = [judged(i) for i in range(4)]
    assert not make(rows).retrain
    result = make(rows, findings=[FINDING])
    assert result.retrain
    assert "success" in result.reason


def test_a_new_intent_waits_in_the_backlog_until_accepted() -> None:
    """A person's word brings it into scope; labels that were learnt as out of scope are learnt anew."""
    rows = [judged(i, "new_domain", "phone") for i in range(5)]
    waiting = make(rows)
    assert [(b.intent, b.labels) for b in waiting.backlog] == [("phone", 5)]
    assert waiting.new_intents == ()
    result = make(rows, accepted=["phone", "unheard"], learnt={"l0"})
    assert result.new_intents == ("phone",)
    assert result.backlog == ()
    assert set(result.label_ids) == {f"l{i}" for i in range(5)}


def test_new_intents_come_in_by_themselves_only_if_asked_and_ripe() -> None:
    """accept_new_intents takes those with enough labels; the rest stay in the backlog."""
    policy = UpdatePolicy(min_after_finding=4, new_intent_labels=3, accept_new_intents=True)
    rows = [judged(i, "new_domain", "phone") for i in range(4)] + [judged(9, "new_domain", "badge")]
    result = make(rows, policy=policy)
    assert result.new_intents == ("phone",)
    assert [b.intent for b in result.backlog] == ["badge"]


def test_out_of_scope_without_a_name_makes_no_backlog() -> None:
    """A new-domain label without an intent teaches scope, but proposes nothing."""
    assert make([judged(i, "new_domain", None) for i in range(5)]).backlog == ()
