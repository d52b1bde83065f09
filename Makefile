# Needs: Python 3.11, make, and a Python package index. Everything else goes into .venv.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: help install arena test lint bench clean
.DEFAULT_GOAL := help

help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/.installed ## Make .venv with everything a developer needs

.venv/.installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

arena: install ## Run the whole loop once: attack, label, train, evaluate, promote
	$(BIN)/arena run

test: install ## Run every test
	$(BIN)/python -m pytest

lint: install ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: install ## Measure speed, each figure beside what it is to be compared with
	$(BIN)/python -m tests.benchmarks

clean: ## Remove .venv, caches and the arena's state
	rm -rf .venv .arena build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
