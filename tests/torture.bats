#!/usr/bin/env bats
# bats file_tags=once
# SPDX-License-Identifier: MIT
# Faults at a few points, the same ones each time; `make torture` takes all of them.

bats_require_minimum_version 1.5.0

load lib/server

@test "torture: a renewal that is killed, stopped, fails, loses power, meets another" {
	run "$BATS_TEST_DIRNAME/torture/torture.py" -s 5 --seed 1 "$(server_build)"
	echo "$output"
	[ "$status" = 0 ]
	[[ "$output" == *" points tried, "* ]]
}

@test "torture: an allocation that fails, in each applet" {
	local build=$BATS_TEST_TMPDIR/build
	mkdir -p "$build/tests/torture"
	ln -s "$(server_build)/est" "$(server_build)/est-testserver" "$build"
	${CC:-cc} -D_GNU_SOURCE -std=gnu11 -O1 -fno-builtin -fPIC -shared \
		-o "$build/tests/torture/failalloc.so" "$BATS_TEST_DIRNAME/torture/failalloc.c" -ldl
	run "$BATS_TEST_DIRNAME/torture/alloc.py" -s 8 --seed 1 "$build"
	echo "$output"
	[ "$status" = 0 ]
	[[ "$output" == *" points tried, "* ]]
}
