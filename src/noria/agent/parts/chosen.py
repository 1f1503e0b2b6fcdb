"""Scope, decision and retriever of a recipe: ours, or the class that a package brings for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, cast, runtime_checkable

from safetensors.numpy import save

from noria.agent.agent import Agent
from noria.agent.components import brought, fits
from noria.agent.decision import Domains, ThresholdDecider, fit_choice, fit_domains
from noria.agent.encoding import Encoder
from noria.agent.heads.scope import LinearScope, fit_scope
from noria.agent.protocols import Calibration, ConfidenceModel, Decider, Retriever, ScopeModel, Stored
from noria.agent.ranking import Citation
from noria.agent.recipe import Recipe
from noria.agent.retrieval import FINDER_FILES, ArticleFinder, fit_finder, pack_finder, unpack_finder
from noria.records import Article


@runtime_checkable
class _Storable(Protocol):
    def stored(self) -> Stored: ...


def fit_scope_of(rows: Calibration, right: Sequence[bool], recipe: Recipe, *, few: bool) -> ScopeModel:
    """The scope model of a recipe; for `few` see `heads.scope.fit_scope`."""
    if recipe.scope:
        made = brought("scope", recipe.scope).made_by.train(rows, recipe)
        return cast("ScopeModel", fits("scope", recipe.scope, made))
    return fit_scope(rows.inside, right, rows.outside, rows.evidence_names, recipe, few=few)


def fit_decider(rows: Calibration, scope: ScopeModel, confidence: ConfidenceModel, recipe: Recipe) -> Decider:
    """The decider of a recipe."""
    if recipe.decision:
        made = brought("decision", recipe.decision).made_by.train(rows, scope, confidence, recipe)
        return cast("Decider", fits("decision", recipe.decision, made))
    of_right = [float(r.probabilities[target]) for r, target in zip(rows.inside, rows.targets, strict=True)]
    every = [r.probabilities for r in rows.inside]
    domains = fit_domains(rows.domains, rows.classes, every, rows.targets, recipe.clarify_miss)
    return ThresholdDecider(rows.classes, scope.threshold, fit_choice(of_right, recipe.clarify_miss), recipe, domains)


def fit_finder_of(
    articles: Sequence[Article], citations: Iterable[Citation], recipe: Recipe, encoder: Encoder | None
) -> Retriever:
    """The retriever of a recipe."""
    if recipe.retriever:
        made = brought("retriever", recipe.retriever).made_by.train(articles, tuple(citations), recipe, encoder)
        return cast("Retriever", fits("retriever", recipe.retriever, made))
    return fit_finder(articles, recipe, encoder=encoder, citations=citations)


def parts_of(agent: Agent) -> dict[str, Stored]:
    """Scope, confidence, and what packages brought, as a bundle keeps them.

    Raises:
        TypeError: a part is neither ours nor chosen by the recipe.
    """
    recipe = agent.recipe
    slots: list[tuple[str, object, type, str]] = [
        ("scope", agent.scope, LinearScope, recipe.scope),
        ("decision", agent.decider, ThresholdDecider, recipe.decision),
        ("retriever", agent.finder, ArticleFinder, recipe.retriever),
    ]
    found = {"confidence": agent.confidence.stored()}
    for slot, part, ours, name in slots:
        if not isinstance(part, ours) and not (name and isinstance(part, _Storable)):
            raise TypeError("only agents made by fit() can be packed")
        if isinstance(part, _Storable) and (name or slot == "scope"):
            found[slot] = part.stored()
    return found


def finder_of(agent: Agent) -> dict[str, bytes]:
    """The files of the retriever; empty ones where a package brought it, for then it is a part like others."""
    if isinstance(agent.finder, ArticleFinder):
        return pack_finder(agent.finder)
    return {name: b"{}\n" if name.endswith(".json") else save({}) for name in FINDER_FILES}


def scope_from(parts: Mapping[str, Stored], recipe: Recipe) -> ScopeModel:
    """The scope model that was packed."""
    if recipe.scope:
        made = brought("scope", recipe.scope).made_by.load(parts["scope"], recipe)
        return cast("ScopeModel", fits("scope", recipe.scope, made))
    return LinearScope.load(parts["scope"])


def decider_from(
    parts: Mapping[str, Stored],
    classes: Sequence[str],
    limits: tuple[float, float],
    domains: Mapping[str, Any] | None,
    recipe: Recipe,
) -> Decider:
    """The decider that was packed; `limits` (scope threshold, least probability of a choice) and `domains`: of ours."""
    if recipe.decision:
        made = brought("decision", recipe.decision).made_by.load(parts["decision"], classes, recipe)
        return cast("Decider", fits("decision", recipe.decision, made))
    known = None if domains is None else Domains(dict(domains["of"]), float(domains["choice"]))
    return ThresholdDecider(classes, *limits, recipe, known)


def finder_from(
    files: Mapping[str, bytes],
    parts: Mapping[str, Stored],
    articles: Sequence[Article],
    recipe: Recipe,
    encoder: Any | None,
) -> Retriever:
    """The retriever that was packed."""
    if recipe.retriever:
        made = brought("retriever", recipe.retriever).made_by.load(parts["retriever"], articles, recipe, encoder)
        return cast("Retriever", fits("retriever", recipe.retriever, made))
    return unpack_finder(files, articles, recipe, encoder)
