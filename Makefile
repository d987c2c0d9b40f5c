# `make demo` and `make test` create .venv from pinned versions if it is not there.

PYTHON ?= python3
BIN := .venv/bin

DATA ?= ../shared/data

.PHONY: demo test lint results clean

demo: .venv/installed
	$(BIN)/emotone demo --out out/demo

test: lint
	$(BIN)/pytest

# Remakes the figures of the README, or continues; days on two cores. DATA holds the corpora.
results: .venv/installed
	$(BIN)/emotone ablate experiments/ablation-emodb.yaml corpus.root=$(DATA)/emodb --out results/ablation-emodb
	$(BIN)/emotone ablate experiments/ablation-ravdess.yaml corpus.root=$(DATA)/emobox/ravdess corpus.audio=$(DATA)/ravdess --out results/ablation-ravdess

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check --quiet --constraint constraints.txt torch
	$(BIN)/pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable .[dev]
	touch $@

clean:
	rm -rf .venv out
