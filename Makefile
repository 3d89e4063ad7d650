# Everything that a fresh clone needs: `make demo` and `make test` set themselves up.
#
#   make demo            three sample PDFs, six questions
#   make test            the test suite, two tests at a time (make JOBS=4 test: four; each wants about 3 GB)
#   make test-crash      the long crash tests: hundreds of kills, torn files, crowds of readers (half an hour)
#   make test-train      every recipe of `kure-rag train` at its smallest: rises, survives kill -9, loads in both frameworks
#   make test-versions   the adapters' tests with the oldest and the newest versions of LangChain and LlamaIndex
#   make test-oldest     the standard suites and contracts with the oldest versions alone (a minute and a half)
#   make test-chroma     langchain-chroma's own test suite, with KureVectorStore in Chroma's place
#   make test-clean      all wheels installed into a new environment: a search, and the seven notebooks (minutes, 3 GB)
#   make wheels          kure-rag and the packages under integrations/, into dist/
#   make bench           the quick benchmarks; make bench DATA=folder: those that read data too
#   make lint            ruff and mypy
#   make TORCH=cuda demo the CUDA build of torch (PyPI's default on Linux) instead of the CPU build
#   make lock            resolve versions anew into requirements.lock
#   make clean           remove .venv and caches

PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
TORCH ?= cpu
TORCH_VERSION := $(shell sed -n 's/^torch==//p' requirements.lock)

# PyTorch's own index holds builds marked +cpu, which pip prefers over PyPI's plain ones of the same version; where it
# cannot be reached, pip goes on with what the other indexes have.
TORCH_INDEX_cpu := --extra-index-url https://download.pytorch.org/whl/cpu
TORCH_INDEX_cuda :=
PIP := $(BIN)/python -m pip --disable-pip-version-check
STAMP := $(VENV)/.ready-$(TORCH)
# Both builds have the same version, so that pip would keep the one that is there.
OTHER_BUILD = $(if $(filter-out $(STAMP),$(wildcard $(VENV)/.ready-*)),--force-reinstall)

.PHONY: demo test test-crash test-train test-versions test-oldest test-chroma test-clean bench wheels lint format lock clean setup

demo: $(STAMP)
	@$(BIN)/kure-rag demo

test: $(STAMP)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal

test-crash: $(STAMP)
	@$(BIN)/python -m pytest -q -m crash tests/crash tests/evaluate tests/index

test-train: $(STAMP)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS) --dist loadscope -m train tests/train

test-versions: $(STAMP)
	@OMP_NUM_THREADS=1 $(BIN)/python tests/framework_versions.py

test-oldest: $(STAMP)
	@OMP_NUM_THREADS=1 $(BIN)/python tests/framework_versions.py --oldest --quick

test-chroma: $(STAMP)
	@OMP_NUM_THREADS=1 $(BIN)/python tests/langchain_chroma_suite.py

test-clean: $(STAMP)
	@$(BIN)/python tests/clean_install.py -- $(TORCH_INDEX_$(TORCH))

bench: $(STAMP)
	@$(BIN)/python benchmarks/quick.py $(if $(DATA),--data $(DATA))

wheels: $(STAMP)
	@rm -rf dist
	@for package in . integrations/*/; do \
	  $(BIN)/python -m build --no-isolation --outdir dist $$package >/dev/null || exit 1; done
	@ls dist

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

setup: $(STAMP)

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("kure-rag needs Python 3.11 or newer; this is %s. Try: make PYTHON=python3.12" % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "Setting up $(VENV) (once; a few minutes, mostly torch)"
	@$(PIP) --version >/dev/null 2>&1 || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV); } || { rm -rf $(VENV); echo "python3 -m venv failed: on Debian and Ubuntu, apt-get install python3-venv"; exit 1; }
	@$(PIP) install -q --no-deps $(OTHER_BUILD) torch==$(TORCH_VERSION) $(TORCH_INDEX_$(TORCH))
	@$(PIP) install -q -c requirements.lock -e '.[all,dev]'
	@rm -f $(VENV)/.ready-*
	@touch $@

lock: $(STAMP)
	@$(PIP) freeze --exclude-editable | sed -E 's/\+[a-z0-9]+$$//' | grep -vE '^(nvidia-|triton==|cuda-)' > requirements.lock
	@echo "requirements.lock: $$(wc -l < requirements.lock) versions"

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
