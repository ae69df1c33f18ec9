# Two commands from a fresh clone: `make repro` regenerates every table, `make test` passes the tests.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
SET_UP := $(VENV)/.complete
export PATH := $(BIN):$(PATH)
export GOMP_SPINCOUNT ?= 10000
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
export DVC_NO_ANALYTICS := true
export PYTHONUNBUFFERED := 1
# The lock is complete, so pip need not look for dependencies, and two pips may put in half of the packages each: one
# takes minutes, most of them to unpack. They leave the packages uncompiled (two thirds of their time); the first import
# of each must then write its bytecode.
PIP := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup repro panel longer verify commit adopt test lint pipeline bench bench-edges reliability growth cluster-test lock
.DEFAULT_GOAL := help

help:
	@echo "make repro     set up, then regenerate every table (dvc repro, several runs side by side)"
	@echo "make panel PHOTO=photo.jpg  train one network (RUN=nyud/hrnet18-mti-n) and show what it sees in a photo (3 minutes)"
	@echo "make longer    a study apart: ten times the training, single task and MTI-Net on both data sets (25 minutes)"
	@echo "make verify    check every run's manifest against parameters, code and data"
	@echo "make commit    take a Snakemake run's results into DVC's cache, once they are verified"
	@echo "make adopt     pull results made elsewhere; then DVC and Snakemake have nothing to do"
	@echo "make test      set up, then lint, type-check and test"
	@echo "make pipeline  write dvc.yaml anew from pipeline/rules.py"
	@echo "make bench     time training, data, evaluation, start-up beside plain ways (15 minutes; BENCH_FLAGS=--quick tries it)"
	@echo "make bench-edges  time the edge benchmark beside other exact ways, worst cases too (minutes)"
	@echo "make reliability  try every fault and write the table of docs/reliability.md (minutes)"
	@echo "make growth    time dvc and snakemake over 71, 300 and 1,000 experiments (minutes)"
	@echo "make cluster-test  install a SLURM (as root, apt), run a study through it and disturb it (minutes)"
	@echo "make lock      write requirements.lock anew from the installed packages"

setup: $(SET_UP)

$(SET_UP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "ERROR: $(PYTHON) is older than Python 3.11: install one and call make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@for half in 0 1; do awk "NR % 2 == $$half" requirements.lock > $(VENV)/half$$half.txt; done
	$(PIP) -r $(VENV)/half0.txt & first=$$!; $(PIP) -r $(VENV)/half1.txt; second=$$?; wait $$first && exit $$second
	$(PIP) --no-build-isolation -e .
	@touch $@

repro: setup
	python -m pipeline.repro

RUN ?= nyud/hrnet18-mti-n
panel:
	@test -f "$(PHOTO)" || { echo "ERROR: PHOTO is '$(PHOTO)', expected a file: make panel PHOTO=/path/to/photo.jpg"; exit 1; }
	@$(MAKE) --no-print-directory setup
	python -m pipeline.repro --run "$(RUN)"
	mtinet predict "$(RUN)" "$(PHOTO)" --out predictions

longer: setup
	python -m pipeline.apart longer
	python -m benchmarks.longer

verify: setup
	python -m pipeline.verify

commit: setup
	python -m pipeline.commit

adopt: setup
	python -m pipeline.adopt

# One file of tests per process and one thread in each: two cores serve both.
test: lint
	OMP_NUM_THREADS=1 python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

lint: setup
	ruff check .
	mypy
	python -m pipeline.write_dvc --check

pipeline: setup
	python -m pipeline.write_dvc

BENCHMARKS := ceilings training data_path evaluation start_up neighbours side_by_side profiles
EDGES_IN_SHORT := --images 1 --repetitions 2 --output reports/benchmarks/edges-in-short.csv

bench: setup
	@for subject in $(BENCHMARKS); do echo "== $$subject"; python -m benchmarks.$$subject $(BENCH_FLAGS) || exit 1; done
	OMP_NUM_THREADS=1 python -m benchmarks.edges $(EDGES_IN_SHORT)
	python -m benchmarks.performance

bench-edges: setup
	OMP_NUM_THREADS=1 python -m benchmarks.edges --full

reliability: setup
	python -m benchmarks.reliability

growth: setup
	python -m benchmarks.growth

# Debian's packages; the SLURM that the tests start has its configuration, key and ports to itself.
cluster-test: setup
	command -v slurmctld > /dev/null && command -v munged > /dev/null || { apt-get update && apt-get install --yes slurm-wlm munge; }
	OMP_NUM_THREADS=1 python -m pytest -q tests/cluster_slurm.py

lock:
	$(BIN)/python -m pip freeze --all --exclude pip --exclude-editable | sed 's/+cpu$$//' > requirements.lock
