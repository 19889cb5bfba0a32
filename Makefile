# Everything a person runs here. A machine needs Python 3.11 or newer and make; the rest is set up in .venv by itself.
# `make` alone lists the targets.

PYTHON ?= python3
UV_VERSION := 0.13.8
VENV := .venv
BIN := $(VENV)/bin
# Two marks of one environment: what the demo and the local stack need, and all of it, with tests and linters.
READY := $(VENV)/.ready
LIGHT := $(VENV)/.ready-demo
SYNC := UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV= $(BIN)/uv sync --quiet --frozen --inexact
ARGS ?=

# Python keeps what it has compiled, whatever the shell says: each process of a stack starts in less than half the time.
unexport PYTHONDONTWRITEBYTECODE

# Tests run make themselves, which must not take itself for a part of this one. A plugin that LangGraph brings takes a
# second of each process, and no test uses it.
PYTEST := env -u MAKEFLAGS -u MAKELEVEL $(BIN)/pytest -p no:langsmith_plugin

# For two cores: one worker more, since some tests wait. Long ones wait more. Each worker collects all tests.
WORKERS ?= 3
LONG_WORKERS ?= 4
ON_WORKERS := --no-loadscope-reorder -n

# Two parts of a check at a time, and all of them, so that all that is wrong is shown at once.
PARALLEL := $(MAKE) --no-print-directory -k -j2

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test test-all test-long check static quick-tests package wheels format-check lint types pyright imports docs docs-check gallery soak soak-values soak-stack bench clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

setup: $(READY) ## make .venv with all that tests and checks need (done by the others, too)

demo: $(if $(filter pydantic openai workflow redis,$(ARGS)),$(READY),$(LIGHT)) ## watch one real job, live; needs no account
	@$(BIN)/baton demo $(ARGS)

dev: $(LIGHT) ## run the whole local stack until Ctrl-C
	@$(BIN)/baton dev $(ARGS)

test: $(READY) ## test every part, whole stacks included, in at most five minutes
	@$(PYTEST) $(ON_WORKERS) $(WORKERS) -m "not long" $(ARGS)

test-long: $(READY) ## run the long tests: all schedules and planted defects, long outages, upgrades, pages
	@$(PYTEST) $(ON_WORKERS) $(LONG_WORKERS) -m long $(ARGS)

test-all: ## run all tests: `test`, then `test-long`
	@$(MAKE) --no-print-directory -k test test-long

check: $(READY) ## what must hold before a commit, in about a minute: no stacks, no servers
	@$(PARALLEL) quick-tests format-check lint types imports docs-check

static: $(READY) ## the part of check that runs no tests, and the second type checker
	@$(PARALLEL) format-check lint types pyright imports docs-check

quick-tests: $(READY)
	@$(PYTEST) $(ON_WORKERS) $(WORKERS) -q -m "not e2e and not long" tests/architecture tests/unit $(ARGS)

package: $(READY) ## make the archives for AWS Lambda in dist
	@$(BIN)/baton package $(ARGS)

wheels: $(READY) ## build both wheels into dist twice, compare them, and check what they have; TAG=v… has to be theirs
	@.ci/wheels $(TAG)

format-check: $(READY)
	@$(BIN)/ruff format --check --quiet . || { echo "wrong format: run $(BIN)/ruff format"; exit 1; }

lint: $(READY)
	@$(BIN)/ruff check --quiet .

types: $(READY)
	@$(BIN)/mypy

pyright: $(READY)
	@$(BIN)/basedpyright --level error

imports: $(READY)
	@said=$$($(BIN)/lint-imports --no-logo) && echo "$$said" | tail -1 || { echo "$$said"; exit 1; }

docs: $(READY) ## write the generated parts of the documentation anew
	@$(BIN)/python -m tests.docs.generated

gallery: $(READY) ## take the pictures of the console in docs/gallery anew
	@$(PYTEST) -q tests/browser/test_gallery.py --gallery

docs-check: $(READY)
	@$(BIN)/python -m tests.docs.generated --check

SECONDS ?= 360
SEED ?= 1000000
soak: $(READY) ## simulate faults for SECONDS=360 from SEED=1000000 on, and say what was met
	@$(BIN)/python -m tests.simulation.explore --schedules 1000000000 --seconds $(SECONDS) --seed $(SEED) $(ARGS)

VALUES ?= 100000
soak-values: $(READY) ## play VALUES=100000 odd values at every door that values of models, tools and clients enter by
	@$(BIN)/python -m tests.values.soak --values $(VALUES) $(ARGS)

STACK_SECONDS ?= 3600
soak-stack: $(READY) ## wear the local stack for STACK_SECONDS=3600: ten tenants, hung servers, a full disk, proxies
	@$(BIN)/python -m tests.e2e.soak --seconds $(STACK_SECONDS) $(ARGS)

BENCH ?= full
bench: $(READY) ## measure Baton beside its peers; BENCH=quick takes five minutes, ARGS=--docs writes the page
	@$(BIN)/python -m tests.bench.run $(if $(filter quick,$(BENCH)),--quick) $(ARGS)

clean: ## remove .venv, caches and build products; your jobs in .baton stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .serverless build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp for each environment: nothing is done while it is newer than what it was made from. Nothing is taken away
# either (--inexact), so the light one never undoes the other.
$(READY): pyproject.toml infra/pyproject.toml uv.lock Makefile
	$(call install,all of it,)
	@touch $(LIGHT) $@

$(LIGHT): pyproject.toml infra/pyproject.toml uv.lock Makefile
	$(call install,for demo and dev,--no-default-groups --group local)
	@touch $@

# install: what of it, and how uv is told. The second try is for machines behind a proxy that has a certificate
# authority of its own.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Baton needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Setting up $(VENV), $(1) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check uv==$(UV_VERSION)
	@$(SYNC) $(2) 2>/dev/null || $(SYNC) $(2) --system-certs
	@echo "Ready: $(BIN)/baton"
endef
