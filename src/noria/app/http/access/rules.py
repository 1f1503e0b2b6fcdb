"""Which right opens which path: one table, read from the top; what it does not name needs the right `admin`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from noria.app.label_studio import ml_backend
from noria.serve.access import Permission

OPEN: Final = "open"
"""In the place of a right: anybody may."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A path, or all that begin with it where it ends in `/`, and the right that opens it.

    `whole`: shows all accounts together, so a key for one account does not open it. `counted`: limited in rate.
    `marked`: where it changes something, a signed-in person does it from a page of ours only.
    """

    method: str
    path: str
    right: Permission | Literal["open"]
    whole: bool = False
    counted: bool = True
    marked: bool = True

    def fits(self, method: str, path: str) -> bool:
        """Whether it speaks of a request."""
        same = path.startswith(self.path) if self.path.endswith("/") and self.path != "/" else path == self.path
        return same and self.method in {"*", "GET" if method == "HEAD" else method}


RULES = (
    Rule("GET", "/v1/health/live", OPEN, counted=False),
    Rule("GET", "/v1/health/ready", OPEN, counted=False),
    Rule("GET", "/v1/openapi.json", OPEN),
    Rule("GET", "/static/", OPEN, counted=False),
    Rule("*", "/login", OPEN),
    Rule("POST", "/logout", OPEN),
    # Label Studio cannot be given a key of ours; what it gets is no more than its own tasks, by ids that it holds
    Rule("*", f"{ml_backend.PREFIX}/", OPEN, counted=False),
    # a help desk cannot hold a key of ours; the route asks for the secret of its webhook
    Rule("POST", "/v1/help-desk/", OPEN, counted=False),
    Rule("POST", "/v1/ask", "ask"),
    Rule("POST", "/v1/ask/stream", "ask"),
    Rule("POST", "/v1/feedback", "ask"),
    Rule("POST", "/v1/sessions", "open_session"),
    Rule("*", "/v1/sessions/", "conversation"),
    Rule("GET", "/v1/accounts/", "articles"),
    Rule("GET", "/v1/releases/current", "articles"),
    Rule("GET", "/v1/metrics", "metrics", whole=True, counted=False),
    Rule("GET", "/v1/performance", "figures", whole=True),
    Rule("*", "/v1/label/", "label", whole=True),
    Rule("GET", "/", "figures", whole=True),
    Rule("GET", "/performance.csv", "figures", whole=True),
    Rule("GET", "/findings", "figures", whole=True),
    Rule("GET", "/findings/", "figures", whole=True),
    Rule("POST", "/findings/", "label", whole=True),
    # for one account they show that account alone
    Rule("GET", "/slices", "figures"),
    Rule("GET", "/slices.csv", "figures"),
    Rule("GET", "/series.csv", "figures"),
    Rule("GET", "/queries", "figures"),
    Rule("GET", "/queries.csv", "figures"),
    Rule("GET", "/queries/", "figures"),
    Rule("GET", "/labels", "figures", whole=True),
    Rule("GET", "/labels/people", "figures", whole=True),
    Rule("GET", "/releases", "figures", whole=True),
    Rule("GET", "/backlog", "figures", whole=True),
    Rule("GET", "/backlog.csv", "figures", whole=True),
    # its page sends what marimo sends; the cookie goes with requests of this site only
    Rule("*", "/notebook/", "figures", whole=True, counted=False, marked=False),
    Rule("GET", "/notebook", "figures", whole=True),
    Rule("GET", "/label", "label", whole=True),
    Rule("GET", "/ask", "ask", whole=True),
    Rule("GET", "/chat", "open_session"),
    # another site may send it, and cannot read the reply
    Rule("POST", "/chat/token", "open_session", marked=False),
)
_OTHERWISE = Rule("*", "", "admin", whole=True)


def rule_of(method: str, path: str) -> Rule:
    """The rule that a request falls under."""
    return _EXACT.get((method, path)) or next((rule for rule in RULES if rule.fits(method, path)), _OTHERWISE)


_EXACT = {(rule.method, rule.path): rule for rule in RULES if not rule.path.endswith("/")}
