# All targets create .venv from pinned versions if it does not exist.

PYTHON ?= python3
BIN := .venv/bin

DATA ?= ../shared/data

.PHONY: demo test pytest test-fast docs notebooks attack mutants lint benchmark choices text-independent few-labels models bench clean

demo: .venv/installed
	@$(BIN)/emotone demo --out out/demo

# Lint and types beside the tests: they take a minute of one core.
test: .venv/installed
	@$(MAKE) --no-print-directory --jobs=2 lint pytest

# More processes than cores: many tests wait for other processes. There are hundreds, so compiled modules are kept even
# where the environment forbids it.
pytest: .venv/installed
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest --numprocesses=3 --dist=loadgroup

# Unit tests only: no training in separate processes, no server, no browser.
test-fast: .venv/installed
	$(BIN)/pytest --numprocesses=2 -m "not slow"

# Builds the documentation into out/docs. It fails on a broken link or reference; the tests do the same. To look
# at it: .venv/bin/python -m http.server --directory out/docs
docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Executes the notebooks and writes them with their outputs; takes a minute.
notebooks: .venv/installed
	$(BIN)/python docs/site/notebooks.py

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

# Makes the tables of the README and the documentation from the corpora in DATA, about a day on two cores. It resumes if it was
# stopped, and what is finished is a valid partial table at any time. First come the rows that matter most, on all
# corpora, then the ingredients, then the other rows, last the 3-D ACRNN that is pre-trained: it takes 1 of 3 hours.
CORPORA := emodb ravdess nemo savee emovo aesdd ased
TESTED := emodb ravdess nemo savee emovo
ROOT_ravdess := corpus.root=$(DATA)/emobox/ravdess corpus.audio=$(DATA)/ravdess
LEADING := --only baseline --only "all four" --only "default, from scratch" --only "default, pre-trained" \
	--only "ComParE 2016 + SVM" --only "eGeMAPSv02 + SVM"
ALONE := --only "baseline + multi-kernel" --only "baseline + summary" --only "baseline + features" --only "baseline + training"
# with its rows, once there are networks to start from
benchmark-on = $(if $(wildcard out/pretrained/acrnn-without-$(1)/config.json),benchmark-acrnn,benchmark)

comma := ,
define newline


endef
# of a file, a corpus and further options; the table of a corpus grows with each file
ablate = $(BIN)/emotone ablate $(1)-$(2) $(or $(ROOT_$(2)),corpus.root=$(DATA)/$(2)) \
	--out results/$(firstword $(subst -, ,$(1)))/$(2) $(3)$(newline)
pretrained = $(MAKE) --jobs=2 $(foreach corpus,$(2),$(1:%=out/pretrained/%-without-$(corpus)/config.json))

benchmark: .venv/installed
	$(call pretrained,default,$(TESTED))
	$(foreach corpus,$(TESTED),$(call ablate,$(call benchmark-on,$(corpus)),$(corpus),$(LEADING)))
	$(foreach corpus,emodb ravdess savee,$(call ablate,$(call benchmark-on,$(corpus)),$(corpus),$(ALONE)))
	$(foreach corpus,$(TESTED),$(call ablate,$(call benchmark-on,$(corpus)),$(corpus)))
	$(call pretrained,acrnn,emodb ravdess)
	$(foreach corpus,emodb ravdess,$(call ablate,benchmark-acrnn,$(corpus)))
	$(BIN)/python results/tables.py

# What new sentences cost (docs/how-to/text-independent.md): trained on all sentences, on those of the test, on others,
# by ComParE 2016 + SVM and by the default. Three hours on two cores, of which the SVM takes a quarter.
FOLDS_emodb := 5
FOLDS_ravdess := 4
SENTENCES_all :=
SENTENCES_same := protocol.text_matched=true
SENTENCES_other := protocol.text_independent=true
SYSTEM_svm := model.kind=opensmile-svm
SYSTEM_default := training.epochs=40 training.patience=40 seeds=[0,1,2,3,4]
# of a system, a corpus and the sentences that are trained on
by-sentences = $(BIN)/emotone crossval $(2) corpus.root=$(DATA)/$(2) protocol.name=kfold protocol.folds=$(FOLDS_$(2)) $(SENTENCES_$(3)) \
	$(SYSTEM_$(1)) --out results/text-independent/$(2)/$(1)/$(3)$(newline)

text-independent: .venv/installed
	$(foreach system,svm default,$(foreach corpus,emodb ravdess,$(foreach sentences,all same other,\
		$(call by-sentences,$(system),$(corpus),$(sentences)))))
	$(BIN)/python results/tables.py

# What labelled utterances of an unknown corpus are worth (docs/how-to/adapt.md): 5 to 50 of each emotion, to adapt a
# network that has heard five other corpora, or to train on alone. Three hours on two cores.
FEW := 5 10 20 50
START := out/pretrained/base-without-savee-emovo
FOUR := anger, happiness, neutral, sadness
# of a corpus and its emotions
kept = {name: $(1), root: $(DATA)/$(1), keep: [$(2)]}
HEARD = [$(call kept,emodb,$(FOUR)), $(call kept,ravdess,$(FOUR)), $(call kept,nemo,$(FOUR)), \
	$(call kept,aesdd,anger$(comma) happiness$(comma) sadness), $(call kept,ased,$(FOUR))]
# of a corpus and a number of utterances
few-labelled = $(BIN)/emotone ablate few-labels corpus.name=$(1) corpus.root=$(DATA)/$(1) protocol.training_per_class=$(2) \
	--out results/few-labels/$(1)/$(2)$(newline)

few-labels: .venv/installed $(START)/config.json
	$(foreach corpus,savee emovo,$(foreach few,$(FEW),$(call few-labelled,$(corpus),$(few))))
	$(BIN)/python results/tables.py

$(START)/config.json: | .venv/installed
	$(BIN)/emotone train emotone-base "corpus=$(HEARD)" features.pitch=false training.augment.pitch=0 training.epochs=30 training.patience=30 \
		training.disturb.noise_folder=$(DATA)/noise training.disturb.room_folder=$(DATA)/rir --out $(@D)

# The choices behind the pre-trained default, on corpora that are not reported: about 5 hours, before all others.
SIZES := default pitch dropout widths lstm128 million two-million

choices: .venv/installed
	$(call pretrained,$(SIZES),aesdd emovo ased)
	$(foreach corpus,aesdd emovo ased,$(call ablate,choices,$(corpus)))
	$(BIN)/python results/search/search.py --page

# Networks to start from, out/pretrained/NETWORK-without-CORPUS: trained on all corpora but one, made once. Those that
# committed results started from lie in results/pretrained. The sizes are those of choices.yaml.
NETWORK_default := pretraining
NETWORK_pitch := pretraining features.pitch=true training.augment.pitch=0.25
NETWORK_dropout := pretraining model.dropout=0.2
NETWORK_widths := pretraining model.kernel_widths=[1,3,5]
NETWORK_lstm128 := pretraining model.lstm=128 model.hidden=128
NETWORK_million := pretraining model.channels=[64,96,128,128] model.lstm=128 model.hidden=128
NETWORK_two-million := pretraining model.channels=[32,64,128,192] model.lstm=192 model.hidden=128
NETWORK_acrnn := pretraining-acrnn
KEPT := results/pretrained
others = [$(foreach name,$(filter-out $(1),$(CORPORA)),{name: $(name), root: $(DATA)/$(name)},)]

out/pretrained/%/config.json: | $(KEPT)/%/config.json
	mkdir -p out/pretrained
	cp -R $(KEPT)/$* $(@D)

out/pretrained/%/config.json: | .venv/installed
	$(BIN)/emotone train $(NETWORK_$(firstword $(subst -without-, ,$*))) runtime.jobs=1 \
		"corpus=$(call others,$(lastword $(subst -without-, ,$*)))" --out $(@D)

# Makes the shipped models, their results and cards; takes six hours on two cores.
ROOTS := corpus.0.root=$(DATA)/emodb corpus.1.root=$(DATA)/ravdess corpus.2.root=$(DATA)/nemo corpus.3.root=$(DATA)/savee \
	corpus.4.root=$(DATA)/emovo corpus.5.root=$(DATA)/aesdd corpus.6.root=$(DATA)/ased \
	training.disturb.noise_folder=$(DATA)/noise training.disturb.room_folder=$(DATA)/rir
BASE := emotone-base $(ROOTS)
# new speakers of known corpora; three recordings of ASED are listed under two speakers
GROUPED := $(BASE) protocol.name=kfold protocol.folds=6 \
	"corpus.6.exclude=[h3-07-01-01-25.opus,h3-07-01-02-45.opus,n1-05-02-02-45.opus]"
SVM := "model={kind: opensmile-svm, c: [0.00001, 0.0001, 0.001]}" protocol.validation_speakers=10
EIGHT := emotone-8 corpus.root=$(DATA)/ravdess
MODELS := results/models
SHIPPED := src/emotone/pretrained

models: .venv/installed
	$(BIN)/emotone crossval $(BASE) --out $(MODELS)/emotone-base/cross-corpus
	$(BIN)/emotone crossval $(BASE) $(SVM) --out $(MODELS)/emotone-base/svm
	$(BIN)/emotone crossval $(GROUPED) --out $(MODELS)/emotone-base/grouped
	$(BIN)/emotone crossval $(GROUPED) $(SVM) --out $(MODELS)/emotone-base/grouped-svm
	for tried in recipe-0.1 seven-emotions without-pitch; do \
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
	$(install) --editable .[bench]
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

# pip is quiet, so that errors stand out; each step says what it does and how long it takes. A current pip comes first,
# as that of Python 3.11 takes twice as long. pip would compile 25,000 modules on one core. A third are hardly ever
# imported; some others are templates that cannot be compiled.
UNUSED := /tests?/|/transformers/models/|/ray/(data|rllib|serve|train|tune)/|/databricks/
install = $(BIN)/pip install --disable-pip-version-check --no-compile --quiet --constraint constraints.txt

.venv/installed: pyproject.toml constraints.txt
	@echo "1/3 making .venv, which all targets use"
	@$(PYTHON) -m venv .venv
	@$(install) pip
	@echo "2/3 installing PyTorch for the CPU or GPU (200 MB to 3 GB, minutes on a slow line)"
	@$(install) torch
	@echo "3/3 installing emotone and its tools (about 150 packages, a minute or two)"
	@$(install) --editable .[dev]
	@$(BIN)/python -m compileall -qq --workers 0 -x '$(UNUSED)' .venv || true
	@touch $@
	@echo "installed: $(BIN)/emotone --help"

clean:
	rm -rf .venv out
