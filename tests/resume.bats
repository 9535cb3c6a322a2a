#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# Sessions that are resumed, and clients that are asked for late: by renegotiation in TLS 1.2, after
# the handshake in TLS 1.3.  The servers are ours and openssl s_server.

bats_require_minimum_version 1.5.0

load lib/served

setup_file() {
	est_setup_file --raw-late
	cd "$BATS_FILE_TMPDIR" || return 1
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR identity me /CN=me
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR identity you /CN=you
}

setup() {
	est_setup
	me=(--cert "$BATS_FILE_TMPDIR/me.pem" --key "$BATS_FILE_TMPDIR/me.key")
	you=(--cert "$BATS_FILE_TMPDIR/you.pem" --key "$BATS_FILE_TMPDIR/you.key")
}

# cached true|false ARGS...: a run with the session cache; whether it was resumed is what is due.
cached() {
	local due=$1
	shift
	works cacerts "$@" --session-cache cache --json
	[ "$(jq -r .server.resumed "$OUT")" = "$due" ] || {
		explain "resumed: $due is due"
		return 1
	}
}

@test "resume: a second run takes the session up, with ticket; who was believed is said as before (R7030-3.3-05)" {
	local version
	for version in '' -VERS-TLS1.3; do
		rm -f cache
		local options=("${trust[@]}" "${me[@]}" ${version:+"--priority=$version"})
		cached false "${options[@]}"
		jq '.server | del(.resumed, .cipher)' "$OUT" >first
		[ "$(stat -c %a cache)" = 600 ]
		cached true "${options[@]}"
		jq '.server | del(.resumed, .cipher)' "$OUT" | diff first -
		cached true "${options[@]}"
	done
	[ "$(server_log 'select(.target != null) | .resumed' | xargs)" = 'false true true false true true' ]
	[ "$(server_count '.client_subject == "CN=me"')" = 6 ]
	server_log_reset
	# It carries an enrolment as well, and the identity of the session counts.
	works reenroll "${trust[@]}" "${me[@]}" -o me2.pem --key-out me2.key --session-cache cache
	[ "$(server_log 'select(.method == "POST") | [.client_subject, .status]' )" = '["CN=me",200]' ]
}

@test "resume: with another identity, anchor, host, port or TLS option it is a full handshake (R7030-3.3-07)" {
	cached false "${trust[@]}" "${me[@]}"
	cp cache kept
	local -a other
	cached false "${trust[@]}"
	cp kept cache
	cached false "${trust[@]}" "${you[@]}"
	cp kept cache
	cat "$EST_TEST_DIR/root.pem" "$BATS_FILE_TMPDIR/me.pem" >anchors.pem
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout o.key -subj /CN=o \
		-days 2 -out other.pem 2>/dev/null
	cached false "${trust[@]}" "${me[@]}" --cacert other.pem
	cp kept cache
	cached false -s "https://127.0.0.1:$EST_TEST_PORT" "${anchor[@]}" "${me[@]}"
	cp kept cache
	cached false "${trust[@]}" "${me[@]}" --system-trust
	cp kept cache
	cached false "${trust[@]}" "${me[@]}" --tls-min 1.3
	# And each of them is kept beside the others.
	cached true "${trust[@]}" "${me[@]}" --tls-min 1.3
	cached true "${trust[@]}" "${me[@]}"
	# No anchor that vouches: nothing is resumed into trust.
	cp kept cache
	ONCE=1 LEAVES=cache refused 7 'anchor' cacerts -s "$EST_TEST_URL" --cacert other.pem "${me[@]}" \
		--session-cache cache
	nothing_sent_but 9
}

nothing_sent_but() {
	[ "$(server_count '.target != null')" = "$1" ]
}

@test "resume: a server whose certificate has expired meanwhile is judged anew (R7030-3.3-07)" {
	! with_asan || skip "faketime does not go with AddressSanitizer"
	cached false "${trust[@]}"
	# Only the local clock moves, and with it the age of the session: beyond an hour it is stale.
	status=0
	faketime -f +20m "$EST" cacerts "${trust[@]}" --session-cache cache --json >"$OUT" || status=$?
	[ "$(jq -r .server.resumed "$OUT")" = true ]
	faketime -f +3h "$EST" cacerts "${trust[@]}" --session-cache cache --json >"$OUT" || status=$?
	[ "$(jq -r .server.resumed "$OUT")" = false ]
	cached false "${trust[@]}" # kept by a run of the future
	server_log_reset
	run -7 faketime -f +4000d "$EST" cacerts "${trust[@]}" --session-cache cache
	nothing_sent
}

@test "resume: what else is in the file is not used, what is another's not overwritten, what is torn never gets to TLS" {
	local other
	ONCE=1 refused 3 'regular' cacerts "${trust[@]}" --session-cache .
	nothing_sent
	echo 'not a cache' >note
	cp "$BATS_FILE_TMPDIR/me.key" .
	head -c 2000000 /dev/zero >zeros
	sha256sum note me.key zeros >before
	for other in note me.key zeros; do
		works cacerts "${trust[@]}" --session-cache $other
		stderr_has "$other: it is no session cache of est"
	done
	sha256sum -c --quiet before
	: >cache
	cached false "${trust[@]}"
	cp cache good
	chmod 644 cache
	cached false "${trust[@]}"
	stderr_has 'open to others'
	[ "$(stat -c %a cache)" = 600 ]
	cached true "${trust[@]}"
	head -c 300 good >cache
	cached false "${trust[@]}"
	stderr_has 'damaged'
	{ head -c 400 good; printf xxxxxxxx; tail -c +409 good; } >cache
	cached false "${trust[@]}"
	stderr_has 'damaged'
	# A file that cannot be written is a notice, and the work is done.
	ln -s nowhere/cache cache2
	works cacerts "${trust[@]}" --session-cache cache2
	stderr_has 'not kept'
	# The secrets of the session are in no output.
	run ! grep -qa 'est session cache' "$OUT" "$ERR"
}

@test "resume: within a run in memory, where nothing else was asked for; a bootstrap resumes nothing (R7030-4.1.1-07)" {
	plays gone 'line HTTP/1.1 503 Later' 'line Connection: close' 'line Content-Length: 0' 'line'
	ONCE=1 refused 11 '503' cacerts "${raw[@]}" -l gone --retry 1 --retry-delay 0.1
	[ "$(server_log 'select(.event == "handshake") | .resumed' | xargs)" = 'false true' ]
	server_log_reset
	cached false "${trust[@]}"
	root=$(openssl x509 -in "$EST_TEST_DIR/root.pem" -outform DER | sha256sum)
	works cacerts -s "$EST_TEST_URL" --bootstrap --ca-fingerprint "sha256:${root%% *}" -o boot.pem \
		--session-cache cache
	[ "$(server_log 'select(.target != null) | .resumed' | xargs)" = 'false false' ]
}

# s_server OPTION...: openssl's, its stdin is descriptor 7; PORT.
s_server() {
	local log=$BATS_TEST_TMPDIR/s_server
	[ -p "$BATS_TEST_TMPDIR/fifo" ] || mkfifo "$BATS_TEST_TMPDIR/fifo"
	exec 7<>"$BATS_TEST_TMPDIR/fifo"
	: >"$log"
	openssl s_server -accept 127.0.0.1:0 -cert "$EST_TEST_DIR/server.pem" -key "$EST_TEST_DIR/server.key" \
		-cert_chain "$EST_TEST_DIR/issuing.pem" -CAfile "$EST_TEST_DIR/ca.pem" "$@" <&7 >"$log" \
		2>&1 3>&- &
	HELPERS="${HELPERS:-} $!"
	eventually grep -q '^ACCEPT' "$log"
	PORT=$(sed -n 's/^ACCEPT.*://p' "$log" | head -n 1)
	at=(-s "https://localhost:$PORT" "${anchor[@]}" -m 20)
}

@test "resume: openssl s_server, by session id in TLS 1.2 and by ticket in both versions (R7030-3.3-05)" {
	mkdir -p .well-known/est
	{
		printf 'HTTP/1.1 200 OK\r\nContent-Type: application/pkcs7-mime\r\n\r\n'
		openssl crl2pkcs7 -nocrl -certfile "$EST_TEST_DIR/root.pem" -outform DER | base64
	} >.well-known/est/cacerts
	local how
	for how in '-tls1_2 -no_ticket' -tls1_2 -tls1_3; do
		rm -f cache
		# shellcheck disable=SC2086 # options
		s_server -HTTP $how
		cached false "${at[@]}"
		cached true "${at[@]}"
	done
}

# ---- Late client authentication ----------------------------------------------------------------------

# asks LABEL [WHAT AFTER IT...]: a script that asks for the certificate before it answers an enrolment.
asks() {
	plays "$1" ask 'line HTTP/1.1 200 OK' 'line Content-Type: application/pkcs7-mime' \
		'send Content-Length: ' 'length issued-b64' 'line' 'line' 'insert issued-b64'
}

@test "late: asked after the POST, the certificate is given and the body sent once, in TLS 1.2 and 1.3 (R7030-3.5-10)" {
	local options
	asks late
	for options in --priority=-VERS-TLS1.3 --tls-min=1.3; do
		rm -f key.pem cert.pem
		server_log_reset
		works enroll "${raw[@]}" -l late "$options" --pop off --csrattrs ignore "${me[@]}" "${new[@]}" --json -v
		[ "$(jq -r '.server.client_certificate' "$OUT")" = true ]
		good_cert cert.pem key.pem
		stderr_has 'asked for the client certificate after the request'
		[ "$(server_log 'select(.target != null) | [.method, .client_subject]')" = '["POST",null]' ]
		[ "$(server_log 'select(.event == "asked") | [.client_subject, .error]')" = '["CN=me",null]' ]
	done
	# Without an identity it gets none, and says what it thinks of that.
	rm -f key.pem cert.pem
	server_log_reset
	works enroll "${raw[@]}" -l late --csrattrs ignore "${account[@]}" "${new[@]}" --json
	[ "$(jq -r '.server.client_certificate' "$OUT")" = false ]
	[ "$(server_log 'select(.event == "asked") | .client_subject')" = null ]
}

@test "late: while a request that is linked to the session is under way there is no renegotiation (R7030-3.5-08)" {
	asks late
	works enroll "${raw[@]}" -l late --pop require --csrattrs ignore "${me[@]}" "${new[@]}" --json
	stderr_has 'told no .*3\.5'
	[ "$(jq -c '[.server.binding, .server.client_certificate]' "$OUT")" = '["tls-unique",false]' ]
	[ "$(server_log 'select(.event == "asked") | .error != null')" = true ]
	seen 1 '.method == "POST" and .linked == "tls-unique"'
}

@test "late: asked at the CSR attributes, the certificate is there for a request that is linked (R7030-3.5-05)" {
	plays early ask 'line HTTP/1.1 204 No' 'line' next 'line HTTP/1.1 200 OK' \
		'line Content-Type: application/pkcs7-mime' 'send Content-Length: ' 'length issued-b64' \
		'line' 'line' 'insert issued-b64'
	works enroll "${raw[@]}" -l early --priority=-VERS-TLS1.3 "${me[@]}" "${new[@]}"
	good_cert cert.pem key.pem
	# What the request has is the binding that the server sees after the renegotiation.
	[ "$(server_log 'select(.target != null) | [.method, .client_subject, .linked]' | xargs)" = \
		'[GET,null,null] [POST,CN=me,tls-unique]' ]
}

@test "late: a server that never stops asking, and a provisional one, get nothing (R7030-4.1.1-06)" {
	plays often ask ask ask ask ask ask 'line HTTP/1.1 200 OK' 'line'
	ONCE=1 LEAVES=key.pem.est-new refused 8 'renegotiation' enroll "${raw[@]}" -l often --csrattrs ignore \
		--priority=-VERS-TLS1.3 "${me[@]}" "${new[@]}"
	rm -f key.pem.est-*
	server_log_reset
	plays first ask 'line HTTP/1.1 200 OK' 'line Content-Type: application/pkcs7-mime' \
		'line Connection: close' 'line' 'insert cacerts-b64'
	root=$(openssl x509 -in "$EST_TEST_DIR/root.pem" -outform DER | sha256sum)
	for version in -VERS-TLS1.3 -VERS-TLS1.2; do
		works cacerts -s "$EST_TEST_RAW_URL" -l first --bootstrap --priority="$version" \
			--ca-fingerprint "sha256:${root%% *}" -o boot.pem "${me[@]}"
	done
	[ "$(server_log 'select(.event == "asked") | .client_subject' | sort -u)" = null ]
	[ "$(server_count '.event == "asked" and .error != null')" = 2 ]
}

@test "late: another server certificate in the renegotiation gets no client certificate (R7030-3.5-10)" {
	cp "$BATS_FILE_TMPDIR/me.key" other.key
	identity other /CN=localhost -addext 'subjectAltName=DNS:localhost' -addext extendedKeyUsage=serverAuth
	cat other.pem "$EST_TEST_DIR/issuing.pem" other.key >"$EST_TEST_SCRIPTS/other"
	plays changed 'switch other' ask 'line HTTP/1.1 200 OK' 'line'
	SENDS=1 ONCE=1 LEAVES=key.pem.est-new refused 7 'another certificate' enroll "${raw[@]}" -l changed \
		--priority=-VERS-TLS1.3 --pop off --csrattrs ignore "${me[@]}" "${new[@]}"
	eventually asked
	[ "$(server_log 'select(.event == "asked") | [.client_subject, .error != null]')" = '[null,true]' ]
}

asked() {
	[ "$(server_count '.event == "asked"')" = 1 ]
}

@test "late: openssl s_server asks after the POST, by R in TLS 1.2 and c in TLS 1.3; the body goes once" {
	local how letter
	for how in R-tls1_2 c-tls1_3; do
		letter=${how%%-*}
		s_server "-${how#*-}"
		"$EST" enroll "${at[@]}" --pop off --csrattrs ignore "${me[@]}" "${new[@]}" >"$OUT" 2>"$ERR" 3>&- 7>&- &
		HELPERS="$HELPERS $!"
		eventually grep -q '^Content-Type: application/pkcs10' "$BATS_TEST_TMPDIR/s_server"
		echo "$letter" >&7
		eventually grep -q 'depth=0 CN = me' "$BATS_TEST_TMPDIR/s_server"
		printf 'HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n' >&7
		status=0
		wait $! || status=$?
		[ "$status" = 9 ] || explain "$how: 9 is due"
		[ "$(grep -ac '^POST ' "$BATS_TEST_TMPDIR/s_server")" = 1 ]
		[ "$status" = 9 ]
	done
}

@test "late: a TLS 1.2 server without RFC 5746 is not spoken to (R5746-4.1-01 R7030-3.5-10)" {
	server_start --tls-priority 'NORMAL:-VERS-ALL:+VERS-TLS1.2:%DISABLE_SAFE_RENEGOTIATION'
	trust=(-s "$EST_TEST_URL" --cacert "$EST_TEST_DIR/root.pem")
	ONCE=1 refused 8 'renegotiation' enroll "${trust[@]}" "${me[@]}" "${new[@]}"
	nothing_sent
	server_stop
}
