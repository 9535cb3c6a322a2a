#!/usr/bin/env bats
# bats file_tags=once
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # lib/est.bash sets and reads them
# HTTP authentication (RFC 7030 section 3.2.3): Basic, Digest and bearer tokens, against
# libmicrohttpd's Digest, against a verifier of our own that curl agrees with, and against servers
# that are odd or wrong.

bats_require_minimum_version 1.5.0

load lib/served

setup_file() {
	printf 'tok-En.43~/+==\n' >"$BATS_FILE_TMPDIR/token"
	est_setup_file --token-file "$BATS_FILE_TMPDIR/token"
}

setup() {
	est_setup
	unset EST_TOKEN
	token=(--token-file "$BATS_FILE_TMPDIR/token")
	get=("${trust[@]}" -o ca.pem)
	printf 'wrong\n' >"$BATS_TEST_TMPDIR/wrong"
	wrong=(-u tester --password-file "$BATS_TEST_TMPDIR/wrong")
}

# gets LABEL [ARGS...]: the CA certificates, from behind this label.
gets() {
	local label=$1
	shift
	server_log_reset
	rm -f ca.pem
	works cacerts "${get[@]}" -l "$label" "$@" || return 1
	same_certs ca.pem "$EST_TEST_DIR/ca.pem"
}

# What was sent: status and scheme of each request on one line.
wire() {
	server_log 'select(.target != null) | "\(.status) \(.authorization)"' | tr -d '"' | paste -sd,
}

digest() {
	server_log "select(.digest != null) | .digest$1" | tail -n 1
}

# curl_get LABEL [CURL OPTION...]: prints the status.
curl_get() {
	local label=$1
	shift
	curl -sS --max-time 30 "${anchor[@]}" -o body -w '%{http_code}' "$@" \
		"$EST_TEST_URL/.well-known/est/$label/cacerts"
}

# ---- The schemes -----------------------------------------------------------------------------------

@test "auth: Digest of libmicrohttpd, after its challenge, on the same connection (R7030-3.2.3-05 R7030-3.2.3-07 R7030-3.2.3-11)" {
	for label in digest digest-md5; do
		server_log_reset
		works enroll "${trust[@]}" -l $label "${account[@]}" "${new[@]}" --force --csrattrs ignore
		good_cert cert.pem key.pem
		[ "$(wire)" = '401 null,200 Digest' ]
		[ "$(server_log '.conn' | sort -u | wc -l)" = 1 ]
		[ "$(server_log '.body_sha256' | sort -u | wc -l)" = 1 ]
		[ "$(digest '|[.username, .uri, .qop, .nc]')" = \
			"[\"tester\",\"/.well-known/est/$label/simpleenroll\",\"auth\",\"00000001\"]" ]
	done
	[ "$(digest .algorithm)" = '"MD5"' ]
}

@test "auth: Digest with each hash, as a session or not, with the name hidden or not (R7030-3.2.3-05)" {
	for hash in md5 sha256 sha512256; do
		for how in '' -sess -userhash -sess-userhash -info -sess-info; do
			gets "own-digest-$hash$how" "${account[@]}"
			[ "$(wire)" = '401 null,200 Digest' ]
			case $how in
			*userhash) [ "$(digest .username)" != '"tester"' ] ;;
			*) [ "$(digest .username)" = '"tester"' ] ;;
			esac
		done
	done
	[ "$(digest .algorithm)" = '"SHA-512-256-sess"' ]
}

@test "auth: a server from before RFC 2617 gets neither qop nor counter (R7030-3.2.3-05)" {
	for words in md5-noqop md5-noalg md5-noqop-noalg md5-noqop-info sha256-noqop; do
		gets "own-digest-$words" "${account[@]}"
		[ "$(wire)" = '401 null,200 Digest' ]
	done
	gets own-digest-md5-noqop-noalg "${account[@]}"
	[ "$(digest '|keys')" = '["uri","username"]' ]
}

@test "auth: a bearer token from a file, the environment, standard input (R7030-3.2.3-07)" {
	gets bearer "${token[@]}"
	[ "$(wire)" = '401 null,200 Bearer' ]
	EST_TOKEN=$(cat "$BATS_FILE_TMPDIR/token") gets bearer
	gets bearer --token-file - <"$BATS_FILE_TMPDIR/token"
	EST_TOKEN=wrong gets bearer "${token[@]}" # argv wins
	works enroll "${trust[@]}" -l bearer "${token[@]}" "${new[@]}"
	good_cert cert.pem key.pem
}

@test "auth: the label is in the uri, and a TLS client certificate does not hinder (R7030-3.2.3-01)" {
	identity device /CN=device
	gets own-digest-sha256 "${account[@]}" --cert device.pem --key device.key
	[ "$(wire)" = '401 null,200 Digest' ]
	[ "$(digest .uri)" = '"/.well-known/est/own-digest-sha256/cacerts"' ]
	seen 2 '.client_subject == "CN=device"'
}

@test "auth: curl and the test server agree on every kind of Digest and on tokens (R7030-3.2.3-05)" {
	for label in digest digest-md5 digest-or-basic own-digest-md5 own-digest-sha256 \
		own-digest-md5-sess own-digest-sha256-sess own-digest-sha256-userhash \
		own-digest-md5-noqop-noalg own-digest-sha256-stale own-digest-md5-info; do
		[ "$(curl_get $label --digest -u tester:pass-Wd-43)" = 200 ]
		[ "$(curl_get $label --digest -u tester:wrong)" = 401 ]
	done
	[ "$(curl_get basic -u tester:pass-Wd-43)" = 200 ]
	[ "$(curl_get basic -u tester:wrong)" = 401 ]
	[ "$(curl_get bearer --oauth2-bearer "$(cat "$BATS_FILE_TMPDIR/token")")" = 200 ]
	[ "$(curl_get bearer --oauth2-bearer wrong)" = 401 ]
	[ "$(curl_get own-digest-wat --digest -u tester:pass-Wd-43)" = 400 ]
}

# ---- The choice ------------------------------------------------------------------------------------

@test "auth: of several challenges the strongest that may be used (R7030-3.2.3-07)" {
	local all=("${account[@]}" "${token[@]}")
	gets any-auth "${all[@]}"
	[ "$(digest .algorithm)" = '"SHA-512-256"' ]
	gets digest-or-basic "${all[@]}"
	[ "$(wire)" = '401 null,200 Digest' ]
	gets any-auth "${token[@]}"
	[ "$(wire)" = '401 null,200 Bearer' ]
	gets any-auth "${all[@]}" --auth auto
	[ "$(wire)" = '401 null,200 Digest' ]
	gets any-auth "${all[@]}" --auth bearer 2>/dev/null && return 1 # a password file is too much
	EST_PASSWORD=pass-Wd-43 gets any-auth -u tester "${token[@]}" --auth bearer
	[ "$(wire)" = '401 null,200 Bearer' ]
	gets any-auth "${account[@]}" --auth digest
	[ "$(wire)" = '401 null,200 Digest' ]
	gets any-auth "${account[@]}" --auth basic
	[ "$(wire)" = '401 null,200 Basic' ]
	gets digest-or-basic "${account[@]}" --auth basic
	[ "$(wire)" = '401 null,200 Basic' ]
}

@test "auth: what --auth does not allow is not answered, and the hint says so (R7030-3.2.3-08)" {
	unset ONCE # the repetition counts
	refused 9 'offers Digest; .*--auth allows less' cacerts "${get[@]}" -l own-digest-md5 "${account[@]}" --auth basic
	refused 9 'offers Basic; .*--auth allows less' cacerts "${get[@]}" -l basic "${account[@]}" --auth digest
	refused 9 'offers Bearer' cacerts "${get[@]}" -l bearer "${account[@]}" --auth digest
	refused 9 'offers Basic' cacerts "${get[@]}" -l basic -u tester --auth none
	seen 8 '.status == 401'
	no_credentials
}

@test "auth: no secret for what is offered: the hint names the option (R7030-3.2.3-08)" {
	unset ONCE # the repetition counts
	refused 9 '--user NAME' cacerts "${get[@]}" -l digest
	refused 9 '--user NAME' cacerts "${get[@]}" -l basic "${token[@]}"
	refused 9 '--token-file' cacerts "${get[@]}" -l bearer "${account[@]}"
	seen 6 '.status == 401'
	no_credentials
}

@test "auth: nothing but schemes nobody has: exit 9 with their names, nothing is sent (R7030-3.2.3-06 R7030-3.2.3-08)" {
	unset ONCE # the repetition counts
	plays odd 'send HTTP/1.1 401 U\r\nContent-Length: 0\r\n' \
		'send WWW-Authenticate: Negotiate, NTLM, Digest realm="r", nonce="n", algorithm=SHA-1\r\n' \
		'send WWW-Authenticate: Hoba x="Basic realm=r", y="a, Bearer"\r\n\r\n' next \
		'send HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n'
	refused 9 'Negotiate, NTLM, Digest, Hoba' cacerts "${raw[@]}" -o ca.pem -l odd "${account[@]}" "${token[@]}"
	seen 2 true
	no_credentials
}

# ---- One repeat ------------------------------------------------------------------------------------

@test "auth: wrong credentials are sent once, whatever the scheme (R7030-3.2.3-08)" {
	for label in basic digest digest-md5 digest-or-basic any-auth own-digest-sha512256-sess; do
		server_log_reset
		ONCE=1 refused 9 'password is wrong' cacerts "${get[@]}" -l $label "${wrong[@]}"
		[[ "$(wire)" =~ ^401\ null,401\ (Basic|Digest)$ ]]
		seen 1 '.auth_ok == false and .authorization != null'
	done
	server_log_reset
	ONCE=1 refused 9 'token is wrong' cacerts "${get[@]}" -l bearer --token-file "$BATS_TEST_TMPDIR/wrong"
	[ "$(wire)" = '401 null,401 Bearer' ]
	# Nothing weaker after it failed, either.
	server_log_reset
	ONCE=1 refused 9 401 cacerts "${get[@]}" -l digest-or-basic "${wrong[@]}"
	seen 0 '.authorization == "Basic"'
}

@test "auth: 401 for right credentials too: one repeat, also when each is a new connection (R7030-3.2.3-08)" {
	for connection in keep-alive close; do
		challenge="send HTTP/1.1 401 U\\r\\nContent-Length: 0\\r\\nConnection: $connection\\r\\n"
		for scheme in 'Basic realm="r"' 'Bearer' 'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256'; do
			if [ $connection = close ]; then
				plays never "$challenge" "send WWW-Authenticate: $scheme\\r\\n\\r\\n"
			else
				plays never "$challenge" "send WWW-Authenticate: $scheme\\r\\n\\r\\n" next \
					"$challenge" "send WWW-Authenticate: $scheme\\r\\n\\r\\n" next \
					'send HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n'
			fi
			server_log_reset
			ONCE=1 refused 9 401 cacerts "${raw[@]}" -o ca.pem -l never "${account[@]}" "${token[@]}"
			[ "$(wire)" = "null null,null ${scheme%% *}" ]
			[ "$(server_log 'select(.target != null) | .conn' | sort -u | wc -l)" = \
				"$([ $connection = close ] && echo 2 || echo 1)" ]
		done
	done
}

@test "auth: a stale nonce is replaced, at most three times (R7030-3.2.3-08)" {
	gets own-digest-stale "${account[@]}"
	[ "$(wire)" = '401 null,401 Digest,200 Digest' ]
	[ "$(digest .nc)" = '"00000001"' ]
	server_log_reset
	ONCE=1 refused 9 'every nonce stale' cacerts "${get[@]}" -l own-digest-stales "${account[@]}"
	[ "$(wire)" = '401 null,401 Digest,401 Digest,401 Digest,401 Digest' ]
	# With a wrong password nothing is stale.
	server_log_reset
	ONCE=1 refused 9 'password is wrong' cacerts "${get[@]}" -l own-digest-stales "${wrong[@]}"
	[ "$(wire)" = '401 null,401 Digest' ]
}

@test "auth: a server that does not know the password is not believed (R7030-3.2.3-05)" {
	for words in badinfo sess-badinfo md5-noqop-badinfo; do
		server_log_reset
		ONCE=1 refused 9 rspauth cacerts "${get[@]}" -l "own-digest-$words" "${account[@]}"
		[ "$(wire)" = '401 null,200 Digest' ]
	done
	# The certificate may have been issued, so its key stays.
	LEAVES=key.pem.est-new refused 9 rspauth enroll "${trust[@]}" -l own-digest-badinfo "${account[@]}" "${new[@]}" \
		--csrattrs ignore
	[ -s key.pem.est-new ]
}

# ---- One run, several requests ---------------------------------------------------------------------

# enrolls LABEL: with a server whose TLS chain does not help to verify what it issues, so that est
# looks into /cacerts behind the same label.
enrolls() {
	server_log_reset
	works enroll -s "$EST_TEST_URL" --cacert "$BATS_TEST_TMPDIR/own.pem" "${anchor[@]}" -l "$1" \
		"${account[@]}" "${new[@]}" --force --csrattrs ignore
}

@test "auth: what was taken goes along with the next request, and is challenged no more (R7030-3.2.3-11)" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$BATS_TEST_TMPDIR/own.key" -out "$BATS_TEST_TMPDIR/own.pem" -subj /CN=own \
		-config <(printf '[req]\ndistinguished_name=dn\n[dn]\n') -addext basicConstraints=CA:FALSE \
		-addext subjectAltName=DNS:localhost -days 2
	server_start --user tester --password-file "$BATS_FILE_TMPDIR/password" \
		--cert "$BATS_TEST_TMPDIR/own.pem" --key "$BATS_TEST_TMPDIR/own.key"
	anchor=(--cacert "$EST_TEST_DIR/root.pem")
	enrolls basic
	[ "$(wire)" = '401 null,200 Basic,200 Basic' ]
	for words in md5 sha256 sha512256-sess sha256-sess-info; do
		enrolls "own-digest-$words"
		[ "$(wire)" = '401 null,200 Digest,200 Digest' ]
		[ "$(digest '|[.nc, .uri]')" = \
			"[\"00000002\",\"/.well-known/est/own-digest-$words/cacerts\"]" ]
	done
	for words in next sess-next sess-userhash-next; do
		enrolls "own-digest-$words"
		[ "$(wire)" = '401 null,200 Digest,200 Digest' ]
		[ "$(digest .nc)" = '"00000001"' ]
	done
	# A nonce for one request, or one path, as libmicrohttpd has it.
	for label in own-digest-once digest; do
		enrolls $label
		[ "$(wire)" = '401 null,200 Digest,401 Digest,200 Digest' ]
		[ "$(digest .nc)" = '"00000001"' ]
	done
	[ "$(server_log .conn | sort -u | wc -l)" = 1 ]
	server_stop
}

# ---- Names and passwords ---------------------------------------------------------------------------

@test "auth: a password may hold colons and UTF-8, a name be empty or not ASCII (R7030-3.2.3-05 R7030-3.2.3-09)" {
	printf 'a:b: Pässwörd "\\ €\n' >"$BATS_TEST_TMPDIR/odd"
	for name in 'Jäsøn Doe' '' 'quo"te\s' 'plain'; do
		server_start --user "$name" --password-file "$BATS_TEST_TMPDIR/odd"
		trust=(-s "$EST_TEST_URL" --cacert "$EST_TEST_DIR/root.pem")
		get=("${trust[@]}" -o ca.pem)
		for label in basic own-digest-md5 own-digest-sha256-utf8 own-digest-sha512256-utf8-userhash; do
			gets $label -u "$name" --password-file "$BATS_TEST_TMPDIR/odd"
			seen 1 '.auth_ok == true'
		done
		gets own-digest-utf8 -u "$name" --password-file "$BATS_TEST_TMPDIR/odd"
		[ "$name" != 'Jäsøn Doe' ] ||
			[ "$(digest '|[.username, ."username*"]')" = \
				$'[null,"UTF-8\'\'J%C3%A4s%C3%B8n%20Doe"]' ]
		server_stop
	done
}

@test "auth: what is decomposed is composed for a server that wants UTF-8 (R7030-3.2.3-05)" {
	printf 'sch\xc3\xb6n\n' >"$BATS_TEST_TMPDIR/composed"
	printf 'scho\xcc\x88n\n' >"$BATS_TEST_TMPDIR/decomposed"
	server_start --user tester --password-file "$BATS_TEST_TMPDIR/composed"
	get=(-s "$EST_TEST_URL" --cacert "$EST_TEST_DIR/root.pem" -o ca.pem)
	gets own-digest-utf8 -u tester --password-file "$BATS_TEST_TMPDIR/decomposed"
	ONCE=1 refused 9 wrong cacerts "${get[@]}" -l own-digest-sha256 -u tester --password-file "$BATS_TEST_TMPDIR/decomposed"
	server_stop
}

@test "auth: control characters in a password or a token are refused and not sent (R7030-3.2.3-05)" {
	printf 'pass\rX-Injected: 1' >"$BATS_TEST_TMPDIR/bad1"
	printf 'pass\nword' >"$BATS_TEST_TMPDIR/bad2"
	printf 'pass\x7fword' >"$BATS_TEST_TMPDIR/bad3"
	for label in basic digest own-digest-sha256; do
		for n in 1 2 3; do
			ONCE=1 refused 2 'control character' cacerts "${get[@]}" -l $label -u tester \
				--password-file "$BATS_TEST_TMPDIR/bad$n"
			# The 401 is a certain no: the new key does not stay.
			ONCE=1 refused 2 'control character' enroll "${trust[@]}" -l $label -u tester \
				--password-file "$BATS_TEST_TMPDIR/bad$n" "${new[@]}"
		done
	done
	printf 'two words' >"$BATS_TEST_TMPDIR/bad4"
	printf 't\xc3\xb6ken' >"$BATS_TEST_TMPDIR/bad5"
	: >"$BATS_TEST_TMPDIR/bad6"
	head -c 5000 /dev/zero | tr '\0' a >"$BATS_TEST_TMPDIR/bad7"
	for n in 1 2 3 4 5 6; do
		ONCE=1 refused 3 'RFC 6750' cacerts "${get[@]}" -l bearer --token-file "$BATS_TEST_TMPDIR/bad$n"
	done
	ONCE=1 refused 3 '4096' cacerts "${get[@]}" -l bearer --token-file "$BATS_TEST_TMPDIR/bad7"
	ONCE=1 refused 3 'not-there' cacerts "${get[@]}" -l bearer --token-file not-there
	no_credentials
}

@test "auth: options that contradict each other are refused before anything is sent" {
	refused 2 'none of auto, basic, digest, bearer, none' cacerts "${get[@]}" --auth ntlm
	refused 2 'needs a value' cacerts "${get[@]}" --auth ''
	refused 2 '--auth basic needs --user' cacerts "${get[@]}" --auth basic
	refused 2 '--auth digest needs --user' cacerts "${get[@]}" --auth digest "${token[@]}"
	refused 2 '--auth bearer needs' cacerts "${get[@]}" --auth bearer
	for how in basic digest; do
		refused 2 'contradict' cacerts "${get[@]}" "${account[@]}" "${token[@]}" --auth $how
	done
	refused 2 'contradict' cacerts "${get[@]}" "${token[@]}" --auth none
	for how in bearer none; do
		EST_TOKEN=x refused 2 'contradict' cacerts "${get[@]}" "${account[@]}" --auth $how
	done
	refused 2 'standard input' cacerts "${get[@]}" -u tester --password-file - --token-file -
	refused 2 'needs --user' cacerts "${get[@]}" --password-file x
	nothing_sent
}

# ---- To nobody else --------------------------------------------------------------------------------

@test "auth: a server that fails verification gets nothing, is asked nothing (R7030-3.2.3-10 H-06)" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$BATS_TEST_TMPDIR/o.key" \
		-out "$BATS_TEST_TMPDIR/o.pem" -subj /CN=localhost -days 2
	mkfifo "$BATS_TEST_TMPDIR/never" # whoever reads it waits for ever
	local secrets=(-u tester --password-file "$BATS_TEST_TMPDIR/never")
	for label in basic digest any-auth; do
		refused 7 . cacerts -s "$EST_TEST_URL" --cacert "$BATS_TEST_TMPDIR/o.pem" -o ca.pem \
			-l $label "${secrets[@]}"
		refused 7 'name|for' cacerts -s "https://other.example:$EST_TEST_PORT" "${anchor[@]}" \
			--resolve "other.example:$EST_TEST_PORT:127.0.0.1" -o ca.pem -l $label "${secrets[@]}"
	done
	refused 7 . cacerts -s "$EST_TEST_URL" --cacert "$BATS_TEST_TMPDIR/o.pem" -o ca.pem -l bearer \
		--token-file "$BATS_TEST_TMPDIR/never"
	nothing_sent
}

@test "auth: nothing over TLS 1.1 (R7030-3.2.3-02)" {
	server_start --user tester --password-file "$BATS_FILE_TMPDIR/password" \
		--tls-priority 'NORMAL:-VERS-ALL:+VERS-TLS1.1'
	refused 8 . cacerts -s "$EST_TEST_URL" --cacert "$EST_TEST_DIR/root.pem" -o ca.pem -l digest "${account[@]}"
	nothing_sent
	server_stop
}

# ---- Secrets ---------------------------------------------------------------------------------------

@test "auth: no secret in what est says, the log of the server, or a file (H-07)" {
	for label in basic bearer digest digest-md5 any-auth own-digest-sess own-digest-stales own-digest-badinfo; do
		run_est cacerts "${get[@]}" -l $label "${account[@]}" "${token[@]}" -vvv --json
		cat "$OUT" "$ERR" >>"$BATS_TEST_TMPDIR/said"
		run_est cacerts "${get[@]}" -l $label "${wrong[@]}" "${token[@]}" -vvv
		cat "$OUT" "$ERR" >>"$BATS_TEST_TMPDIR/said"
	done
	grep -q 'answering the server' "$BATS_TEST_TMPDIR/said"
	server_log . >>"$BATS_TEST_TMPDIR/said"
	for secret in pass-Wd tok-En "$(printf tester:pass-Wd-43 | base64)" \
		"$(printf 'tester:EST test server:pass-Wd-43' | md5sum | cut -c 1-32)" \
		"$(printf 'tester:EST test server:pass-Wd-43' | sha256sum | cut -c 1-64)" \
		Authorization: response= cnonce; do
		run -1 grep -F -- "$secret" "$BATS_TEST_TMPDIR/said"
		run -1 grep -rF -- "$secret" .
	done
}
