#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # stderr is set by run
# Secrets: asked for on the terminal when there is no other place, and shown nowhere.

bats_require_minimum_version 1.5.0

load lib/server

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	printf 'pass-Wd-43\n' >password
	server_start --user tester --password-file password
	est=$(server_build)/est
	enroll=("$est" enroll -s "$EST_TEST_URL" --cacert "$EST_TEST_DIR/root.pem" --user tester
		--subject CN=asked --key-out key.pem -o cert.pem)
}

teardown() { server_stop; }

@test "prompt: the password is asked for on the terminal and not shown (R7030-3.2.3-07)" {
	run -0 "$EST_TEST_ROOT/tests/lib/on-terminal" "password of" pass-Wd-43 "${enroll[@]}"
	[[ "$output" == *"password of tester at localhost: "* ]]
	[[ "$output" != *pass-Wd-43* ]]
	[ -s cert.pem ]
}

@test "prompt: nothing is asked before the server is verified (R7030-3.2.3-10 R7030-3.6-01)" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key \
		-subj "/CN=other root" -out other.pem 2>/dev/null
	run -7 "$EST_TEST_ROOT/tests/lib/on-terminal" "password of" pass-Wd-43 "$est" enroll \
		-s "$EST_TEST_URL" --cacert other.pem --user tester --subject CN=asked \
		--key-out key.pem -o cert.pem
	[[ "$output" != *"password of"* ]]
	[ "$(server_count '.method == "POST"')" = 0 ]
}

@test "prompt: a wrong answer is sent once and ends with exit 9" {
	run -9 "$EST_TEST_ROOT/tests/lib/on-terminal" "password of" wrong "${enroll[@]}"
	[ "$(server_count '.method == "POST"')" = 2 ]
	[ ! -e key.pem ]
	[ ! -e key.pem.est-new ]
}

@test "prompt: interrupted, exit 130 and nothing half done" {
	run -130 "$EST_TEST_ROOT/tests/lib/on-terminal" "password of" ^C "${enroll[@]}"
	[ ! -e cert.pem ]
	[ ! -e key.pem ]
	[ "$(server_count '.authorization != null')" = 0 ]
	run -0 find . -name '.cert.pem*'
	[ -z "$output" ]
}

@test "prompt: without a terminal it says which option to use" {
	run -3 --separate-stderr setsid -w "${enroll[@]}" </dev/null
	[ -z "$output" ]
	[[ "$stderr" == *"--password-file"* ]]
	[[ "$stderr" == *"EST_PASSWORD"* ]]
}

@test "prompt: the passphrase of an encrypted key is asked for" {
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes-256-cbc \
		-pass pass:open-sesame -out locked.key 2>/dev/null
	run -0 "$EST_TEST_ROOT/tests/lib/on-terminal" "passphrase of locked.key" open-sesame \
		"$est" csr --use-key locked.key --subject CN=locked -o locked.csr
	[[ "$output" != *open-sesame* ]]
	openssl req -in locked.csr -noout -verify
}
