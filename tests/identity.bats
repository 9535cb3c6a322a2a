#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2153,SC2154 # lib/est.bash sets and reads them
# shellcheck disable=SC2030,SC2031 # each test has its own
# The TLS client certificate: what is looked at before anything is sent, what goes to the server,
# and what is said when the server does not take it.  The servers are openssl's.

bats_require_minimum_version 1.5.0

load lib/est

# cert NAME ISSUER EXTENSIONS [OPENSSL X509 OPTION...]: NAME.pem for dev.key.
cert() {
	local name=$1 ca=$2 extensions=$3
	shift 3
	openssl req -new -key "${KEY:-dev}.key" -subj "/CN=$name" -out csr
	printf '%b\n' "$extensions" >ext
	${FAKE:-} openssl x509 -req -in csr -CA "$ca.pem" -CAkey "$ca.key" -days 10 -extfile ext \
		-out "$name.pem" "$@" 2>/dev/null
}

setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true
	cd "$BATS_FILE_TMPDIR" || return 1
	printf 'pass-Wd-43\n' >password
	local name ca='basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign'
	for name in root stranger sub dev; do
		openssl ecparam -name prime256v1 -genkey -noout -out $name.key
	done
	for name in root stranger; do
		openssl req -x509 -new -key $name.key -subj /CN=$name -days 30 -out $name.pem \
			-addext keyUsage=critical,keyCertSign
	done
	KEY=sub cert sub root "$ca"
	cert server root 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth'
	cert good root 'keyUsage=digitalSignature\nextendedKeyUsage=clientAuth'
	cert below sub 'extendedKeyUsage=clientAuth'
	cat below.pem stranger.pem sub.pem root.pem >chain.pem
	cert foreign stranger 'extendedKeyUsage=clientAuth'
	cert no-signing root 'keyUsage=keyAgreement'
	cert for-mail root 'extendedKeyUsage=emailProtection'
	FAKE='faketime -f -20d' cert expired root 'extendedKeyUsage=clientAuth'
	FAKE='faketime -f +5d' cert early root 'extendedKeyUsage=clientAuth'
}

setup() {
	est_setup
	pki=$BATS_FILE_TMPDIR
}

teardown() {
	est_teardown
}

# s_server OPTION...: openssl's server, which prints what it decrypts to $log.
s_server() {
	log=$BATS_TEST_TMPDIR/s_server
	[ -p "$BATS_TEST_TMPDIR/fifo" ] || mkfifo "$BATS_TEST_TMPDIR/fifo"
	exec 7<>"$BATS_TEST_TMPDIR/fifo"
	: >"$log"
	openssl s_server -accept 127.0.0.1:0 -cert "$pki/server.pem" -key "$pki/dev.key" \
		-CAfile "$pki/root.pem" "$@" <&7 >"$log" 2>&1 3>&- &
	HELPERS="${HELPERS:-} $!"
	eventually grep -q '^ACCEPT' "$log"
	PORT=$(sed -n 's/^ACCEPT.*://p' "$log" | head -n 1)
	at=(-s "https://localhost:$PORT" --cacert "$pki/root.pem")
}

# alerted CERT PATTERN: exit 8, and a message that tells the side and the certificate.
alerted() {
	local cert=$1
	shift
	run_est enroll "${at[@]}" --cert "$pki/$cert.pem" --key "$pki/dev.key" "${new[@]}" -m 5
	[ "$status" = 8 ] || {
		explain "exit 8 is due"
		return 1
	}
	stderr_has "$1"
	run_est enroll "${at[@]}" --cert "$pki/$cert.pem" --key "$pki/dev.key" "${new[@]}" -m 5 --json
	[ "$(jq -r .error.code "$OUT")" = alert ]
	run ! grep -aq POST "$log"
}

# A run against a port where nobody is: what is said before connecting.
before_connecting() {
	run_est cacerts -s https://localhost:1 --cacert "$pki/root.pem" "$@" -m 5
}

@test "identity: what a certificate is not good for is said before connecting (R7030-3.3.2-06)" {
	local line
	for line in 'expired|it has expired.*ends on 20.*renew it' 'early|it is not valid yet.*clock' \
		'for-mail|its extKeyUsage lacks clientAuth'; do
		before_connecting --cert "$pki/${line%%|*}.pem" --key "$pki/dev.key"
		[ "$status" = 5 ]
		head -n 1 "$ERR" | grep -qE "${line%%|*}.pem cannot authenticate a TLS client: ${line#*|}"
		[ "$(grep -c 'cannot authenticate' "$ERR")" = 1 ]
	done
	# This one no server could let pass.
	before_connecting --cert "$pki/no-signing.pem" --key "$pki/dev.key"
	[ "$status" = 3 ]
	head -n 1 "$ERR" | grep -q 'no-signing.pem cannot authenticate a TLS client: its keyUsage lacks digitalSignature'
	before_connecting --cert "$pki/good.pem" --key "$pki/dev.key"
	run ! grep -q 'cannot authenticate' "$ERR"
}

@test "identity: a key that is another's, a certificate that is none: nothing is sent (R7030-3.3.2-06)" {
	for line in 'good.pem sub.key key-mismatch' 'dev.key dev.key input' 'good.pem good.pem input' \
		'missing dev.key input' 'good.pem missing input'; do
		read -r cert key reason <<<"$line"
		before_connecting --cert "$pki/$cert" --key "$pki/$key" --json
		[ "$status" = 3 ]
		[ "$(jq -r .error.code "$OUT")" = "$reason" ]
	done
}

@test "identity: the leaf alone by default, its chain with --send-chain (R7030-3.3.2-02)" {
	s_server -Verify 3 -verify_return_error
	# The server has the root alone: without the intermediate it does not know the CA.
	for version in -tls1_2 -tls1_3; do
		s_server -Verify 3 -verify_return_error $version
		alerted chain 'unknown.*: the server does not know the CA of our client certificate, CN=below, valid until 20'
		stderr_has 'hint: --send-chain'
		run_est enroll "${at[@]}" --cert "$pki/chain.pem" --key "$pki/dev.key" "${new[@]}" -m 1 --send-chain --csrattrs ignore
		grep -aq 'POST /.well-known/est/simpleenroll' "$log"
		# Neither strangers nor the root go along.
		grep -aqE '^depth=1 CN = sub' "$log"
		run ! grep -aq 'CN = stranger' "$log"
		rm -f key.pem.est-*
	done
	ONCE=1 refused 2 'chain of --cert, which is missing' cacerts "${at[@]}" --send-chain
	before_connecting --cert "$pki/good.pem" --key "$pki/dev.key" --send-chain
	stderr_has 'good.pem has no certificate of the CA.*--send-chain adds nothing'
}

@test "identity: alerts name the side, the certificate and its end (R7030-3.3.2-06)" {
	s_server -Verify 3 -verify_return_error
	alerted expired 'certificate is expired.*: the server takes for expired our client certificate, CN=expired, which expired on 20..-..-.. ..:..:.. UTC'
	alerted foreign 'unknown.*the server.*our client certificate, CN=foreign, valid until'
	alerted early 'bad.*: the server cannot use our client certificate, CN=early, valid until'
	alerted for-mail 'not supported.*: the server does not support our client certificate, CN=for-mail, valid until'
	for version in -tls1_2 -tls1_3; do
		s_server -Verify 3 -verify_return_error $version
		run_est enroll "${at[@]}" -u x --password-file "$pki/password" "${new[@]}" -m 5
		[ "$status" = 8 ]
		stderr_has 'alert .*: the server had asked for a client certificate, and we have none'
		stderr_has 'hint: .*--cert'
		run ! grep -aqE 'POST|Authorization' "$log"
	done
	stderr_has 'certificate is required'
}
