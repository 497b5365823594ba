# Everything starts here: `make run` and `make test` set themselves up in .venv and need Python >= 3.11, and no more.
.DEFAULT_GOAL := help
.PHONY: help run test lint format docs bench chaos wheel image audit lock clean
export PYTHON

CONTAINERS ?= docker
BIN := .venv/bin
LOCKED := pyproject.toml scripts/setup.sh

.venv/has-run: requirements/run.txt $(LOCKED)
	@scripts/setup.sh run

.venv/has-dev: requirements/dev.txt requirements/system.txt $(LOCKED)
	@scripts/setup.sh dev

run: .venv/has-run  ## Set up, print the plan of the example workload, then serve the gateway until Ctrl-C
	@$(BIN)/breakeven plan examples/chat.toml
	@echo
	@exec $(BIN)/breakeven serve --first-key

test: lint  ## Set up, then run every check and every test, with branch coverage
	$(BIN)/pytest --cov --cov-report=term:skip-covered

lint: .venv/has-dev  ## Style, types, and the contract that imports point down
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/has-dev  ## Rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/has-run  ## Write the generated parts of README.md and docs/
	$(BIN)/python scripts/docs.py

bench: .venv/has-dev  ## Measure what docs/evidence.md claims
	@$(BIN)/python benchmarks/run.py

wheel: .venv/has-run  ## Build the wheel, in dist/
	@$(BIN)/python -m hatchling build --target wheel

image:  ## Build the container, with CONTAINERS=docker or podman
	$(CONTAINERS) build --file Containerfile --tag breakeven .

audit:  ## Ask the public advisory database about every locked package (needs the network)
	scripts/audit.sh

chaos: .venv/has-dev  ## Kill a gateway under load 50 times, and hold its ledger to what clients were told
	@$(BIN)/python scripts/chaos.py --rounds 50

lock:  ## Pin every package anew, with hashes
	scripts/lock.sh

clean:  ## Delete .venv and everything that can be made again
	rm -rf .venv build dist htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## Print this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "make %-8s %s\n", $$1, $$2}'
