"""Notebooks: one analysis in three formats, questions that change nothing, a gate that holds for websockets."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from tests.app.live_house import add_key
from tests.app.watched_home import FINDING_ID, make_watched_home, open_watched

from noria.app.cli import root
from noria.app.http.access.gate import COOKIE
from noria.app.http.dashboard.notebooks import PREFIX
from noria.app.http.server import create_app
from noria.app.notebooks import open_data
from noria.app.notebooks.formats import analysis, jupyter, marimo, zeppelin
from noria.errors import UsageError


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_watched_home(tmp_path_factory.mktemp("home"), a_day=15)


@pytest.fixture
def data(home):
    made = open_data(str(home))
    yield made
    made.stores.close()


def run(cells, home) -> dict[str, object]:
    """Runs each cell's code as a notebook does; title → what its last line shows."""
    names, shown = {}, {}
    for cell in cells:
        *before, last = cell.code.splitlines()
        exec("\n".join(before), names)
        shown[cell.title] = eval(last, names)
    names["data"].stores.close()
    return shown


# --- The analysis ---------------------------------------------------------------------------------------------------


def test_every_cell_runs_on_a_home_and_shows_rows(home):
    shown = run(analysis(str(home)), home)
    assert {r["table"] for r in shown["The tables"]} >= {"windows_days_0056"}
    assert len(shown["Quality by day"]) == 28
    assert "Success on in-scope queries fell by" in shown["Findings"][0]["why"]
    assert sum(r["queries"] for r in shown["The journal in SQL"]) == 15 * 42
    assert "<th>day</th>" in shown["Quality by day"]._repr_html_()
    assert shown["Findings"].zeppelin().startswith("%table\nfinding\tbegan")


def test_the_lake_answers_sql(data):
    sql = "SELECT sum(predictions) AS n FROM windows_days_0056 WHERE level = 24 AND account = '*' AND kind = 'all'"
    assert data.lake(sql)[0]["n"] == 15 * 42


@pytest.mark.parametrize(
    "sql", ["DELETE FROM predictions", "UPDATE findings SET sentence = ''", "DROP TABLE tasks", "no question"]
)
def test_the_journal_answers_questions_and_takes_no_change(data, sql):
    with pytest.raises(UsageError, match="does not answer this"):
        data.journal(sql)
    assert data.journal("SELECT count(*) AS n FROM predictions")[0]["n"] == 15 * 42
    # the connection writes again once it is given back
    data.stores.journal.set_state("x", {"a": 1})


# --- The formats ----------------------------------------------------------------------------------------------------


def test_the_three_formats_hold_the_same_code(home):
    cells = analysis(str(home))
    book, note = json.loads(jupyter(cells)), json.loads(zeppelin(cells))
    code = ["".join(c["source"]) for c in book["cells"] if c["cell_type"] == "code"]
    assert code == [c.code for c in cells]
    assert all(isinstance(c["source"], list) for c in book["cells"])  # what Zeppelin's import asks for
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert len({c["id"] for c in book["cells"]}) == len(book["cells"])
    python = [p["text"] for p in note["paragraphs"] if p["text"].startswith("%python")]
    assert len(python) == len(cells)
    for cell, text in zip(cells, python, strict=True):
        assert cell.code.splitlines()[-1] in text
        compile(text.removeprefix("%python\n"), "paragraph", "exec")
    source = marimo(cells)
    compile(source, "quality.py", "exec")
    for cell in cells:
        assert cell.code.splitlines()[-1] in source


def test_the_command_writes_all_three(home, tmp_path):
    done = CliRunner().invoke(root, ["notebook", "--home", str(home), "--export", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.output
    assert [f.rsplit("/", 1)[1] for f in json.loads(done.output)["files"]] == [
        "quality.py", "quality.ipynb", "quality.zpln",
    ]  # fmt: skip


# --- Behind the sign-in ---------------------------------------------------------------------------------------------


async def echo(scope, receive, send):
    """Stands where marimo would: says hello on a websocket and on HTTP."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": f"hello {scope['principal'].name}"})
        await send({"type": "websocket.close"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
def client(home):
    house = open_watched(home)
    app = create_app(house)
    app.mount(PREFIX, echo)
    made = TestClient(app, base_url="http://testserver", headers={"origin": "http://testserver"})
    made.house, made.keys = house, {}
    for role, account in (("reader", "*"), ("reader", "birch"), ("agent", "*"), ("widget", "*")):
        made.keys[role, account] = add_key(house, role, account)
    yield made
    house.stores.close()


@pytest.mark.parametrize(
    ("who", "opens"),
    [(("reader", "*"), True), (("reader", "birch"), False), (("agent", "*"), False), (None, False)],
)  # fmt: skip
def test_the_gate_holds_for_page_and_websocket_alike(client, who, opens):
    if who:
        client.cookies.set(COOKIE, client.house.keyring.sign_in(client.keys[who]))
    assert (client.get(f"{PREFIX}/", follow_redirects=False).status_code == 200) == opens
    if opens:
        with client.websocket_connect(f"{PREFIX}/ws") as socket:
            assert socket.receive_text().startswith("hello reader")
        return
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(f"{PREFIX}/ws"):
        pass
    assert refused.value.code == 4401


def test_a_websocket_from_another_site_or_to_another_place_is_refused(client):
    client.cookies.set(COOKIE, client.house.keyring.sign_in(client.keys["reader", "*"]))
    for path, origin in ((f"{PREFIX}/ws", "https://evil.example.com"), ("/slices", "http://testserver")):
        with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(path, headers={"origin": origin}):
            pass
        assert refused.value.code == 4401


def test_only_the_notebook_has_the_wider_policy(client):
    client.cookies.set(COOKIE, client.house.keyring.sign_in(client.keys["reader", "*"]))
    assert "unsafe-inline" in client.get(f"{PREFIX}/").headers["content-security-policy"]
    for path in ("/slices", f"/findings/{FINDING_ID}", "/notebooks"):
        assert "unsafe" not in client.get(path).headers["content-security-policy"]
    policy = client.get(f"{PREFIX}/").headers["content-security-policy"]
    assert not re.search(r"https?:", policy)


# --- With marimo itself ---------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_the_notebook_is_shown_and_runs_in_the_page(monkeypatch, page, serve_app, home, page_complaints):
    """Read-only: figures appear, code does not."""
    # marimo puts a module of its own in the place of `__main__`, from which no process can be spawned
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    if importlib.util.find_spec("marimo") is None:
        if os.environ.get("NORIA_REQUIRE_NOTEBOOK"):
            pytest.fail("marimo is not installed (NORIA_REQUIRE_NOTEBOOK is set)", pytrace=False)
        pytest.skip("the extra `notebook` is not installed")
    file = home / "notebooks" / "quality.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(marimo(analysis(str(home))), encoding="utf-8")
    house = open_watched(home)
    key = add_key(house, "reader")
    site = serve_app(create_app(house))
    page.goto(f"{site}{PREFIX}/")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Release r2 went live").wait_for(timeout=60_000)
    assert "open_data" not in page.inner_text("body")
    # what its page asks a network for beside ours is refused by the policy, and said so on the console
    outside = [c for c in page_complaints if c.startswith("outside request")]
    page_complaints[:] = outside
    house.stores.close()
    file.unlink()
