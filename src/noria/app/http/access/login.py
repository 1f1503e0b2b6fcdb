"""Signing in with a key, for people with a browser."""

from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from noria.app.http.access.gate import COOKIE, FORM_COOKIE
from noria.app.http.house import TheHouse
from noria.app.http.rendering import render
from noria.serve.access.keyring import SIGNED_IN_MS

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/login")
async def login_page(next: str = "/") -> HTMLResponse:  # noqa: A002 - the name of the parameter in the address
    """The form."""
    return HTMLResponse(_page(next, ""))


@router.post("/login")
async def login(request: Request, house: TheHouse) -> Response:
    """Takes a key and sets the cookie that stands for it in this browser; the key itself is not kept there."""
    fields = parse_qs((await request.body()).decode("utf-8", "replace"))
    key, aim = (fields.get(name, [""])[0] for name in ("key", "next"))
    cookie = house.keyring.sign_in(key.strip())
    if cookie is None:
        return HTMLResponse(_page(aim, "This key opens nothing: it is not known, was revoked, or has run out."), 401)
    reply = RedirectResponse(_inside(aim), 303)
    for name, value, hidden in ((COOKIE, cookie, True), (FORM_COOKIE, house.keyring.form_token(cookie), False)):
        reply.set_cookie(
            name, value, max_age=SIGNED_IN_MS // 1000, httponly=hidden, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip
    return reply


@router.post("/logout")
async def logout() -> Response:
    """Forgets the cookies."""
    reply = RedirectResponse("/login", 303)
    for name in (COOKIE, FORM_COOKIE):
        reply.delete_cookie(name)
    return reply


def _page(aim: str, error: str) -> str:
    return render("login.html", page="login", title="Sign in", aim=_inside(aim), error=error)


def _inside(aim: str) -> str:
    """A path of this site, so that no link leads from here to another."""
    return aim if aim.startswith("/") and not aim.startswith(("//", "/\\")) and aim.isprintable() else "/"
