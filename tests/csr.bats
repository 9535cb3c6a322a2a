#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# est csr: keys and requests made offline, read and verified by openssl and certtool.

bats_require_minimum_version 1.5.0

load lib/est

setup() {
	est_setup
}

# valid FILE: for openssl and certtool, in PEM.
valid() {
	openssl req -in "$1" -noout -verify 2>&1 | grep -qi 'verif.* OK'
	certtool --crq-info --infile "$1" | grep -q 'Self signature: verified'
}

text() {
	openssl req -in "$1" -noout -text -nameopt RFC2253
}

@test "csr: a new key and a request for it (R7030-3.1-01 R7030-3.4-01)" {
	works csr --subject CN=dev --dns a.example --key-out key.pem -o out.csr
	[ ! -s "$OUT" ]
	[ ! -s "$ERR" ]
	[ "$(ls -A)" = $'key.pem\nout.csr' ]
	valid out.csr
	same_key out.csr key.pem
	[ "$(stat -c %a key.pem)" = 600 ]
	[ "$(head -n 1 out.csr)" = '-----BEGIN CERTIFICATE REQUEST-----' ]
	[ "$(head -n 1 key.pem)" = '-----BEGIN PRIVATE KEY-----' ]
	text out.csr | grep -q 'Version: 1 (0x0)'
}

@test "csr: every key type has its usual signature" {
	while read -r type algorithm; do
		works csr --subject CN=dev --new-key "$type" --key-out key.pem --force -o out.csr
		valid out.csr
		same_key out.csr key.pem
		text out.csr | grep -qi "Signature Algorithm: $algorithm"
	done <<-'TYPES'
		ec:p256 ecdsa-with-SHA256
		ec:p384 ecdsa-with-SHA384
		ec:p521 ecdsa-with-SHA512
		rsa:2048 sha256WithRSAEncryption
		rsa:4096 sha256WithRSAEncryption
		ed25519 ED25519
		ed448 ED448
	TYPES
}

@test "csr: to stdout, PEM or DER, and nothing else there" {
	openssl genpkey -algorithm ed25519 -out mine.key
	works csr --subject CN=dev --use-key mine.key
	cp "$OUT" a.csr
	valid a.csr
	works csr --subject CN=dev --use-key mine.key --outform der
	openssl req -in a.csr -outform DER | cmp - "$OUT"
	works csr --subject CN=dev --use-key mine.key --outform pem -o -
	cmp "$OUT" a.csr
}

@test "csr: names of every kind, in the order of openssl's reading" {
	works csr --subject 'CN=dev,OU=a,O=Example,C=DE' --dns a.example --dns b.example --ip 192.0.2.1 \
		--ip 2001:db8::1 --email a@b.example --uri https://x.example/y --key-out key.pem -o out.csr
	valid out.csr
	text out.csr >words
	grep -q 'Subject: CN=dev,OU=a,O=Example,C=DE' words
	grep -A 1 'Subject Alternative Name' words | tail -n 1 | tr -d ' ' | grep -qF \
		'DNS:a.example,DNS:b.example,IPAddress:192.0.2.1,IPAddress:2001:DB8:0:0:0:0:0:1,email:a@b.example,URI:https://x.example/y'
	[ "$(grep -c 'X509v3' words)" = 1 ]
}

@test "csr: a request without a subject has a critical subjectAltName (RFC 5280 4.1.2.6)" {
	works csr --dns a.example --key-out key.pem -o out.csr
	text out.csr | grep -q 'Alternative Name: critical'
	works csr --subject CN=x --dns a.example --key-out key.pem --force -o out.csr
	run ! grep -q 'Alternative Name: critical' <(text out.csr)
}

@test "csr: no challengePassword, no attribute but extensionRequest (R7030-3.5-07)" {
	works csr --subject CN=dev --dns a.example --key-out key.pem -o out.csr
	run ! grep -qi challengePassword <(text out.csr)
	[ "$(openssl asn1parse -in out.csr | grep -c 'cont \[ 0 \]')" = 1 ]
	[ "$(openssl asn1parse -in out.csr | grep -c 'Extension Request')" = 1 ]
	works csr --subject CN=dev --key-out key.pem --force -o out.csr
	[ "$(openssl asn1parse -in out.csr | grep -c 'Extension Request')" = 0 ]
}

@test "csr: keyUsage and extKeyUsage by every name" {
	works csr --subject CN=dev --key-out key.pem -o out.csr \
		--key-usage digitalSignature --key-usage nonRepudiation --key-usage keyEncipherment \
		--key-usage dataEncipherment --key-usage keyAgreement --ext-key-usage serverAuth \
		--ext-key-usage clientAuth --ext-key-usage codeSigning --ext-key-usage emailProtection \
		--ext-key-usage timeStamping --ext-key-usage OCSPSigning --ext-key-usage 1.2.3.4
	text out.csr >words
	grep -A 1 'X509v3 Key Usage' words | grep -q \
		'Digital Signature, Non Repudiation, Key Encipherment, Data Encipherment, Key Agreement'
	grep -A 1 'Extended Key Usage' words | grep -q 'TLS Web Server Authentication, TLS Web Client Authentication, Code Signing, E-mail Protection, Time Stamping, OCSP Signing, 1.2.3.4'
	valid out.csr
}

@test "csr: without a name, a key or with both kinds of key it is a usage error" {
	refused 2 'name' csr --key-out key.pem
	refused 2 'key' csr --subject CN=x
	openssl genpkey -algorithm ed25519 -out mine.key
	refused 2 'key' csr --subject CN=x --use-key mine.key --key-out key.pem
	refused 2 'key' csr --subject CN=x --use-key mine.key --new-key ed25519
}

@test "csr: a hash that the key cannot use is refused" {
	openssl genpkey -algorithm ed25519 -out mine.key
	run_est csr --subject CN=x --use-key mine.key --hash sha256
	[ "$status" = 2 ]
	refused 2 'hash|md5' csr --subject CN=x --key-out k.pem --hash md5
	refused 2 'hash|sha1' csr --subject CN=x --key-out k.pem --hash sha1
	[ ! -e k.pem ]
}

@test "csr: --key-out - would mix key and request, or make a file of that name" {
	refused 2 'key-out|-' csr --subject CN=x --key-out -
	[ -z "$(ls -A)" ]
}

@test "csr: a weak key is refused" {
	openssl genrsa -out weak.key 1024 2>/dev/null
	refused 3 '1024|2048|weak|short' csr --subject CN=x --use-key weak.key
}

@test "csr: when the request cannot be written no key is left either" {
	mkdir dir
	refused 4 'dir' csr --subject CN=x --key-out key.pem -o dir
	refused 4 'no/dir' csr --subject CN=x --key-out key.pem -o no/dir/out.csr
	status=0
	"$EST" csr --subject CN=x --key-out key.pem >/dev/full 2>"$ERR" || status=$?
	[ "$status" = 4 ]
	[ "$(ls -A)" = dir ]
}

@test "csr: long names and many: bounded, not cut" {
	names=()
	for i in {1..200}; do
		names+=(--dns "host-$i.example")
	done
	works csr --key-out key.pem -o out.csr "${names[@]}"
	valid out.csr
	[ "$(text out.csr | grep -o 'DNS:' | wc -l)" = 200 ]
	long=$(head -c 63 /dev/zero | tr '\0' a)
	works csr --key-out key.pem --force -o out.csr --dns "$long.$long.example"
	text out.csr | grep -q "DNS:$long.$long.example"
}

@test "csr: --json says what was made, never the key" {
	works csr --subject CN=dev --dns a.example --key-out key.pem -o out.csr --json
	jq -es 'length == 1 and (.[0] | .ok and .applet == "csr")' "$OUT"
	run ! grep -q PRIVATE "$OUT"
	run ! grep -qF "$(sed -n 2p key.pem)" "$OUT"
}

@test "csr: --dry-run writes nothing" {
	works csr --subject CN=dev --key-out key.pem -o out.csr -n
	[ -z "$(ls -A)" ]
}

@test "csr: it asks no server and opens no socket" {
	traced csr --subject CN=dev --key-out key.pem -o out.csr
	[ "$status" = 0 ]
	run ! grep -qE 'socket\(AF_INET|connect\(' "$BATS_TEST_TMPDIR/trace"
}
