#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# est cacerts: what it fetches, how it says it, what it tolerates and what it refuses.

bats_require_minimum_version 1.5.0

load lib/served

# ---- What is fetched -----------------------------------------------------------------------------

@test "cacerts: PEM on stdout, the certificates of the server and nothing else (R7030-3.1-03 R7030-4.1.2-01 R7030-4.1.3-03)" {
	works cacerts "${trust[@]}"
	[ ! -s "$ERR" ]
	same_certs "$OUT" "$EST_TEST_DIR/ca.pem"
	[ "$(grep -c -v -e '^[A-Za-z0-9+/=]*$' -e '^-----' "$OUT")" = 0 ]
	[ -z "$(ls)" ]
}

@test "cacerts: one GET of the well-known path, without body or credentials (R7030-3.2.2-07 R7030-4.1.2-01)" {
	works cacerts "${trust[@]}" "${account[@]}"
	[ "$(server_log '[.method, .target, .version, .body_len, .authorization]')" = \
		'["GET","/.well-known/est/cacerts","HTTP/1.1",0,null]' ]
	[ "$(server_log .headers.host)" = "\"localhost:$EST_TEST_PORT\"" ]
	seen 1 '.headers["user-agent"] | startswith("est/")'
	seen 0 '.headers["expect"] or .headers["content-type"] or .headers["content-length"] or
		.headers["transfer-encoding"]'
	seen 0 '.headers["accept-encoding"] | . != null and . != "identity"'
}

@test "cacerts: -o writes the file, silently" {
	works cacerts "${trust[@]}" -o ca.pem
	[ ! -s "$OUT" ]
	[ ! -s "$ERR" ]
	same_certs ca.pem "$EST_TEST_DIR/ca.pem"
	[ "$(ls)" = ca.pem ]
}

@test "cacerts: -o - is stdout" {
	works cacerts "${trust[@]}" -o -
	same_certs "$OUT" "$EST_TEST_DIR/ca.pem"
	[ -z "$(ls)" ]
}

@test "cacerts: --outform der is a certs-only message that openssl and certtool read" {
	works cacerts "${trust[@]}" --outform der -o ca.der
	openssl pkcs7 -inform DER -in ca.der -print_certs -out got.pem
	same_certs got.pem "$EST_TEST_DIR/ca.pem"
	certtool --p7-info --inder --infile ca.der | grep -q 'Number of certificates: 2'
	works cacerts "${trust[@]}" --outform der
	cmp "$OUT" ca.der
}

@test "cacerts: --outform p7 is the same in PEM armour" {
	works cacerts "${trust[@]}" --outform p7 -o ca.p7
	grep -q -- '-----BEGIN PKCS7-----' ca.p7
	openssl pkcs7 -in ca.p7 -print_certs -out got.pem
	same_certs got.pem "$EST_TEST_DIR/ca.pem"
	certtool --p7-info --infile ca.p7 | grep -q 'Number of certificates: 2'
	works cacerts "${trust[@]}" --outform p7
	cmp "$OUT" ca.p7
}

@test "cacerts: --outform pem is the default" {
	works cacerts "${trust[@]}"
	cp "$OUT" default.pem
	works cacerts "${trust[@]}" --outform pem
	cmp "$OUT" default.pem
}

@test "cacerts: --json is one object that tells everything (R7030-3.3.1-04)" {
	works cacerts "${trust[@]}" --json
	jq -es 'length == 1 and (.[0] | .ok and .applet == "cacerts" and .deviations == [] and
		(.certificates | length == 2) and (.server | .vouched_by == "explicit" and
		.identity == "localhost" and (.tls | startswith("TLS1."))))' "$OUT"
	jq -j '.certificates[].pem' "$OUT" >got.pem
	same_certs got.pem "$EST_TEST_DIR/ca.pem"
	[ "$(jq -r '.certificates[0].sha256' "$OUT")" = "$(openssl x509 -in got.pem -outform DER |
		sha256sum | cut -d ' ' -f 1)" ]
	run -0 jq -e '.certificates[] | select(.subject == "CN=EST test root") | .ca and .self_signed
		and .key == "EC P-256" and (.not_after | test("^[0-9-]{10}T[0-9:]{8}Z$")) and
		(.serial | test("^[0-9a-f]+$"))' "$OUT"
}

@test "cacerts: --json with -o writes the file too" {
	works cacerts "${trust[@]}" --json -o ca.pem
	jq -es 'length == 1 and .[0].changed' "$OUT"
	same_certs ca.pem "$EST_TEST_DIR/ca.pem"
}

@test "cacerts: fetched again, equal content is not rewritten and changed is false" {
	works cacerts "${trust[@]}" -o ca.pem
	before=$(stat -c '%i %y %z' ca.pem)
	works cacerts "${trust[@]}" -o ca.pem --json
	[ "$(stat -c '%i %y %z' ca.pem)" = "$before" ]
	jq -e '.changed == false' "$OUT"
}

@test "cacerts: the fetched file is an explicit trust anchor for the next run (R7030-4.1.3-10 R7030-4.1.3-13)" {
	works cacerts "${trust[@]}" -o ca.pem
	works cacerts -s "$EST_TEST_URL" --cacert ca.pem
	for form in der p7; do
		works cacerts "${trust[@]}" --outform $form -o "ca.$form"
		works cacerts -s "$EST_TEST_URL" --cacert "ca.$form"
	done
	openssl verify -CAfile ca.pem "$EST_TEST_DIR/server.pem"
}

@test "cacerts: one anchor of several --cacert is enough, whatever their form (R7030-3.1-05 R7030-3.1-06)" {
	openssl x509 -in "$EST_TEST_DIR/root.pem" -outform DER -out root.der
	base64 root.der >root.b64
	identity other /CN=other
	for file in root.der root.b64; do
		works cacerts -s "$EST_TEST_URL" --cacert other.pem --cacert "$file"
	done
}

@test "cacerts: -v names the connection and what matched, on stderr only" {
	works cacerts "${trust[@]}" -v
	stderr_has '127\.0\.0\.1:'
	stderr_has 'TLS1\.[23]'
	stderr_has localhost
	same_certs "$OUT" "$EST_TEST_DIR/ca.pem"
}

@test "cacerts: --dry-run checks and sends nothing" {
	works cacerts "${trust[@]}" -n -o ca.pem
	[ ! -e ca.pem ]
	nothing_sent
	refused 3 'not-there' cacerts -s "$EST_TEST_URL" --cacert not-there.pem -n
	refused 4 'no-dir' cacerts "${trust[@]}" -n -o no-dir/ca.pem
	nothing_sent
}

@test "cacerts: several label segments, percent-encoded (R7030-3.2.2-08)" {
	works cacerts "${trust[@]}" -l 'plant 7/ä~line/wrap-76'
	[ "$(server_log .target)" = \
		'"/.well-known/est/plant%207/%C3%A4~line/wrap-76/cacerts"' ]
}

@test "cacerts: --server as host:port, as URL with path, with label in the path (R7030-3.1-10)" {
	works cacerts -s "localhost:$EST_TEST_PORT" "${anchor[@]}"
	works cacerts -s "$EST_TEST_URL/" "${anchor[@]}"
	works cacerts -s "$EST_TEST_URL/.well-known/est" "${anchor[@]}"
	works cacerts -s "$EST_TEST_URL/.well-known/est/" "${anchor[@]}"
	works cacerts -s "$EST_TEST_URL/.well-known/est/lab" "${anchor[@]}"
	[ "$(server_log .target)" = "$(printf '"/.well-known/est/%s"\n' cacerts cacerts cacerts \
		cacerts lab/cacerts)" ]
}

@test "cacerts: the server by its IPv4 address (R6125-6.4-01)" {
	works cacerts -s "https://127.0.0.1:$EST_TEST_PORT" "${anchor[@]}" --json
	[ "$(jq -r .server.identity "$OUT")" = 127.0.0.1 ]
	[ "$(server_log .headers.host)" = "\"127.0.0.1:$EST_TEST_PORT\"" ]
}

@test "cacerts: --resolve sends a name to an address, -4 is IPv4" {
	works cacerts "${trust[@]}" -4 --resolve "localhost:$EST_TEST_PORT:127.0.0.1" --json
	[ "$(jq -r .server.address "$OUT")" = "127.0.0.1:$EST_TEST_PORT" ]
	refused 5 '127\.0\.0\.9|refused' cacerts "${trust[@]}" \
		--resolve "localhost:$EST_TEST_PORT:127.0.0.9"
	refused 7 'other\.example' cacerts -s "https://other.example:$EST_TEST_PORT" "${anchor[@]}" \
		--resolve "other.example:$EST_TEST_PORT:127.0.0.1"
}

@test "cacerts: -6 does not use an IPv4 address" {
	refused 5 . cacerts "${trust[@]}" -6 --resolve "localhost:$EST_TEST_PORT:127.0.0.1"
	refused 5 . cacerts -s "https://127.0.0.1:$EST_TEST_PORT" "${anchor[@]}" -6
	nothing_sent
}

@test "cacerts: an IPv6 literal, with -6 (R6125-6.4-01)" {
	server_start --bind ::1
	server_log_reset
	est=(-s "https://[::1]:$EST_TEST_PORT" --cacert "$EST_TEST_DIR/root.pem")
	works cacerts "${est[@]}" -6 --json
	[ "$(jq -r .server.address "$OUT")" = "[::1]:$EST_TEST_PORT" ]
	[ "$(server_log .headers.host)" = "\"[::1]:$EST_TEST_PORT\"" ]
	refused 5 . cacerts "${est[@]}" -4
	server_stop
}

@test "cacerts: an old root and foreign roots in the bag do no harm (R7030-4.1.3-07)" {
	works cacerts "${trust[@]}" -l bag-20 -o ca.pem
	[ "$(grep -c BEGIN ca.pem)" = 22 ]
}

@test "cacerts: the bag is not trusted for being there (R5272-4.1-02)" {
	works cacerts "${trust[@]}" -l bag-3 -o ca.pem
	works cacerts "${trust[@]}" -l no-issuing
	# What the server was verified with stays the one that was given.
	jq -e . <(works cacerts "${trust[@]}" -l bag-3 --json && cat "$OUT")
	[ "$(jq -r .server.vouched_by "$OUT")" = explicit ]
}

@test "cacerts: 1024 certificates are taken, one more is refused (R7030-6-03)" {
	works cacerts "${trust[@]}" -l bag-1022 --json
	[ "$(jq '.certificates | length' "$OUT")" = 1024 ]
	refused 13 1024 cacerts "${trust[@]}" -l bag-1023
}

# ---- Implicit anchors ----------------------------------------------------------------------------

@test "cacerts: without --cacert the system's anchors decide, as SSL_CERT_FILE names them (R7030-3.1-08 R7030-3.3.1-04)" {
	SSL_CERT_FILE=$EST_TEST_DIR/root.pem works cacerts -s "$EST_TEST_URL" --json
	[ "$(jq -r .server.vouched_by "$OUT")" = implicit ]
	SSL_CERT_FILE=$EST_TEST_DIR/root.pem works cacerts -s "$EST_TEST_URL" --system-trust
	refused 7 . cacerts -s "$EST_TEST_URL"
	seen 2 true
}

@test "cacerts: with --cacert the system's anchors are off, unless --system-trust (R7030-3.1-09 R7030-3.3.1-04)" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key \
		-out other.pem -subj /CN=other -days 2 2>/dev/null
	system=$EST_TEST_DIR/root.pem
	SSL_CERT_FILE=$system refused 7 . cacerts -s "$EST_TEST_URL" --cacert other.pem
	nothing_sent
	SSL_CERT_FILE=$system works cacerts -s "$EST_TEST_URL" --cacert other.pem --system-trust --json
	[ "$(jq -r .server.vouched_by "$OUT")" = implicit ]
	SSL_CERT_FILE=$system works cacerts "${trust[@]}" --system-trust --json
	[ "$(jq -r .server.vouched_by "$OUT")" = explicit ]
}

@test "cacerts: a system store that is not there is no reason to trust" {
	SSL_CERT_FILE=$PWD/not-there.pem run_est cacerts -s "$EST_TEST_URL"
	[ "$status" = 3 ] || [ "$status" = 7 ]
	nothing_sent
}

# ---- What real servers do, and is taken -----------------------------------------------------------

# tolerated LABEL ID: works, names the deviation with -v and in JSON, is refused with --strict.
tolerated() {
	local label=$1 id=$2 want=${3:-$EST_TEST_DIR/ca.pem}
	works cacerts "${trust[@]}" -l "$label"
	[ ! -s "$ERR" ]
	same_certs "$OUT" "$want"
	works cacerts "${trust[@]}" -l "$label" --json
	[ "$(jq -c .deviations "$OUT")" = "[\"$id\"]" ]
	works cacerts "${trust[@]}" -l "$label" -v
	stderr_has "$id"
	echo before >ca.pem
	refused 13 "$id" cacerts "${trust[@]}" -l "$label" --strict -o ca.pem
}

# usual LABEL: no deviation, and right under --strict.
usual() {
	works cacerts "${trust[@]}" -l "$1" --strict --json
	[ "$(jq -c .deviations "$OUT")" = '[]' ]
	jq -j '.certificates[].pem' "$OUT" >got.pem
	same_certs got.pem "$EST_TEST_DIR/ca.pem"
}

@test "cacerts: base64 in any wrapping (R8951-3.1-01 R8951-3.1-02)" {
	for columns in 0 1 4 61 64 76 4096; do
		usual wrap-$columns
	done
}

@test "cacerts: Content-Transfer-Encoding is ignored (R8951-3-02)" {
	usual cte-binary
}

@test "cacerts: raw DER (Q-RAW-DER)" {
	tolerated der Q-RAW-DER
}

@test "cacerts: PEM armour around the message (Q-PEM)" {
	tolerated pem Q-PEM
}

@test "cacerts: PEM certificates in place of a message" {
	works cacerts "${trust[@]}" -l pem-certs --json
	jq -e '.deviations | index("Q-PEM")' "$OUT"
	jq -j '.certificates[].pem' "$OUT" >got.pem
	same_certs got.pem "$EST_TEST_DIR/ca.pem"
	refused 13 Q- cacerts "${trust[@]}" -l pem-certs --strict
}

@test "cacerts: a bare certificate in place of a message (Q-BARE-CERT)" {
	tolerated bare-cert Q-BARE-CERT "$EST_TEST_DIR/root.pem"
}

@test "cacerts: another media type, the bytes decide (Q-MEDIA-TYPE, R7030-3.2.4-02)" {
	tolerated octet-stream Q-MEDIA-TYPE
	tolerated type-x Q-MEDIA-TYPE
}

@test "cacerts: servers that close after each answer, and that keep the connection (R7030-3.2-01)" {
	usual close
	usual open
}

# ---- Refusals ------------------------------------------------------------------------------------

@test "cacerts: an HTML page is refused (H-01, R7030-3.2.1-02)" {
	echo before >ca.pem
	refused 13 'text/html' cacerts "${trust[@]}" -l html -o ca.pem
}

@test "cacerts: no Content-Type at all is refused (H-01)" {
	echo before >ca.pem
	refused 13 'content-type' cacerts "${trust[@]}" -l no-type -o ca.pem
}

@test "cacerts: 202 is an error and nothing is waited for (R7030-4.1.3-02)" {
	unset ONCE # the repetition counts
	echo before >ca.pem
	refused 10 202 cacerts "${trust[@]}" -l retry-after-5 -o ca.pem
	refused 10 202 cacerts "${trust[@]}" -l no-retry-after -o ca.pem
	seen 4 '.status == 202'
}

@test "cacerts: 201, 204 and 206 are errors (R7030-4.1.3-02)" {
	for code in 201 204 206; do
		refused 10 $code cacerts "${trust[@]}" -l status-$code
	done
	refused 10 201 cacerts "${trust[@]}" -l created
}

# Status, exit code, and what JSON says of it.
@test "cacerts: every status has its exit code (R7030-3.2.1-01 R7030-4.1.3-02)" {
	unset ONCE # the repetition counts
	while read -r code due; do
		echo before >ca.pem
		refused "$due" "$code" cacerts "${trust[@]}" -l "status-$code" -o ca.pem
		[ "$(jq .error.http_status "$OUT")" = "$code" ]
	done <<-'CODES'
		300 10
		304 10
		305 10
		400 10
		401 9
		402 10
		403 9
		404 10
		407 10
		418 10
		429 11
		451 10
		499 10
		500 11
		501 10
		502 11
		503 11
		599 11
	CODES
}

@test "cacerts: 404 has a hint" {
	refused 10 'label' cacerts "${trust[@]}" -l status-404
	[ "$(grep -c '^est: hint: ' "$ERR")" = 1 ]
}

@test "cacerts: a redirect to another origin is refused (R7030-3.2.1-08)" {
	unset ONCE # the repetition counts
	echo before >ca.pem
	refused 10 'another origin' cacerts "${trust[@]}" -l redirect-out -o ca.pem
	seen 2 true
}

@test "cacerts: an empty bag is refused" {
	echo before >ca.pem
	refused 13 'no certificate|empty' cacerts "${trust[@]}" -l empty-bag -o ca.pem
}

@test "cacerts: without a self-signed certificate there is nothing to trust (R7030-4.1.3-08)" {
	echo before >ca.pem
	refused 13 'self-signed|root' cacerts "${trust[@]}" -l no-root -o ca.pem
}

@test "cacerts: text of the server is shown, bounded, with its controls escaped (H-22, R7030-4.2.3-08)" {
	refused 10 'the server says' cacerts "${trust[@]}" -l error-controls
	grep -q '\\x1b' "$ERR"
	grep -q '\\u{202e}' "$ERR" || grep -qi '\\u{202E}' "$ERR"
	refused 11 'the server says' cacerts "${trust[@]}" -l error-big
	[ "$(head -n 1 "$ERR" | wc -m)" -le 640 ]
	[ "$(head -n 1 "$ERR" | sed 's/.*the server says: //' | tr -d '\n' | wc -m)" -le 515 ]
	refused 10 . cacerts "${trust[@]}" -l error-html
	refused 10 . cacerts "${trust[@]}" -l error-json
}

@test "cacerts: a 401 without a challenge is not answered (R7030-3.2.3-08)" {
	unset ONCE # the repetition counts
	refused 9 401 cacerts "${trust[@]}" "${account[@]}" -l status-401
	seen 2 '.status == 401'
	no_credentials
}
