# What a contributor types. `make help` lists it.
#
# `make tour` needs Python 3.11 or newer, git and make. `make test` also needs Node 20 or newer with npm, and brings the
# rest itself (tests/bed/install.py). Every install is stamped, so that a second run is quick.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
VSIX := client-vscode/locum.vsix

# Installs must not depend on who runs them.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help tour test lint bench clean python extension bed pictures
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tour: $(STAMPS)/package  ## see the main job on a sample project, in a minute
	@$(BIN)/locum tour

test: $(STAMPS)/dev bed extension lint  ## install what the tests need, then run all of them
	@PATH="$(CURDIR)/$(BIN):$$PATH" LOCUM_REQUIRE_BED=1 $(BIN)/python -m pytest --ignore=tests/bench --durations=10

lint: $(STAMPS)/dev bed  ## ruff and pyright
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@node "$$($(BIN)/python tests/bed/install.py --where pyright)" --pythonpath $(BIN)/python

bench: $(STAMPS)/dev  ## measure against the budgets; SETS=DIR scores the scanners on labelled sets as well
	@$(BIN)/python -m pytest tests/bench -q -s --timeout=900
	@if [ -n "$(SETS)" ]; then $(BIN)/python tests/bench/accuracy.py "$(SETS)"; fi

pictures: $(STAMPS)/dev extension  ## take the README's screenshots anew
	@$(BIN)/python tests/bed/screenshots.py

extension: bed $(VSIX)  ## build, check and package the VS Code extension

bed: $(STAMPS)/dev
	@$(BIN)/python tests/bed/install.py

clean:  ## remove what was built here (the shared test bed stays)
	rm -rf $(VENV) artefacts client-vscode/node_modules client-vscode/dist client-vscode/out $(VSIX)
	find server tests -name __pycache__ -type d -prune -exec rm -rf {} +

# -- Python ----------------------------------------------------------------------------------------------------------

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Locum needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)." >&2; \
	  echo "Say which one to use: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }

$(BIN)/pip: | python
	@echo "venv: making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian: sudo apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }

# The stamp holds the hash of pyproject.toml: a checkout that only touched the file installs nothing.
define install
@mkdir -p $(STAMPS)
@hash=$$($(BIN)/python -c 'import hashlib; print(hashlib.sha256(open("pyproject.toml", "rb").read() + b"$(1)").hexdigest())'); \
if [ "$$(cat $@ 2>/dev/null)" != "$$hash" ]; then \
  echo "pip: installing locum$(1)"; started=$$(date +%s); \
  $(BIN)/pip install --quiet --editable '.$(1)' && echo "$$hash" > $@ && \
  echo "pip: done in $$(( $$(date +%s) - started )) s"; \
else touch $@; fi
endef

$(STAMPS)/package: pyproject.toml | $(BIN)/pip
	$(call install,)

$(STAMPS)/dev: pyproject.toml | $(BIN)/pip
	$(call install,[dev])

# -- the extension: built on the bed's Node 24, which its packager needs -----------------------------------------------

NODE24 := $(BIN)/python tests/bed/install.py --node24

client-vscode/node_modules/.stamp: client-vscode/package-lock.json | bed
	@echo "extension: npm ci"
	@$(NODE24) npm --prefix client-vscode ci --silent
	@touch $@

$(VSIX): client-vscode/node_modules/.stamp client-vscode/package.json client-vscode/tsconfig.json \
         client-vscode/README.md $(wildcard client-vscode/src/*.ts client-vscode/test/*.ts)
	@echo "extension: types, tests, package"
	@$(NODE24) npm --prefix client-vscode run --silent typecheck
	@$(NODE24) npm --prefix client-vscode test --silent
	@$(NODE24) npm --prefix client-vscode run --silent package >/dev/null
