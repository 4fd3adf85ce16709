# groklab: `make run` trains the three methods on one split and compares them, `make test` passes the tests.
# NATIVE=1 adds -march=native, PORTABLE=1 leaves out the per-instruction-set versions, SAN=1 builds with sanitizers.
# Each configuration has its own folder under build/, so that switching costs nothing.

CC      ?= cc
PREFIX  ?= /usr/local
VERSION := 0.1.0
PYTHON  ?= python3

CONFIG := release
OPT    := -O3
ifeq ($(NATIVE),1)
CONFIG := native
OPT    := -O3 -march=native
endif
ifeq ($(PORTABLE),1)
CONFIG := portable
DEFS   += -DGK_PORTABLE
endif
ifeq ($(SAN),1)
CONFIG := sanitize
OPT    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
DEFS   += -DGK_PORTABLE
endif
OBJ := build/$(CONFIG)
OUT := $(if $(filter release,$(CONFIG)),build,$(OBJ))

PKGS   := openblas sqlite3 zlib inih jansson libsodium cairo libedit
WARN   := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
CSTD   := -std=c11 -D_GNU_SOURCE
PKGC    = $(shell pkg-config --cflags $(PKGS))
PKGL    = $(shell pkg-config --libs $(PKGS))
CPPF    = -Iinclude -DGK_VERSION='"$(VERSION)"' $(DEFS) $(patsubst -I%,-isystem %,$(PKGC))
CFLAGS  ?= -g
ALL_C   = $(CSTD) $(WARN) $(OPT) -fno-math-errno -fno-trapping-math -fopenmp -fPIC -MMD -MP $(CPPF) $(CFLAGS)
LDLIBS  = $(PKGL) -lm
LINK    = $(CC) $(OPT) -fopenmp $(LDFLAGS)

# One short line a file; V=1 shows the commands.
ifeq ($(V),1)
run_cmd = $(2)
else
run_cmd = @echo '  $(1) $@' && $(2)
endif

# ---- sources: a new file in a room is found by itself ----
LIB_SRC := $(wildcard src/*.c src/base/*.c src/algebra/*.c src/task/*.c src/measure/*.c src/store/*.c src/plot/*.c rfm/*.c)
CLI_SRC := $(wildcard src/cli/*.c)
NET_SRC := $(filter-out nets/select.c,$(wildcard nets/*.c))
TST_SRC := $(wildcard tests/test_*.c)

# The networks are compiled once per number type and instruction set; nets/select.c picks one when it runs.
MACHINE := $(shell $(CC) -dumpmachine)
VARIANTS := f32_base f64_base
ifeq ($(filter -DGK_PORTABLE,$(DEFS)),)
ifneq ($(filter x86_64%,$(MACHINE)),)
VARIANTS += f32_v3 f64_v3 f32_v4 f64_v4 f32_amx
ARCH_v3  := -march=x86-64-v3 -ffp-contract=fast
ARCH_v4  := -march=x86-64-v4 -mprefer-vector-width=512 -ffp-contract=fast
ARCH_amx := $(ARCH_v4) -mamx-tile -mamx-bf16
NETDEFS  := -DGK_HAVE_X86_VARIANTS
endif
endif
REAL_f32 := float
REAL_f64 := double

LIB_OBJ := $(LIB_SRC:%.c=$(OBJ)/%.o) $(if $(wildcard nets/select.c),$(OBJ)/nets/select.o)
NET_OBJ := $(foreach v,$(VARIANTS),$(NET_SRC:nets/%.c=$(OBJ)/nets/%.$(v).o))
NET_OBJ := $(filter-out $(OBJ)/nets/mlp%.f32_amx.o,$(NET_OBJ)) # only the transformer has products for AMX
CLI_OBJ := $(CLI_SRC:%.c=$(OBJ)/%.o)
TST_BIN := $(TST_SRC:tests/%.c=$(OBJ)/tests/%)
SQL_OBJ := $(patsubst src/store/%.c,$(OBJ)/ext/%.o,$(wildcard src/store/sql_*.c))
SQL_DEP := $(patsubst %.c,$(OBJ)/%.o,$(wildcard src/base/*.c src/algebra/*.c) src/store/npy.c src/store/zip.c)

.PHONY: all lib deps run test check clean install
all: $(OUT)/groklab $(OUT)/libgroklab.a $(OUT)/groklab_sql.so
lib: $(OUT)/libgroklab.a

$(OBJ)/%.o: %.c
	@mkdir -p $(@D)
	$(call run_cmd,CC  ,$(CC) $(ALL_C) -c $< -o $@)

$(OBJ)/nets/select.o: nets/select.c
	@mkdir -p $(@D)
	$(call run_cmd,CC  ,$(CC) $(ALL_C) $(NETDEFS) -c $< -o $@)

define net_rule
$(OBJ)/nets/%.$(1).o: nets/%.c
	@mkdir -p $$(@D)
	$$(call run_cmd,CC  ,$$(CC) $$(ALL_C) $$(ARCH_$(lastword $(subst _, ,$(1)))) -DGK_REAL=$$(REAL_$(firstword $(subst _, ,$(1)))) -DGK_REAL_$(firstword $(subst _, ,$(1))) -DGK_ISA_$(lastword $(subst _, ,$(1))) -DGK_VARIANT=$(1) -c $$< -o $$@)
endef
$(foreach v,$(VARIANTS),$(eval $(call net_rule,$(v))))

# Where there is a fused multiply-add, the polynomials of exponentials use it: half the time, and no less exact.
$(OBJ)/src/algebra/loss.o: CPPF += -ffp-contract=fast

# The page's script and style, as the bytes that src/plot/page.c includes.
$(OBJ)/src/plot/%.inc: src/plot/%
	@mkdir -p $(@D)
	od -An -v -tx1 $< | sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g' > $@
$(OBJ)/src/plot/page.o: $(patsubst %,$(OBJ)/%.inc,$(wildcard src/plot/page*.js src/plot/page.css))
$(OBJ)/src/plot/page.o: CPPF += -I$(OBJ)

# The SQL functions once more, as a loadable extension (sqlite3ext.h instead of sqlite3.h).
$(OBJ)/ext/%.o: src/store/%.c
	@mkdir -p $(@D)
	$(call run_cmd,CC  ,$(CC) $(ALL_C) -DGK_SQL_EXTENSION -c $< -o $@)

$(OUT)/libgroklab.a: $(LIB_OBJ) $(NET_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	$(call run_cmd,AR  ,ar rcs $@ $^)

$(OUT)/groklab: $(CLI_OBJ) $(OUT)/libgroklab.a
	$(call run_cmd,LINK,$(LINK) $(CLI_OBJ) $(OUT)/libgroklab.a $(LDLIBS) -o $@)

$(OUT)/groklab_sql.so: $(SQL_OBJ) $(SQL_DEP)
	$(call run_cmd,LINK,$(LINK) -shared $^ $(shell pkg-config --libs openblas zlib libsodium) -lm -o $@)

$(OBJ)/tests/%: tests/%.c $(wildcard tests/*.h) $(OUT)/libgroklab.a
	@mkdir -p $(@D)
	$(call run_cmd,CC  ,$(CC) $(ALL_C) -Itests -I. $< $(OUT)/libgroklab.a $(LDLIBS) -lcmocka -o $@)

# ---- set-up ----
# `make deps` installs what is missing and says so; `run` and `test` call it, so that each is one command on a new machine.
APT := gcc pkg-config libopenblas-dev libsqlite3-dev zlib1g-dev libinih-dev libjansson-dev libsodium-dev libcairo2-dev libedit-dev libcmocka-dev sqlite3 binutils
DNF := gcc pkgconf-pkg-config openblas-devel sqlite-devel zlib-devel inih-devel jansson-devel libsodium-devel cairo-devel libedit-devel libcmocka-devel sqlite binutils
BREW := gcc pkg-config openblas sqlite zlib inih jansson libsodium cairo libedit cmocka
deps:
	@if command -v $(firstword $(CC)) >/dev/null && command -v sqlite3 >/dev/null && pkg-config --exists $(PKGS) cmocka 2>/dev/null; then :; \
	elif command -v apt-get >/dev/null; then \
	  echo "installing: $(APT)"; sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  { DEBIAN_FRONTEND=noninteractive $$sudo apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $(APT) >/dev/null; }; \
	elif command -v dnf >/dev/null; then echo "installing: $(DNF)"; sudo dnf install -y $(DNF); \
	elif command -v brew >/dev/null; then echo "installing: $(BREW)"; brew install $(BREW); \
	else echo "please install: $(APT)" >&2; exit 1; fi

# ---- the main job, and the tests ----
# What these need is built on all cores, unless the user said how many.
ALL_CORES = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell getconf _NPROCESSORS_ONLN))
run: deps
	@$(MAKE) --no-print-directory $(ALL_CORES) all
	build/groklab run runs/first.ini

# tests/run.sh runs as many at a time as there are processors (JOBS=1: one by one). The longest begin first, so that none is left
# to run alone at the end; bench, which measures the machine, has it for itself.
LONGEST   := test_kill test_measure_released test_recipe test_rfm_solvers test_sweep_kill test_train test_measure_experiments
ALONE     := tests/cli/test_bench.sh
ALL_TESTS := $(TST_BIN) $(filter-out $(ALONE),$(wildcard tests/cli/test_*.sh))
EARLY     := $(foreach t,$(LONGEST),$(filter %/$(t) %/$(t).sh,$(ALL_TESTS)))
TESTS     := $(EARLY) $(filter-out $(EARLY),$(ALL_TESTS))
test: deps
	@$(MAKE) --no-print-directory $(ALL_CORES) all tests
	@GROKLAB=$(abspath $(OUT)/groklab) GROKLAB_SQL=$(abspath $(OUT)/groklab_sql) tests/run.sh $(TESTS) \
	  "tests/house.sh $(OBJ)" $(if $(filter release,$(CONFIG)),$(OBJ)/tests/example) --alone $(ALONE)

# The same tests under address and undefined-behaviour sanitizers, and without the per-instruction-set versions.
check: deps
	@$(MAKE) --no-print-directory $(ALL_CORES) SAN=1 sanitized

.PHONY: tests sanitized
tests: $(TST_BIN) $(OBJ)/tests/example
sanitized: all tests
	@ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS=suppressions=$(abspath tests/lsan.supp):print_suppressions=0 KILLS=5 SLOWER=20 GROKLAB=$(abspath $(OUT)/groklab) GROKLAB_SQL= tests/run.sh $(TESTS) --alone $(ALONE)

# The public header is enough to use the library: an example that sees nothing else.
$(OBJ)/tests/example: tests/example.c include/groklab.h $(OUT)/libgroklab.a
	@mkdir -p $(@D)
	$(call run_cmd,CC  ,$(CC) $(CSTD) $(WARN) $(OPT) -Iinclude $< $(OUT)/libgroklab.a -fopenmp $(LDLIBS) -o $@)

# The report page in headless Chromium; needs Debian's chromium and chromium-driver, and Python.
.PHONY: page-test
page-test: all
	@GROKLAB=$(abspath $(OUT)/groklab) $(PYTHON) tests/page/page.py

# Sweeps under a real Slurm of one node; needs root and Debian's slurmctld, slurmd, slurm-client and munge.
.PHONY: slurm-test
slurm-test: all
	@GROKLAB=$(abspath $(OUT)/groklab) tests/run.sh tests/slurm/test_slurm.sh

# The README's pictures, from the main job and one sweep: about two minutes.
.PHONY: figures
figures: deps
	@$(MAKE) --no-print-directory $(ALL_CORES) all
	rm -f build/figures.db
	build/groklab run runs/first.ini --db build/figures.db
	build/groklab plot compare mlp rfm transformer -o runs/compare.png --dpi 110 --db build/figures.db
	build/groklab plot progress mlp rfm transformer -o runs/progress.png --dpi 110 --width 120 --db build/figures.db \
	  --metrics test_accuracy,train_accuracy,circulant_deviation,agop_alignment_nodiag,weight_norm_sq
	build/groklab plot matrix rfm --steps 2,6,10,14,18,30 --block -o runs/features.png --dpi 110 --db build/figures.db
	build/groklab plot spectrum transformer --source features,embed -o runs/spectrum.png --dpi 110 --db build/figures.db
	rm -f build/phase.db
	build/groklab sweep runs/phase_mlp.ini --db build/phase.db -q
	build/groklab plot grid -o runs/phase.png --dpi 110 --db build/phase.db

# The papers' published numbers, on runs of full size: some minutes.
.PHONY: reproduce
reproduce: deps
	@$(MAKE) --no-print-directory $(ALL_CORES) all tests
	@GROKLAB=$(abspath $(OUT)/groklab) tests/reproduce.sh

# This machine's speed beside PyTorch and NumPy doing the same work; BENCH='--only mlp --rounds 5' and so on.
.PHONY: bench-peers
bench-peers: all
	@PYTHON=$(PYTHON) tests/peers/bench.sh $(OUT)/groklab $(BENCH)

# What the default measures add to a run of each method; BENCH='ROUNDS METHOD ...'.
.PHONY: bench-measures
bench-measures: $(OUT)/groklab $(OBJ)/tests/bench_measures
	@$(OBJ)/tests/bench_measures $(OUT)/groklab $(BENCH)

# ---- care of the tree ----
clean:
	rm -rf build

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 build/groklab $(DESTDIR)$(PREFIX)/bin/
	install -m 644 build/libgroklab.a $(DESTDIR)$(PREFIX)/lib/
	install -m 755 build/groklab_sql.so $(DESTDIR)$(PREFIX)/lib/
	install -m 644 include/groklab.h $(DESTDIR)$(PREFIX)/include/
	install -d $(DESTDIR)$(PREFIX)/share/groklab
	install -m 644 runs/*.sql $(DESTDIR)$(PREFIX)/share/groklab/
	build/groklab help --man > $(DESTDIR)$(PREFIX)/share/man/man1/groklab.1
	printf 'prefix=%s\nName: groklab\nDescription: laboratory for grokking\nVersion: %s\nRequires.private: %s\nLibs: -L$${prefix}/lib -lgroklab\nLibs.private: -fopenmp -lm\nCflags: -I$${prefix}/include\n' \
	  '$(PREFIX)' '$(VERSION)' '$(PKGS)' > $(DESTDIR)$(PREFIX)/lib/pkgconfig/groklab.pc

-include $(shell find build -name '*.d' 2>/dev/null)
