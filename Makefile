# Each target makes what it needs: a virtual environment in .venv, with pip alone.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
ARGS ?=
# All that the whole test suite can use; without one of them its tests skip.
TEST_GROUPS := $(foreach group,test frameworks servers queues metrics tracing browser clients,--group $(group))

.PHONY: help demo test faults fmt lint types bench profile docs docs-tables test-groups clean

help:
	@echo "make demo   an example site and the inspector beside it (ARGS=--once, --asgi)"
	@echo "make test   the whole test suite (ARGS=... for pytest)"
	@echo "make faults the part of it that breaks things: forks, kills, dead collectors"
	@echo "make fmt | lint | types | bench | profile | docs | docs-tables | clean"

demo: .venv/demo
	$(BIN)/server-tracking demo $(ARGS)

test: .venv/test
	$(BIN)/python -X dev -m pytest $(ARGS)

faults: .venv/test
	$(BIN)/python -X dev -m pytest tests/faults $(ARGS)

fmt: .venv/lint
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: .venv/lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/test .venv/lint
	$(BIN)/mypy

bench: .venv/test
	$(BIN)/python -m benchmarks $(ARGS)

profile: .venv/test # of a page view, by function
	$(BIN)/python -m benchmarks.profile $(ARGS)

docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict $(ARGS)

docs-tables: .venv/demo
	$(BIN)/server-tracking parameters --markdown > docs/parameters.md

test-groups: # for .ci/run
	@echo $(TEST_GROUPS)

clean:
	rm -rf .venv build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) --upgrade 'pip>=25.1'

.venv/demo: pyproject.toml constraints.txt | .venv/bin/pip
	$(PIP) -c constraints.txt -e '.[inspector]'
	@touch $@

.venv/test: pyproject.toml constraints.txt | .venv/bin/pip
	$(PIP) -c constraints.txt -e '.[inspector,curl]' $(TEST_GROUPS)
	@touch $@

.venv/docs: pyproject.toml constraints.txt | .venv/bin/pip
	$(PIP) -c constraints.txt -e . --group docs
	@touch $@

.venv/lint: pyproject.toml constraints.txt | .venv/bin/pip
	$(PIP) -c constraints.txt --group lint
	@touch $@
