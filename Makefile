# Everything bootstraps itself from bare Python 3.11 with pip: no manual steps.
PYTHON ?= python3
UV := .bootstrap/bin/uv
RUN := $(UV) run --frozen --all-extras

# Compile each module once, whatever the environment says: tests start the program hundreds of times.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup format check wheel audit coverage test test-unit faults sinks soak demo bench bench-compare

help:  ## Show this help.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	@$(PYTHON) -m venv .bootstrap
	@.bootstrap/bin/pip --quiet --disable-pip-version-check install 'uv>=0.9,<1'

setup: $(UV)  ## Install everything into .venv.
	@$(UV) sync --quiet --frozen --all-extras

format: setup  ## Format the code and sort imports.
	@$(RUN) ruff format .
	@$(RUN) ruff check --fix --quiet .

check: setup  ## Lint, types, layers, workflows, and the core where there is cargo.
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@$(RUN) lint-imports
	@if command -v cargo > /dev/null; then cd core && cargo fmt --check && cargo clippy --quiet --locked -- --deny warnings; fi
	@$(RUN) zizmor --quiet --offline --persona pedantic .github

wheel: setup  ## Build the wheel and the source archive into dist, and try the wheel elsewhere.
	@rm -rf dist && $(UV) build --quiet
	@PYTHON=$(PYTHON) .ci/try-wheel dist/*.whl

audit: setup  ## Check the locked dependencies for known vulnerabilities; needs the package index's advisories.
	@$(UV) export --quiet --frozen --all-extras --no-dev --no-emit-project | $(UV) tool run pip-audit --no-deps --disable-pip --requirement /dev/stdin

test: setup  ## Run every test, on a real Kafka and a real registry.
	@# Four workers on two cores: much of the time is spent waiting for brokers and processes. Every test runs once.
	@$(RUN) pytest -n 4 --dist worksteal --servers -m 'not faults and not sinks and not alone'
	@$(RUN) pytest -m 'alone and not faults and not sinks'

test-unit: setup  ## Run the tests that need no broker.
	@$(RUN) pytest -n 2 -m 'not kafka and not faults and not sinks' tests/unit tests/contract tests/property tests/integration

coverage: setup  ## Run every test and measure branch coverage; fails below the bound in pyproject.toml.
	@$(RUN) coverage erase
	@$(RUN) pytest -n 4 --dist worksteal --servers -m 'not faults and not sinks and not alone' --cov --cov-report= --cov-fail-under=0
	@$(RUN) pytest -m 'alone and not faults and not sinks' --cov --cov-append --cov-report=term:skip-covered

faults: setup  ## Run the long fault matrix: every kill point, dying brokers, partitions.
	@$(RUN) pytest -m faults

sinks: setup  ## Run the recipes of docs/consumers/sinks.md in the programs that they are for.
	@$(RUN) --group sinks pytest -m sinks tests/sinks

soak: setup  ## Random edits, faults and crashes on a real Kafka; SECONDS=60, and SEED to repeat a run.
	@$(RUN) python -m tests.faults.soak --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED))

demo: setup  ## Watch three CMSs flow into Kafka, through a crash, and see the proof.
	@$(RUN) contentwire demo

bench: setup  ## Measure speed, as ratios to a floor from the same run: a table, JSON and a picture.
	@$(RUN) python bench/run.py

bench-compare: setup  ## Compare instructions per item with another revision, REV=<commit>; needs valgrind.
	@$(RUN) python bench/compare.py $(REV)
