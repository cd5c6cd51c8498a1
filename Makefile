# Every target does its own set-up; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long test-unit test-integration chaos test-connect test-cluster test-hostile cluster-demo fmt check lock build check-release sbom audit clean

BIN := .venv/bin
# Two processes, each with a Spark session of its own; a file's tests stay together, the long ones come first.
PYTEST = $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not long"

# Where the session is a client without a JVM of its own: bronze to answers in one job, and each stage by itself.
CONNECT_TESTS := tests/e2e/test_folder_to_answer.py::test_documents_become_answers_and_only_changes_are_worked_on \
	tests/integration/bronze/test_ingest.py tests/integration/silver/test_refine.py tests/integration/gold \
	tests/integration/sync/test_stream.py tests/integration/answers

# Evaluation corpora, where they stand beside the checkout; the tests that need them skip otherwise.
CORPORA := $(abspath $(wildcard ../shared/corpora))
ifneq ($(CORPORA),)
export LAKERAG_CORPORA ?= $(CORPORA)
endif

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Environment, packages, Delta's jars; once (PYTHON=python3.12 chooses a Python)
	@PYTHON="$(PYTHON)" scripts/setup

demo: setup ## The whole job on the documentation of installed Python packages
	@$(BIN)/lakerag demo $(ARGS)

test: setup ## Tests of every change, all but those of minutes each (ARGS="-k name -x -n 0" goes to pytest)
	@$(PYTEST) $(ARGS)

test-unit: setup ## Tests without JVM, network or model
	@$(PYTEST) tests/unit $(ARGS)

test-long: setup ## Tests that take minutes each: crashes, histories, notebooks, the bundle's jobs (an hour or two)
	@$(PYTEST) -m long $(ARGS)

test-integration: setup ## Tests with Spark, Delta and Milvus
	@$(PYTEST) tests/integration $(ARGS)

chaos: setup ## Kill the sync and its store again and again, then count differences (ARGS="--rounds 1000")
	@$(BIN)/python -m tests.chaos $(ARGS)

test-connect: setup ## The main job and its stages over a Spark Connect server on loopback (minutes)
	@LAKERAG_TEST_CONNECT=1 $(BIN)/python -m pytest $(CONNECT_TESTS) $(ARGS)

cluster-demo: setup ## `lakerag demo` on a Spark standalone cluster and a Milvus server, all on loopback (minutes)
	@$(BIN)/python -m benchmarks.cluster demo $(ARGS)

test-cluster: setup ## The main job in small on a Spark cluster and a Milvus server on loopback (minutes)
	@LAKERAG_TEST_CLUSTER=1 $(BIN)/python -m pytest tests/e2e/test_cluster.py $(ARGS)

test-hostile: setup ## Rights and filters against 100,000 hostile values in both stores (minutes)
	@LAKERAG_HOSTILE_VALUES=100000 LAKERAG_HOSTILE_SEARCHES=2000 $(PYTEST) tests/integration/stores/test_hostile.py $(ARGS)

fmt: setup ## Format and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

check: setup ## Format, lint, types, import layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

lock: setup ## Bring requirements.lock up to pyproject.toml (ARGS=--upgrade for newer versions)
	@$(BIN)/python scripts/pip_settings.py $(BIN)/uv pip compile pyproject.toml --all-extras --universal \
		--python-version 3.10 --no-header --no-annotate --quiet $(ARGS) -o requirements.lock

build: setup ## Wheel and source archive in dist/
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation

check-release: build ## Install the wheel in an empty environment and let `lakerag doctor` look around (minutes)
	@$(BIN)/python scripts/check_release.py

sbom: setup ## dist/lakerag.cdx.json: every installed package with version and licence (CycloneDX; no network)
	@mkdir -p dist
	@$(BIN)/cyclonedx-py environment --output-reproducible -o dist/lakerag.cdx.json $(BIN)/python

audit: setup ## Known vulnerabilities of requirements.lock (needs a network: asks PyPI's advisory service)
	@$(BIN)/python scripts/pip_settings.py $(BIN)/uv tool run pip-audit --strict --disable-pip --no-deps -r requirements.lock $(ARGS)

clean: ## Remove what is built or run; .venv and .lakerag stay
	@rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis spark-warehouse
