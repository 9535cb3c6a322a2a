#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # stderr is set by run
# Redirects: followed within an origin, elsewhere only with the operator's word.

bats_require_minimum_version 1.5.0

load lib/server

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	printf 'pass-Wd-43\n' >password
	server_start --user tester --password-file password
	first_url=$EST_TEST_URL first_raw=$EST_TEST_RAW_URL first_pid=$EST_TEST_PID
	first_dir=$EST_TEST_DIR first_offset=$EST_TEST_OFFSET first_scripts=$EST_TEST_SCRIPTS
	est=$(server_build)/est
	trust=(--cacert "$first_dir/root.pem" -m 20)
	new=(--user tester --password-file password --subject CN=moved --key-out key.pem
		-o cert.pem --csrattrs ignore)
}

teardown() {
	[ -z "$second_pid" ] || { EST_TEST_PID=$second_pid && server_stop; }
	EST_TEST_PID=$first_pid server_stop
}

# A second origin: the same name, another port, its own log; DIR of the first when it shares its CA.
second_server() {
	server_start --user tester --password-file password "$@"
	second_url=$EST_TEST_URL second_pid=$EST_TEST_PID second_dir=$EST_TEST_DIR
}

# The log of the first server again.
first_server() {
	EST_TEST_DIR=$first_dir EST_TEST_OFFSET=$first_offset EST_TEST_SCRIPTS=$first_scripts
}

# redirect STATUS LOCATION: what the first server's raw listener answers under the label "go".
redirect() {
	cat >"${EST_TEST_SCRIPTS:?}/go.script" <<-SCRIPT
		line HTTP/1.1 $1 Moved
		line Location: $2
		line Content-Length: 0
		line Connection: close
		line
	SCRIPT
}

@test "redirect: a GET within the origin is followed without asking (R7030-3.2.1-03)" {
	run -0 --separate-stderr "$est" cacerts -s "$first_url" -l redirect "${trust[@]}" -v
	[[ "$output" == *"BEGIN CERTIFICATE"* ]]
	[[ "$stderr" == *"redirected (302) to https://localhost:"*"/.well-known/est/cacerts"* ]]
}

@test "redirect: a POST within the origin stays a POST with its body (R7030-3.2.1-03)" {
	run -0 "$est" enroll -s "$first_url" -l redirect "${trust[@]}" "${new[@]}"
	openssl verify -CAfile "$first_dir/ca.pem" cert.pem
	[ "$(server_log 'select(.method != "POST")' | wc -l)" = 0 ]
	[ "$(server_log .body_sha256 | sort -u | wc -l)" = 1 ]
}

@test "redirect: 301, 302, 307 and 308 keep the POST, 303 ends it" {
	for status in 301 302 307 308; do
		redirect $status "$first_raw/.well-known/est/anon/simpleenroll"
		printf '%s\n' 'line HTTP/1.1 200 OK' 'line Content-Length: 0' \
			'line Content-Type: text/plain' 'line' >"$EST_TEST_SCRIPTS/anon.script"
		run -13 "$est" enroll -s "$first_raw" -l go "${trust[@]}" "${new[@]}" --force
		[ "$(server_log "select(.label == \"anon\") | .method" | sort -u)" = '"POST"' ]
		server_log_reset
		rm -f key.pem.est-new
	done
	redirect 303 "$first_raw/.well-known/est/anon/simpleenroll"
	run -10 "$est" enroll -s "$first_raw" -l go "${trust[@]}" "${new[@]}"
	[ "$(server_count '.label == "anon"')" = 0 ]
	[ ! -e key.pem.est-new ]
}

@test "redirect: another origin is not followed unasked, and nothing goes there (R7030-3.2.1-05)" {
	second_server --dir "$BATS_TEST_TMPDIR/second"
	first_server
	redirect 307 "$second_url/.well-known/est/simpleenroll"
	run -10 --separate-stderr "$est" enroll -s "$first_raw" -l go "${trust[@]}" "${new[@]}"
	[[ "$stderr" == *"another origin"* ]]
	[[ "$stderr" == *"--redirect-to localhost:"* ]]
	[ ! -s "$second_dir/log.jsonl" ]
	[ ! -e cert.pem ]
}

@test "redirect: another origin that was named gets a new session with every check (R7030-3.2.1-04)" {
	second_server --dir "$first_dir.copy"
	first_server
	redirect 307 "$second_url/.well-known/est/simpleenroll"
	# Its certificate comes from another CA: the session ends before the request.
	run -7 --separate-stderr "$est" enroll -s "$first_raw" -l go "${trust[@]}" "${new[@]}" \
		--redirect-to "${second_url#https://}"
	[ ! -s "$second_dir/log.jsonl" ]
	# With its anchor the request goes there, first without credentials.
	run -0 "$est" enroll -s "$first_raw" -l go "${trust[@]}" --cacert "$second_dir/root.pem" \
		"${new[@]}" --redirect-to "$second_url"
	run -0 jq -s 'map(.authorization) == [null, "Basic"]' "$second_dir/log.jsonl"
	[ "$output" = true ]
}

@test "redirect: no credentials cross to another origin unasked (R7030-3.2.1-07)" {
	second_server --dir "$BATS_TEST_TMPDIR/second"
	first_server
	redirect 307 "$second_url/.well-known/est/anon/simpleenroll"
	run -0 "$est" enroll -s "$first_raw" -l go "${trust[@]}" --cacert "$second_dir/root.pem" \
		"${new[@]}" --redirect-to "$second_url"
	run -0 jq -s 'map(select(.authorization != null)) | length' "$second_dir/log.jsonl"
	[ "$output" = 0 ]
}

@test "redirect: on a terminal it is asked for, and no means no (R7030-3.2.1-05)" {
	second_server --dir "$BATS_TEST_TMPDIR/second"
	first_server
	redirect 302 "$second_url/.well-known/est/cacerts"
	command=("$est" cacerts -s "$first_raw" -l go "${trust[@]}" --cacert "$second_dir/root.pem"
		-o ca.pem)
	run -10 "$EST_TEST_ROOT/tests/lib/on-terminal" "Go there?" n "${command[@]}"
	[ ! -e ca.pem ]
	run -0 "$EST_TEST_ROOT/tests/lib/on-terminal" "Go there?" y "${command[@]}"
	[ -s ca.pem ]
}

@test "redirect: one yes is for the whole run, the CSR attributes and the request (R7030-3.2.1-05)" {
	second_server --dir "$BATS_TEST_TMPDIR/second"
	printf 'line HTTP/1.1 404 No\nline Content-Length: 0\nline\n' >"$EST_TEST_SCRIPTS/there.script"
	second_url=$EST_TEST_RAW_URL
	first_server
	redirect 307 "$second_url/.well-known/est/there/x"
	run -10 "$EST_TEST_ROOT/tests/lib/on-terminal" "Go there?" y "$est" enroll -s "$first_raw" -l go \
		"${trust[@]}" --cacert "$second_dir/root.pem" "${new[@]}" --csrattrs auto
	[ "$(grep -o 'Go there?' <<<"$output" | wc -l)" = 1 ]
	[ "$(jq -r 'select(.target) | .method' "$second_dir/log.jsonl")" = $'GET\nPOST' ]
}

@test "redirect: http and other schemes are never followed (R7030-3.2.1-08)" {
	for to in "http://localhost:1/x" "ftp://localhost/x" "javascript:alert(1)"; do
		redirect 302 "$to"
		run -10 "$est" cacerts -s "$first_raw" -l go "${trust[@]}" --redirect-to localhost:1
		[[ "$output" == *"only https"* ]]
	done
}

@test "redirect: loops and chains end after at most six requests (R7030-3.2.1-08)" {
	redirect 302 "/.well-known/est/go/cacerts"
	run -10 "$est" cacerts -s "$first_raw" -l go "${trust[@]}"
	[[ "$output" == *loop* ]]
	[ "$(server_count '.method == "GET"')" = 1 ]
	for n in 1 2 3 4 5 6 7; do
		redirect 302 "/.well-known/est/n$((n + 1))/cacerts"
		mv "$EST_TEST_SCRIPTS/go.script" "$EST_TEST_SCRIPTS/n$n.script"
	done
	server_log_reset
	run -10 "$est" cacerts -s "$first_raw" -l n1 "${trust[@]}"
	[[ "$output" == *"more than five"* ]]
	[ "$(server_count '.method == "GET"')" = 6 ]
}

@test "redirect: an absurd Location ends with exit 10 and is shown escaped; none, or with controls, is a protocol error" {
	local to
	for to in 'https://user:pass@localhost/x' 'https://' '//' 'https:x' \
		'https://[::1/x' 'https://localhost:99999/x' '/a b' '/\xe2\x80\xaegpj' "/$(printf '%05000d' 0)"; do
		redirect 302 "$to"
		run "$est" cacerts -s "$first_raw" -l go "${trust[@]}" --redirect-to localhost:1
		[[ "$status $output" == '10 est: cacerts: the server redirects to "'* ]] || {
			echo "$status $output"
			return 1
		}
		[[ "$output" != *[$'\e\u202e']* ]]
	done
	[ "$(server_count '.label == "go"')" = 9 ]
	[ "$(server_count '.label != "go" and .target')" = 0 ]
	redirect 302 'https://local\x1b[31mhost/x'
	run -13 "$est" cacerts -s "$first_raw" -l go "${trust[@]}"
	[[ "$output" != *$'\e'* ]]
	printf '%s\n' 'line HTTP/1.1 302 Found' 'line Content-Length: 0' line \
		>"$EST_TEST_SCRIPTS/go.script"
	run -13 "$est" cacerts -s "$first_raw" -l go "${trust[@]}"
	[[ "$output" == *"without Location"* ]]
}

@test "redirect: an implicit anchor wants each name on the way to match (R7030-3.6.2-01)" {
	second_server --dir "$BATS_TEST_TMPDIR/second" --name localhost
	first_server
	# The second server is reached under a name that its certificate has not.
	redirect 302 "https://127.0.0.1:${second_url##*:}/.well-known/est/cacerts"
	cat "$first_dir/root.pem" "$second_dir/root.pem" >system.pem
	SSL_CERT_FILE=$PWD/system.pem run -7 "$est" cacerts -s "$first_raw" -l go -m 20 \
		--redirect-to "127.0.0.1:${second_url##*:}"
	[[ "$output" == *"not for 127.0.0.1"* ]]
	[ ! -s "$second_dir/log.jsonl" ]
}

@test "redirect: under an explicit anchor the first name may match instead (R7030-3.6.1-01)" {
	second_server --dir "$BATS_TEST_TMPDIR/second" --name localhost
	first_server
	redirect 302 "https://127.0.0.1:${second_url##*:}/.well-known/est/cacerts"
	run -0 "$est" cacerts -s "$first_raw" -l go "${trust[@]}" --cacert "$second_dir/root.pem" \
		--redirect-to "127.0.0.1:${second_url##*:}" -o ca.pem
	[ -s ca.pem ]
}
