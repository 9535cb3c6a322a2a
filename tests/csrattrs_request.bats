#!/usr/bin/env bats
# bats file_tags=once
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# What the CA wants in a request, and the request that comes of it: enroll, reenroll, csr --from.

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	vectors=$EST_TEST_ROOT/tests/data/vectors
	me=("${trust[@]}" "${account[@]}" "${new[@]}")
	filled=(--dns www.myserver.com --ip 192.0.2.1 --ext-key-usage clientAuth)
}

# wants NAME HEX: CSR attributes for the label csrattrs-file-NAME, the elements of the list in hex.
wants() {
	local hex=${2//[[:space:]]/}
	printf '30%02x%s' $((${#hex} / 2)) "$hex" | xxd -r -p >"$EST_TEST_DIR/$1.csrattrs"
}

# The text of the request that the server issued for.
issued_request() {
	openssl req -inform DER -noout -verify -text -nameopt RFC2253 \
		-in "$EST_TEST_DIR/$(server_log 'select(.issued) | .csr' | tr -d '"' | tail -n 1)"
}

# An extensionRequest: one extension of these bytes.
ext_req() {
	local ext=${1//[[:space:]]/}
	local n=$((${#ext} / 2))
	printf '30%02x06092a864886f70d01090e31%02x30%02x30%02x%s' $((n + 17)) $((n + 4)) $((n + 2)) $n "$ext"
}

# ---- enroll ----------------------------------------------------------------------------------------

@test "enroll: asks the CA what it wants, then sends that, on one connection (R7030-2.6-01 R7030-4.5-01 R7030-4.5.2-06 R7030-4.5.2-08 R7030-4.5.2-09)" {
	works enroll "${me[@]}" -l csrattrs-p384 --json
	jq -e '.server.connections == 1 and (.explanation[0].wants | test("secp384r1")) and
		(.explanation[0].does | test("ec:p384, signed with sha384"))' "$OUT"
	[ "$(server_log '[.method, .operation, .status]')" = '["GET","csrattrs",200]
["POST","simpleenroll",401]
["POST","simpleenroll",200]' ]
	[ "$(server_log .conn | sort -u | wc -l)" = 1 ]
	good_cert cert.pem key.pem
	openssl pkey -in key.pem -noout -text | grep -q secp384r1
	issued_request | grep -q 'Signature Algorithm: ecdsa-with-SHA384'
	# A client certificate authenticates, and then two requests are all.
	identity dev /CN=dev
	server_log_reset
	works enroll "${trust[@]}" --cert dev.pem --key dev.key --subject CN=x --key-out k -o c -l csrattrs-p384
	seen 2 true
	[ "$(server_log .conn | sort -u | wc -l)" = 1 ]
	# The server means it.
	refused 10 'P-384' enroll "${me[@]}" --force -l csrattrs-p384 --csrattrs ignore
	seen 2 '.operation == "csrattrs" or .status == 200'
}

@test "enroll: without CSR attributes the options alone count; --csrattrs require insists (R7030-4.5.2-02 R7030-4.5.2-05)" {
	plays none-501 'line HTTP/1.1 501 x' 'line Content-Length: 0' 'line ' next \
		'line HTTP/1.1 200 OK' 'line Content-Type: application/pkcs7-mime; smime-type=certs-only' \
		'send Content-Length: ' 'length issued-b64' 'send \r\n\r\n' 'insert issued-b64'
	for label in none csrattrs-204 csrattrs-404 csrattrs-empty csrattrs-none; do
		ONCE=1 refused 10 'no CSR attributes' enroll "${me[@]}" -l $label --csrattrs require
		works enroll "${me[@]}" --force -l $label --json
		jq -e '.server.connections == 1 and (.explanation // [] | length == 0)' "$OUT"
		rm key.pem cert.pem
	done
	works enroll "${raw[@]}" "${account[@]}" "${new[@]}" -l none-501
	run_est enroll "${trust[@]}" "${account[@]}" "${new[@]}" --force --csrattrs require --json
	[ "$(jq -r .error.code "$OUT")" = no-csrattrs ]
}

@test "enroll: the options fill a template, in its order (R9908-3.4-04 R9908-3.4-05 R9908-3.4-11 R9908-3.4-12)" {
	works enroll "${me[@]}" "${filled[@]}" -l csrattrs-template -v
	stderr_has 'the CA wants subject organizationalUnitName=myDept: is put in'
	issued_request >text
	grep -q 'Subject: OU=myGroup,OU=myDept,CN=dev$' text
	grep -q 'DNS:www.myServer.com, IP Address:192.0.2.1' text
	grep -A 1 'Key Usage: critical' text | grep -q 'Digital Signature, Key Agreement'
	grep -A 1 'Extended Key Usage' text | grep -q 'TLS Web Client Authentication'
	good_cert cert.pem key.pem
}

@test "enroll: what cannot be satisfied is exit 3 before any request leaves, both sides named (R7030-4.5.2-10 R9908-3.4-13)" {
	while IFS='|' read -r code pattern label options; do
		read -ra words <<<"$options"
		ONCE=1 refused 3 "$pattern" enroll "${me[@]}" -l "$label" "${words[@]}"
		run_est enroll "${me[@]}" -l "$label" "${words[@]}" --json
		[ "$(jq -r .error.code "$OUT")" = "csrattrs-$code" ] || { cat "$OUT"; return 1; }
	done <<-'CASES'
		conflict|secp384r1.*the key is ec:p256|csrattrs-p384|--new-key ec:p256
		conflict|ecdsa-with-SHA384: --hash is sha256|csrattrs-p384|--hash sha256
		unfilled|subjectAltName ip.*given with --ip|csrattrs-template|--dns www.myServer.com --ext-key-usage clientAuth
		unfilled|extKeyUsage.*--ext-key-usage|csrattrs-template|--dns www.myServer.com --ip 192.0.2.1
		refused|www.myServer.com: --dns has to name it|csrattrs-template|--dns other.example --ip 192.0.2.1
		conflict|no place for organizationName=x of --subject|csrattrs-template|--subject CN=dev,O=x
		refused|rsaEncryption 65536|csrattrs-absurd|
	CASES
	no_csr
	[ -z "$(ls -A)" ]
}

@test "enroll: a CA certificate, or names that nobody has named, are not asked for" {
	wants ca "$(ext_req '0603551d130101ff040530030101ff')"
	wants sign "$(ext_req '0603551d0f0101ff040403020106')"
	wants evil "$(ext_req '0603551d11040e300c820a6576696c2e6c6f63616c')"
	refused 3 'certificate of a CA' enroll "${me[@]}" -l csrattrs-file-ca
	refused 3 'keyUsage.*certificate of a CA' enroll "${me[@]}" -l csrattrs-file-sign
	refused 3 'dns:evil.local' enroll "${me[@]}" -l csrattrs-file-evil
	refused 3 'dns:evil.local' enroll "${me[@]}" -l csrattrs-file-evil --dns good.local
	no_csr
	works enroll "${me[@]}" -l csrattrs-file-evil --dns evil.local
	openssl x509 -in cert.pem -noout -ext subjectAltName | grep -q 'DNS:evil.local'
}

@test "enroll: what is not known is ignored, as the RFC's own examples want it (R7030-4.5.2-04 R9908-5.2-01)" {
	cp "$vectors/rfc7030-a2-csrattrs.der" "$EST_TEST_DIR/a2.csrattrs"
	cp "$vectors/rfc9908-4-legacy-and-template.b64" "$EST_TEST_DIR/both.csrattrs"
	works enroll "${me[@]}" -l csrattrs-file-a2
	issued_request | grep -q 'Signature Algorithm: ecdsa-with-SHA384'
	# Beside a template the list does not count (R9908-4-02): no RSA key of 4096 bits.
	works enroll "${me[@]}" --force "${filled[@]}" -l csrattrs-file-both
	openssl pkey -in key.pem -noout -text | grep -q prime256v1
}

@test "enroll: CSR attributes that are broken, or that the server does not let out, end it; there is a hint" {
	printf '3003020101' | xxd -r -p >"$EST_TEST_DIR/broken.csrattrs"
	wants template "301a060b2a864886f70d010910023d310b3009020101a1043002a200"
	while read -r exit label; do
		refused "$exit" . enroll "${me[@]}" -l "$label"
		[[ "$label" == @(html|status-403) ]] || jq -e '.error.hint | test("--csrattrs ignore does not ask")' "$OUT"
	done <<-'LABELS'
		13 csrattrs-file-broken
		13 csrattrs-file-template
		13 html
		11 status-500
		9 status-403
	LABELS
	no_csr
	works enroll "${me[@]}" -l csrattrs-file-broken --csrattrs ignore
}

@test "enroll: a server that wants to know who asks for CSR attributes is told (R7030-4.5-02)" {
	works enroll "${me[@]}" -l basic
	[ "$(server_log '[.operation, .status, .authorization]')" = '["csrattrs",401,null]
["csrattrs",204,"Basic"]
["simpleenroll",200,"Basic"]' ]
	[ "$(server_log .conn | sort -u | wc -l)" = 1 ]
}

@test "enroll: a ready request is sent as it is, whatever the CA wants in it; only linking stops it (R7030-3.5-15)" {
	works csr --subject CN=dev --key-out k -o dev.csr
	works enroll "${trust[@]}" "${account[@]}" --csr dev.csr -o cert.pem -l csrattrs-template
	refused 10 'P-384' enroll "${trust[@]}" "${account[@]}" --csr dev.csr -o c -l csrattrs-p384
	seen 3 '.operation == "csrattrs"'
	refused 3 'challengePassword.*ready-made' enroll "${trust[@]}" "${account[@]}" --csr dev.csr -o c -l csrattrs-rfc
	stderr_has 'hint: .*--csrattrs ignore'
	works enroll "${trust[@]}" "${account[@]}" --csr dev.csr -o cert.pem -l csrattrs-rfc --csrattrs ignore
	seen 5 '.operation == "csrattrs"'
	[ "$(server_log 'select(.issued) | .csr' | wc -l)" = 2 ]
	refused 2 'sent as it is' enroll "${trust[@]}" "${account[@]}" --csr dev.csr -o c --csrattrs require
	refused 2 "csrattrs: '.*' is none of auto" enroll "${me[@]}" --csrattrs sometimes
	refused 2 "csrattrs: '.*' is none of auto" reenroll "${trust[@]}" --cert cert.pem --key k --csrattrs no
}

@test "enroll: what is wrong here is found before the CA is asked" {
	openssl genpkey -algorithm ed25519 -out mine.key
	server_log_reset
	refused 2 subject enroll "${me[@]:0:8}" --subject nonsense --key-out key.pem -o cert.pem
	refused 2 'ec:p999' enroll "${me[@]}" --new-key ec:p999
	refused 2 hash enroll "${me[@]:0:8}" --subject CN=x --use-key mine.key --hash sha384 -o cert.pem
	refused 3 'not-there' enroll "${me[@]:0:8}" --subject CN=x --use-key not-there -o cert.pem
	echo mine >key.pem
	refused 4 'key.pem' enroll "${me[@]}"
	refused 4 'no/dir' enroll "${me[@]:0:8}" --subject CN=x --key-out no/dir/k -o cert.pem
	refused 2 'name' enroll "${me[@]:0:8}" --key-out k -o cert.pem
	nothing_sent
	works enroll "${me[@]}" --force -n
	nothing_sent
}

@test "enroll: with --csrattrs require the CA may bring the name (R9908-3.2-01)" {
	cp "$vectors/rfc9908-5.1-acp-san.der" "$EST_TEST_DIR/acp.csrattrs"
	works enroll "${me[@]:0:8}" --key-out key.pem -o cert.pem -l csrattrs-file-acp --csrattrs require
	issued_request | grep -A 1 'Subject Alternative Name: critical' | grep -q 'othername'
	refused 2 name enroll "${me[@]:0:8}" --key-out k -o cert.pem -l csrattrs-rfc --csrattrs require
}

@test "enroll: what the CA wants linked is linked, in the attribute that it names (R7030-3.5-02 R7894-4-04 R9908-4-03)" {
	works enroll "${me[@]}" -l pop --json
	jq -e '.server.tls == "TLS1.2"' "$OUT"
	issued_request | grep -q challengePassword
	works enroll "${me[@]}" --force -l pop-7894
	issued_request >text
	grep -q '1.2.840.113549.1.9.16.2.58' text
	run ! grep -q challengePassword text
	cp "$vectors/rfc9908-4-legacy-and-template.der" "$EST_TEST_DIR/both.csrattrs"
	server_log_reset
	rm key.pem
	refused 3 'challengePassword.*--pop off' enroll "${me[@]}" --pop off -l csrattrs-rfc
	refused 3 'challengePassword.*--pop off' enroll "${me[@]}" --pop off -l csrattrs-file-both "${filled[@]}"
	no_csr
}

@test "enroll: --max-time is for the server, not for a key that takes long to make" {
	status=0
	strace -qq -o /dev/null -e trace=flock -e inject=flock:delay_enter=2200000 \
		"$EST" enroll "${me[@]}" -l csrattrs-p384 -m 2 2>"$ERR" || status=$?
	[ "$status" = 0 ]
	good_cert cert.pem key.pem
}

# ---- reenroll --------------------------------------------------------------------------------------

@test "reenroll: a new key is the one that the CA wants, the names stay (R7030-4.2.2-02)" {
	identity dev /CN=dev -addext subjectAltName=DNS:a.example
	id=(--cert dev.pem --key dev.key)
	wants mix "301206072a8648ce3d0201310706052b81040022 $(ext_req '0603551d11040e300c820a6576696c2e6c6f63616c')"
	works reenroll "${trust[@]}" "${id[@]}" --key-out new.key -o new.pem -l csrattrs-file-mix
	good_cert new.pem new.key
	openssl pkey -in new.key -noout -text | grep -q secp384r1
	[ "$(openssl x509 -in new.pem -noout -ext subjectAltName)" = \
		"$(openssl x509 -in dev.pem -noout -ext subjectAltName)" ]
	server_log_reset
	refused 3 'secp384r1.*the key is ec:p256' reenroll "${trust[@]}" "${id[@]}" --new-key ec:p256 \
		--key-out k -o c -l csrattrs-file-mix
	no_csr
	refused 10 'no CSR attributes' reenroll "${trust[@]}" "${id[@]}" --key-out k -o c --csrattrs require
	no_csr
}

# ---- csr --from, csrattrs --explain ----------------------------------------------------------------

@test "csr: --from makes the request that the standards' examples ask for, offline (R7030-4.5.2-04 R9908-4-02)" {
	for file in "$vectors"/rfc7030-*csrattrs.b64 "$vectors"/rfc7030-4.5.2-empty.der "$vectors"/rfc9908-*.der; do
		name=()
		[[ "$file" != *template* ]] || name=("${filled[@]}")
		[[ "$file" != *acp* ]] || name=(--hash sha512)
		[[ "$file" != *printed* ]] || name=()
		works csr --from "$file" --subject CN=dev --key-out key.pem --force -o out.csr "${name[@]}"
		openssl req -in out.csr -noout -verify 2>&1 | grep -q OK
		certtool --crq-info --infile out.csr | grep -q 'Self signature: verified'
		same_key out.csr key.pem
	done
	works csr --from "$vectors/rfc9908-3.4-template.der" --subject CN=dev --key-out key.pem --force --json \
		"${filled[@]}"
	jq -es 'length == 1 and (.[0] | .request.verified and .request.key == "EC P-256" and
		.request.sans == ["dns:www.myServer.com", "ip:192.0.2.1"] and
		.request.key_usage == ["digitalSignature", "keyAgreement"] and
		(.explanation | length == 8) and (.csr | startswith("-----BEGIN")))' "$OUT"
	openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out rsa.key 2>/dev/null
	refused 3 'secp384r1.*the key is rsa:2048' csr --from "$vectors/rfc9908-5.5-p384.b64" \
		--subject CN=dev --use-key rsa.key
	refused 3 'commonName' csr --from "$vectors/rfc9908-3.4-template.der" --key-out k
	refused 3 'not-there' csr --from not-there --subject CN=dev --key-out k
	echo nonsense >bad
	refused 3 . csr --from bad --subject CN=dev --key-out k
	refused 2 'name' csr --from "$vectors/rfc9908-5.5-p384.b64" --key-out k
	[ ! -e k ]
}

@test "csrattrs: --explain says what the CA wants and what est does, in words and in JSON (R7030-4.5.2-04)" {
	works csrattrs "${trust[@]}" -l csrattrs-rfc --explain
	[ "$(cut -d: -f 1 "$OUT")" = 'challengePassword
ecPublicKey secp384r1, ecdsa-with-SHA384
macAddress' ]
	cp "$OUT" words
	works csrattrs "${trust[@]}" -l csrattrs-rfc --explain --json
	jq -r '.explanation[] | .wants + ": " + .does' "$OUT" | cmp - words
	works csrattrs "${trust[@]}" -l csrattrs-absurd --explain
	grep -q 'rsaEncryption 65536: no such key' "$OUT"
	grep -q 'basicConstraints.*: est asks for no certificate of a CA' "$OUT"
	works csrattrs "${trust[@]}" -l csrattrs-204 --explain
	[ ! -s "$OUT" ]
	# A template of RFC 8295 is recognised, and not used.
	printf '30123010060a2a864886f70d0109190531023000' | xxd -r -p >8295.der
	works csrattrs --from 8295.der --explain
	grep -q '^pkcs7PDU: a template as in RFC 8295, which is not used$' "$OUT"
	refused 2 explain csrattrs "${trust[@]}" --explain --outform der
}
