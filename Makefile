# `make demo` and `make test` need Python 3.11, 3.12 or 3.13 with pip; they install the rest into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUNS ?= runs
ORIGINAL ?= ../CoSENT
PEERS ?= .venv-peers
RIVALS ?= .venv-rivals
PACKAGE ?= .venv-package
TENSORFLOW ?= # with a GPU: TENSORFLOW='tensorflow[and-cuda]==2.21.0'
TABLE ?= # flags, such as TABLE='--tasks BQ --seeds 1 2 3'
BENCH ?= # flags, such as BENCH='--data_dir data/senteval_cn --task BQ --vocab vocab.txt'

.PHONY: demo table test test-fast test-weekly test-table test-browser test-peers test-original
.PHONY: test-package test-gpu bench-peers clean FORCE

# bert4keras declares keras<=2.3.1, TensorFlow needs keras>=3.12: hence a second, separate install.
$(VENV)/installed: requirements.txt $(if $(TENSORFLOW),FORCE)
	@echo 'Installing TensorFlow and the other requirements into $(VENV): 2.8 GB'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -r requirements.txt $(if $(TENSORFLOW),'$(TENSORFLOW)')
	$(BIN)/pip install --quiet --no-deps bert4keras==0.11.5
	touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	$(BIN)/pip install --quiet -r requirements-dev.txt
	touch $@

$(PEERS)/installed: requirements-peers.txt requirements-dev.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet -r requirements-peers.txt -r requirements-dev.txt
	$(PEERS)/bin/pip install --quiet --no-deps bert4keras==0.11.5
	touch $@

# optimum-intel also declares torchvision and nncf, which encoding with OpenVINO does not use.
$(RIVALS)/installed: requirements-rivals.txt
	$(PYTHON) -m venv $(RIVALS)
	$(RIVALS)/bin/pip install --quiet -r requirements-rivals.txt
	$(RIVALS)/bin/pip install --quiet --no-deps optimum-intel==2.2.0
	touch $@

# TensorFlow without CUDA uses no GPU; --device cpu makes a GPU that it does not see no error.
DEMO = --task DEMO --runs_dir $(RUNS) --overwrite $(if $(TENSORFLOW),,--device cpu)

demo: $(VENV)/installed
	$(BIN)/python train_cosent.py $(DEMO)
	$(BIN)/python train_sbert.py $(DEMO)
	$(BIN)/python train_interact.py $(DEMO)
	$(BIN)/python eval_accuracy.py --runs_dir $(RUNS) --html $(RUNS)/report.html

table: $(VENV)/installed
	$(BIN)/python train_table.py --runs_dir $(RUNS) $(TABLE)

# At most four processes: each loads TensorFlow and takes 1 to 2 GB. An idle process takes tests
# from another, so that a long file does not keep a single process busy.
test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

# Tests that need no TensorFlow: data, thresholds, evaluation, report, downloads.
test-fast: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m 'fast and not weekly'

# Rare or slow cases, including the whole table of test-table.
test-weekly: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m weekly

# The page of --html in a browser; needs Chromium or Google Chrome.
test-browser: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m weekly tests/browser

# All runs of the published table, from an empty folder, against a local stand-in of the hosts.
test-table: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m weekly tests/test_whole_table.py

# The same vectors as transformers and sentence-transformers, from the same folders.
test-peers: $(PEERS)/installed
	$(PEERS)/bin/python -m pytest tests/peers

# Against the unchanged scripts of a checkout of bojone/CoSENT.
test-original: $(VENV)/installed-dev
	ORIGINAL=$(ORIGINAL) $(BIN)/python -m pytest tests/test_original.py

# The package as a user installs it. Files left in build/lib would become part of the wheel.
test-package:
	rm -rf $(PACKAGE) build/lib
	$(PYTHON) -m venv $(PACKAGE)
	$(PACKAGE)/bin/pip install --quiet .
	$(PACKAGE)/bin/pip install --quiet --no-deps bert4keras==0.11.5
	$(PACKAGE)/bin/python -P tests/installed.py

bench-peers: $(VENV)/installed $(RIVALS)/installed
	$(BIN)/python -m benchmarks.peers --peers_python $(RIVALS)/bin/python $(BENCH)

clean:
	rm -rf $(VENV) $(PEERS) $(RIVALS) $(PACKAGE)
