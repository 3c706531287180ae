# make train   install into .venv and run the main job on real data
# make quick   install into .venv and run tests of less than a minute, while you edit
# make test    install into .venv and run what CI runs
# make slow    the tests that make test leaves out: whole trainings, the earlier system
# make minimum the tests with the lowest versions that pyproject.toml allows
# make pythons the layers below torch on Python 3.11 to 3.13, with the newest numpy and numba
# make tsai    the lines for users of tsai, beside tsai in an environment of its own
# make ray     the lines for Ray Train of docs/cluster.md, in an environment of its own
# make fuzz    nonsense into everything that reads, for FUZZ_S seconds a target
# make soak    200 builds with a random fault each
# make wheel   the tests against the wheel, from the unpacked sdist
# make changes whether the newest change of the package is told in changes/
# make docs    the site of docs/, into build/docs; warnings are errors, nothing is fetched
# make accuracy  DualGAFNet beside methods without images: rows that are missing, docs/accuracy.md
PYTHON ?= python3
BIN := .venv/bin
# Of some 25 000 files that come, a command reads a tenth: pip would compile all, on one core.
INSTALL := pip install -q --no-compile

.PHONY: train test quick slow minimum pythons tsai environments lint changes tests fuzz notebooks package wheel soak accuracy
.PHONY: constraints clean docs ray

train: .venv/.train
	$(BIN)/python train.py

# What needs one core and no quiet goes side by side, the two environments first; the tests then
# have both cores.
test:
	$(MAKE) --output-sync=target -j 2 lint changes notebooks package docs
	$(MAKE) tests

environments: .venv/.dev .venv-wheel/.needs

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# On a checkout without history it says that nothing was compared.
changes: .venv/.dev
	$(BIN)/python changes/check.py

# In two processes; one of them takes all of tests/faults, see tests/conftest.py.
# Compiled first: where Python may write no bytecode, each program that a test starts would do it.
tests: .venv/.dev
	$(BIN)/python -m compileall -q src
	$(BIN)/python -m pytest -n 2

# What is below torch, and the pages.
quick: .venv/.dev
	$(BIN)/python -m pytest -q -n 2 tests/imaging tests/series tests/plan tests/contracts/test_docs.py

# What dualgaf exists for, without what its own dev tools need.
CORE := tests/imaging tests/series tests/plan tests/pool tests/store tests/data tests/models

# Needs nothing that make test does not need, but time.
slow: .venv/.dev
	$(BIN)/python -m pytest -m slow

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
	$(BIN)/python -m pytest -p nbmake --nbmake --nbmake-timeout=1200 -p no:cacheprovider notebooks

# What ships, in an environment of its own: built, looked into, started from another folder.
package: .venv/.dev .venv-wheel/.needs
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python .ci/check_sdist.py dist/*.tar.gz
	.venv-wheel/bin/$(INSTALL) --no-deps --force-reinstall dist/*.whl
	.venv-wheel/bin/pip check
	# writes the bytecode that the training reads, also where Python may write none
	cd dist && PYTHONDONTWRITEBYTECODE= ../.venv-wheel/bin/python -m dualgaf doctor
	cd dist && ../.venv-wheel/bin/python -m dualgaf train data=simulated data.n_windows=60 trainer.max_epochs=1

# The suite against the wheel, from the unpacked sdist. Without its __init__.py nothing can import
# what lies in src; pages that tell of its files find them.
wheel: package
	.venv-wheel/bin/$(INSTALL) -c constraints.txt "$$(echo dist/*.whl)[dev]"
	tar -xzf dist/*.tar.gz -C dist
	rm dist/dualgaf-*/src/dualgaf/__init__.py
	ln -sfn $(abspath ..)/shared dist/shared
	cd dist/dualgaf-*/ && ../../.venv-wheel/bin/python -m pytest -n 2 tests

# What is below torch, on each of these Pythons that is here, with the newest of what it needs: no
# aeon, whose bounds hold numpy and numba back.
BELOW := tests/imaging tests/series tests/plan tests/pool tests/store tests/system
NEWEST := numpy numba xxhash polars pandas fastexcel xlsxwriter psutil pyyaml tqdm matplotlib \
  pytest pytest-timeout hypothesis pyts
PYTHONS ?= python3.11 python3.12 python3.13
pythons:
	for python in $(PYTHONS); do \
	  command -v $$python > /dev/null || { echo "$$python is not here"; continue; }; \
	  rm -rf .venv-pythons && $$python -m venv .venv-pythons && \
	  .venv-pythons/bin/pip install -q $(NEWEST) && \
	  PYTHONPATH=$(abspath src) .venv-pythons/bin/python -m pytest $(BELOW) || exit 1; \
	done

# Lightning, aeon and the rest keep to the bounds of pyproject.toml: are they true?
minimum: .venv/.dev
	rm -rf .venv-minimum
	$(PYTHON) -m venv .venv-minimum
	$(BIN)/python .ci/lower_bounds.py > .venv-minimum/bounds.txt
	.venv-minimum/bin/pip install -q "torch==2.13.0" -e ".[excel]" -c .venv-minimum/bounds.txt
	.venv-minimum/bin/pip install -q pytest pytest-timeout hypothesis pandas xlsxwriter pyts -c .venv-minimum/bounds.txt
	# old packages use what newer ones that they need call deprecated; Lightning warns of checkpoints
	# of a newer one
	.venv-minimum/bin/python -m pytest -W ignore::DeprecationWarning \
	  -W "ignore:The loaded checkpoint was produced" $(CORE)

# tsai 1.0.1 wants an older scikit-learn, and fastai brings a torchvision that belongs to a torch for
# GPUs: Lightning cannot be loaded beside it, and nothing here needs it. Its fastai uses what torch calls
# deprecated.
tsai:
	rm -rf .venv-tsai
	$(PYTHON) -m venv .venv-tsai
	.venv-tsai/bin/$(INSTALL) "torch==2.13.0" "tsai==1.0.1" ".[datasets]" pytest pytest-timeout hypothesis "pyts>=0.14.1"
	.venv-tsai/bin/pip uninstall -q -y torchvision
	.venv-tsai/bin/python -m pytest -W ignore::DeprecationWarning tests/contracts/test_other_packages.py -k tsai

# Of its own, as Ray brings a pyarrow, which changes what pandas does in other tests.
ray:
	rm -rf .venv-ray
	$(PYTHON) -m venv .venv-ray
	.venv-ray/bin/$(INSTALL) "torch==2.13.0" "ray[train]==2.60.0" ".[datasets]" pytest pytest-timeout hypothesis
	.venv-ray/bin/python -m pytest tests/cluster/test_ray.py

# Anew each time: of a page that is not read again nothing is said. The limit is for a hang.
docs: .venv/.dev
	timeout 600 $(BIN)/python -m sphinx -E -q -W --keep-going -b html -d build/doctrees docs build/docs

soak: .venv/.dev
	$(BIN)/python benchmarks/soak.py --output benchmarks/results/soak.json

accuracy: .venv/.dev
	$(BIN)/python -m benchmarks.accuracy

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.train: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/$(INSTALL) -e ".[datasets]" -c constraints.txt
	touch $@

# Many programs start from here, so it is compiled: on all cores, and without the tests of others.
# A file that only a newer Python compiles is none of ours.
.venv/.dev: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/$(INSTALL) -e ".[dev]" -c constraints.txt
	$(BIN)/python -m compileall -qq -j 0 -x '/tests?/' .venv/lib || true
	touch $@ .venv/.train

# What the wheel needs: of the source, whose metadata the wheel has.
.venv-wheel/.needs: pyproject.toml constraints.txt
	rm -rf .venv-wheel
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/$(INSTALL) -c constraints.txt .
	touch $@

# Newest versions that the bounds of pyproject.toml allow; run it, read the difference, commit it.
constraints:
	rm -rf .venv-constraints
	$(PYTHON) -m venv .venv-constraints
	.venv-constraints/bin/pip install -q "torch==2.13.0" -e ".[dev]"
	(echo "# Versions that the two README commands install and CI tests, made by: make constraints"; \
	 .venv-constraints/bin/pip freeze --exclude-editable | sed 's/+cpu//') > constraints.txt
	rm -rf .venv-constraints

clean:
	rm -rf .venv .venv-wheel build dist runs multirun docs/gallery
