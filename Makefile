# What one does daily. `make demo` and `make test` need Python >= 3.11, a C++ compiler and pip's index.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
PIP     = $(BIN)/python -m pip --quiet --disable-pip-version-check
CXX_FOUND = $(or $(shell command -v "$${CXX:-c++}" || command -v g++ || command -v clang++),)

.PHONY: demo test lint bench docs build stub sanitize fuzz clean
demo: $(VENV)/.installed
	$(BIN)/nlpkit demo

test: $(VENV)/.tested
	$(BIN)/python -m pytest

lint: $(VENV)/.linted
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Every figure of benchmarks/RESULTS.md beside its peers; one of them: make bench BENCH=train_bpe.
BENCH ?= $(sort $(filter-out peers,$(basename $(notdir $(wildcard benchmarks/*.py)))))
bench: $(VENV)/.tested
	$(PIP) install -c constraints.txt --group bench
	set -e; for name in $(BENCH); do echo "== $$name"; $(BIN)/python benchmarks/$$name.py; done

# The reference, from the docstrings, into site/.
docs: $(VENV)/.installed
	$(PIP) install -c constraints.txt --group docs
	$(BIN)/python -m pdoc -o site nlpkit '!nlpkit.cli' '!nlpkit.corpora' '!nlpkit.recipes'

# Rebuild the compiled core in place after a change under csrc/.
build: $(VENV)/.tested
	$(PIP) install scikit-build-core nanobind -c constraints.txt
	$(PIP) install --no-build-isolation --no-deps -e .

# nlpkit/_core.pyi is generated; a test compares it with the module.
stub: $(VENV)/.tested
	$(BIN)/python -m nanobind.stubgen -m nlpkit._core -o nlpkit/_core.pyi
	$(BIN)/ruff format --quiet nlpkit/_core.pyi

# The core under AddressSanitizer and UndefinedBehaviorSanitizer: all tests that reach it.
SANITIZERS = -C cmake.define.NLPKIT_SANITIZE=ON -C build-dir=build/sanitize
sanitize: export ASAN_OPTIONS = detect_leaks=0:allocator_may_return_null=1
sanitize:
	$(MAKE) VENV=.venv-sanitize .venv-sanitize/.tested
	.venv-sanitize/bin/python -m pip install --quiet scikit-build-core nanobind -c constraints.txt
	.venv-sanitize/bin/python -m pip install --quiet --no-build-isolation --no-deps $(SANITIZERS) -e .
	LD_PRELOAD="$$($${CXX:-c++} -print-file-name=libasan.so) $$($${CXX:-c++} -print-file-name=libstdc++.so)" \
	  .venv-sanitize/bin/python -m pytest -q -m 'not long and not memory' tests/tokenization tests/embeddings \
	  tests/cli/test_tokenizer*.py tests/cli/test_bad_training_input.py

# Made-up and damaged inputs to the core under both sanitizers, coverage-guided where CXX is clang++; SECONDS each.
FUZZ ?= tokenization vocabulary counts_file text word2vec vector_files
SECONDS ?= 60
SEED ?= 1
fuzz: export ASAN_OPTIONS = abort_on_error=1
fuzz: export UBSAN_OPTIONS = abort_on_error=1
fuzz: $(VENV)/.tested
	$(PIP) install cmake ninja
	$(BIN)/cmake -S csrc -B build/fuzz -G Ninja -DCMAKE_BUILD_TYPE=Release -DNLPKIT_SANITIZE=ON -DNLPKIT_FUZZ=ON \
	  -DPython_EXECUTABLE=$(abspath $(BIN)/python) -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN)/ninja)
	$(BIN)/cmake --build build/fuzz --target $(FUZZ:%=fuzz_%)
	set -e; for target in $(FUZZ); do build/fuzz/fuzz_$$target -max_total_time=$(SECONDS) -seed=$(SEED); done

clean:
	rm -rf build dist site $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt csrc/CMakeLists.txt $(wildcard csrc/*.?pp csrc/*/*.?pp)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "nlpkit needs Python 3.11 or newer: set PYTHON to one, as in make PYTHON=python3.12."; exit 1; }
	@test -n "$(CXX_FOUND)" || \
	  { echo "nlpkit needs a C++20 compiler and found none: install g++ or clang++ (Debian: apt install g++), or set CXX."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install 'pip>=25.1'
	$(PIP) install -c constraints.txt -e '.[data]'
	touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(PIP) install -c constraints.txt --group test
	touch $@

$(VENV)/.linted: $(VENV)/.tested
	$(PIP) install -c constraints.txt --group lint
	touch $@
