# Every command of the project; each creates what it needs. `make` alone lists them.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.made-from-the-lock
# tests at a time, on two processors; half of their time they wait for a disk or a process
WORKERS ?= 4
# images of containers set it, and then every process compiles the daemon and its tests anew
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help setup check format test test-fast test-long demo bench docs pictures editors lock clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 12

setup: $(STAMP) ## make .venv with the locked dependencies (every other command does it by itself)

$(STAMP): requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "There is no python3 on the PATH. Debian: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "incidentd needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Name another one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments. Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) install --require-hashes -r requirements-dev.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

check: $(STAMP) ## format, lint, strict types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy daemon tests $(wildcard deploy/demo)
	$(BIN)/lint-imports

format: $(STAMP) ## put every file into shape, and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: $(STAMP) ## every test (15 minutes at most)
	$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

test-fast: $(STAMP) ## the tests that take no time (2 minutes at most)
	$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal -m "not slow" $(ARGS)

test-long: $(STAMP) ## the same tests at full counts, seeded
	INCIDENTD_TEST_LONG=1 $(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

demo: $(STAMP) ## see it work; ARGS=--exit ends it after the stories
	$(BIN)/python deploy/demo/demo.py $(ARGS)

bench: $(STAMP) ## every figure of speed and memory beside its target; ARGS=SECTION for one, ARGS=--list for their names
	$(BIN)/python -m tests.bench $(ARGS)

docs: $(STAMP) ## write the pages that are made from the code
	$(BIN)/python -m tests.docs.metrics_page
	$(BIN)/python -m tests.docs.hold_story
	$(BIN)/python -m tests.docs.lifecycle_page
	$(BIN)/python -m tests.docs.playbooks_page
	$(BIN)/python -m tests.docs.postmortems_page
	$(BIN)/python -m tests.docs.night_page
	$(BIN)/python -m tests.docs.slo_rules
	$(BIN)/python -m tests.docs.dashboards

pictures: $(STAMP) ## draw the dashboards for the docs, from two minutes of a real Prometheus (not part of `make docs`)
	$(BIN)/python -m tests.docs.dashboards.pictures

editors: ## the server that editors ask about YAML, for the tests of the schemas (needs npm)
	npm ci --prefix tests/editors --ignore-scripts --no-audit --no-fund --silent

lock: $(STAMP) ## choose the newest dependencies that fit, with their hashes (needs uv)
	@command -v uv >/dev/null || { echo "There is no uv on the PATH; any way of installing it will do." >&2; exit 1; }
	uv pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url --python-version 3.11 --upgrade \
	  pyproject.toml -o requirements.lock
	uv pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url --python-version 3.11 --upgrade \
	  --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean: ## remove everything that the commands made
	rm -rf .venv tests/editors/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find daemon tests deploy -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
