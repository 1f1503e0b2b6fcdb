"""`POST /v1/ask` as pure ASGI: what `asking.ask` documents, without a framework on the way."""

from __future__ import annotations

from typing import Final

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from noria.app.http.access.gate import Gate
from noria.app.http.access.rules import rule_of
from noria.app.http.house import House
from noria.app.http.problems import FORESEEN, foreseen, respond
from noria.app.http.schemas import AskBody
from noria.app.http.v1.asking import answered
from noria.serve import Principal


class AskDirectly:
    """Stands behind `guard.Guard`, like the app; does what `Gate`, FastAPI and `asking.ask` do together.

    Args:
        house: what answers.
    """

    PATH: Final = "/v1/ask"

    def __init__(self, house: House) -> None:
        self._house, self._gate, self._rule = house, Gate(_nothing, house=house), rule_of("POST", self.PATH)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        who, refusal, marked_send = self._gate.admit(scope, headers, self._rule, send)
        if refusal is not None:
            await refusal(scope, receive, marked_send)
            return
        assert who is not None  # noqa: S101 - the rule asks for a right, so nobody is refused
        try:
            content = await self._reply(headers, (await receive())["body"], who)
        except FORESEEN as error:
            await respond(foreseen(error, self.PATH), scope)(scope, receive, marked_send)
            return
        told = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        await marked_send({"type": "http.response.start", "status": 200, "headers": told})
        await marked_send({"type": "http.response.body", "body": content})

    async def _reply(self, headers: dict[bytes, bytes], sent: bytes, who: Principal) -> bytes:
        if not headers.get(b"content-type", b"").partition(b";")[0].strip().lower().endswith(b"json"):
            wrong = {"type": "json_type", "loc": ("body",), "msg": "Send JSON, with Content-Type: application/json."}
            raise RequestValidationError([wrong])
        try:
            body = AskBody.model_validate_json(sent)
        except ValidationError as error:
            faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_url=False)]
            raise RequestValidationError(faults) from None
        return await answered(body, self._house, who)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Where nothing stands behind a gate."""
