#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # stderr is set by run
# KEY.est-new: the key of an enrolment whose end is not known is never lost.

bats_require_minimum_version 1.5.0

load lib/server

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	printf 'pass-Wd-43\n' >password
	server_start --user tester --password-file password
	est=$(server_build)/est
	common=(--cacert "$EST_TEST_DIR/root.pem" --user tester --password-file password
		--subject CN=kept --key-out key.pem -o cert.pem)
	# 202: the server has the request, and the key waits for its certificate.
	run -12 "$est" enroll -s "$EST_TEST_URL" -l pending-1 "${common[@]}"
	sum=$(sha256sum <key.pem.est-new)
}

teardown() { server_stop; }

kept() {
	[ "$(sha256sum <key.pem.est-new)" = "$sum" ]
	[ ! -e key.pem ]
	[ ! -e cert.pem ]
}

@test "newkey: the next run gets the certificate for the key that waits" {
	run -0 --separate-stderr "$est" enroll -s "$EST_TEST_URL" -l pending-1 "${common[@]}" --wait=5
	[[ "$stderr" == *"going on with the key of an unfinished run"* ]]
	[ "$(sha256sum <key.pem)" = "$sum" ]
	[ ! -e key.pem.est-new ]
	openssl x509 -in cert.pem -noout -pubkey | cmp - <(openssl pkey -in key.pem -pubout)
}

@test "newkey: a run that cannot connect keeps the key that waits" {
	run -5 "$est" enroll -s "localhost:1" "${common[@]}"
	kept
}

@test "newkey: a refusal of the next run keeps the key that waits" {
	run -9 "$est" enroll -s "$EST_TEST_URL" -l status-403 "${common[@]}"
	kept
}

@test "newkey: a dry run keeps the key that waits" {
	run -0 "$est" enroll -n -s "$EST_TEST_URL" "${common[@]}"
	kept
	run -0 "$est" csr -n --subject CN=kept --key-out key.pem
	kept
}

@test "newkey: another type than that of the key that waits is not made in its place" {
	run -3 "$est" enroll -s "$EST_TEST_URL" "${common[@]}" --new-key ec:p384
	kept
}

@test "newkey: two runs at once do not share a key" {
	flock key.pem.est-new sleep 5 3>&- &
	holder=$!
	sleep 0.5
	run -4 "$est" enroll -s "$EST_TEST_URL" "${common[@]}"
	kill "$holder"
	[[ "$output" == *"another est is at work"* ]]
	kept
}

@test "newkey: standard output that cannot be written keeps the key" {
	for json in '' --json; do
		# shellcheck disable=SC2086 # no word at all
		run -4 bash -c '"$@" >/dev/full' _ "$est" enroll -s "$EST_TEST_URL" \
			"${common[@]:0:6}" --subject CN=kept --key-out key.pem $json
		kept
	done
	run -0 --separate-stderr "$est" enroll -s "$EST_TEST_URL" "${common[@]:0:6}" --subject CN=kept \
		--key-out key.pem --json
	[ "$(jq -r '"\(.action) \(.changed) \(.ok)"' <<<"$output")" = "recovered true true" ]
	jq -r '.certificates[0].pem' <<<"$output" | openssl x509 -noout -pubkey |
		cmp - <(openssl pkey -in key.pem -pubout)
	# Files that are in place are, whatever becomes of the object that says so.
	jq -r '.certificates[0].pem' <<<"$output" >cert.pem
	run -4 --separate-stderr bash -c '"$@" >/dev/full' _ "$est" reenroll -s "$EST_TEST_URL" --cacert \
		"$EST_TEST_DIR/root.pem" --cert cert.pem --key key.pem --force --json
	[[ "$stderr" == *"hint: the new files are installed"* ]]
	openssl x509 -in cert.pem -noout -pubkey | cmp - <(openssl pkey -in key.pem -pubout)
}
