"""Languages are told, and exactly as the library tells them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from noria.build.cleaning.language import READ_CHARS, languages

LIBRARY = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def library(text):
    code, share = LIBRARY.classify(text[:READ_CHARS])
    return code if share >= 0.5 else None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("I cannot connect to the office network since this morning", "en"),
        ("Ich kann mich seit heute früh nicht mehr anmelden", "de"),
        ("Je ne peux plus imprimer depuis hier matin", "fr"),
        ("No puedo abrir la aplicación de correo electrónico", "es"),
        ("打印机从昨天开始无法工作，请尽快帮忙处理一下谢谢您", "zh"),
        ("short", None),
        (None, None),
    ],
)
def test_a_language_is_told_where_there_is_enough_text(text, code):
    assert languages([text], 20) == [code]


@given(st.lists(st.text(min_size=1, max_size=300), max_size=8))
def test_the_answers_are_those_of_the_library_whatever_stands_beside(texts):
    for text, code in zip(texts, languages(texts, 1), strict=True):
        if code != library(text):  # only where rounding decides
            share = LIBRARY.classify(text[:READ_CHARS])[1]
            assert abs(share - 0.5) < 1e-3 or LIBRARY.rank(text[:READ_CHARS])[1][1] > share - 1e-3
