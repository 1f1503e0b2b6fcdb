"""The keys and rules of all accounts, in memory; makes and reads the tokens of chats and of people who signed in."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Protocol

from noria.errors import UsageError
from noria.records.access import AccountRules, ApiKey, Role
from noria.serve.access.principal import AGENTS, IN_CHAT, LOCAL, MAY, Principal
from noria.serve.access.tokens import read, sign

CHAT_MS = 30 * 60_000
SIGNED_IN_MS = 12 * 3_600_000
_CHAT, _PERSON, _FORM = "nos", "nop", "nof"
_KEY = "nor"


class KeyStore(Protocol):
    """Where keys and rules are kept (`Journal.access`)."""

    def keys(self) -> Sequence[ApiKey]: ...

    def rules(self) -> Sequence[AccountRules]: ...

    def secret(self, fresh: str) -> str: ...


class Keyring:
    """Tells who somebody is by what he or she shows.

    `demanded`: whether anything is asked for; not while no key was ever made, unless `always`.

    Args:
        store: keys and rules; read at each `refresh`, never while a request waits.
        now_ms: the present, UTC milliseconds.
        secret: what signs tokens; a random text, kept by the store for all processes unless it has one.
        always: keys are asked for even where none was made.
    """

    def __init__(self, store: KeyStore, now_ms: Callable[[], int], secret: str, *, always: bool) -> None:
        self._store, self._now_ms, self._always = store, now_ms, always
        self._secret = store.secret(secret)
        self._keys: dict[str, ApiKey] = {}
        self._rules: dict[str, AccountRules] = {}
        self.origins: frozenset[str] = frozenset()
        self.refresh()

    @property
    def demanded(self) -> bool:
        return self._always or bool(self._keys)

    def refresh(self) -> None:
        """Takes in what changed; may block."""
        rules = {rule.account: rule for rule in self._store.rules()}
        self._keys = {key.key_id: key for key in self._store.keys()}  # noqa: SIM118 - a method of ours, no dict
        self._rules, self.origins = rules, frozenset(o for rule in rules.values() for o in rule.origins)

    def rules(self, account: str) -> AccountRules:
        """What holds for an account."""
        return self._rules.get(account) or AccountRules(account)

    def who(self, shown: str | None) -> Principal | None:
        """Who shows this key or token of a chat; None where it opens nothing. Nobody shows anything: see `demanded`."""
        if not shown:
            return None if self.demanded else LOCAL
        if shown.startswith(f"{_CHAT}_"):
            return self._in_chat(shown)
        key = self._key(shown)
        return None if key is None else _of_key(key)

    def chat_token(self, by: Principal, account: str, session: str, requester: str, groups: Sequence[str]) -> str:
        """A token for a browser, good for one session for `CHAT_MS`, and while the key that asked for it is."""
        ends = self._now_ms() + CHAT_MS
        claims = {"k": by.name, "a": account, "s": session, "r": requester, "g": list(groups), "e": ends}
        return sign(_CHAT, claims, self._secret)

    def sign_in(self, key_text: str) -> str | None:
        """A cookie's content for the holder of a key, good for `SIGNED_IN_MS`; None where the key opens nothing."""
        key = self._key(key_text)
        if key is None:
            return None
        return sign(_PERSON, {"k": key.key_id, "e": self._now_ms() + SIGNED_IN_MS}, self._secret)

    def signed_in(self, cookie: str) -> Principal | None:
        """Who shows the cookie of `sign_in`."""
        claims = read(_PERSON, cookie, self._secret)
        key = None if claims is None else self._keys.get(claims["k"])
        if claims is None or key is None or claims["e"] <= self._now_ms() or not key.holds(self._now_ms()):
            return None
        return _of_key(key)

    def form_token(self, cookie: str) -> str:
        """What a page of ours sends along with what it changes, and no page of others knows."""
        return sign(_FORM, {"c": hashlib.sha256(cookie.encode()).hexdigest()}, self._secret)

    def _key(self, text: str) -> ApiKey | None:
        start, _, rest = text.partition("_")
        key_id, _, _ = rest.partition("_")
        key = self._keys.get(key_id) if start == _KEY else None
        # compared also where there is no such key, so that the time does not tell
        right = hmac.compare_digest(hash_of(text), key.digest if key else "0" * 64)
        return key if key is not None and right and key.holds(self._now_ms()) else None

    def _in_chat(self, token: str) -> Principal | None:
        claims = read(_CHAT, token, self._secret)
        if claims is None or claims["e"] <= self._now_ms():
            return None
        if claims["k"] == LOCAL.name:
            holds = not self.demanded
        else:
            key = self._keys.get(claims["k"])
            holds = key is not None and key.holds(self._now_ms())
        if not holds:
            return None
        name = f"chat:{claims['a']}:{claims['s']}"
        groups, session = tuple(claims["g"]), claims["s"]
        return Principal(name, claims["a"], IN_CHAT, groups, session, claims["r"], speaks_for_readers=False)


def new_key(key_id: str, secret: str) -> str:
    """The text of a key, shown once to whoever makes it.

    Raises:
        UsageError: the secret is too short to be safe as a plain sha256.
    """
    if len(secret) < 32 or "_" in key_id:
        raise UsageError("a key needs an id without '_' and a secret of at least 32 signs.")
    return f"{_KEY}_{key_id}_{secret}"


def hash_of(key_text: str) -> str:
    """What is kept of a key: no slow hash is needed where the secret is random and 256 bits long."""
    return hashlib.sha256(key_text.encode("utf-8", "surrogatepass")).hexdigest()


def _of_key(key: ApiKey) -> Principal:
    roles_of_staff: tuple[Role, ...] = ("agent", "operator", "admin")
    return Principal(key.key_id, key.account, MAY[key.role], (AGENTS,) if key.role in roles_of_staff else ())
