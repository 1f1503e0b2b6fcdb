"""The door to keys, rules of accounts and the audit log: each method is one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, insert, select, update

from noria.errors import NotFound, StateError, UsageError
from noria.records.access import ROLES, AccountRules, ApiKey, AuditEntry
from noria.stores.journal.access.erasure import Erased, erase
from noria.stores.journal.access.schema import ACCOUNT_RULES, API_KEYS, AUDIT
from noria.stores.journal.codec import Row, check_one_of, check_texts, plain
from noria.stores.journal.engine import reading, replace_row, writing
from noria.stores.journal.loop import read_state, write_state

_SECRET = "serve.secret"  # noqa: S105 - the name of the row, not the secret


class AccessDoor:
    """Keys, rules and audit. Each change is written together with the audit entry that tells of it, or not at all."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def keys(self) -> list[ApiKey]:
        """Every key, revoked ones too, oldest first."""
        query = select(API_KEYS).order_by(API_KEYS.c.created_ms, API_KEYS.c.key_id)
        with reading(self._engine) as connection:
            return [ApiKey(**row) for row in connection.execute(query).mappings()]

    def add_key(self, key: ApiKey, entry: AuditEntry) -> None:
        """Adds a key; UsageError for one of that id."""
        check_one_of("the role of a key", key.role, ROLES)
        with writing(self._engine) as connection:
            connection.execute(insert(API_KEYS).values(check_texts("key", _key_row(key))))
            _note(connection, entry)

    def end_key(self, key_id: str, time_ms: int, entry: AuditEntry) -> ApiKey:
        """Makes a key open nothing from `time_ms` on; a key that ends sooner already stays so.

        Raises:
            NotFound: no such key. StateError: it was revoked before.
        """
        with writing(self._engine) as connection:
            found = [ApiKey(**r) for r in connection.execute(select(API_KEYS)).mappings()]
            key = next((k for k in found if k.key_id == key_id), None)
            if key is None:
                raise NotFound("key", key_id, [k.key_id for k in found])
            if key.revoked_ms is not None and key.revoked_ms <= time_ms:
                raise StateError(f"the key {key_id!r} was revoked before; nothing is left to do.")
            connection.execute(update(API_KEYS).where(API_KEYS.c.key_id == key_id).values(revoked_ms=time_ms))
            _note(connection, entry)
        return key

    def rules(self) -> list[AccountRules]:
        """The accounts that have rules of their own, by name; the others have the defaults."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(ACCOUNT_RULES).order_by(ACCOUNT_RULES.c.account)).mappings().all()
        return [AccountRules(row["account"], row["redact"], tuple(row["origins"])) for row in rows]

    def set_rules(self, rules: AccountRules, entry: AuditEntry) -> None:
        """Sets the rules of an account, in place of those it had."""
        row = {"account": rules.account, "redact": rules.redact, "origins": list(rules.origins)}
        with writing(self._engine) as connection:
            replace_row(connection, ACCOUNT_RULES, check_texts("rules", row))
            _note(connection, entry)

    def note(self, entry: AuditEntry) -> None:
        """Adds to the audit log, which nothing leaves."""
        with writing(self._engine) as connection:
            _note(connection, entry)

    def audit(self, since_ms: int, until_ms: int) -> list[AuditEntry]:
        """What was done, in order of time, id."""
        at = AUDIT.c.time_ms
        query = select(AUDIT).where(at >= since_ms, at < until_ms).order_by(at, AUDIT.c.entry_id)
        with reading(self._engine) as connection:
            return [AuditEntry(**row) for row in connection.execute(query).mappings()]

    def secret(self, fresh: str) -> str:
        """What signs tokens, the same for all processes on this journal; `fresh` becomes it where there is none."""
        with reading(self._engine) as connection:
            kept = read_state(connection, _SECRET)
        if kept is None:
            with writing(self._engine) as connection:
                kept = read_state(connection, _SECRET) or {"value": fresh}
                write_state(connection, _SECRET, kept)
            with reading(self._engine) as connection:  # of two that made one at once, the later stays
                kept = read_state(connection, _SECRET) or kept
        return str(kept["value"])

    def erase(self, account: str, requester: str, entry: AuditEntry) -> Erased:
        """Takes out of the journal what a requester of an account said (see `erasure.erase`)."""
        if not requester:
            raise UsageError("erasure needs a requester; sessions without one belong to nobody.")
        with writing(self._engine) as connection:
            found = erase(connection, account, requester)
            _note(connection, entry)
        return found


def _note(connection: Connection, entry: AuditEntry) -> None:
    row: Row = {
        "entry_id": entry.entry_id,
        "time_ms": entry.time_ms,
        "actor": entry.actor,
        "action": entry.action,
        "account": entry.account,
        "target": entry.target,
        "detail": plain(entry.detail),
    }
    connection.execute(insert(AUDIT).values(check_texts("audit entry", row)))


def _key_row(key: ApiKey) -> Row:
    columns: Sequence[str] = API_KEYS.columns.keys()
    return {name: getattr(key, name) for name in columns}
