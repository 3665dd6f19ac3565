# Two commands do everything on a fresh Debian 12, as root:
#   make demo     build, bring up examples/wordpress.yaml, break it, watch it heal
#   make check    everything a machine can check
# Others: make build bench bench-logs golden format nightly install clean

BUILD ?= build
FUZZ_SECONDS ?= 15

.PHONY: all build demo check nightly bench bench-logs golden format install uninstall clean

all: build

build: $(BUILD)/build.ninja
	@ninja -C $(BUILD) | grep -v '^ninja: Entering'

$(BUILD)/build.ninja:
	@tools/setup run build
	@meson setup $(BUILD) >/dev/null

demo: build
	@tools/demo

check:
	@tools/setup run build check
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tools/check

nightly:
	@tools/setup run build check nightly
	@FUZZ_SECONDS=600 tools/check --nightly

bench: build
	@tools/setup bench check
	@test/bench/run

bench-logs: build
	@tools/setup bench
	@test/bench/run-logs

golden: build
	@LP_GOLDEN_WRITE=1 meson test -C $(BUILD) --suite unit --print-errorlogs

format:
	@clang-format -i $$(git ls-files '*.c' '*.h')

install: build
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD)

uninstall:
	@ninja -C $(BUILD) uninstall

clean:
	@rm -rf $(BUILD) $(BUILD)-*
