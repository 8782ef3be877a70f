# SPDX-License-Identifier: Apache-2.0
# make demo and make test work on a bare Debian 12; everything else assumes scripts/bootstrap.
.PHONY: demo test check soak bench bench-1m release package install clean
.NOTPARALLEL:

demo:
	scripts/bootstrap
	scripts/demo

test:
	scripts/bootstrap
	scripts/check
	scripts/run_tests release asan tsan

check:
	scripts/check

release:
	cmake --preset release
	cmake --build --preset release

package: release
	cmake --build --preset release --target package

install: release
	cmake --install build/release

soak:
	scripts/soak

bench:
	scripts/bench
	scripts/bench_peers

# Hours; goes on where it was interrupted.
bench-1m:
	scripts/bench_peers --million

# Keeps build/deps: scripts/bootstrap fetched it.
clean:
	rm -rf build/dev build/release build/asan build/tsan build/check
