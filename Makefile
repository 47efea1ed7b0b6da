# A thin face over Meson and Ninja; everything real is in meson.build and tools/.
#   make            build into ./build
#   make check      all tests; the last line is "N passed, M failed, K skipped"
#   make demo       download a file through the service (URL=https://... fetches that)
#   make bench      compare a release build with other programs, writes docs/benchmarks*.md
#   make soak       the long tests: thousands of crashes, valgrind
#   make deb        Debian packages into ./build-deb (needs debhelper)
#   make install    honours DESTDIR and PREFIX
#   make deps       install what is missing (Debian)
BUILD ?= build
PREFIX ?= /usr/local
PYTHON ?= /usr/bin/python3
# "make CHECK_ARGS='--only unit'": see tools/run_checks.py --help
CHECK_ARGS ?=
# The shell gets it from the environment, whatever is in it.
export URL

.PHONY: all deps demo check bench soak deb install clean

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup --prefix=$(PREFIX) $(BUILD)

deps:
	./bootstrap deps

demo: all
	@$(PYTHON) -B tools/demo.py --build $(BUILD) $(if $(URL),"$$URL")

check:
	@$(PYTHON) tools/run_checks.py check --build $(BUILD) $(CHECK_ARGS)

bench:
	@$(PYTHON) tools/run_checks.py bench --build $(BUILD) $(CHECK_ARGS)

soak:
	@$(PYTHON) tools/run_checks.py soak --build $(BUILD) $(CHECK_ARGS)

deb:
	@$(PYTHON) tools/build_packages.py build-deb

# The prefix is part of the programs (where they find each other), so another one is another build.
install: $(BUILD)/build.ninja
	meson configure $(BUILD) -Dprefix=$(PREFIX)
	ninja -C $(BUILD)
	DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) $(BUILD)-asan build-deb
