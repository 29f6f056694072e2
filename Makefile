# Needs Python 3.11 or later, make and git. `make help` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# Tests start torch a hundred times: compiled once, each start takes a third of the time.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
STAMP := .venv/.set-up
UV := $(BIN)/python tools/uv_like_pip.py
PIN := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
       --no-emit-index-url --no-annotate --no-header
PYTEST_ARGS ?=
BENCH_ARGS ?=

.PHONY: help setup demo test check format docs lock servers bench clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

setup: $(STAMP) ## make .venv with everything pinned; nothing to do the second time

$(STAMP): requirements/tools.txt requirements/dev.txt pyproject.toml
	@tools/make_venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/tools.txt
	$(UV) pip install --require-hashes --requirement requirements/dev.txt
	$(UV) pip install --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## four pictures become a video, on this machine
	$(BIN)/loop26 --home .demo demo

# As many at once as there are processors, up to four: each may have a model in memory.
test: setup ## run the tests; first build the servers that they ask, some minutes once a machine
	@$(BIN)/python -m tests.servers.build || echo "the tests of what could not be built are skipped"
	$(BIN)/pytest --numprocesses logical --maxprocesses 4 \
	  -m "not benchmark and not soak" $(PYTEST_ARGS)

check: setup ## formatter, linter, types, import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## write what is generated in docs/ anew
	$(BIN)/python tools/write_parameter_tables.py
	$(BIN)/python tools/write_report_schema.py

lock: setup ## pin the requirements again, newest first: make lock UPGRADE=--upgrade
	$(PIN) $(UPGRADE) pyproject.toml --output-file requirements/base.txt
	$(PIN) $(UPGRADE) pyproject.toml --extra diffusers --group dev --group tools \
	  --output-file requirements/dev.txt
	$(PIN) $(UPGRADE) --group tools --output-file requirements/tools.txt
	$(PIN) pyproject.toml --extra diffusers --extra s3 --constraint requirements/dev.txt \
	  --output-file requirements/worker.txt
	$(PIN) requirements/beside.in --constraint requirements/base.txt \
	  --output-file worker/engines/wan2gp/beside.txt
	$(PIN) $(UPGRADE) requirements/compose.in --output-file requirements/compose.txt
	$(PIN) $(UPGRADE) requirements/deploy.in --output-file requirements/deploy.txt
	$(PIN) $(UPGRADE) requirements/bugsink.in --output-file requirements/bugsink.txt
	$(PIN) $(UPGRADE) requirements/go.in --output-file requirements/go.txt
	$(PIN) $(UPGRADE) requirements/postgresql.in --output-file requirements/postgresql.txt
	$(PIN) $(UPGRADE) requirements/node.in --output-file requirements/node.txt
	$(PIN) $(UPGRADE) requirements/standin.in --output-file requirements/standin.txt
	$(PIN) $(UPGRADE) requirements/logfire.in --output-file requirements/logfire.txt

servers: setup ## build the Jaeger and the collector of the tests: some minutes, once a machine
	$(BIN)/python -m tests.servers.build

# BENCH_ARGS=--bench-quick shows in some minutes that all of it works.
bench: setup ## measure side by side: a table, and .bench/figures.json; idle machine, half an hour
	@$(BIN)/python -m tests.servers.build || echo "what could not be built is not compared with"
	$(BIN)/pytest tests/benchmarks -m benchmark --bench-json .bench/figures.json $(BENCH_ARGS)

clean: ## remove what was made here: environment, demo, caches
	rm -rf .venv .demo .bench build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
