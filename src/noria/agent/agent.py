"""The thing that answers: a text and an account in, a decision with everything that led to it out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from noria.agent.encoding import Encoder
from noria.agent.protocols import ConfidenceModel, Decider, Floats32, IntentModel, Reading, Retriever, ScopeModel
from noria.agent.recipe import Recipe
from noria.errors import UsageError
from noria.records import RESERVED_INTENTS, SMALL_TALK, Answer, Article, Ranked

LIKELY_INTENTS = 3


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

    def answer(self, text: str, account: str = "", audience: Collection[str] = ()) -> Answer:
        """What to do with a query of an account's reader who belongs to some groups; never raises for a text.

        An account without articles of its own, such as "", sees those that are for all accounts. A text that
        means nothing to the intent model is handed over with intent "" and confidence 0.
        """
        vector = self.encoder.encode([text], "query")[0] if self.encoder else None
        reading = self.intent_model.read(text, vector)
        scope_score = self.scope.score(reading)
        confidence = self.confidence.confidence(reading, scope_score)
        decided = self.decider.decide(reading, scope_score, confidence)
        intent = "" if reading.blank else self.intent_model.classes[reading.top]
        answers = decided.decision == "answer" and intent != SMALL_TALK
        scores = dict(zip(self.intent_model.evidence_names, reading.evidence, strict=True))
        scores["probability"] = float(reading.probabilities[reading.top])
        scores["scope_p"] = self.scope.p_value(scope_score)
        scores |= decided.figures
        return Answer(
            decision=decided.decision,
            intent=intent,
            intent_confidence=confidence,
            scope_score=scope_score,
            in_scope=decided.in_scope,
            articles=self._found(text, account, audience, reading, vector) if answers else (),
            choices=decided.choices,
            scores=scores,
            thresholds={"scope": self.scope.threshold, **self.decider.thresholds},
        )

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

    def _likely(self, reading: Reading) -> dict[str, float]:
        """Probability of the likeliest intents in scope."""
        order = np.argsort(-reading.probabilities, kind="stable")[: LIKELY_INTENTS + 1]
        pairs = [(self.intent_model.classes[i], float(reading.probabilities[i])) for i in order]
        return dict([(c, p) for c, p in pairs if c != SMALL_TALK][:LIKELY_INTENTS])
