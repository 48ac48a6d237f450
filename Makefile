# Thin: what is needed is installed by tools/setup.sh, the build is CMake's (CMakePresets.json).
PRESET ?= release
BUILD := build/$(PRESET)
LIBTORCH := $(or $(NEGATIVA_LIBTORCH),$(CURDIR)/build/deps/torch)
REFERENCE := build/reference/bin/python
export GPU NEGATIVA_LIBTORCH

define HELP
make demo       installs what is needed, builds, shows a first picture, runs the small experiment: LoRAs of wrong pictures in 22 arms, with controls
make test       installs what is needed, builds, runs every test
make build      the program at build/release/negativa
make experiment the full grid, experiments/wrong/emoji.toml, into runs/emoji: about an hour; stopped at any moment it goes on
make check      what takes longer than make test may: 4,000 simulations of the statistics a cell, trainings interrupted at 100 random moments, the studio killed at 50,
                the kernels' tests and the goldens under --isa baseline, avx2 and avx512;
                two threads that draw 40 pictures each on one engine, a model of half SDXL's width beside the miniature;
                every test under the address and undefined-behaviour sanitizers, those of rooms with threads under the thread sanitizer
make prove      live parity with diffusers, transformers, peft and compel; keeps its table as docs/proof.md;
                PROVE_ISA=avx2 or baseline binds the program to it, without pages and the studio's APIs: build/proof-avx2.md
make fuzz       the readers of adapter files and of pickles on files that libFuzzer makes, 30 minutes (FUZZ_SECONDS) each on one core; needs clang
make studio-test the studio's page in Chromium: draws, trains, compares, restarts, with keyboard, axe and hostile texts; part of make prove
make bench      timings side by side; BENCH='--full-size FOLDER' adds a UNet step and decoding of full size;
                BENCH=kernels: each CPU kernel's rate under every --isa
make goldens    remakes the tests' numbers from the reference libraries
make format     clang-format on every source file
make clean      removes what was compiled and drawn; keeps what was downloaded (make distclean removes that too)

GPU=1 adds the CUDA libraries; PRESET=dev, asan or tsan builds another way; NEGATIVA_LIBTORCH=DIR uses your libtorch. More: docs/building.md
endef

# Rooms whose tests run threads side by side.
THREADED := pipeline train engine jobs
# Rooms whose results come from the CPU's kernels. Without AVX2 torch draws normal numbers another way, which differ in their last bit; these suites hold
# its numbers, or what was computed in fp64 from them, to less than that.
COMPUTED := core nn text vision unet vae schedule lora pipeline train
OF_NOISE := Generator Sampler TrainingStep
empty :=
one_of = ^($(subst $(empty) ,|,$(strip $(1))))$$

.PHONY: help setup configure build test test-threads test-isa check demo experiment reference prove studio-test fuzz bench goldens format clean distclean

help:
	$(info $(HELP))
	@:

setup:
	@tools/setup.sh

configure: setup
	@mkdir -p build
	@cmake --preset $(PRESET) -D NEGATIVA_LIBTORCH="$(LIBTORCH)" >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }

build: configure
	@cmake --build $(BUILD) -j $$(tools/jobs.sh) --target negativa negativa_sheet

test: configure
	@cmake --build $(BUILD) -j $$(tools/jobs.sh)
	@tools/test.sh $(BUILD)

test-threads: configure
	@cmake --build $(BUILD) -j $$(tools/jobs.sh) --target $(addprefix test_,$(THREADED))
	@tools/test.sh $(BUILD) -L '$(call one_of,$(THREADED))'

test-isa: configure
	@cmake --build $(BUILD) -j $$(tools/jobs.sh) --target $(addprefix test_,$(COMPUTED))
	@NEGATIVA_TEST_ISA=baseline tools/test.sh $(BUILD) -L '$(call one_of,$(COMPUTED))' -E '$(call one_of,$(OF_NOISE))'
	@NEGATIVA_TEST_ISA=avx2 tools/test.sh $(BUILD) -L '$(call one_of,$(COMPUTED))'
	@NEGATIVA_TEST_ISA=avx512 tools/test.sh $(BUILD) -L '$(call one_of,$(COMPUTED))'

check: configure
	@cmake --build $(BUILD) -j $$(tools/jobs.sh) --target negativa test_cli test_engine test_library test_stats test_studio
	@CHECK_SIMULATIONS=$${CHECK_SIMULATIONS:-4000} $(BUILD)/test_stats --gtest_filter='Simulation.*'
	@CHECK_KILLS=$${CHECK_KILLS:-100} $(BUILD)/test_cli --gtest_filter='KillTraining.*'
	@CHECK_KILLS=$${CHECK_KILLS:-50} $(BUILD)/test_library --gtest_filter='KilledLibrary.*'
	@CHECK_KILLS=$${CHECK_KILLS:-50} $(BUILD)/test_studio --gtest_filter='KilledStudio.*'
	@CHECK_PICTURES=$${CHECK_PICTURES:-40} CHECK_WIDTH=$${CHECK_WIDTH:-160} $(BUILD)/test_engine --gtest_filter='Engine*'
	@$(MAKE) --no-print-directory test-isa
	@$(MAKE) --no-print-directory test PRESET=asan
	@CHECK_PICTURES=$${CHECK_PICTURES:-40} CHECK_WIDTH=72 $(MAKE) --no-print-directory test-threads PRESET=tsan

demo: build
	@tools/demo.sh $(BUILD)/negativa

experiment: build
	@$(BUILD)/negativa experiment run experiments/wrong/emoji.toml -o runs/emoji

reference: setup
	@tools/reference.sh

prove: build reference
	@cmake --build $(BUILD) -j $$(tools/jobs.sh) --target negativa_bench_vae
	@$(REFERENCE) tools/prove.py $(if $(PROVE_ISA),--isa $(PROVE_ISA))

studio-test: build reference
	@$(REFERENCE) tools/studio_test.py

fuzz: setup
	@command -v clang++ >/dev/null || { echo 'fuzz: needs clang; as root, run: apt-get install clang' >&2; exit 1; }
	@$(MAKE) --no-print-directory configure PRESET=fuzz
	@cmake --build build/fuzz -j $$(tools/jobs.sh) --target fuzz_lora_file fuzz_pickle_file
	@tools/fuzz.sh lora_file $${FUZZ_SECONDS:-1800}
	@tools/fuzz.sh pickle_file $${FUZZ_SECONDS:-1800}

ifeq ($(BENCH),kernels)
bench: configure
	@cmake --build $(BUILD) -j $$(tools/jobs.sh) --target negativa_bench_kernels 2>&1 || \
	  { echo 'bench: BENCH=kernels needs Google Benchmark; as root, run: apt-get install libbenchmark-dev' >&2; exit 1; }
	@for isa in baseline avx2 avx512; do $(BUILD)/negativa_bench_kernels --isa $$isa || [ $$? = 2 ]; done
else
bench: build reference
	@cmake --build $(BUILD) -j $$(tools/jobs.sh) --target negativa_bench_unet negativa_bench_decode negativa_bench_branches negativa_bench_requests
	@$(REFERENCE) tools/bench.py $(BENCH)
endif

goldens: build reference
	@set -e; for script in tools/goldens_*.py; do echo "$$script"; $(REFERENCE) $$script models/emoji-xl tests/golden; done
	@tools/wrong_lora.sh $(BUILD)/negativa build/demo && cp build/demo/wrong.safetensors models/wrong-lora/

format:
	@tools/format.sh

clean:
	@rm -rf build/release build/dev build/asan build/tsan build/fuzz build/demo build/*.log

distclean:
	@rm -rf build
