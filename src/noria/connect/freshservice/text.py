"""Plain text of Freshservice's HTML bodies: one function, for whatever learns and whatever answers."""

from __future__ import annotations

from html.parser import HTMLParser

_HEADINGS = {f"h{n}" for n in range(1, 7)}
_BREAKS = frozenset({"p", "div", "br", "li", "tr", "table", "ul", "ol", "blockquote", "pre"} | _HEADINGS)
_HIDDEN = frozenset({"script", "style", "blockquote"})
_VOID = frozenset({"br", "img", "hr", "input", "meta", "link", "col", "wbr", "area", "source"})
_QUOTES = ("freshdesk_quote", "gmail_quote", "freddy_quote", "signature")


def plain_text(html: str) -> str:
    """The text that a person wrote: quoted mails and signatures cut, entities decoded, one line a paragraph."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.parts).splitlines())
    return "\n".join(line for line in lines if line)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BREAKS:
            self.parts.append("\n")
        if tag in _VOID:
            return
        kind = dict(attrs).get("class") or ""
        if self._hidden or tag in _HIDDEN or any(word in kind for word in _QUOTES):
            self._hidden.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                pass
        if tag in _BREAKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)
