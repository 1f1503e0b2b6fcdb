"""The shape of the house, held by tests: rooms, sizes, doors, names, and no registry addresses."""

from __future__ import annotations

import ast
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src" / "noria"

MAX_LINES = 300
MAX_FILES = 10
PHASES = ("build", "label", "monitor", "release", "serve", "update")
MOST_VERBS = 6

# Ratchets: what is larger than the limit today, and how large. A number only goes down; at the limit its line goes.
LARGE_FILES: dict[str, int] = {}
LARGE_FOLDERS: dict[str, int] = {}

NAMES_THAT_SAY_NOTHING = {"utils", "util", "common", "helpers", "helper", "manager", "managers", "misc"}


# --- Rooms ----------------------------------------------------------------------------------------------------------


def rooms_in_tree() -> set[str]:
    return {path.name for path in SRC.iterdir() if path.is_dir() and next(path.rglob("*.py"), None)}


def rooms_in_page(page: str) -> set[str]:
    """Names in the first cells of table rows: "| `stats/` | ..."."""
    return set(re.findall(r"^\|\s*`(?:src/noria/)?(\w+)/`\s*\|", page, re.MULTILINE))


def rooms_in_contract() -> set[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = next(c for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == "layers")["layers"]
    return {room for layer in layers for room in re.findall(r"\w+", layer)} - {"errors"}


def test_the_architecture_page_names_exactly_the_rooms_that_exist():
    page = ROOT / "ARCHITECTURE.md"
    assert page.exists(), "ARCHITECTURE.md is missing"
    assert rooms_in_page(page.read_text(encoding="utf-8")) == rooms_in_tree()


def test_the_import_contract_names_exactly_the_rooms_that_exist():
    assert rooms_in_contract() == rooms_in_tree()


def test_rows_of_the_room_table_are_recognised():
    page = (
        "| room | what |\n| --- | --- |\n| `stats/` | numbers |\n| `src/noria/app/` | outside |\n| `errors.py` | tree |"
    )
    assert rooms_in_page(page) == {"stats", "app"}


# --- Sizes ----------------------------------------------------------------------------------------------------------


def over_limit(sizes: dict[str, int], limit: int, ratchet: dict[str, int]) -> list[str]:
    """What is wrong with sizes: a new excess, a grown one, or a ratchet that could be tighter."""
    wrong = []
    for name, size in sorted(sizes.items()):
        allowed = ratchet.get(name, limit)
        if size > allowed:
            wrong.append(f"{name}: {size}, at most {allowed} allowed; split it by topic")
        elif name in ratchet and size < allowed:
            wrong.append(f"{name}: shrunk to {size}; lower its number in the ratchet ({allowed})")
    return wrong + [f"{name}: in the ratchet, but gone" for name in sorted(ratchet.keys() - sizes.keys())]


def test_no_file_is_longer_than_one_can_read_in_a_sitting():
    sizes = {
        path.relative_to(SRC).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in SRC.rglob("*.py")
    }
    assert over_limit(sizes, MAX_LINES, LARGE_FILES) == []


def test_no_folder_holds_more_files_than_one_can_keep_in_mind():
    folders = {path.parent for path in SRC.rglob("*.py")}
    sizes = {folder.relative_to(SRC).as_posix(): len(list(folder.glob("*.py"))) for folder in folders}
    assert over_limit(sizes, MAX_FILES, LARGE_FOLDERS) == []


@pytest.mark.parametrize(
    ("size", "ratchet", "complaint"),
    [
        (10, {}, None),
        (11, {}, "at most 10"),
        (12, {"a": 12}, None),
        (13, {"a": 12}, "at most 12"),
        (11, {"a": 12}, "lower its number"),
        (10, {"a": 10, "b": 12}, "gone"),
    ],
)
def test_a_ratchet_only_turns_one_way(size, ratchet, complaint):
    wrong = over_limit({"a": size}, 10, ratchet)
    assert (complaint is None and not wrong) or (len(wrong) == 1 and complaint in wrong[0])


# --- Doors ----------------------------------------------------------------------------------------------------------


def exported(tree: ast.Module) -> list[str] | None:
    """The literal list in `__all__`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == ["__all__"]:
            return list(ast.literal_eval(node.value))
    return None


def offered(tree: ast.Module, room: str) -> tuple[set[str], set[str]]:
    """Public names that a room's __init__ defines itself, and those it takes from its own files."""
    defined: set[str] = set()
    taken: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.level or f"{node.module}.".startswith(f"noria.{room}.")):
            taken |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign):
            defined |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            defined.add(node.target.id)
    return {name for name in defined if not name.startswith("_")}, taken


def as_sorted(names: list[str]) -> list[str]:
    """Constants, then classes, then functions, each by name: the order ruff keeps (RUF022)."""
    return sorted(names, key=lambda name: (0 if name.isupper() else 1 if name[0].isupper() else 2, name))


@pytest.mark.parametrize("room", PHASES)
def test_a_phase_offers_a_handful_of_verbs_and_lists_exactly_those(room):
    door = SRC / room / "__init__.py"
    assert door.exists(), f"noria.{room} is missing"
    tree = ast.parse(door.read_text(encoding="utf-8"))
    names = exported(tree)
    assert names is not None, f"noria.{room} has no literal __all__"
    assert 1 <= len(names) <= MOST_VERBS
    assert names == as_sorted(names)
    defined, taken = offered(tree, room)
    assert defined <= set(names) <= defined | taken
    assert ast.get_docstring(tree), f"noria.{room} does not say what comes in and what goes out"


# --- Names ----------------------------------------------------------------------------------------------------------


def test_every_name_of_a_file_or_folder_says_something():
    named = {path: path.stem if path.is_file() else path.name for path in SRC.rglob("*") if path.suffix in {".py", ""}}
    vague = [
        path.relative_to(SRC).as_posix() for path, name in named.items() if name.strip("_") in NAMES_THAT_SAY_NOTHING
    ]
    assert vague == []


# --- Addresses ------------------------------------------------------------------------------------------------------

# In pieces, so that this file does not contain what it forbids.
REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "yarn" + "pkg.com",
    "crates" + ".io",
    "deb." + "debian.org",
    "archive." + "ubuntu.com",
    "ana" + "conda.org",
    "download." + "pytorch.org",
    "hugging" + "face.co",
]
INDEX_OPTION = re.compile(r"(?<!no-emit-)\b(?:extra-)?index[-_]url\s*[=:\s]\s*['\"]?\w+://", re.IGNORECASE)
NOT_OURS = {"__pycache__", "node_modules", "build", "dist", "mlruns", "htmlcov", "test-results"}
NOT_TEXT = {".pyc", ".png", ".jpg", ".gz", ".ico", ".parquet", ".safetensors", ".db", ".woff2"}


def project_files() -> Iterator[Path]:
    """Files of the project: no dot folders except the continuous integration's, nothing that tools leave behind."""
    for folder, folders, files in os.walk(ROOT):
        inside_source = Path(folder).is_relative_to(SRC)
        folders[:] = [
            name
            for name in folders
            if (not name.startswith(".") or name in {".ci", ".github"}) and (inside_source or name not in NOT_OURS)
        ]
        yield from (Path(folder) / name for name in files if Path(name).suffix not in NOT_TEXT)


def addresses(text: str) -> list[str]:
    """Registry addresses and index options found in a text."""
    return [name for name in REGISTRIES if name in text.lower()] + INDEX_OPTION.findall(text)


def test_no_file_contains_the_address_of_a_registry():
    found = {}
    for path in project_files():
        if hits := addresses(path.read_text(encoding="utf-8", errors="ignore")):
            found[path.relative_to(ROOT).as_posix()] = hits
    assert found == {}


@pytest.mark.parametrize("name", ["runtime.lock", "dev.lock", "image.lock"])
def test_a_lock_holds_exact_versions_and_hashes_and_nothing_else(name):
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    pin = re.compile(r"[a-z0-9][a-z0-9.-]*(\[[a-z,]+\])?==[\w.+!]+( ; [^:@]+)? \\")
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [line for line in lines if not pin.fullmatch(line) and not digest.fullmatch(line)] == []
    assert sum(line.startswith("    --hash") for line in lines) > len(lines) / 2


def test_what_is_tested_is_what_runs():
    def pins(name: str) -> set[str]:
        text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
        return set(re.findall(r"^([a-z0-9.-]+==\S+)", text, re.MULTILINE))

    assert pins("runtime.lock") <= pins("image.lock") <= pins("dev.lock")


def test_an_address_is_found_where_there_is_one():
    assert addresses("see https://" + REGISTRIES[0] + "/simple")
    assert addresses("--index-" + "url = https://example.com")
    assert not addresses("uv pip compile --generate-hashes requirements.in")
