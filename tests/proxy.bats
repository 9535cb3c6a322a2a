#!/usr/bin/env bats
# bats file_tags=once
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# Proxies: CONNECT, and TLS with the server from end to end.  What a proxy may answer is a table in
# unit/proxy_test.c.

bats_require_minimum_version 1.5.0

load lib/served

setup_file() {
	est_setup_file
	printf 'pr0xy-Pw\n' >"$BATS_FILE_TMPDIR/proxy-password"
}

setup() {
	est_setup
	unset no_proxy NO_PROXY EST_PROXY_PASSWORD
	capture=$BATS_TEST_TMPDIR/capture
	: >"$capture"
	password=(--proxy-password-file "$BATS_FILE_TMPDIR/proxy-password")
}

# proxy [OPTION...]: one; PORT.
proxy() {
	helper peer.py proxy --capture "$capture" "$@"
}

connects() {
	[ "$(grep -c '^CONNECT ' "$capture")" = "$1" ] || {
		echo "$1 times CONNECT is due:"
		cat "$capture"
		return 1
	}
}

@test "proxy: an enrolment through one: it sees host and port alone, and neither secret meets the other" {
	proxy --basic 'me@work:pr0xy-Pw'
	works enroll "${trust[@]}" "${account[@]}" "${new[@]}" --json \
		--proxy "http://me%40work@127.0.0.1:$PORT" "${password[@]}"
	good_cert cert.pem key.pem
	[ "$(jq -r '.server.proxy' "$OUT")" = "127.0.0.1:$PORT" ]
	[ "$(jq -r '.server.address' "$OUT")" = "localhost:$EST_TEST_PORT" ]
	# The password of the proxy goes to it when it asks, the server's never.
	connects 2
	[ "$(grep -c '^Proxy-Authorization: ' "$capture")" = 1 ]
	run ! grep -qiE '^Authorization|well-known|pkcs10' "$capture"
	grep -q "^CONNECT localhost:$EST_TEST_PORT HTTP/1.1" "$capture"
	seen 1 '.authorization != null'
	seen 0 '.headers["proxy-authorization"] != null or (tostring | test("pr0xy-Pw|me@work"))'
	run ! grep -q 'pr0xy-Pw' "$OUT" "$ERR"
}

@test "proxy: from the environment, with its password; no_proxy is honoured, the option counts more" {
	proxy --basic me:pr0xy-Pw
	https_proxy="http://me:pr0xy-Pw@localhost:$PORT" works cacerts "${trust[@]}" -v
	stderr_has "through the proxy .*:$PORT"
	connects 2
	https_proxy='' HTTPS_PROXY="me:pr0xy-Pw@localhost:$PORT" works cacerts "${trust[@]}"
	connects 4
	: >"$capture"
	HTTPS_PROXY="me@localhost:$PORT" EST_PROXY_PASSWORD=pr0xy-Pw works cacerts "${trust[@]}"
	connects 2
	: >"$capture"
	https_proxy="localhost:$PORT" no_proxy="x.example,localhost:$EST_TEST_PORT" \
		works cacerts "${trust[@]}"
	connects 0
	https_proxy=127.0.0.1:1 works cacerts "${trust[@]}" "${password[@]}" --proxy "me@localhost:$PORT"
	connects 2
}

@test "proxy: the server is judged from end to end; a bootstrap and a redirect pass through as well" {
	proxy
	local through=(--proxy "localhost:$PORT") root
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout o.key -subj /CN=o \
		-days 2 -out other.pem 2>/dev/null
	ONCE=1 refused 7 'anchor|chain|issuer' enroll -s "$EST_TEST_URL" --cacert other.pem \
		"${through[@]}" "${account[@]}" "${new[@]}"
	nothing_sent
	# The proxy does the look-up: --resolve is for the proxy's own name.
	ONCE=1 refused 7 'elsewhere\.example' cacerts -s "https://elsewhere.example:$EST_TEST_PORT" \
		"${anchor[@]}" --proxy "proxy.example:$PORT" --resolve "proxy.example:$PORT:127.0.0.1"
	nothing_sent
	: >"$capture"
	root=$(openssl x509 -in "$EST_TEST_DIR/root.pem" -outform DER | sha256sum)
	works cacerts -s "$EST_TEST_URL" --bootstrap --ca-fingerprint "sha256:${root%% *}" \
		"${through[@]}" -o boot.pem
	connects 2
	# Each origin is asked for by its own CONNECT.
	: >"$capture"
	plays moved 'line HTTP/1.1 302 Moved' "line Location: $EST_TEST_URL/.well-known/est/cacerts" \
		'line Content-Length: 0' 'line Connection: close' 'line'
	works cacerts "${raw[@]}" -l moved --redirect-to "localhost:$EST_TEST_PORT" "${through[@]}"
	[ "$(sed -n 's/^CONNECT localhost:\([0-9]*\) .*/\1/p' "$capture" | xargs)" = \
		"$EST_TEST_RAW_PORT $EST_TEST_PORT" ]
}

@test "proxy: 407 without the right answer is exit 9, and the server hears nothing" {
	proxy --basic me:other
	refused 9 'proxy.*407|password for the proxy' enroll "${trust[@]}" "${account[@]}" "${new[@]}" \
		--proxy "me@localhost:$PORT" "${password[@]}"
	refused 9 'proxy-password-file' cacerts "${trust[@]}" --proxy "localhost:$PORT"
	[ "$(jq -r '[.error.code, .error.http_status] | @csv' "$OUT")" = '"proxy",407' ]
	refused 3 'proxy-password-file' cacerts "${trust[@]}" --proxy "me@localhost:$PORT" </dev/null
	nothing_sent
}

@test "proxy: a proxy that is not there, is none, or says nothing" {
	ONCE=1 refused 5 'connect' cacerts "${trust[@]}" --proxy 127.0.0.1:1
	helper peer.py silent
	ONCE=1 refused 6 'proxy' cacerts "${trust[@]}" --proxy "127.0.0.1:$PORT" --connect-timeout 0.3
	ONCE=1 refused 5 'the proxy closes' cacerts "${trust[@]}" --proxy "127.0.0.1:$EST_TEST_PORT"
	nothing_sent
}

@test "proxy: other schemes, a password on the command line and a password without a user are mistakes" {
	ONCE=1 refused 2 'https' cacerts "${trust[@]}" --proxy https://127.0.0.1:1
	ONCE=1 refused 2 'password' cacerts "${trust[@]}" --proxy http://me:s3cret@127.0.0.1:1
	run ! grep -q s3cret "$ERR"
	echo 'proxy = me:s3cret@127.0.0.1:1' >conf
	ONCE=1 refused 2 'password' cacerts "${trust[@]}" --config conf
	ONCE=1 refused 2 'user' cacerts "${trust[@]}" "${password[@]}" --proxy 127.0.0.1:1
	ONCE=1 refused 2 'standard input' cacerts "${trust[@]}" --proxy me@127.0.0.1:1 \
		--proxy-password-file - -u tester --password-file -
}
