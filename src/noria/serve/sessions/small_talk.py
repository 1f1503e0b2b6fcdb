"""What to say to a greeting, to thanks, to a good-bye. English only; another language gets the greeting."""

from __future__ import annotations

import re

_REPLIES = (
    (r"thank|thanks|thx|cheers|great|perfect|solved|works now", "You are welcome. Is there anything else?"),
    (r"bye|goodbye|see you|have a nice|ciao|later", "Good-bye. Come back whenever something does not work."),
    (r"who are you|are you (?:a )?(?:human|bot|robot|person)|what are you|your name",
     "I am a virtual agent: a program that knows the articles of the service desk. I can hand you over to a person."),
    (r"how are you|how do you do", "All is well here. What can I help you with?"),
)  # fmt: skip
_SHAPES = tuple((re.compile(rf"\b(?:{shape})", re.IGNORECASE), reply) for shape, reply in _REPLIES)
GREETING = "Hello. Tell me what you need help with, in your own words."


def reply_to_small_talk(text: str) -> str:
    """A sentence that fits."""
    return next((reply for shape, reply in _SHAPES if shape.search(text)), GREETING)
