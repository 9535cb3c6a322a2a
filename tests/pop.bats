#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=once
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# Linking identity and proof of possession (RFC 7030 section 3.5, RFC 7894, RFC 9266), and the secrets
# of a request.

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	unset EST_WAIT EST_RETRY
	me=("${account[@]}" "${new[@]}" --force)
	tls12=(--priority -VERS-TLS1.3)
	alone=(--csrattrs ignore)
}

enrol() {
	works enroll "${trust[@]}" "${me[@]}" "$@"
}

# The POSTs so far: whether, and how, each was linked.
linked() {
	server_log 'select(.method == "POST") | [.tls, .linked, .linked_in]' | sort -u
}

# csr N: the Nth request of this test as ./got.der.
csr() {
	cp "$EST_TEST_DIR/$(server_log 'select(.csr) | .csr' | sed -n "$1p" | tr -d '"')" got.der
}

# The values of an attribute of ./got.der: sets of strings, as openssl reads them.
values() {
	openssl asn1parse -inform DER -in got.der |
		awk -v name="$1" '/OBJECT/ { on = $NF == ":" name } on && /(PRINTABLE|UTF8)STRING/ {
			sub(/.*STRING *:/, ""); print }'
}

# Each POST was linked to its own session, they were made with one key, and by COUNT sessions.
resigned() {
	local i n
	seen "$1" '.method == "POST"' || return 1
	seen "$1" '.linked == "tls-unique" and .linked_in == "challengePassword"' || return 1
	[ "$(server_log 'select(.method == "POST") | .tls_unique' | sort -u | wc -l)" = "$2" ] || return 1
	for ((i = 1; i <= $1; i++)); do
		csr "$i"
		openssl req -inform DER -in got.der -noout -verify -pubkey 2>/dev/null
	done | sort | uniq -c | grep 'PUBLIC' | awk -v n="$1" '$1 != n { bad = 1 } END { exit bad }'
}

@test "pop: in TLS 1.2 a request is linked by default, in TLS 1.3 it is not (R7030-3.5-01 R7030-3.5-05 R7030-3.5-06 R7894-4-05)" {
	enrol "${tls12[@]}" --json
	[ "$(jq -c '[.server.binding, .server.connections]' "$OUT")" = '["tls-unique",1]' ]
	[ "$(linked)" = '["TLS1.2","tls-unique","challengePassword"]' ]
	csr 1
	[ "$(values challengePassword)" = "$(server_log 'select(.csr) | .tls_unique' | head -n 1 | tr -d '"')" ]
	[ "$(values challengePassword | tr -d '\n' | wc -c)" = 16 ]
	openssl req -inform DER -in got.der -noout -verify
	certtool --crq-info --inder --infile got.der | grep -q 'Challenge password'
	good_cert cert.pem key.pem
	server_log_reset
	enrol --json
	[ "$(jq -c .server.binding "$OUT")" = null ]
	[ "$(linked)" = '["TLS1.3",null,null]' ]
	csr 1
	[ -z "$(values challengePassword)" ]
	[ ! -s "$ERR" ]
}

@test "pop: off links nothing; whoever needs it refuses, and that is named (R7030-3.3-06 R7030-3.5-04 R7030-3.5-13 R7030-4.2-06)" {
	enrol "${tls12[@]}" --pop off
	[ "$(linked)" = '["TLS1.2",null,null]' ]
	rm key.pem cert.pem
	refused 10 'linking.*is required' enroll "${trust[@]}" -l pop "${me[@]}" "${alone[@]}" --pop off
	refused 10 '--pop require links' enroll "${trust[@]}" -l pop "${me[@]}" "${alone[@]}"
	[ "$(jq -r .error.code "$OUT")" = binding-refused ]
}

@test "pop: a refusal as Full PKI Response says popFailed, signed by the CA, and est says it too (R7030-3.5-12 R7030-4.2.3-03)" {
	refused 10 'Full PKI Response .CMC.: failed, popFailed: linking.*is required' enroll "${trust[@]}" \
		-l pop-cmc "${me[@]}" "${alone[@]}" --pop off
	works csr --subject CN=x --key-out k -o x.csr
	sed '/^-/d' x.csr >body
	curl -sS --cacert "$EST_TEST_DIR/root.pem" -u "tester:$(cat "$BATS_FILE_TMPDIR/password")" -D head -o got \
		-H 'Content-Type: application/pkcs10' --data-binary @body \
		"$EST_TEST_URL/.well-known/est/pop-cmc/simpleenroll"
	grep -q '^HTTP/1.1 400' head && grep -qi '^Content-Type: application/pkcs7-mime; smime-type=CMC-response' head
	openssl base64 -d -in got -out got.der
	openssl cms -verify -inform DER -in got.der -binary -purpose any -CAfile "$EST_TEST_DIR/root.pem" -out pki
	openssl asn1parse -inform DER -in pki | awk -F: '/UTF8STRING/ { n++ } /INTEGER/ { last = $NF }
		END { exit !(n == 1 && last == "09") }'
	server_log_reset
	works enroll "${trust[@]}" -l pop-cmc "${me[@]}" # the CSR attributes ask for it
	[ "$(linked)" = '["TLS1.2","tls-unique","challengePassword"]' ]
}

@test "pop: require offers TLS 1.2 alone, and one connection does for it all (R9148-3-02)" {
	for how in require tls-unique; do
		server_log_reset
		enrol -l pop --pop $how --json
		[ "$(jq -c '[.server.binding, .server.connections, .server.tls]' "$OUT")" = \
			'["tls-unique",1,"TLS1.2"]' ]
		[ "$(linked)" = '["TLS1.2","tls-unique","challengePassword"]' ]
	done
	works enroll "${raw[@]}" -l none "${me[@]}" --pop require || true
	[ "$(server_log 'select(.event == "handshake") | .client_hello_versions' | sort -u)" = '["TLS1.2"]' ]
}

@test "pop: tls-exporter in TLS 1.3, tls-unique in TLS 1.2; one connection for each use (R9266-2-01 R9266-2-02 R9266-3-01 R9148-3-01 R9266-4-01 R9266-4.1-01 R9266-4.1-02)" {
	enrol -l pending-1 --pop tls-exporter --wait=5 --json
	[ "$(jq -c '[.server.binding, .server.tls]' "$OUT")" = '["tls-exporter","TLS1.3"]' ]
	[ "$(linked)" = '["TLS1.3","tls-exporter","challengePassword"]' ]
	# The 401 and its repetition on one, the request after the 202 on another.
	[ "$(server_log 'select(.method == "POST") | .conn' | uniq -c | awk '{ print $1 }')" = $'2\n1' ]
	[ "$(server_log .tls_exporter | sort -u | wc -l)" = 2 ]
	csr 1
	[ "$(values challengePassword | tr -d '\n' | wc -c)" = 44 ]
	server_log_reset
	enrol -l pop --pop tls-exporter "${tls12[@]}"
	[ "$(linked)" = '["TLS1.2","tls-unique","challengePassword"]' ]
}

@test "pop: a session that is resumed has a binding of its own, and TLS 1.3 is not taken up where TLS 1.2 is due (R7030-3.5-05)" {
	enrol --session-cache cache
	[ -s cache ]
	enrol --session-cache cache --pop require
	seen 2 '.method == "POST" and .tls == "TLS1.2" and .resumed == false'
	enrol --session-cache cache --pop require -l pop
	seen 2 '.method == "POST" and .label == "pop" and .resumed and .linked == "tls-unique"'
	[ "$(server_log 'select(.linked) | .tls_unique' | sort -u | wc -l)" = 2 ]
}

@test "pop: a renewal is linked as an enrolment is" {
	enrol
	server_log_reset
	works reenroll "${trust[@]}" --force --cert cert.pem --key key.pem -l pop --pop require
	[ "$(linked)" = '["TLS1.2","tls-unique","challengePassword"]' ]
	good_cert cert.pem key.pem
}

@test "pop: another connection, another signature by the same key: 401 and close, 503, 202, redirect (R7030-3.2.1-06 R7030-3.5-11 R7030-4.2.3-13)" {
	enrol -l close --pop require
	resigned 2 2
	server_log_reset
	plays tired 'line HTTP/1.1 503 x' 'line Content-Length: 0' 'line Connection: close' 'line '
	run_est enroll "${raw[@]}" -l tired "${me[@]}" "${alone[@]}" --pop require --retry 1 --retry-delay 0.1
	[ "$status" = 11 ]
	resigned 2 2
	rm -f key.pem* cert.pem
	server_log_reset
	run_est enroll "${trust[@]}" -l pending-1 "${me[@]}" --pop require
	[ "$status" = 12 ]
	enrol -l pending-1 --pop require --wait=5
	stderr_has 'going on with the key'
	resigned 4 2
	server_log_reset
	plays away 'line HTTP/1.1 307 x' 'line Content-Length: 0' \
		"line Location: $EST_TEST_URL/.well-known/est/pop/simpleenroll" 'line '
	works enroll "${raw[@]}" -l away "${me[@]}" "${alone[@]}" --pop require \
		--redirect-to "localhost:$EST_TEST_PORT"
	resigned 3 2
}

@test "pop: on the connection that stays a 202 is followed by the same bytes (R7030-4.2.3-09)" {
	enrol -l pending-1 --pop require --wait=5
	resigned 3 1
	[ "$(server_log 'select(.method == "POST") | .body_sha256' | sort -u | wc -l)" = 1 ]
}

@test "pop: a ready-made request is not linked, which is said, and stops what needs it (R7030-3.5-15)" {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -subj /CN=dev \
		-out plain.csr 2>/dev/null
	for how in require tls-unique tls-exporter; do
		refused 2 'linked' enroll "${trust[@]}" "${account[@]}" --csr plain.csr -o c.pem --pop $how
	done
	nothing_sent
	works enroll "${trust[@]}" "${account[@]}" --csr plain.csr -o c.pem "${tls12[@]}"
	stderr_has 'ready-made request cannot be linked'
	works enroll "${trust[@]}" "${account[@]}" --csr plain.csr -o c.pem "${tls12[@]}" --pop off
	[ ! -s "$ERR" ]
	server_log_reset
	for label in pop pop-7894; do
		refused 3 'CSR attributes ask for .*a ready-made request cannot be linked' enroll "${trust[@]}" \
			"${account[@]}" --csr plain.csr -o other.pem -l $label
	done
	seen 4 '.operation == "csrattrs"'
	no_csr
}

@test "pop: a request with a challengePassword of its own is not taken for one that is linked (R7030-3.5-03 R7030-3.5-07)" {
	enrol --pop require
	csr 2
	rm key.pem cert.pem
	server_log_reset
	refused 2 'challengePassword already' enroll "${trust[@]}" "${account[@]}" --csr got.der -o c.pem
	stderr_has 'pop off'
	no_csr
	# Replayed over another session it proves nothing.
	refused 10 'not that of this TLS session' enroll "${trust[@]}" "${account[@]}" --csr got.der \
		-o c.pem --pop off "${tls12[@]}"
	seen 4 '.linked == "other"'
}

@test "pop: an RA may send what was linked elsewhere; another client may not (R7030-3.7-02 R7894-4-07)" {
	enrol --pop require
	csr 2
	identity ra /CN=ra -addext extendedKeyUsage=1.3.6.1.5.5.7.3.28,clientAuth
	identity client /CN=client -addext extendedKeyUsage=clientAuth
	works enroll "${trust[@]}" --cert ra.pem --key ra.key --csr got.der -o c.pem --pop off
	refused 10 'not that of this TLS session' enroll "${trust[@]}" --cert client.pem --key client.key \
		--csr got.der -o d.pem --pop off
}

@test "pop: a server that ends the extended master secret gets no binding, and no request that needs one (R7030-3.5-14)" {
	server_start --user tester --password-file "$BATS_FILE_TMPDIR/password" \
		--tls-priority NORMAL:-VERS-ALL:+VERS-TLS1.2:%NO_SESSION_HASH
	here=(-s "$EST_TEST_URL" --cacert "$EST_TEST_DIR/root.pem")
	works enroll "${here[@]}" "${me[@]}"
	stderr_has 'cannot be linked.*RFC 7627'
	[ "$(grep -c 'cannot be linked' "$ERR")" = 1 ]
	[ "$(linked)" = '["TLS1.2",null,null]' ]
	rm key.pem cert.pem
	server_log_reset
	for how in require tls-exporter; do
		refused 8 'RFC 7627' enroll "${here[@]}" "${me[@]}" --pop $how
	done
	[ "$(jq -r .error.code "$OUT")" = no-binding ]
	no_csr
	server_stop
}

@test "pop: what cannot be had is refused before anything is sent (R9148-3-02)" {
	helper peer.py tls --cert "$EST_TEST_DIR/server.pem" --key "$EST_TEST_DIR/server.key" --min 1.3 \
		--capture got
	refused 8 'tls-exporter' enroll -s "localhost:$PORT" "${anchor[@]}" "${me[@]}" --pop require
	[ ! -s got ]
	refused 2 '--tls-min 1.3' enroll "${trust[@]}" "${me[@]}" --pop require --tls-min 1.3
	refused 2 '--priority' enroll "${trust[@]}" "${me[@]}" --pop require --priority -VERS-TLS1.2
	refused 2 '--srp-user' enroll "${trust[@]}" "${new[@]}" --srp-user u --password-file \
		"$BATS_FILE_TMPDIR/password" --pop require
	refused 2 "pop: 'nonsense' is none of auto" enroll "${trust[@]}" "${me[@]}" --pop nonsense
	refused 2 'no such option' csr --subject CN=x --key-out k --pop require
	nothing_sent
}

@test "pop: something in between that ends TLS is recognised and named" {
	socat -d -d "OPENSSL-LISTEN:0,bind=127.0.0.1,reuseaddr,fork,verify=0,cert=$EST_TEST_DIR/server.pem,key=$EST_TEST_DIR/server.key" \
		"OPENSSL:localhost:$EST_TEST_PORT,verify=0" 2>socat.log 3>&- &
	HELPERS="${HELPERS:-} $!"
	eventually grep -q 'listening on' socat.log
	proxy=(-s "localhost:$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' socat.log)" "${anchor[@]}")
	mkdir e && cd e || return 1
	refused 10 'not that of this TLS session' enroll "${proxy[@]}" "${me[@]}" "${tls12[@]}"
	stderr_has 'hint: .*something in between ends TLS, such as a proxy'
	[ "$(jq -r .error.code "$OUT")" = binding-refused ]
	refused 10 'not that of this TLS session' enroll "${proxy[@]}" "${me[@]}" --pop tls-exporter
	server_log_reset
	works enroll "${proxy[@]}" "${me[@]}" --pop off
	good_cert cert.pem key.pem
}

@test "pop: OpenSSL's tls-unique and exported keying material are those in the request (R7030-3.5-05 R9266-2-01)" {
	printf 'HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\n' >answer
	helper peer.py tls --cert "$EST_TEST_DIR/server.pem" --key "$EST_TEST_DIR/server.key" \
		--answer answer --capture post --binding unique
	run_est enroll -s "localhost:$PORT" "${anchor[@]}" "${me[@]}" "${alone[@]}" --pop require
	[ "$status" = 10 ]
	stderr_has 'hint: .*--pop off'
	sed '1,/^\r$/d' post | openssl base64 -d -out got.der
	[ -n "$(values challengePassword)" ]
	[ "$(values challengePassword)" = "$(cat unique)" ]

	# shellcheck disable=SC2094 # nothing is read here
	sleep 3 2>/dev/null 3>&- | openssl s_server -accept 0 -naccept 1 -tls1_3 -cert "$EST_TEST_DIR/server.pem" \
		-cert_chain "$EST_TEST_DIR/issuing.pem" -key "$EST_TEST_DIR/server.key" -keymatexport EXPORTER-Channel-Binding \
		-keymatexportlen 32 >s_server 2>&1 3>&- &
	eventually grep -q ^ACCEPT s_server
	run_est enroll -s "localhost:$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' s_server)" "${anchor[@]}" \
		"${me[@]}" "${alone[@]}" --pop tls-exporter -m 1
	[ "$status" = 6 ]
	sed -n '/^Content-Length/,/^DONE/p' s_server | grep -E '^[A-Za-z0-9+/=]{10,64}\r?$' |
		openssl base64 -d -out got.der
	[ "$(values challengePassword | openssl base64 -d -A | xxd -p -c 99)" = \
		"$(sed -n 's/^ *Keying material: //p' s_server | tr A-F a-f)" ]
}

# ---- Secrets ------------------------------------------------------------------------------------

@test "pop: --challenge-file is for servers that take challengePassword for a secret, and is not linked (R7030-3.5-07)" {
	echo s3cret >secret
	enrol -l challenge-s3cret --challenge-file secret "${tls12[@]}" -vv
	run ! grep -q s3cret <(sed 's/challenge-s3cret//g' "$ERR")
	csr 2
	[ "$(values challengePassword)" = s3cret ]
	printf 's3cret\r\n' | enrol -l challenge-s3cret --challenge-file -
	echo wrong >secret
	rm key.pem cert.pem
	refused 10 'not the secret' enroll "${trust[@]}" -l challenge-s3cret "${me[@]}" --challenge-file secret
	refused 10 'not the secret' enroll "${trust[@]}" -l challenge-s3cret "${me[@]}" --pop require
	server_log_reset
	for how in require tls-unique tls-exporter; do
		refused 2 'exclude each other' enroll "${trust[@]}" "${me[@]}" --challenge-file secret --pop $how
	done
	nothing_sent
}

@test "pop: otpChallenge and revocationChallenge from files, judged each on its own (R7894-3.1-01 R7894-3.2-01 R7894-4-03 R7894-4-06 R7894-4-08)" {
	echo 123456 >otp
	echo 'Wiederruf_ä' >revoke
	enrol -l otp-123456 --otp-file otp --revocation-challenge-file revoke --pop require
	[ "$(linked)" = '["TLS1.2","tls-unique","challengePassword"]' ]
	csr 2
	[ "$(values 1.2.840.113549.1.9.16.2.56)$(values id-smime-aa-otpChallenge)" = 123456 ]
	rm key.pem cert.pem
	echo 123457 >wrong
	refused 10 'one-time password' enroll "${trust[@]}" -l otp-123456 "${me[@]}" --otp-file wrong --pop require
	# A good password does not make up for a binding of another session.
	works csr --subject CN=dev --key-out k.pem --otp-file otp --challenge-file wrong -o bad.csr
	refused 10 'not that of this TLS session' enroll "${trust[@]}" -l otp-123456 "${account[@]}" \
		--csr bad.csr -o c.pem --pop off
	enrol --otp-file otp
	works reenroll "${trust[@]}" --force --cert cert.pem --key key.pem -l otp-123456 --otp-file otp
}

@test "pop: est csr puts all three into a request, which only its owner can read (R7894-3-01)" {
	printf 'Plain text' >one
	printf 'under_score' >two
	printf 'ä' >three
	works csr --subject CN=dev --key-out k.pem --challenge-file one --otp-file two \
		--revocation-challenge-file three -o out.csr
	[ "$(stat -c %a out.csr)" = 600 ]
	openssl req -in out.csr -noout -verify
	openssl req -in out.csr -outform DER -out got.der
	openssl asn1parse -inform DER -in got.der >tree
	grep -q 'PRINTABLESTRING *:Plain text' tree
	grep -q 'UTF8STRING *:under_score' tree
	grep -q 'UTF8STRING *:ä' tree
	certtool --crq-info --infile out.csr | grep -q 'Challenge password: Plain text'
}

@test "pop: a secret that is missing, empty, too long or no UTF-8 stops the run before anything is sent" {
	: >empty
	head -c 256 /dev/zero | tr '\0' a >long
	printf '\xff' >broken
	echo secret >good
	for row in challenge-file:empty challenge-file:long otp-file:broken otp-file:none \
		revocation-challenge-file:long revocation-challenge-file:.; do
		refused 3 "${row#*:}: " enroll "${trust[@]}" "${me[@]}" "--${row%:*}" "${row#*:}"
	done
	refused 2 'standard input' enroll "${trust[@]}" "${me[@]}" --otp-file - --challenge-file - </dev/null
	refused 2 'standard input' csr --subject CN=x --key-out k --otp-file - --challenge-file - </dev/null
	openssl req -new -key <(openssl ecparam -name prime256v1 -genkey -noout) -subj /CN=x -out x.csr
	refused 2 'as it is' enroll "${trust[@]}" "${account[@]}" --csr x.csr -o c.pem --otp-file good
	nothing_sent
}

@test "pop: the test server names what its labels need in its CSR attributes (R7030-4.5.2-07 R7894-4-01 R7894-4-02)" {
	for row in 'pop 1.2.840.113549.1.9.7' 'challenge-x 1.2.840.113549.1.9.7' \
		'otp-x 1.2.840.113549.1.9.16.2.56' \
		'pop-7894 1.2.840.113549.1.9.7 1.2.840.113549.1.9.16.2.58'; do
		# shellcheck disable=SC2086 # words
		set -- $row
		works csrattrs "${trust[@]}" -l "$1" --json
		shift
		[ "$(jq -r '.csrattrs[].oid' "$OUT")" = "$(printf '%s\n' "$@")" ]
	done
	refused 10 'estIdentityLinking alone' enroll "${trust[@]}" -l pop-7894 "${me[@]}" "${alone[@]}" \
		--pop require
}

# ---- What the server's CSR attributes ask for ------------------------------------------------------

@test "pop: a server that asks for linking gets it, in the attribute it names, in TLS 1.2 (R7030-3.5-02 R9148-3-02 R7894-3.3-01 R7894-4-04 R7894-4-05)" {
	enrol -l pop --json
	[ "$(jq -c '[.server.binding, .server.connections]' "$OUT")" = '["tls-unique",2]' ]
	[ "$(linked)" = '["TLS1.2","tls-unique","challengePassword"]' ]
	[ "$(server_log 'select(.method == "GET") | .tls')" = '"TLS1.3"' ]
	server_log_reset
	enrol -l pop-7894
	[ "$(linked)" = '["TLS1.2","tls-unique","estIdentityLinking"]' ]
	server_log_reset
	enrol -l pop-7894 --pop tls-exporter
	[ "$(linked)" = '["TLS1.3","tls-exporter","estIdentityLinking"]' ]
	server_log_reset
	works reenroll "${trust[@]}" --force --reuse-key --cert cert.pem --key key.pem -l pop-7894
	[ "$(linked)" = '["TLS1.2","tls-unique","estIdentityLinking"]' ]
}

@test "pop: CSR attributes, linking and enrolment take one connection" {
	for how in '--pop require' '--priority -VERS-TLS1.3' '--pop tls-exporter'; do
		server_log_reset
		# shellcheck disable=SC2086 # words
		enrol -l pop $how --json
		[ "$(jq -c .server.connections "$OUT")" = 1 ]
		seen 1 '.operation == "csrattrs" and .status == 200'
		seen 1 '.operation == "simpleenroll" and .status == 200 and .linked != null'
		[ "$(server_log .conn | sort -u | wc -l)" = 1 ]
	done
}

@test "pop: what a server asks for and does not get stops before the request (R7030-3.5-02 R9908-4-03 R7894-4-03)" {
	echo secret >secret
	for label in pop pop-7894; do
		refused 3 'CSR attributes ask for .*--pop off' enroll "${trust[@]}" -l $label "${me[@]}" --pop off
		refused 3 'linking by tls-unique.*--tls-min 1.3' enroll "${trust[@]}" -l $label "${me[@]}" --tls-min 1.3
	done
	refused 3 'challengePassword holds a secret' enroll "${trust[@]}" -l pop-7894 "${me[@]}" \
		--challenge-file secret
	[ "$(jq -r .error.code "$OUT")" = linking ]
	no_csr
	refused 10 'one-time password' enroll "${trust[@]}" -l otp-1 "${me[@]}"
	stderr_has 'ask for otpChallenge, which needs --otp-file'
}

# ---- Keys that must not sign, or cannot ----------------------------------------------------------

@test "pop: a key for a keyUsage without digitalSignature signs its requests and no handshake (R7030-4.2.1-03)" {
	enrol --key-usage keyEncipherment --key-usage keyAgreement
	good_cert cert.pem key.pem
	csr 2
	openssl req -inform DER -in got.der -noout -verify
	openssl asn1parse -in key.pem | grep -q ':X509v3 Key Usage'
	openssl pkey -in key.pem -check -noout
	certtool --key-info --infile key.pem >/dev/null
	mv cert.pem own.pem
	mv key.pem own.key
	identity plain /CN=dev -addext subjectAltName=DNS:a
	openssl req -new -key own.key -subj /CN=dev -out x.csr
	issue x.csr mild.pem # no keyUsage: the key alone says it
	server_log_reset
	for pair in 'own.pem own.key' 'mild.pem own.key'; do
		# shellcheck disable=SC2086 # words
		set -- $pair
		refused 3 "${1%.pem}.*lacks digitalSignature|own.key.*lacks digitalSignature" cacerts "${trust[@]}" \
			--cert "$1" --key "$2" -o ca.pem
		refused 3 'lacks digitalSignature' reenroll "${trust[@]}" --force --cert "$1" --key "$2"
	done
	[ "$(jq -r .error.code "$OUT")" = cannot-sign ]
	nothing_sent
	# A renewal proves possession with it, and authenticates in another way.
	for cert in own.pem mild.pem; do
		works reenroll "${trust[@]}" -l reenroll-basic --force --cert $cert --key own.key \
			"${account[@]}" -o new.pem
		good_cert new.pem own.key
	done
	seen 0 '.client_subject != null'
	works enroll "${trust[@]}" "${account[@]}" --subject CN=c --combined all.pem --key-usage keyEncipherment
	refused 3 'lacks digitalSignature' cacerts "${trust[@]}" --cert all.pem -o ca.pem
	works csr --subject CN=c --key-out c.key --key-usage nonRepudiation -o c.csr
	openssl asn1parse -in c.key | grep -q ':X509v3 Key Usage'
}

@test "pop: keyUsage with digitalSignature leaves the key as any other (R7030-4.2.1-02)" {
	enrol --key-usage digitalSignature --key-usage keyAgreement
	run ! grep -q ':X509v3 Key Usage' <(openssl asn1parse -in key.pem)
	works cacerts "${trust[@]}" --cert cert.pem --key key.pem -o ca.pem
}

@test "pop: a key that cannot sign makes no request, and the reason is said (R7030-4.2.1-04)" {
	for type in X25519 X448 'DH -pkeyopt dh_param:ffdhe2048'; do
		# shellcheck disable=SC2086 # words
		openssl genpkey -algorithm $type -out agree.key 2>/dev/null
		refused 3 'agrees on secrets cannot sign.*RFC 7030 section 4.2' enroll "${trust[@]}" \
			"${account[@]}" --subject CN=dev --use-key agree.key -o c.pem
	done
	openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out pss.key 2>/dev/null
	refused 3 'RSA-PSS key cannot sign a request here' csr --subject CN=dev --use-key pss.key
	[ "$(jq -r .error.code "$OUT")" = cannot-sign ]
	openssl ecparam -name secp256k1 -genkey -noout -out odd.key
	refused 3 'no private key of a kind that can be used' csr --subject CN=dev --use-key odd.key
	nothing_sent
}
