"""The thing that answers: a text and an account in, a decision with everything that led to it out."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from types import MappingProxyType

import numpy as np

from noria.agent.encoding import Encoder
from noria.agent.protocols import ConfidenceModel, Decider, Floats32, IntentModel, Reading, Retriever, ScopeModel
from noria.agent.recipe import Recipe
from noria.errors import UsageError
from noria.records import RESERVED_INTENTS, SMALL_TALK, Answer, Article, Ranked

LIKELY_INTENTS = 3
LEAST_KNOWN = 0.5
"""Share of a text's words that n-grams alone must know before they ask back."""


class Agent:
    """A fitted agent; never changes, and may answer in many threads at once.

    `intents`: the intents in scope, sorted. `facts`: counts of the rows it was learnt from and calibrated with.
    `warnings`: what it does without, in sentences.

    Args:
        intent_model, scope, confidence, decider, finder: its parts.
        articles: what the finder finds.
        recipe: what it was made by.
        facts, warnings: see above.
        encoder: what makes the vectors that its parts need; None where they need none.
    """

    def __init__(
        self,
        *,
        intent_model: IntentModel,
        scope: ScopeModel,
        confidence: ConfidenceModel,
        decider: Decider,
        finder: Retriever,
        articles: Sequence[Article],
        recipe: Recipe,
        facts: Mapping[str, int],
        encoder: Encoder | None = None,
        warnings: Sequence[str] = (),
    ) -> None:
        self.intent_model, self.scope, self.confidence = intent_model, scope, confidence
        self.decider, self.finder, self.recipe = decider, finder, recipe
        self.facts: Mapping[str, int] = MappingProxyType(dict(facts))
        self.encoder, self.warnings = encoder, tuple(warnings)
        self.intents = tuple(c for c in intent_model.classes if c not in RESERVED_INTENTS)
        self.articles = tuple(sorted(articles, key=lambda a: a.article_id))
        self._by_id = {a.article_id: a for a in self.articles}

    def answer(self, text: str, account: str = "", audience: Collection[str] = (), *, spare: bool = False) -> Answer:
        """What to do with a query of an account's reader who belongs to some groups; never raises for a text.

        An account without articles of its own, such as "", sees those that are for all accounts. A text that
        means nothing to the intent model is handed over with intent "" and confidence 0.

        Args:
            text, account, audience: see above.
            spare: whether a part that fails is left out, named in the answer's `missing`; else its error is raised.
                Without the encoder: `answer_without_encoder`. Without the finder: articles that are linked to the
                intent. Without the others, or where nothing is left to show: a hand-over.
        """
        part = "encoder"
        try:
            vector = self.encoder.encode([text], "query")[0] if self.encoder else None
            part = "intent"
            reading = self.intent_model.read(text, vector)
            part = "scope"
            scope_score = self.scope.score(reading)
            scope_p = self.scope.p_value(scope_score)
            part = "confidence"
            confidence = self.confidence.confidence(reading, scope_score)
            part = "decision"
            decided = self.decider.decide(reading, scope_score, confidence)
        except Exception as error:
            if not spare:
                raise
            if part == "encoder":
                return self.answer_without_encoder(text, _told(part, error))
            return handed_over(_told(part, error))
        intent = "" if reading.blank else self.intent_model.classes[reading.top]
        decision, missing = decided.decision, ""
        articles: tuple[Ranked, ...] = ()
        if decision == "answer" and intent != SMALL_TALK:
            try:
                articles = self._found(text, account, audience, reading, vector)
            except Exception as error:
                if not spare:
                    raise
                missing, articles = _told("finder", error), self._linked(intent, account, audience)
                decision = "answer" if articles else "handoff"
        scores = dict(zip(self.intent_model.evidence_names, reading.evidence, strict=True))
        scores["probability"] = float(reading.probabilities[reading.top])
        scores["scope_p"] = scope_p
        scores |= decided.figures
        return Answer(
            decision=decision,
            intent=intent,
            intent_confidence=confidence,
            scope_score=scope_score,
            in_scope=decided.in_scope,
            articles=articles,
            choices=decided.choices,
            scores=scores,
            thresholds={"scope": self.scope.threshold, **self.decider.thresholds},
            missing=(missing,) if missing else (),
        )

    def answer_without_encoder(self, text: str, missing: str) -> Answer:
        """What the n-grams alone make of a query: they ask back among the likeliest intents, or hand over.

        Whether it is in scope, and how sure that is, was calibrated with the encoder's opinion, so nothing is answered;
        the probabilities are calibrated by the n-grams' own temperature.

        Args:
            text: the query.
            missing: what is told of the encoder.
        """
        alone = getattr(self.intent_model, "read_without_vector", None)
        reading: Reading | None = None if alone is None else alone(text)
        if reading is None or reading.blank or reading.known < LEAST_KNOWN:
            return handed_over(missing)
        decided = self.decider.decide(reading, math.inf, -math.inf)
        if decided.decision != "clarify":
            return handed_over(missing)
        return Answer(
            decision="clarify",
            intent=self.intent_model.classes[reading.top],
            intent_confidence=0.0,
            scope_score=0.0,
            in_scope=True,
            choices=decided.choices,
            scores={"probability": float(reading.probabilities[reading.top])},
            thresholds=dict(self.decider.thresholds),
            missing=(missing,),
        )

    def answer_choice(self, asked: Answer, intent: str, text: str, account: str, audience: Collection[str]) -> Answer:
        """The articles of an intent that a user chose after a query was answered by asking back.

        A finder that fails, or whose encoder does, is left out as in `answer`.
        """
        missing: tuple[str, ...] = ()
        try:
            shown = self.recipe.articles_shown
            articles = self.finder.find(text, account, {intent: 1.0}, shown, audience=audience)
        except Exception as error:  # noqa: BLE001 - the user gets what is left
            articles, missing = self._linked(intent, account, audience), (_told("finder", error),)
        return replace(
            asked, decision="answer", intent=intent, intent_confidence=1.0, in_scope=True, articles=articles,
            choices=(), scores={**asked.scores, "chosen": 1.0}, missing=missing,
        )  # fmt: skip

    def answer_all(self, texts: Sequence[str], accounts: Sequence[str] | None = None) -> list[Answer]:
        """`answer` for each text, to the last bit.

        Raises:
            UsageError: not as many accounts as texts.
        """
        if accounts is None:
            accounts = [""] * len(texts)
        if len(accounts) != len(texts):
            raise UsageError(f"{len(texts)} texts, but {len(accounts)} accounts: give one account for each text.")
        return [self.answer(text, account) for text, account in zip(texts, accounts, strict=True)]

    def article(self, article_id: str) -> Article | None:
        """The article of that id; None when the agent has none."""
        return self._by_id.get(article_id)

    def with_articles(self, articles: Sequence[Article]) -> Agent:
        """The same agent answering with other articles, at once: nothing is fitted anew."""
        return Agent(
            intent_model=self.intent_model,
            scope=self.scope,
            confidence=self.confidence,
            decider=self.decider,
            finder=self.finder.with_articles(articles),
            articles=articles,
            recipe=self.recipe,
            facts=self.facts,
            encoder=self.encoder,
            warnings=self.warnings,
        )

    def _found(
        self, text: str, account: str, audience: Collection[str], reading: Reading, vector: Floats32 | None
    ) -> tuple[Ranked, ...]:
        shown = self.recipe.articles_shown
        return self.finder.find(text, account, self._likely(reading), shown, audience=audience, vector=vector)

    def _linked(self, intent: str, account: str, audience: Collection[str]) -> tuple[Ranked, ...]:
        """Articles that a reader may see and that answer an intent, by id: what is left without a finder."""
        seen = (
            a
            for a in self.articles
            if intent in a.intents
            and a.account in {None, account}
            and (a.audience is None or not set(a.audience).isdisjoint(audience))
        )
        return tuple(Ranked(a.article_id, 0.0) for a in islice(seen, self.recipe.articles_shown))

    def _likely(self, reading: Reading) -> dict[str, float]:
        """Probability of the likeliest intents in scope."""
        order = np.argsort(-reading.probabilities, kind="stable")[: LIKELY_INTENTS + 1]
        pairs = [(self.intent_model.classes[i], float(reading.probabilities[i])) for i in order]
        return dict([(c, p) for c, p in pairs if c != SMALL_TALK][:LIKELY_INTENTS])


def handed_over(missing: str) -> Answer:
    """A hand-over because of what is missing."""
    return Answer(
        decision="handoff", intent="", intent_confidence=0.0, scope_score=0.0, in_scope=False, missing=(missing,)
    )


def _told(part: str, error: Exception) -> str:
    return f"{part}: {type(error).__name__}: {error}"[:500]
