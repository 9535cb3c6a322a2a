#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=once
# shellcheck disable=SC2030,SC2031,SC2154 # stderr is set by run
# The test server, proved with curl, openssl and strongSwan: none of our own client code.

bats_require_minimum_version 1.5.0

load lib/server
load lib/client

setup() {
	client_setup
}

# Under a sanitizer a leak makes the exit status of the server.
teardown() {
	server_stop
}

# ---- CA certificates ---------------------------------------------------------------------------

@test "server: an anonymous GET of cacerts works (R7030-4.1.2-03 R7030-3.2.2-01 R7030-4.1.3-01)" {
	[ "$(get "$est/cacerts")" = 200 ]
	[ "$(head_field Content-Type)" = application/pkcs7-mime ]
	[ "$(unpack)" = 2 ]
	[ "$(server_log '[.operation, .status, .auth_ok, .authorization, .client_subject]')" = \
		'["cacerts",200,null,null,null]' ]
}

@test "server: cacerts has the root and what chains to it (R7030-4.1.3-04 R7030-4.1.3-05)" {
	get "$est/cacerts"
	[ "$(unpack)" = 2 ]
	openssl x509 -in "$EST_TEST_DIR/root.pem" -outform DER -out root.der
	for cert in cert-1.pem cert-2.pem; do
		openssl x509 -in $cert -noout -subject
		openssl x509 -in $cert -outform DER -out one.der
		cmp -s one.der root.der && root=yes
		openssl verify -CAfile "$EST_TEST_DIR/root.pem" $cert
	done
	[ "$root" = yes ]
}

@test "server: cacerts is certs-only SignedData in base64 of DER (R7030-4.1.3-03 R8951-3-01)" {
	get "$est/cacerts"
	base64 -d body >bag.der
	# Definite lengths, id-data without content, no digests, no signers.
	openssl asn1parse -inform DER -in bag.der >tree
	run ! grep -q 'l= *inf' tree
	[ "$(grep -c ':pkcs7-data$' tree)" = 1 ]
	[ "$(grep -A 1 ':pkcs7-data$' tree | grep -c 'cont \[ 0 \]')" = 1 ]
	[ "$(grep -c 'd=3.*SET *$' tree)" = 2 ]
	[ "$(grep 'd=3.*SET *$' tree | grep -c 'l= *0')" = 2 ]
}

@test "server: the CA keys are for nobody else, the certificates follow the profile (R7030-3.3.1-03)" {
	for key in root issuing server; do
		[ "$(stat -c %a "$EST_TEST_DIR/$key.key")" = 600 ]
	done
	run -0 openssl x509 -in "$EST_TEST_DIR/issuing.pem" -noout -text
	[[ "$output" == *"CA:TRUE, pathlen:0"* ]]
	[[ "$output" == *"Certificate Sign, CRL Sign"* ]]
	run -0 openssl x509 -in "$EST_TEST_DIR/server.pem" -noout -text
	[[ "$output" == *"CA:FALSE"* ]]
	[[ "$output" == *"TLS Web Server Authentication"* ]]
	[[ "$output" == *"DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1"* ]]
	run -0 openssl verify -x509_strict -purpose sslserver -CAfile "$EST_TEST_DIR/root.pem" \
		-untrusted "$EST_TEST_DIR/issuing.pem" "$EST_TEST_DIR/server.pem"
}

@test "server: two labels give two CA bags, unknown labels change nothing (R7030-3.2.2-04 R7030-3.2.2-06)" {
	get "$est/no-root/cacerts"
	[ "$(unpack)" = 1 ]
	openssl x509 -in cert-1.pem -noout -subject | grep 'issuing'
	get "$est/no-issuing/cacerts"
	[ "$(unpack)" = 1 ]
	openssl x509 -in cert-1.pem -noout -subject | grep 'root'
	get "$est/nobody/knows%20this/cacerts"
	[ "$(unpack)" = 2 ]
	[ "$(server_log .label)" = $'"no-root"\n"no-issuing"\n"knows this"' ]
}

@test "server: a label cannot be the name of an operation (R7030-3.2.2-05)" {
	for label in cacerts csrattrs simpleenroll simplereenroll fullcmc serverkeygen %63acerts; do
		[ "$(get "$est/$label/cacerts")" = 404 ]
	done
	[ "$(get "$est//cacerts")" = 404 ]
	[ "$(get "$EST_TEST_URL/est/cacerts")" = 404 ]
}

@test "server: operations that are not offered answer 404 (R7030-3.2.2-03 R7030-4.4-02)" {
	csr -subj /CN=a
	[ "$(post "$est/serverkeygen" "${account[@]}")" = 404 ]
	[ "$(post "$est/fullcmc" "${account[@]}")" = 404 ]
	[ "$(get "$est/nonsense")" = 404 ]
	[ "$(head_field Content-Type)" = text/plain ]
}

@test "server: a wrong method is refused with Allow" {
	csr -subj /CN=a
	[ "$(post "$est/cacerts")" = 405 ]
	[ "$(head_field Allow)" = GET ]
	[ "$(get "$est/simpleenroll")" = 405 ]
	[ "$(head_field Allow)" = POST ]
}

@test "server: a bag of a thousand certificates, each of them one" {
	get "$est/bag-1000/cacerts"
	[ "$(unpack)" = 1002 ]
	openssl verify -CAfile cert-500.pem cert-500.pem
	[ "$(openssl pkcs7 -inform DER -in bag.der -print_certs -noout | grep -c '^subject=')" = 1002 ]
	[ "$(openssl pkcs7 -inform DER -in bag.der -print_certs -noout | grep '^subject=' |
		sort -u | wc -l)" = 1002 ]
}

# ---- Enrolment ---------------------------------------------------------------------------------

@test "server: enrolment with Basic gives a certificate for our key (R7030-3.2.2-02 R7030-4.2.3-01)" {
	csr -subj /CN=device/O=test -addext subjectAltName=DNS:device.example,IP:192.0.2.1 \
		-addext keyUsage=critical,digitalSignature -addext extendedKeyUsage=clientAuth
	[ "$(post "$est/simpleenroll" "${account[@]}")" = 200 ]
	[ "$(head_field Content-Type)" = 'application/pkcs7-mime; smime-type=certs-only' ]
	[ "$(unpack)" = 1 ]
	same_key cert-1.pem
	openssl verify -x509_strict -CAfile "$EST_TEST_DIR/ca.pem" cert-1.pem
	run -0 openssl x509 -in cert-1.pem -noout -text
	[[ "$output" == *"Subject: CN = device, O = test"* ]]
	[[ "$output" == *"DNS:device.example, IP Address:192.0.2.1"* ]]
	[[ "$output" == *"Key Usage: critical"*"Digital Signature"* ]]
	[[ "$output" == *"TLS Web Client Authentication"* ]]
	[[ "$output" == *"CA:FALSE"* ]]
	cmp <(openssl x509 -in cert-1.pem) "$EST_TEST_DIR/$(server_log .issued | tr -d '"')"
	cmp csr.der "$EST_TEST_DIR/$(server_log .csr | tr -d '"')"
	[ "$(server_log .body_sha256)" = "\"$(sha256sum <csr.b64 | cut -d ' ' -f 1)\"" ]
}

@test "server: subject and SAN of the request are copied byte for byte" {
	csr -utf8 -subj '/CN=Gerät/OU=x/OU=y' -addext subjectAltName=critical,otherName:1.2.3.4\;UTF8:x
	[ "$(post "$est/simpleenroll" "${account[@]}")" = 200 ]
	unpack
	openssl x509 -in cert-1.pem -outform DER | hex >cert.hex
	openssl asn1parse -inform DER -in csr.der -strparse \
		"$(openssl asn1parse -inform DER -in csr.der | sed -n '4s/:.*//p')" -noout -out name.der
	grep -q "$(hex <name.der)" cert.hex
	# From the OID to the end of the otherName, as it stands in the request.
	san=$(hex <csr.der | grep -o '0603551d110101ff.*06032a0304.*0c0178')
	[ -n "$san" ]
	grep -q "$san" cert.hex
}

@test "server: an empty subject is issued as it is" {
	csr -subj / -addext subjectAltName=critical,DNS:only.example
	[ "$(post "$est/simpleenroll" "${account[@]}")" = 200 ]
	unpack
	[ "$(openssl x509 -in cert-1.pem -noout -subject)" = subject= ]
}

@test "server: an RSA key is certified too" {
	openssl genrsa -out key.pem 2048 2>/dev/null
	csr -subj /CN=rsa
	[ "$(post "$est/simpleenroll" "${account[@]}")" = 200 ]
	unpack
	same_key cert-1.pem
}

@test "server: a client certificate alone is enough (R7030-3.2.3-04 R7030-3.3.2-02)" {
	enrolled -subj /CN=first
	server_log_reset
	[ "$(post "$est/simpleenroll" "${identity[@]}")" = 200 ]
	[ "$(server_log '[.status, .client_subject, .client_trusted, .authorization, .auth_ok]')" = \
		'[200,"CN=first",true,null,true]' ]
	[ "$(server_log .client_sha256)" = "\"$(openssl x509 -in old.pem -outform DER | sha256sum |
		cut -d ' ' -f 1)\"" ]
}

@test "server: without authentication there is a challenge (R7030-4.2-05 R7030-3.2.3-06)" {
	csr -subj /CN=a
	[ "$(post "$est/simpleenroll")" = 401 ]
	[ "$(head_field WWW-Authenticate)" = 'Basic realm="EST test server", charset="UTF-8"' ]
	[ "$(server_log '[.status, .issued, .auth_ok]')" = '[401,null,false]' ]
}

@test "server: a wrong password or user is challenged again" {
	csr -subj /CN=a
	for wrong in tester:pass-Wd-44 tester: other:pass-Wd-43 tester:pass-Wd-43x :; do
		[ "$(post "$est/simpleenroll" -u "$wrong")" = 401 ]
		[ -n "$(head_field WWW-Authenticate)" ]
	done
	[ "$(post "$est/simpleenroll" -H 'Authorization: Basic !!!!')" = 401 ]
	[ "$(post "$est/simpleenroll" -H 'Authorization: Bearer abc')" = 401 ]
	[ "$(server_count '.auth_ok == false and .issued == null')" = 7 ]
}

@test "server: a client certificate of another CA is not trusted (R7030-3.3.2-06)" {
	csr -subj /CN=stranger
	openssl x509 -req -in csr.der -inform DER -signkey key.pem -days 1 -out self.pem 2>/dev/null
	[ "$(post "$est/simpleenroll" --cert self.pem --key key.pem)" = 403 ]
	grep 'not trusted' body
	[ "$(server_log '[.client_subject, .client_trusted]')" = '["CN=stranger",false]' ]
}

@test "server: an expired client certificate is not trusted (R7030-3.3.2-06)" {
	csr -subj /CN=late
	[ "$(post "$est/expired/simpleenroll" "${account[@]}")" = 200 ]
	unpack
	[ "$(post "$est/simpleenroll" --cert cert-1.pem --key key.pem)" = 403 ]
	grep 'expired' body
}

# maker NAME [EXTENSION]: NAME.pem for NAME.key, of a third party.
maker() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -subj "/CN=$1" \
		-out "$1.csr" 2>/dev/null
	openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -days 1 -out "$1.pem" \
		-extfile <(echo "${2:-extendedKeyUsage=clientAuth}") 2>/dev/null
}

@test "server: who may enrol and renew, by TLS and HTTP identity; the anchors are kept apart (R7030-3.7-01 R7030-3.3.2-07)" {
	local cert password label operation due got
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem \
		-subj /CN=maker -days 2 2>/dev/null
	maker device
	maker ra extendedKeyUsage=1.3.6.1.5.5.7.3.28,clientAuth
	server_stop
	server_start --user tester --password-file password --client-ca ca.pem
	est=$EST_TEST_URL/.well-known/est
	enrolled -subj /CN=own
	openssl x509 -req -in csr.der -inform DER -signkey key.pem -days 1 -out self.pem 2>/dev/null
	server_log_reset
	while read -r cert password label operation due; do
		[ "$label" = - ] && label='' || label=/$label
		set -- "$est$label/$operation"
		case $cert in
		own) set -- "$@" "${identity[@]}" ;;
		self) set -- "$@" --cert self.pem --key key.pem ;;
		maker) set -- "$@" --cert device.pem --key device.key ;;
		esac
		[ "$password" = - ] || set -- "$@" -u "tester:$password"
		got=$(post "$@")
		[ "$got" = "$due" ] || {
			echo "$cert $password $label $operation: $got, $due is due: $(cat body)"
			return 1
		}
	done <<-'ROWS'
		-     -          -          simpleenroll   401
		-     pass-Wd-43 -          simpleenroll   200
		-     wrong      -          simpleenroll   401
		-     pass-Wd-43 auth-cert  simpleenroll   403
		-     pass-Wd-43 -          simplereenroll 403
		own   -          -          simpleenroll   200
		own   -          -          simplereenroll 200
		own   -          auth-basic simpleenroll   401
		own   pass-Wd-43 auth-basic simpleenroll   200
		own   wrong      -          simpleenroll   401
		maker -          -          simpleenroll   200
		maker -          auth-cert  simpleenroll   200
		maker -          -          simplereenroll 403
		maker pass-Wd-43 -          simplereenroll 403
		self  -          -          simpleenroll   403
		self  pass-Wd-43 -          simpleenroll   200
		self  pass-Wd-43 auth-cert  simpleenroll   403
		self  pass-Wd-43 -          simplereenroll 403
	ROWS
	[ "$(server_log .client_vouched_by | sort | uniq -c | tr -s ' ' | tr '\n' ,)" = \
		' 5 "explicit", 4 "implicit", 9 null,' ]
	# A third party makes nobody a registration authority here.
	printf '[req]\nprompt=no\ndistinguished_name=dn\nattributes=a\n[dn]\nCN=x\n[a]\nchallengePassword=c29tZQ==\n' >conf
	csr -config conf
	[ "$(post "$est/simpleenroll" --cert ra.pem --key ra.key)" = 400 ]
	grep 'not that of this TLS session' body
}

@test "server: bad bodies are refused with a text (R7030-4.2.3-02 R7030-4.2.3-04 R8951-5-01)" {
	csr -subj /CN=a
	cp csr.b64 good
	for bad in '' '!!!!' "$(tr '+/' '-_' <good)*" "$(head -c 41 good)" 'TUlJQw==' "$(cat good)A" \
		"$(cat good good)" "-----BEGIN CERTIFICATE REQUEST-----"; do
		printf '%s' "$bad" >csr.b64
		[ "$(post "$est/simpleenroll" "${account[@]}")" = 400 ]
		[ "$(head_field Content-Type)" = text/plain ]
		[ -s body ]
	done
	openssl x509 -in "$EST_TEST_DIR/root.pem" -outform DER | base64 >csr.b64
	[ "$(post "$est/simpleenroll" "${account[@]}")" = 400 ]
	[ "$(server_count '.issued != null')" = 0 ]
}

@test "server: white space in the base64 is ignored, Content-Transfer-Encoding too (R8951-3.1-01 R8951-3-02)" {
	csr -subj /CN=a
	sed 's/./& \t/g; s/$/\r/' csr.b64 >spread
	mv spread csr.b64
	[ "$(post "$est/simpleenroll" "${account[@]}" -H 'Content-Transfer-Encoding: binary')" = 200 ]
	base64 -w 0 csr.der >csr.b64
	[ "$(post "$est/simpleenroll" "${account[@]}" -H 'Content-Transfer-Encoding: quoted-printable')" = 200 ]
}

@test "server: a request whose signature is wrong is refused" {
	csr -subj /CN=a
	python3 - <<'PY'
der = bytearray(open("csr.der", "rb").read())
der[-1] ^= 1
open("csr.der", "wb").write(der)
PY
	base64 <csr.der >csr.b64
	[ "$(post "$est/simpleenroll" "${account[@]}")" = 400 ]
	grep signature body
	[ "$(server_count '.issued != null')" = 0 ]
}

@test "server: another Content-Type is refused (R7030-3.2.4-01)" {
	csr -subj /CN=a
	for type in text/plain application/pkcs10x application/x-pkcs10; do
		[ "$(get "${account[@]}" -H "Content-Type: $type" --data-binary @csr.b64 \
			"$est/simpleenroll")" = 415 ]
	done
	[ "$(get "${account[@]}" -H 'Content-Type;' --data-binary @csr.b64 "$est/simpleenroll")" = 415 ]
	[ "$(server_count '.issued != null')" = 0 ]
}

@test "server: a body of more than a MiB is refused" {
	head -c 1100000 /dev/zero | tr '\0' 'A' >csr.b64
	[ "$(post "$est/simpleenroll" "${account[@]}")" = 413 ]
}

# ---- Re-enrolment ------------------------------------------------------------------------------

@test "server: renewal with the same key (R7030-4.2-02 R7030-4.2.2-03)" {
	enrolled -subj /CN=re -addext subjectAltName=DNS:re.example
	csr -subj /CN=re -addext subjectAltName=DNS:re.example
	[ "$(post "$est/simplereenroll" "${identity[@]}")" = 200 ]
	[ "$(unpack)" = 1 ]
	same_key cert-1.pem
	[ "$(openssl x509 -in cert-1.pem -noout -serial)" != "$(openssl x509 -in old.pem -noout -serial)" ]
}

@test "server: rekeying with another key (R7030-4.2.2-03)" {
	enrolled -subj /CN=re
	mv key.pem old.key
	csr -subj /CN=re
	[ "$(post "$est/simplereenroll" --cert old.pem --key old.key)" = 200 ]
	unpack
	same_key cert-1.pem
}

@test "server: re-enrolment needs the client certificate, a password is not enough" {
	csr -subj /CN=re
	[ "$(post "$est/simplereenroll" "${account[@]}")" = 403 ]
	[ "$(post "$est/simplereenroll")" = 403 ]
	[ "$(post "$est/anon/simplereenroll")" = 403 ]
	[ -z "$(head_field WWW-Authenticate)" ]
	[ "$(server_count '.issued != null')" = 0 ]
}

@test "server: re-enrolment for another subject is refused" {
	enrolled -subj /CN=re/O=x
	server_log_reset
	for subject in /CN=other/O=x /O=x/CN=re /CN=re /CN=RE/O=x; do
		csr -subj "$subject"
		[ "$(post "$est/simplereenroll" "${identity[@]}")" = 400 ]
		grep 'subject of the request' body
	done
	# The same text in another string type is another encoding.
	cat >printable.cnf <<-'CNF'
		[req]
		string_mask = pkix
		distinguished_name = dn
		[dn]
	CNF
	csr -config printable.cnf -subj /CN=re/O=x
	[ "$(post "$est/simplereenroll" "${identity[@]}")" = 400 ]
	[ "$(server_count '.issued != null')" = 0 ]
}

@test "server: re-enrolment with another SubjectAltName is refused" {
	enrolled -subj /CN=re -addext subjectAltName=DNS:a.example,DNS:b.example
	for san in DNS:a.example DNS:b.example,DNS:a.example DNS:a.example,DNS:c.example; do
		csr -subj /CN=re -addext "subjectAltName=$san"
		[ "$(post "$est/simplereenroll" "${identity[@]}")" = 400 ]
		grep 'SubjectAltName' body
	done
	csr -subj /CN=re
	[ "$(post "$est/simplereenroll" "${identity[@]}")" = 400 ]
	csr -subj /CN=re -addext subjectAltName=DNS:a.example,DNS:b.example
	[ "$(post "$est/simplereenroll" "${identity[@]}")" = 200 ]
}

# ---- Who may, by label (R7030-3.2.3-01) -----------------------------------------------------------

@test "server: anon enrols anybody" {
	csr -subj /CN=a
	[ "$(post "$est/anon/simpleenroll")" = 200 ]
}

@test "server: auth-cert takes no password (R7030-3.2.3-01)" {
	enrolled -subj /CN=a
	[ "$(post "$est/auth-cert/simpleenroll" "${account[@]}")" = 403 ]
	[ -z "$(head_field WWW-Authenticate)" ]
	[ "$(post "$est/auth-cert/simpleenroll" "${identity[@]}")" = 200 ]
}

@test "server: auth-basic wants a password besides the certificate (R7030-3.2.3-01)" {
	enrolled -subj /CN=a
	[ "$(post "$est/auth-basic/simpleenroll" "${identity[@]}")" = 401 ]
	[ "$(post "$est/auth-basic/simpleenroll" "${account[@]}")" = 200 ]
	[ "$(post "$est/auth-basic/simplereenroll" "${identity[@]}")" = 401 ]
	[ "$(post "$est/auth-basic/simplereenroll" "${identity[@]}" "${account[@]}")" = 200 ]
}

# ---- CSR attributes ------------------------------------------------------------------------------

@test "server: csrattrs without a list (R7030-4.5-02)" {
	[ "$(get "$est/csrattrs")" = 204 ]
	[ ! -s body ]
	[ "$(get "$est/csrattrs-204/csrattrs")" = 204 ]
	[ "$(get "$est/csrattrs-404/csrattrs")" = 404 ]
	: >body
	[ "$(get "$est/csrattrs-empty/csrattrs")" = 200 ]
	[ ! -s body ]
	[ "$(head_field Content-Type)" = application/csrattrs ]
}

@test "server: csrattrs with a list (R7030-4.5.2-01 R7030-4.5.2-03 R8951-4-01)" {
	[ "$(get "$est/csrattrs-none/csrattrs")" = 200 ]
	[ "$(cat body)" = MAA= ]
	[ "$(get "$est/csrattrs-rfc/csrattrs")" = 200 ]
	[ "$(head_field Content-Type)" = application/csrattrs ]
	base64 -d body | openssl asn1parse -inform DER >tree
	grep -q challengePassword tree
	grep -q secp384r1 tree
	grep -q ecdsa-with-SHA384 tree
}

# ---- Waiting -------------------------------------------------------------------------------------

@test "server: pending-2 holds each key back twice (R7030-4.2-07 R7030-4.2.3-05 R7030-4.2.3-13)" {
	for _ in 1 2; do
		csr -subj /CN=a # ECDSA: another signature, the same key
		[ "$(post "$est/pending-2/simpleenroll" "${account[@]}")" = 202 ]
		[ "$(head_field Retry-After)" = 1 ]
		[ -s body ]
	done
	[ "$(post "$est/pending-2/simpleenroll" "${account[@]}")" = 200 ]
	unpack
	same_key cert-1.pem
	rm key.pem
	csr -subj /CN=a
	[ "$(post "$est/pending-2/simpleenroll" "${account[@]}")" = 202 ]
}

@test "server: 202 for good, with any Retry-After or none" {
	csr -subj /CN=a
	[ "$(post "$est/retry-after-Fri%2C%2031%20Dec%201999%2023%3A59%3A59%20GMT/simpleenroll" \
		"${account[@]}")" = 202 ]
	[ "$(head_field Retry-After)" = 'Fri, 31 Dec 1999 23:59:59 GMT' ]
	[ "$(get "$est/retry-after-+5/cacerts")" = 202 ]
	[ "$(head_field Retry-After)" = +5 ]
	[ "$(post "$est/no-retry-after/simpleenroll" "${account[@]}")" = 202 ]
	[ -z "$(head_field Retry-After)" ]
	[ "$(post "$est/no-retry-after/simpleenroll")" = 401 ]
	[ "$(server_count '.issued != null')" = 0 ]
}

# ---- TLS -----------------------------------------------------------------------------------------

@test "server: TLS 1.2 and 1.3 and nothing older, no NULL or anonymous suites (R7030-3.3-04 R7030-3.2.3-03 R7030-3.3-03)" {
	get --tlsv1.2 --tls-max 1.2 "$est/cacerts"
	get --tlsv1.3 "$est/cacerts"
	[ "$(server_log .tls)" = $'"TLS1.2"\n"TLS1.3"' ]
	for flags in '-tls1_1 -cipher ALL:@SECLEVEL=0' '-tls1 -cipher ALL:@SECLEVEL=0' \
		'-tls1_2 -cipher NULL:@SECLEVEL=0' '-tls1_2 -cipher aNULL:@SECLEVEL=0'; do
		# shellcheck disable=SC2086
		run -1 openssl s_client -connect "localhost:$EST_TEST_PORT" $flags </dev/null
		[[ "$output" == *"no peer certificate available"* ]]
	done
	run ! curl -sS --max-time 10 "http://localhost:$EST_TEST_PORT/.well-known/est/cacerts"
}

@test "server: no renegotiation is asked for, neither after the CSR attributes nor while a request is under way (R7030-3.5-09)" {
	csr -subj /CN=once
	{
		printf 'GET /.well-known/est/csrattrs-rfc/csrattrs HTTP/1.1\r\nHost: localhost\r\n\r\n'
		printf 'POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n'
		printf 'Content-Type: application/pkcs10\r\nAuthorization: Basic %s\r\nContent-Length: %u\r\n\r\n' \
			"$(printf 'tester:pass-Wd-43' | base64)" "$(stat -c %s csr.b64)"
		cat csr.b64
	} | timeout 20 openssl s_client -tls1_2 -msg -ign_eof -connect "localhost:$EST_TEST_PORT" \
		-CAfile "$EST_TEST_DIR/root.pem" >out 2>&1
	[ "$(grep -ac '^HTTP/1.1 200' out)" = 2 ]
	[ "$(grep -ac 'ClientHello' out)" = 1 ]
	run ! grep -a HelloRequest out
}

@test "server: a session is resumed (R7030-3.3-05)" {
	for port in "$EST_TEST_PORT" "$EST_TEST_RAW_PORT"; do
		rm -f session
		for flag in '-sess_out session' '-sess_in session'; do
			# shellcheck disable=SC2086
			printf 'GET /.well-known/est/x/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' |
				timeout 20 openssl s_client -ign_eof -quiet -connect "localhost:$port" \
					-CAfile "$EST_TEST_DIR/root.pem" $flag >out 2>&1
		done
	done
	[ "$(server_log 'select(.event == null) | [.listener, .resumed]')" = \
		$'["http",false]\n["http",true]\n["raw",false]\n["raw",true]' ]
}

# ---- Another program's client: strongSwan ----------------------------------------------------------

@test "server: strongSwan gets the CA certificates and enrols, renews with the result" {
	pki --estca --url "$est/wrap-0" --cacert "$EST_TEST_DIR/root.pem" --caout ca --force
	cmp ca.der <(openssl x509 -in "$EST_TEST_DIR/root.pem" -outform DER)
	cmp ca-1.der <(openssl x509 -in "$EST_TEST_DIR/issuing.pem" -outform DER)
	csr -subj /CN=swan -addext subjectAltName=DNS:swan.example
	trust=(--cacert "$EST_TEST_DIR/root.pem" --cacert "$EST_TEST_DIR/issuing.pem")
	pki --est --url "$est/wrap-0" "${trust[@]}" --userpass tester:pass-Wd-43 --in csr.der \
		--outform pem >swan.pem
	same_key swan.pem
	openssl verify -CAfile "$EST_TEST_DIR/ca.pem" swan.pem
	pki --est --url "$est/wrap-0" "${trust[@]}" --cert swan.pem --key key.pem --in csr.der \
		--outform pem >again.pem
	same_key again.pem
	[ "$(server_log '[.label, .operation, .status]')" = "$(printf '["wrap-0","%s",200]\n' cacerts \
		simpleenroll simplereenroll)" ]
}

@test "server: strongSwan works with a server started with --wrap 0" {
	server_stop
	server_start --wrap 0
	pki --estca --url "$EST_TEST_URL" --cacert "$EST_TEST_DIR/root.pem" --caout ca --force
	cmp ca.der <(openssl x509 -in "$EST_TEST_DIR/root.pem" -outform DER)
}
