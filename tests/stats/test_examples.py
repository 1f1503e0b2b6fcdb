"""What the docstrings of this room show is what happens."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil

import pytest

import noria.stats

MODULES = sorted(m.name for m in pkgutil.walk_packages(noria.stats.__path__, "noria.stats.") if not m.ispkg)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name: str) -> None:
    """Every module shows examples, and all of them hold."""
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_shows_an_example(name: str) -> None:
    """A function without an example is named."""
    tree = ast.parse(inspect.getsource(importlib.import_module(name)))
    public = [node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    assert [node.name for node in public if ">>>" not in (ast.get_docstring(node) or "")] == []


@pytest.mark.parametrize("name", MODULES)
def test_nothing_heavy_is_imported_with_a_module(name: str) -> None:
    """At the top stand numpy, the standard library and lower rooms only: `noria --help` must answer at once."""
    tree = ast.parse(inspect.getsource(importlib.import_module(name)))
    imported = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
    roots = {module.split(".")[0] for module in imported}
    assert roots <= {
        "__future__",
        "collections",
        "dataclasses",
        "functools",
        "hashlib",
        "itertools",
        "math",
        "noria",
        "numpy",
        "re",
        "statistics",
        "types",
        "typing",
        "unicodedata",
    }
