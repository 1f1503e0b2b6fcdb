"""The robot user of our own server: how it signs in, gets its token, and invites people."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from noria.errors import OutsideError

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs in. The password never shows in a representation."""

    email: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.email!r})"


TRIES = 20


def token_is_good(url: str, token: str) -> bool:
    """Whether the server at the address accepts a personal access token.

    Only a refusal says no: a server that has just come up may still answer with 5xx, and a new token would revoke this
    one in every process that holds it.

    Raises:
        OutsideError: it answers with something else for too long.
    """
    import httpx

    for _ in range(TRIES):
        with _told(url):
            answer = httpx.post(f"{url}/api/token/refresh/", json={"refresh": token}, timeout=60, trust_env=False)
        if answer.is_success or answer.status_code in (401, 403):
            return answer.is_success
        time.sleep(1)
    raise OutsideError(f"Label Studio at {url} answers {answer.status_code} to its own token.", retry_helps=True)


def make_token(url: str, credentials: Credentials) -> str:
    """Signs in and makes a personal access token; one from before is revoked, since it is shown only once.

    Raises:
        OutsideError: what answers there does not know these credentials: it is not our server.
    """
    with _signed_in(url, credentials) as (client, headers):
        for old in client.get("/api/token/").raise_for_status().json():
            client.post("/api/token/blacklist", json={"refresh": old["token"]}, headers=headers)
        token: str = client.post("/api/token/", headers=headers).raise_for_status().json()["token"]
        return token


def invitation(url: str, credentials: Credentials) -> str:
    """The address at which people make an account for themselves."""
    with _signed_in(url, credentials) as (client, _):
        return url + str(client.get("/api/invite").raise_for_status().json()["invite_url"])


@contextmanager
def _signed_in(url: str, credentials: Credentials) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    import httpx

    with _told(url), httpx.Client(base_url=url, follow_redirects=True, timeout=60, trust_env=False) as client:
        page = client.get("/user/login/")
        form = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        if form is None:
            raise OutsideError(f"what answers at {url} is not Label Studio.", retry_helps=False)
        said = {"email": credentials.email, "password": credentials.password, "csrfmiddlewaretoken": form[1]}
        client.post("/user/login/", data=said, headers={"Referer": url}).raise_for_status()
        if client.get("/api/current-user/whoami").is_error:
            raise OutsideError(f"the Label Studio at {url} is not this home's: it does not know us.", retry_helps=False)
        yield client, {"X-CSRFToken": client.cookies["csrftoken"], "Referer": url}


@contextmanager
def _told(url: str) -> Iterator[None]:
    import httpx

    try:
        yield
    except httpx.HTTPStatusError as error:
        said = f"Label Studio at {url} answered {error.response.status_code} to {error.request.url.path}."
        raise OutsideError(said, retry_helps=error.response.is_server_error) from None
    except httpx.HTTPError as error:
        raise OutsideError(f"Label Studio at {url} does not answer ({error}).", retry_helps=True) from None
