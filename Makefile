# All targets create .venv from pinned versions if it does not exist.

PYTHON ?= python3
BIN := .venv/bin

DATA ?= ../shared/data

.PHONY: demo test test-fast mutants attack lint results models bench clean

demo: .venv/installed
	$(BIN)/emotone demo --out out/demo

test: lint
	$(BIN)/pytest --numprocesses=2 --dist=loadgroup

# Unit tests only: no training in separate processes, no server, no browser.
test-fast: .venv/installed
	$(BIN)/pytest --numprocesses=2 -m "not slow"

# Lists small faults in the code that no test notices: a table and each surviving mutant, in
# out/mutants.md. At most 100 mutants per module of training, features, evaluation and windows, drawn
# with a seed; takes half an hour on two cores.
mutants: .venv/installed
	$(BIN)/pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable .[mutants]
	$(BIN)/python benchmarks/mutants.py

# Attacks emotone with damaged files, malformed models and configurations, requests and kills: a table,
# and each fault with the command that repeats it. Takes at most 15 minutes on two cores; no part of
# make test. ATTACK="--quick" tries a twentieth.
attack: .venv/installed
	$(BIN)/python -m benchmarks.attack --minutes 15 --page benchmarks/ATTACK.md $(ATTACK)

# Makes the figures of the README; resumable; takes days on two cores. DATA is the folder of the corpora.
# Pre-training is measured with half of the default's epochs.
HALF := training.epochs=60 training.patience=60 pretraining.training.epochs=60 pretraining.training.patience=60

results: .venv/installed
	$(BIN)/emotone ablate experiments/ablation-emodb.yaml corpus.root=$(DATA)/emodb --out results/ablation-emodb
	$(BIN)/emotone ablate experiments/ablation-ravdess.yaml corpus.root=$(DATA)/emobox/ravdess corpus.audio=$(DATA)/ravdess --out results/ablation-ravdess
	$(BIN)/emotone crossval experiments/emodb.yaml corpus.root=$(DATA)/emodb \
		"pretraining.corpus=[{name: ravdess, root: $(DATA)/ravdess}, {name: nemo, root: $(DATA)/nemo}]" $(HALF) --out results/pretrained/emodb
	$(BIN)/emotone crossval experiments/emobox-ravdess.yaml corpus.root=$(DATA)/emobox/ravdess corpus.audio=$(DATA)/ravdess \
		"pretraining.corpus=[{name: emodb, root: $(DATA)/emodb}, {name: nemo, root: $(DATA)/nemo}]" $(HALF) --out results/pretrained/ravdess
	$(BIN)/python results/tables.py

# Makes the shipped models, their results and cards; takes four hours on two cores.
ROOTS := corpus.0.root=$(DATA)/emodb corpus.1.root=$(DATA)/ravdess corpus.2.root=$(DATA)/nemo corpus.3.root=$(DATA)/savee \
	corpus.4.root=$(DATA)/emovo corpus.5.root=$(DATA)/aesdd corpus.6.root=$(DATA)/ased \
	training.disturb.noise_folder=$(DATA)/noise training.disturb.room_folder=$(DATA)/rir
BASE := emotone-base $(ROOTS)
EIGHT := emotone-8 corpus.root=$(DATA)/ravdess
MODELS := results/models
SHIPPED := src/emotone/pretrained

models: .venv/installed
	$(BIN)/emotone crossval $(BASE) --out $(MODELS)/emotone-base/cross-corpus
	for tried in recipe-0.1 12-epochs; do \
		$(BIN)/emotone crossval $(MODELS)/emotone-base/$$tried/config.yaml $(ROOTS) --out out/$$tried || exit 1; done
	$(BIN)/emotone crossval $(EIGHT) --out $(MODELS)/emotone-8/kfold
	rm -rf $(SHIPPED)/*
	$(BIN)/emotone train $(BASE) --calibrate $(MODELS)/emotone-base/cross-corpus --out $(SHIPPED)/emotone-base
	$(BIN)/emotone train $(EIGHT) --calibrate $(MODELS)/emotone-8/kfold --out $(SHIPPED)/emotone-8
	$(BIN)/emotone train $(BASE) protocol.validation_speakers=30 --calibrate $(MODELS)/emotone-base/cross-corpus --out out/held-out
	$(BIN)/emotone audit out/held-out $(foreach name,emodb ravdess nemo savee emovo aesdd ased,$(name) $(DATA)/$(name)) \
		--new-speakers --noise $(DATA)/noise --rooms $(DATA)/rir --test-half --most-per-speaker 12 --jobs 2 --out $(MODELS)/emotone-base/audit-new-speakers
	$(BIN)/python results/models/cards.py

# Measures speed and size on this machine, which should be idle.
bench: .venv/installed
	$(BIN)/pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable .[bench]
	$(BIN)/python benchmarks/recognition.py > benchmarks/RESULTS.md
	$(BIN)/python benchmarks/growth.py >> benchmarks/RESULTS.md
	$(BIN)/python benchmarks/frontend.py >> benchmarks/RESULTS.md
	$(BIN)/python benchmarks/training.py >> benchmarks/RESULTS.md
	$(BIN)/python benchmarks/install.py >> benchmarks/RESULTS.md
	$(BIN)/python benchmarks/serve.py >> benchmarks/RESULTS.md
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python benchmarks/equal.py $(DATA)/emodb >> benchmarks/RESULTS.md

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check --quiet --constraint constraints.txt torch
	$(BIN)/pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable .[dev]
	touch $@

clean:
	rm -rf .venv out
