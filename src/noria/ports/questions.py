"""The questions that labellers are asked: one definition for every desk, and the one check of what comes back.

Answers travel as question name → values, all of them texts; `read_answers` makes a judgement of them or says what is
wrong. The built-in page renders `QUESTIONS`; `label_studio_config` is the same as Label Studio's XML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as ET

from noria.errors import UsageError, nearest
from noria.records import NO_ARTICLE, OOS, RELEVANCES, RESERVED_INTENTS, Label, LabelTask, Relevance

QUESTIONS_VERSION = "1"
"""Goes up when a name or a value changes: a desk starts a new project then, for old answers do not fit."""

Said = Mapping[str, Sequence[str]]
"""What a person answered: question name → values."""

Kind = Literal["one", "intent", "articles", "text"]
ProblemKind = Literal["unknown_question", "unknown_choice", "missing", "too_many", "outside_scope", "contradiction"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer that can be given; `key` gives it by keyboard."""

    value: str
    title: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `about`: what the person looks at; `only_for`: the relevances it is asked for, all where empty.

    The choices of the kinds "intent" and "articles" come from the task: its scope, its ranked articles and "none".
    """

    name: str
    title: str
    kind: Kind
    about: Literal["query", "answer"] = "query"
    choices: tuple[Choice, ...] = ()
    required: bool = False
    only_for: tuple[Relevance, ...] = ()


QUESTIONS: tuple[Question, ...] = (
    Question(
        "relevance", "What is it?", "one", required=True,
        choices=(
            Choice("in_scope", "in scope", "1"),
            Choice("new_domain", "new domain", "2"),
            Choice("irrelevant", "irrelevant", "3"),
            Choice("small_talk", "small talk", "4"),
        ),
    ),
    Question("intent", "Right intent", "intent", required=True, only_for=("in_scope",)),
    Question("domain", "Name of the new domain (may be left empty)", "text", only_for=("new_domain",)),
    Question("articles", "Right articles", "articles", only_for=("in_scope",)),
    Question("other_article", "Id of another right article", "text", only_for=("in_scope",)),
    Question(
        "helpful", "Did the agent help?", "one", about="answer",
        choices=(Choice("yes", "yes", "y"), Choice("no", "no", "n"), Choice("cannot_tell", "cannot tell", "c")),
    ),
    Question("note", "Note", "text"),
)  # fmt: skip
BY_NAME: Mapping[str, Question] = {question.name: question for question in QUESTIONS}
_HELPFUL = {"yes": True, "no": False, "cannot_tell": None}


@dataclass(frozen=True, slots=True)
class Judgement:
    """Answers that hold together: the fields of a `Label` that a person gives."""

    relevance: Relevance
    intent: str | None = None
    article_ids: tuple[str, ...] = ()
    helpful: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class AnswerProblem:
    """One fault of what was answered to a task, with the question it is about."""

    kind: ProblemKind
    question: str
    message: str


class BadAnswer(UsageError):
    """What was answered to a task cannot count; carries every problem found."""

    def __init__(self, task_id: str, problems: Sequence[AnswerProblem]) -> None:
        self.task_id, self.problems = task_id, tuple(problems)
        super().__init__(" ".join(problem.message for problem in problems))


def read_answers(task: LabelTask, said: Said) -> Judgement:
    """The judgement that answers to a task make; spaces in free texts tidied, empty values left out.

    Raises:
        BadAnswer: an unknown question or choice, a missing answer, an intent outside the scope that the task was sent
            with, answers that contradict each other.
    """
    given = {name: values for name, raw in said.items() if (values := [tidy for v in raw if (tidy := _tidy(v))])}
    problems = [*_form_problems(given), *_missing(given), *_contradictions(task, given)]
    if problems:
        raise BadAnswer(task.task_id, problems)
    relevance: Relevance = given["relevance"][0]  # type: ignore[assignment]
    named = given.get("intent" if relevance == "in_scope" else "domain", [None])[0]
    return Judgement(
        relevance=relevance,
        intent=named,
        article_ids=tuple(dict.fromkeys([*given.get("articles", []), *given.get("other_article", [])])),
        helpful=_HELPFUL[given.get("helpful", ["cannot_tell"])[0]],
        note=given.get("note", [""])[0],
    )


def answers_of(label: Label, task: LabelTask) -> dict[str, tuple[str, ...]]:
    """The answers that a label stands for; `read_answers` of them gives its judgement again."""
    ranked = {*task.article_ids, NO_ARTICLE}
    said: dict[str, tuple[str, ...]] = {
        "relevance": (label.relevance,),
        "domain" if label.relevance == "new_domain" else "intent": (label.intent,) if label.intent else (),
        "articles": tuple(name for name in label.article_ids if name in ranked),
        "other_article": tuple(name for name in label.article_ids if name not in ranked),
        "helpful": {True: ("yes",), False: ("no",), None: ()}[label.helpful],
        "note": (label.note,) if label.note else (),
    }
    return {name: values for name, values in said.items() if values}


def predicted_answers(task: LabelTask) -> dict[str, tuple[str, ...]]:
    """What the agent's prediction amounts to ("same as predicted"); empty where the task hides it or has none."""
    intent = task.predicted_intent
    if not task.show_prediction or not intent:
        return {}
    if intent in RESERVED_INTENTS:
        return {"relevance": ("new_domain" if intent == OOS else intent,)}
    return {"relevance": ("in_scope",), "intent": (intent,)} if intent in task.scope else {}


def is_asked(question: str, relevance: str) -> bool:
    """Whether a question is put to who gave that relevance."""
    only_for = BY_NAME[question].only_for
    return not only_for or relevance in only_for


def without_hidden(said: Said) -> Said:
    """Answers without those to questions that the relevance hides: some desks keep what was chosen before."""
    relevance = next(iter(said.get("relevance", ())), "")
    if relevance not in RELEVANCES:
        return said
    return {name: values for name, values in said.items() if name not in BY_NAME or is_asked(name, relevance)}


def label_studio_config() -> str:
    """The questions as a Label Studio labelling config.

    Tasks carry in their data: `query` and `answer` (texts), `intents` and `articles` (lists of {"value", "alias"?}; the
    articles end with "none").
    """
    view = ET.Element("View")
    for shown, title in (("query", "What did the person ask?"), ("answer", "What did the agent do?")):
        ET.SubElement(view, "Header", value=title)
        ET.SubElement(view, "Text", name=shown, value=f"${shown}")
    parents: dict[tuple[Relevance, ...], ET.Element] = {(): view}
    for question in QUESTIONS:
        if question.only_for not in parents:
            parents[question.only_for] = ET.SubElement(
                view, "View", visibleWhen="choice-selected", whenTagName="relevance",
                whenChoiceValue=",".join(question.only_for),
            )  # fmt: skip
        _add(parents[question.only_for], question)
    ET.indent(view)
    return ET.tostring(view, encoding="unicode")


def _add(parent: ET.Element, question: Question) -> None:
    ET.SubElement(parent, "Header", value=question.title)
    common = {"name": question.name, "toName": question.about}
    if question.kind == "text":
        ET.SubElement(parent, "TextArea", common, maxSubmissions="1")
    elif question.kind == "intent":
        ET.SubElement(parent, "Choices", common, choice="single", layout="select", value="$intents")
    elif question.kind == "articles":
        ET.SubElement(parent, "Choices", common, choice="multiple", value="$articles")
    else:
        required = {"required": "true"} if question.required else {}
        choices = ET.SubElement(parent, "Choices", common, choice="single-radio", **required)
        for choice in question.choices:
            ET.SubElement(choices, "Choice", value=choice.value, hotkey=choice.key)


def _tidy(value: str) -> str:
    return " ".join(value.split())


def _form_problems(given: Said) -> list[AnswerProblem]:
    """What is wrong with single answers, whatever the task."""
    problems = []
    for name, values in given.items():
        question = BY_NAME.get(name)
        if question is None:
            hint = nearest(name, BY_NAME)
            problems.append(AnswerProblem("unknown_question", name, f"there is no question {name!r}. {hint}"))
            continue
        if len(values) > 1 and question.kind != "articles":
            said = f"{name} takes one answer, not {len(values)}: {', '.join(map(repr, values))}."
            problems.append(AnswerProblem("too_many", name, said))
        known = [choice.value for choice in question.choices]
        problems += [
            AnswerProblem("unknown_choice", name, f"{name} cannot be {value!r}. {nearest(value, known)}")
            for value in values
            if known and value not in known
        ]
    return problems


def _missing(given: Said) -> list[AnswerProblem]:
    if "relevance" not in given:
        return [AnswerProblem("missing", "relevance", "a label needs its relevance: what the query is.")]
    if given["relevance"][0] == "in_scope" and "intent" not in given:
        need = "a label 'in_scope' needs the right intent; choose one of the task's scope."
        return [AnswerProblem("missing", "intent", need)]
    return []


def _contradictions(task: LabelTask, given: Said) -> list[AnswerProblem]:
    """What does not fit the task or the relevance that was given."""
    relevance = given.get("relevance", [""])[0]
    if relevance not in RELEVANCES:
        return []
    problems = []
    for name in given:
        if name in BY_NAME and not is_asked(name, relevance):
            what, value = {"domain": "intent"}.get(name, name), given[name][0]
            said = (
                f"a label {relevance!r} takes no {what}; leave {value!r} out or choose {BY_NAME[name].only_for[0]!r}."
            )
            problems.append(AnswerProblem("contradiction", name, said))
    if relevance == "in_scope":
        problems += _outside(task, given.get("intent", []))
    new = given.get("domain", [""])[0]
    if relevance == "new_domain" and new in task.scope:
        said = f"intent {new!r} is in the scope of this task; choose 'in_scope' for it."
        problems.append(AnswerProblem("contradiction", "domain", said))
    elif relevance == "new_domain" and new in RESERVED_INTENTS:
        said = f"{new!r} is a reserved word; name the new domain, or leave the intent empty."
        problems.append(AnswerProblem("contradiction", "domain", said))
    return problems + _article_problems(task, given)


def _outside(task: LabelTask, intents: Sequence[str]) -> list[AnswerProblem]:
    version = f" (version {task.scope_version})" if task.scope_version else ""
    return [
        AnswerProblem(
            "outside_scope", "intent",
            f"intent {intent!r} is not in the scope of this task{version}. {nearest(intent, task.scope)} "
            "For a request outside the scope choose 'new_domain' and name it freely.",
        )
        for intent in intents
        if intent not in task.scope
    ]  # fmt: skip


def _article_problems(task: LabelTask, given: Said) -> list[AnswerProblem]:
    chosen, other = list(given.get("articles", [])), list(given.get("other_article", []))
    ranked = [*task.article_ids, NO_ARTICLE]
    problems = [
        AnswerProblem("unknown_choice", "articles", f"the agent ranked no article {name!r}. {nearest(name, ranked)}")
        for name in chosen
        if name not in ranked
    ]
    if NO_ARTICLE in chosen and len(chosen) + len(other) > 1:
        said = "either no article is right or some are: not 'none' and an article at once."
        problems.append(AnswerProblem("contradiction", "articles", said))
    return problems
