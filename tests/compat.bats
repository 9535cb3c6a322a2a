#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# --compat: requests as odd servers want them, and the standard's form for all others.

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	openssl ecparam -name prime256v1 -genkey -noout -out mine.key
	me=(--subject CN=dev "${account[@]}" --use-key mine.key -o cert.pem)
}

# The body of the last POST, as it came.
body() {
	echo "$EST_TEST_DIR/$(server_log 'select(.csr) | .csr' | tail -n 1 | tr -d '"' | sed 's/der$/body/')"
}

field() {
	server_log 'select(.method == "POST") | .headers["content-transfer-encoding"]' | sort -u
}

@test "compat: by default base64 in 64 columns, no Content-Transfer-Encoding; servers that want otherwise answer 400 (R8951-3-03)" {
	works enroll "${trust[@]}" "${me[@]}"
	[ "$(field)" = null ]
	[ "$(wc -L <"$(body)")" = 64 ]
	base64 -d "$(body)" | openssl req -inform DER -verify -noout
	for label in want-cte want-pem want-oneline; do
		refused 10 400 enroll "${trust[@]}" -l $label "${me[@]}"
	done
}

@test "compat cte: the field is there, with base64 (R8951-3-03)" {
	works enroll "${trust[@]}" -l want-cte "${me[@]}" --compat cte
	[ "$(field)" = '"base64"' ]
	good_cert cert.pem mine.key
}

@test "compat cte: a GET has no such field" {
	works enroll "${trust[@]}" -l want-cte "${me[@]}" --compat cte
	[ "$(server_count '.method == "GET" and .headers["content-transfer-encoding"] != null')" = 0 ]
}

@test "compat pem: armour, and the request in it" {
	works enroll "${trust[@]}" -l want-pem "${me[@]}" --compat pem
	openssl req -in "$(body)" -verify -noout
	[ "$(field)" = null ]
	[ "$(server_log 'select(.method == "POST") | .headers["content-type"]' | sort -u)" = '"application/pkcs10"' ]
	good_cert cert.pem mine.key
}

@test "compat oneline: one line, no newline (R8951-3.1-02)" {
	works enroll "${trust[@]}" -l want-oneline "${me[@]}" --compat oneline
	[ "$(wc -l <"$(body)")" = 0 ]
	base64 -d "$(body)" | openssl req -inform DER -verify -noout
	good_cert cert.pem mine.key
}

@test "compat: several at once, and with reenroll" {
	works enroll "${trust[@]}" -l want-oneline "${me[@]}" --compat oneline,cte
	[ "$(field)" = '"base64"' ]
	cp cert.pem old.pem
	works reenroll "${trust[@]}" -l want-pem --cert cert.pem --key mine.key --force --compat=cte,pem
	run ! cmp -s cert.pem old.pem
	grep -q BEGIN "$(body)"
}

@test "compat: other words, contradictions and empty ones are usage errors" {
	for how in x '' 'cte,' ',cte' cte,x CTE 'cte pem' pem,oneline 'cte, pem'; do
		refused 2 compat enroll "${trust[@]}" "${me[@]}" "--compat=$how"
	done
	refused 2 'no such option' cacerts "${trust[@]}" --compat cte
	nothing_sent
}
