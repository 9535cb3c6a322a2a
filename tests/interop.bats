#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# shellcheck disable=SC2030,SC2031 # each test has its own helpers
# Servers that share no code with est: a CA of openssl commands behind socat's or s_server's TLS,
# and what est wrote in the eyes of openssl and certtool.

bats_require_minimum_version 1.5.0

load lib/est

setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true CA=$BATS_FILE_TMPDIR/ca
	printf 'pass-Wd-43\n' >"$BATS_FILE_TMPDIR/password"
	mkdir "$CA"
	cd "$CA" || return 1
	for name in root issuing server; do
		openssl ecparam -name prime256v1 -genkey -noout -out $name.key
	done
	openssl req -x509 -new -key root.key -subj '/O=Interop/CN=root' -days 30 -out root.pem \
		-addext 'keyUsage=critical,keyCertSign,cRLSign'
	printf 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n' >ca.ext
	printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >server.ext
	openssl req -new -key issuing.key -subj '/O=Interop/CN=issuing' |
		openssl x509 -req -CA root.pem -CAkey root.key -days 20 -extfile ca.ext -out issuing.pem 2>/dev/null
	openssl req -new -key server.key -subj '/CN=server' |
		openssl x509 -req -CA issuing.pem -CAkey issuing.key -days 10 -extfile server.ext \
			-out leaf.pem 2>/dev/null
	cat leaf.pem issuing.pem >server.pem
	cat root.pem issuing.pem >ca.pem
	openssl crl2pkcs7 -nocrl -certfile ca.pem -outform DER -out ca.p7
}

setup() {
	est_setup
	mkdir "$BATS_TEST_TMPDIR/seen"
	export CA SEEN=$BATS_TEST_TMPDIR/seen
}

teardown() {
	est_teardown
}

# shell_ca [SOCAT TLS OPTION...]: tests/lib/shell-ca behind socat's TLS; sets $at.
shell_ca() {
	local log=$BATS_TEST_TMPDIR/socat options
	options=$(printf ',%s' "${@:-verify=0}")
	socat -d -d "OPENSSL-LISTEN:0,bind=127.0.0.1,fork,reuseaddr,cert=$CA/server.pem,key=$CA/server.key$options" \
		"EXEC:$EST_LIB/shell-ca" 2>"$log" 3>&- &
	HELPERS="${HELPERS:-} $!"
	eventually grep -q 'listening on' "$log"
	PORT=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$log" | head -n 1)
	at=(-s "https://localhost:$PORT" --cacert "$CA/root.pem" -m 30)
}

issued() {
	[ "$(cert_key "$1")" = "$(public_key "$2")" ] &&
		openssl verify -x509_strict -CAfile "$CA/root.pem" -untrusted "$CA/issuing.pem" "$1" &&
		certtool --certificate-info --infile "$1" >/dev/null
}

@test "interop: cacerts from a CA of openssl commands behind socat (R7030-4.1.3-03 R7030-3.3.1-01)" {
	shell_ca
	works cacerts "${at[@]}" -o got.pem --json
	same_certs got.pem "$CA/ca.pem"
	jq -e '.server.vouched_by == "explicit"' "$OUT"
	openssl verify -CAfile got.pem "$CA/leaf.pem"
	certtool --verify --load-ca-certificate got.pem --infile "$CA/server.pem"
}

@test "interop: enrolment there: Basic after the challenge, the CSR verified by openssl (R7030-4.2.1-01 R7030-3.2.3-07)" {
	shell_ca
	works enroll "${at[@]}" "${account[@]}" --subject 'CN=dev,O=Interop' --dns dev.example \
		--key-out key.pem -o cert.pem --chain-out chain.pem
	issued cert.pem key.pem
	same_certs chain.pem "$CA/issuing.pem"
	[ "$(openssl x509 -in cert.pem -noout -subject -nameopt RFC2253)" = 'subject=CN=dev,O=Interop' ]
	[ "$(cat "$SEEN/log")" = $'GET /.well-known/est/csrattrs none\nPOST /.well-known/est/simpleenroll none\nPOST /.well-known/est/simpleenroll Basic' ] ||
		grep -q 'GET /.well-known/est/cacerts none' "$SEEN/log"
	cmp "$SEEN/body" <(openssl req -inform DER -in "$SEEN/csr.der" -outform DER | base64 -w 64)
	certtool --crq-info --inder --infile "$SEEN/csr.der" >/dev/null
}

@test "interop: every key type is signed by openssl and read back (R7030-3.4-01)" {
	shell_ca
	for type in ec:p256 ec:p384 ec:p521 rsa:2048 ed25519 ed448; do
		works enroll "${at[@]}" "${account[@]}" --subject CN=dev --new-key $type --force \
			--key-out key.pem -o cert.pem
		issued cert.pem key.pem
		certtool --key-info --infile key.pem >/dev/null
	done
}

@test "interop: the certificate is renewed and serves as a TLS identity (R7030-4.2.2-01)" {
	shell_ca
	works enroll "${at[@]}" "${account[@]}" --subject CN=dev --dns dev.example --key-out key.pem -o cert.pem
	cp cert.pem old.pem
	est_teardown
	HELPERS=
	shell_ca "verify=1,cafile=$CA/ca.pem"
	works reenroll "${at[@]}" --force --cert cert.pem --key key.pem --fullchain -o cert.pem
	issued cert.pem key.pem
	run ! cmp -s cert.pem old.pem
	[ "$(openssl x509 -in cert.pem -noout -ext subjectAltName)" = \
		"$(openssl x509 -in old.pem -noout -ext subjectAltName)" ]
	grep -q 'POST /.well-known/est/simplereenroll none' "$SEEN/log"
}

@test "interop: with a wrong password nothing is signed" {
	shell_ca
	echo wrong >wrong
	ONCE=1 refused 9 401 enroll "${at[@]}" -u tester --password-file wrong --subject CN=dev \
		--key-out key.pem -o cert.pem
	[ ! -e "$SEEN/csr.der" ]
	[ "$(wc -l <"$SEEN/log")" = 3 ]
}

@test "interop: openssl s_server -HTTP plays a recorded answer" {
	mkdir -p .well-known/est
	{
		printf 'HTTP/1.0 200 OK\r\nContent-Type: application/pkcs7-mime\r\n\r\n'
		base64 "$CA/ca.p7"
	} >.well-known/est/cacerts
	mkfifo fifo
	exec 7<>fifo
	for version in -tls1_2 -tls1_3; do
		openssl s_server -accept 127.0.0.1:0 -cert "$CA/leaf.pem" -cert_chain "$CA/issuing.pem" \
			-key "$CA/server.key" $version -HTTP <&7 >"s_server$version" 2>&1 3>&- &
		HELPERS="${HELPERS:-} $!"
		eventually grep -q ^ACCEPT "s_server$version"
		PORT=$(sed -n 's/^ACCEPT.*://p' "s_server$version" | head -n 1)
		works cacerts -s "https://localhost:$PORT" --cacert "$CA/root.pem" -m 20
		same_certs "$OUT" "$CA/ca.pem"
	done
}

@test "interop: gnutls-serv's handshake, without EST behind it" {
	PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	gnutls-serv --http -p "$PORT" --x509certfile "$CA/server.pem" --x509keyfile "$CA/server.key" \
		>serv.log 2>&1 3>&- &
	HELPERS="${HELPERS:-} $!"
	eventually grep -q 'listening' serv.log
	run_est cacerts -s "https://localhost:$PORT" --cacert "$CA/root.pem" -m 20 --json
	# It answers every GET with an HTML page.
	[ "$status" = 13 ] || [ "$status" = 10 ]
	jq -e '.server.vouched_by == "explicit"' "$OUT"
}

@test "interop: the samples of RFC 7030 are read: bag, request, certificate" {
	vectors=$EST_TEST_ROOT/tests/data/vectors
	works inspect --json "$vectors/rfc7030-a1-cacerts-response.b64" \
		"$vectors/rfc7030-a3-simpleenroll-request.b64" "$vectors/rfc7030-a3-simpleenroll-response.b64"
	[ "$(jq '.requests | length' "$OUT")" = 1 ]
	for bag in a1-cacerts-response a3-simpleenroll-response; do
		openssl pkcs7 -inform DER -in "$vectors/rfc7030-$bag.der" -print_certs >>all.pem
	done
	[ "$(jq '.certificates | length' "$OUT")" = "$(grep -c BEGIN all.pem)" ]
	jq -r '.certificates[].serial' "$OUT" | sed 's/^0*//' | sort >ours
	awk '/BEGIN CERT/ { n++ } n { print > ("cert-" n ".pem") }' all.pem
	for cert in cert-*.pem; do
		openssl x509 -in "$cert" -noout -serial | sed 's/serial=0*//' | tr A-F a-f
	done | sort | diff ours -
}
