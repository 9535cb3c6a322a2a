#!/usr/bin/env bats
# bats file_tags=once
# shellcheck disable=SC2016 # the compiler of one test is a script in single quotes
# What make builds, what it installs, and what it says when it cannot.

bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/.." || return 1
	unset MAKEFLAGS MFLAGS MAKEOVERRIDES BUILD CFLAGS APPLETS DESTDIR PREFIX
	export ROOT=$BATS_FILE_TMPDIR/root TREE=$BATS_FILE_TMPDIR/build
	export USR=$ROOT/usr
	make -s -j 2 BUILD="$TREE" CFLAGS=-Os PREFIX=/usr DESTDIR="$ROOT" install >&2
}

setup() {
	cd "$BATS_TEST_DIRNAME/.." || return 1
}

@test "install: every applet has a relative link to est" {
	run -0 "$USR/bin/est" --list
	[ ${#lines[@]} -gt 0 ]
	for line in "${lines[@]}"; do
		[ "$(readlink "$USR/bin/est-${line%% *}")" = est ]
	done
	[ "$(find "$USR/bin" -type l | wc -l)" = ${#lines[@]} ]
}

@test "install: a link runs its applet" {
	run -0 "$USR/bin/est-cacerts" --help
	[[ "$output" == *"cacerts"*"--cacert"* ]]
}

@test "install: the test server is not installed, unless asked for" {
	[ ! -e "$USR/bin/est-testserver" ]
	run -0 make -n BUILD="$TREE" CFLAGS=-Os PREFIX=/usr DESTDIR="$ROOT" install-testserver
	[[ "$output" == *"$USR/bin"* ]]
}

@test "install: a man page for est and for each applet, completions for three shells" {
	[ -s "$USR/share/man/man1/est.1" ]
	for link in "$USR"/bin/est-*; do
		[ -s "$USR/share/man/man1/${link##*/}.1" ]
	done
	[ -s "$USR/share/bash-completion/completions/est" ]
	[ -s "$USR/share/zsh/site-functions/_est" ]
	[ -s "$USR/share/fish/vendor_completions.d/est.fish" ]
}

@test "install: a program compiles, links and runs with what pkg-config says" {
	cat >"$BATS_TEST_TMPDIR/user.c" <<-'EOF'
		#include <est.h>
		#include <stdio.h>

		int main(void)
		{
			static const uint8_t junk[] = { 0x30, 0x00 };
			struct est_cert_info info;
			struct est_error err;

			if (est_cert_info((struct est_span){ junk, sizeof(junk) }, &info, &err) == EST_OK)
				return 1;
			return puts(est_code_name(err.code)) < 0;
		}
	EOF
	export PKG_CONFIG_PATH=$USR/lib/pkgconfig
	run -0 pkg-config --define-variable=prefix="$USR" --cflags --libs est-core
	read -ra flags <<<"$output"
	gcc -Wall -Wextra -Werror -o "$BATS_TEST_TMPDIR/user" "$BATS_TEST_TMPDIR/user.c" "${flags[@]}"
	run -0 "$BATS_TEST_TMPDIR/user"
	[ -n "$output" ]
	run -0 pkg-config --modversion est-core
	[[ "$("$USR/bin/est" --version)" == *"$output"* ]]
}

@test "install: the library defines no public name but est_*" {
	run -0 nm -g --defined-only "$USR/lib/libest-core.a"
	[[ "$output" == *" T est_fail"* ]]
	run ! grep -E ' [A-Z] ' <(grep -v ' est_' <<<"$output")
}

@test "install: uninstall leaves nothing behind" {
	cp -r "$ROOT" "$BATS_TEST_TMPDIR/root"
	make -s BUILD="$TREE" PREFIX=/usr DESTDIR="$BATS_TEST_TMPDIR/root" uninstall
	run -0 find "$BATS_TEST_TMPDIR/root" ! -type d
	[ -z "$output" ]
}

@test "build: CFLAGS of the user loses no hardening" {
	run -0 readelf -hldW "$USR/bin/est"
	[[ "$output" == *"DYN (Position-Independent Executable file)"* ]]
	[[ "$output" == *"BIND_NOW"* ]]
	[[ "$output" == *"GNU_RELRO"* ]]
	[[ "$output" =~ GNU_STACK[^$'\n']*' RW ' ]]
	run -0 readelf -sW --dyn-syms "$USR/bin/est"
	[[ "$output" == *"__stack_chk_fail"* ]]
	[[ "$output" =~ __[a-z]+_chk@ ]]
}

# The compiler takes the right to execute from what it links, so running it would fail the build.
@test "build: only the applets asked for, and nothing that was built is run" {
	printf '#!/bin/sh\ngcc "$@" || exit 1\nwhile [ "$1" != -o ]; do shift; done\n%s\n' \
		'[ ! -f "$2" ] || chmod a-x "$2"' >"$BATS_TEST_TMPDIR/cc"
	chmod +x "$BATS_TEST_TMPDIR/cc"
	local tree=$BATS_TEST_TMPDIR/build
	make -s -j 2 BUILD="$tree" CC="$BATS_TEST_TMPDIR/cc" CFLAGS='-O0 -Werror' \
		APPLETS="cacerts enroll" all server
	[ ! -x "$tree/est" ]
	[ ! -x "$tree/est-testserver" ]
	chmod +x "$tree/est"
	run -0 "$tree/est" --list
	[ "${lines[0]%% *}" = cacerts ]
	[ "${lines[1]%% *}" = enroll ]
	[ ${#lines[@]} = 2 ]
}

@test "build: an applet that does not exist is refused by name" {
	run -2 make BUILD="$BATS_TEST_TMPDIR/build" APPLETS="cacerts nonsense"
	[[ "$output" == *"no applet is named nonsense"* ]]
	[ ! -e "$BATS_TEST_TMPDIR/build" ]
}

@test "build: other flags build again, the same flags build nothing" {
	local target=$TREE/libest-core/error.o
	make -s BUILD="$TREE" CFLAGS=-Os "$target"
	run -0 make BUILD="$TREE" CFLAGS=-Os "$target"
	[[ "$output" != *"-c -o $target"* ]]
	target=$BATS_TEST_TMPDIR/build/libest-core/error.o
	make -s BUILD="$BATS_TEST_TMPDIR/build" CFLAGS=-Os "$target"
	run -0 make BUILD="$BATS_TEST_TMPDIR/build" CFLAGS=-O1 "$target"
	[[ "$output" == *" -O1 "*"-c -o $target"* ]]
}

@test "build: a missing tool is said once, with the command that installs it" {
	run -2 make -j 2 BUILD="$BATS_TEST_TMPDIR/build" PKG_CONFIG=/nonexistent/pkg-config
	[[ "${lines[0]}" == "Missing: /nonexistent/pkg-config "* ]]
	[[ "${lines[0]}" == *"packaging/install-packages build" ]]
	[ ${#lines[@]} -le 2 ]
	[ -z "$(find "$BATS_TEST_TMPDIR/build" -name '*.o')" ]
}
