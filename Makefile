# `make demo` and `make test` need Python 3.11 or newer and pip, and install the rest in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUNS ?= runs

.PHONY: demo test clean

# bert4keras declares keras<=2.3.1, TensorFlow needs keras>=3.12: hence a second, separate install.
$(VENV)/installed: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -r requirements.txt
	$(BIN)/pip install --quiet --no-deps bert4keras==0.11.5
	touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	$(BIN)/pip install --quiet -r requirements-dev.txt
	touch $@

demo: $(VENV)/installed
	$(BIN)/python train_cosent.py --task DEMO --runs_dir $(RUNS) --overwrite
	$(BIN)/python train_sbert.py --task DEMO --runs_dir $(RUNS) --overwrite
	$(BIN)/python train_interact.py --task DEMO --runs_dir $(RUNS) --overwrite
	$(BIN)/python eval_accuracy.py --runs_dir $(RUNS)

test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest

clean:
	rm -rf $(VENV)
