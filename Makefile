# Noria: everything a newcomer needs. Needs make and Python 3.11 or newer; `make` alone lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test check lint format real lock clean

# `make -C` and a call from elsewhere both leave CURDIR at the repository root.
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

HOME_DIR ?= $(CURDIR)/.noria
DEMO_ARGS ?=
PYTEST_ARGS ?= -n 2 --dist loadfile
# Two test processes keep two cores busy; threads inside them would only fight.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

DEPENDENCIES := $(VENV)/.dependencies
INSTALLED := $(VENV)/.installed
ENCODER := $(VENV)/.encoder

# -qq hides notices and warnings of pip and keeps its errors.
PIP := $(PY) -m pip -qq --disable-pip-version-check --no-input

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(INSTALLED) $(ENCODER)  ## make .venv from the lock, get the encoder (a second call does nothing)
	@:

$(PY):
	@test -n "$(PYTHON)" || { echo "noria needs Python 3.11 or newer: install it, or say make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "setup    virtual environment in $(VENV) ($$($(PYTHON) --version))"
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make virtual environments (on Debian: apt-get install python3-venv)" >&2; exit 1; }

$(DEPENDENCIES): requirements/dev.lock | $(PY)
	@echo "setup    packages of requirements/dev.lock, hashes checked (a minute or two)"
	@$(PIP) install --no-deps --require-hashes --only-binary :all: -r requirements/dev.lock
	@touch $@

$(INSTALLED): pyproject.toml $(DEPENDENCIES)
	@echo "setup    noria itself, editable"
	@$(PIP) install --no-deps --no-index --no-build-isolation -e .
	@touch $@

# Once, whether it succeeds or not: without an encoder everything works, on n-grams alone, and says so.
$(ENCODER): | $(INSTALLED)
	@$(BIN)/noria encoder add minilm >$(ENCODER).log 2>&1 \
	&& echo "setup    $$(tail -n 1 $(ENCODER).log)" \
	|| echo "setup    no sentence encoder (why: $(ENCODER).log); n-grams alone until 'noria encoder add minilm' works"
	@touch $@

demo: setup  ## run the demonstration (HOME_DIR=folder, DETACHED=1 to leave it running)
	@echo "demo     home $(HOME_DIR)"
	@$(BIN)/noria demo --home "$(HOME_DIR)" $(if $(filter 1 yes true,$(DETACHED)),--detached) $(DEMO_ARGS)

test: setup  ## run the tests (PYTEST_ARGS="-k word" to choose)
	@echo "test     pytest $(PYTEST_ARGS)"
	@$(ONE_THREAD) $(PY) -m pytest $(PYTEST_ARGS)

lint: setup  ## ruff, mypy and the import contracts
	@echo "lint     ruff check"
	@$(BIN)/ruff check --quiet .
	@echo "lint     ruff format --check"
	@$(BIN)/ruff format --check --quiet . || { echo "some files are not formatted: make format" >&2; exit 1; }
	@echo "lint     mypy"
	@$(PY) -m mypy
	@echo "lint     import contracts"
	@$(BIN)/lint-imports --no-logo

check:  ## lint, then test: what must pass before a change is sent
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test

format: setup  ## rewrite the code to the house style
	@echo "format   ruff"
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

real: setup  ## install the heavy real things some tests use (Label Studio; a browser, which needs root and apt)
	@sh scripts/real.sh

lock:  ## choose new exact versions for requirements/*.lock (needs a package registry)
	@PYTHON="$(PYTHON)" sh scripts/lock.sh

clean:  ## remove .venv, caches and build output (the demo's home stays)
	@echo "clean    $(VENV), caches, build output"
	@rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
