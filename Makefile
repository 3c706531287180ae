# make train   install into .venv and run the main job on real data
# make test    install into .venv and run what CI runs
# make fuzz    nonsense into everything that reads, for FUZZ_S seconds a target
# make soak    200 builds with a random fault each
# make changes whether the newest change of the package is told in changes/
# make accuracy  DualGAFNet beside methods without images: rows that are missing, docs/accuracy.md
PYTHON ?= python3
BIN := .venv/bin

.PHONY: train test lint changes tests fuzz notebooks wheel soak accuracy constraints clean

train: .venv/.train
	$(BIN)/python train.py

test: lint changes tests notebooks wheel

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# On a checkout without history it says that nothing was compared.
changes: .venv/.dev
	$(BIN)/python changes/check.py

tests: .venv/.dev
	$(BIN)/python -m pytest

# Inputs that fail are left in runs/fuzz, to be mended and then kept in tests/fuzz/corpus.
FUZZ_S ?= 120
fuzz: .venv/.dev
	mkdir -p runs/fuzz/csv runs/fuzz/ts runs/fuzz/store
	for target in csv ts store; do \
	  $(BIN)/python tests/fuzz/fuzz.py $$target -max_total_time=$(FUZZ_S) -max_len=4000 \
	    -artifact_prefix=runs/fuzz/$$target- runs/fuzz/$$target tests/fuzz/corpus/$$target \
	    || exit 1; \
	done
	$(BIN)/python -m pytest --hypothesis-profile=search --timeout=3000 tests/fuzz

notebooks: .venv/.dev
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=300 -p no:cacheprovider notebooks

# Test what ships: a wheel in an environment of its own, from another folder.
wheel: .venv/.dev
	rm -rf dist .venv-wheel
	$(BIN)/python -m build --wheel --outdir dist .
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/pip install -q -c constraints.txt dist/*.whl
	cd dist && ../.venv-wheel/bin/python -m dualgaf doctor
	cd dist && ../.venv-wheel/bin/python -m dualgaf train data=simulated data.n_windows=60 trainer.max_epochs=1

soak: .venv/.dev
	$(BIN)/python benchmarks/soak.py --output benchmarks/results/soak.json

accuracy: .venv/.dev
	$(BIN)/python -m benchmarks.accuracy

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.train: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/pip install -q -e ".[datasets]" -c constraints.txt
	touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/pip install -q -e ".[dev]" -c constraints.txt
	touch $@ .venv/.train

# Newest versions that the bounds of pyproject.toml allow; run it, read the difference, commit it.
constraints:
	rm -rf .venv-constraints
	$(PYTHON) -m venv .venv-constraints
	.venv-constraints/bin/pip install -q "torch==2.13.0" -e ".[dev]"
	(echo "# Versions that the two README commands install and CI tests, made by: make constraints"; \
	 .venv-constraints/bin/pip freeze --exclude-editable | sed 's/+cpu//') > constraints.txt
	rm -rf .venv-constraints

clean:
	rm -rf .venv .venv-wheel dist runs multirun
