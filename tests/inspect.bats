#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What is in a file: every kind that est inspect knows, and what it says of broken ones.

bats_require_minimum_version 1.5.0

load lib/est

vectors=$EST_TEST_ROOT/tests/data/vectors

setup() {
	est_setup
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem \
		-subj '/O=Example/CN=Test root' -days 30 2>/dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout leaf.key -out leaf.csr \
		-subj /CN=leaf -addext subjectAltName=DNS:leaf.example,IP:192.0.2.7 2>/dev/null
	openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -set_serial 0x1234 -days 7 \
		-copy_extensions copyall -out leaf.pem 2>/dev/null
}

# value NAME: what the lines of that name hold, in order.
value() { sed -n "s/^$1: *//p" "$OUT"; }

@test "inspect: a certificate is shown as lines of name and value" {
	works inspect leaf.pem
	[ "$(value object)" = certificate ]
	[ "$(value file)" = leaf.pem ]
	[ "$(value subject)" = CN=leaf ]
	[ "$(value issuer)" = 'CN=Test root,O=Example' ]
	[ "$(value serial)" = 1234 ]
	[ "$(value key)" = 'EC P-384' ]
	[ "$(value san)" = $'dns:leaf.example\nip:192.0.2.7' ]
	[ "$(value ca)" = no ]
	[ "$(value self-signed)" = no ]
	[ "$(value sha256)" = "$(openssl x509 -in leaf.pem -outform DER | sha256sum | cut -d ' ' -f 1)" ]
	[[ "$(value not-after)" =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$ ]]
	[ ! -s "$ERR" ]
}

@test "inspect: several files, objects apart by an empty line" {
	works inspect ca.pem leaf.csr ca.key
	[ "$(value object)" = $'certificate\nrequest\nprivate key' ]
	[ "$(grep -c '^$' "$OUT")" = 2 ]
	[ "$(value self-signed)" = yes ]
	[ "$(value verified)" = yes ]
}

@test "inspect: a private key is named and nothing of it is shown" {
	openssl pkcs8 -topk8 -in leaf.key -passout pass:x -out encrypted.key
	openssl pkey -in leaf.key -outform DER -out key.der
	works inspect leaf.key encrypted.key key.der
	[ "$(value object)" = $'private key\nencrypted private key\nprivate key' ]
	[ "$(wc -l <"$OUT")" = 11 ]
}

@test "inspect: PEM, DER, base64 and bags of all of these say the same" {
	openssl x509 -in leaf.pem -outform DER -out leaf.der
	openssl crl2pkcs7 -nocrl -certfile leaf.pem -out bag.pem
	openssl crl2pkcs7 -nocrl -certfile leaf.pem -outform DER -out bag.der
	base64 bag.der >bag.b64
	base64 -w 0 leaf.der >leaf.b64
	for file in leaf.pem leaf.der bag.pem bag.der bag.b64 leaf.b64; do
		works inspect - <"$file"
		mv "$OUT" "$file.out"
		cmp leaf.pem.out "$file.out"
	done
	[ "$(sed -n 's/^file: *//p' leaf.pem.out)" = 'standard input' ]
}

@test "inspect: the CA certificates of RFC 7030 A.1 are shown in their order (R7030-4.1.3-07)" {
	works inspect "$vectors/rfc7030-a1-cacerts-response.b64"
	[ "$(value subject)" = "$(printf 'CN=estExampleCA %s\n' OwO NwO OwN NwN)" ]
	[ "$(value self-signed | tr '\n' ' ')" = 'yes no no yes ' ]
}

@test "inspect: CSR attributes that nobody knows are shown and ignored (R7030-4.5.2-04)" {
	works inspect "$vectors/rfc7030-a2-csrattrs.b64"
	[ "$(value object)" = csrattrs ]
	[ "$(value attribute)" = $'2.999.1 (ignored)\n2.999.2 (ignored)' ]
	works inspect "$vectors/rfc7030-4.5.2-empty.der"
	[ "$(value demands)" = none ]
}

@test "inspect: a request's challengePassword is mentioned, its value is not" {
	works inspect "$vectors/rfc7030-a3-simpleenroll-request.b64"
	[ "$(value challenge)" = present ]
	run ! grep -q 'rrCir' "$OUT"
}

@test "inspect: JSON has the same facts in one object" {
	works inspect --json leaf.pem leaf.csr ca.key
	jq -es 'length == 1 and (.[0] | .ok and .applet == "inspect" and
		(.certificates | length == 1 and (.[0] | .subject == "CN=leaf" and .serial == "1234" and
			.sans == ["dns:leaf.example", "ip:192.0.2.7"] and .ca == false and
			.path_len == null and .file == "leaf.pem" and .index == 1)) and
		(.requests | length == 1 and .[0].verified) and
		.keys[0].kind == "private key" and .broken == [])' "$OUT"
	run ! grep -q 'BEGIN\|PRIVATE' "$OUT"
}

@test "inspect: a broken certificate among good ones is reported and does not hide them" {
	{
		cat ca.pem
		printf -- '-----BEGIN CERTIFICATE-----\nMIIB!\n-----END CERTIFICATE-----\n'
		cat leaf.pem
		printf -- '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n'
	} >mixed.pem
	run_est inspect -q mixed.pem
	[ "$status" = 3 ]
	[ "$(value subject)" = $'CN=Test root,O=Example\nCN=leaf' ]
	stderr_has 'mixed.pem: object 2 at offset [0-9]+: .*base64'
	stderr_has 'mixed.pem: object 4 at offset [0-9]+: .*not a valid certificate'
	run_est inspect --json mixed.pem
	[ "$status" = 3 ]
	jq -e '(.certificates | length == 2) and ([.broken[].index] == [2, 4]) and .error.exit == 3' \
		"$OUT"
}

@test "inspect: a wrong file among good ones is reported and does not hide them" {
	echo '<html>502 Bad Gateway</html>' >page.html
	run_est inspect ca.pem page.html missing leaf.pem
	[ "$status" = 3 ]
	[ "$(value object)" = $'certificate\ncertificate' ]
	stderr_has 'page.html: looks like an HTML'
	stderr_has 'missing: cannot open'
}

@test "inspect: a file of another kind is named for what it looks like" {
	openssl pkcs12 -export -in leaf.pem -inkey leaf.key -passout pass:x -out leaf.p12
	echo '{"errors": []}' >answer.json
	gzip -c leaf.pem >leaf.pem.gz
	echo hello >hello.txt
	: >nothing
	refused 3 'leaf.p12: looks like a PKCS#12 file' inspect leaf.p12
	refused 3 'answer.json: looks like JSON' inspect answer.json
	refused 3 'leaf.pem.gz: looks like gzip' inspect leaf.pem.gz
	refused 3 'hello.txt: looks like plain text' inspect hello.txt
	refused 3 'nothing: looks like an empty file' inspect nothing
	refused 3 'is a directory' inspect .
	refused 2 'no file' inspect
}

@test "inspect: a truncated certificate is refused with its place" {
	openssl x509 -in leaf.pem -outform DER | head -c 200 >cut.der
	refused 3 'cut.der: object 1 at offset 0: .*cut short' inspect cut.der
}

@test "inspect: --strict makes exit 13 of a deviation, without it is seen with -v (Q-DUPLICATE)" {
	cat leaf.pem leaf.pem >twice.pem
	works inspect -v twice.pem
	stderr_has 'Q-DUPLICATE'
	run_est inspect --strict twice.pem
	[ "$status" = 13 ]
	[ "$(value object | wc -l)" = 2 ]
	stderr_has 'Q-DUPLICATE.*--strict'
	works inspect --strict leaf.pem ca.pem
	run_est inspect --strict "$vectors/rfc7030-4.5.2-csrattrs.der"
	[ "$status" = 13 ]
	stderr_has 'Q-CSRATTRS-VALUE'
}

@test "inspect: nothing from a file reaches the terminal unescaped" {
	openssl req -x509 -key ca.key -utf8 -subj "/CN=$(printf 'a\033[31m\342\200\256b')" -days 2 \
		-out odd.pem 2>/dev/null
	cp odd.pem "$(printf 'na\033me.pem')"
	works inspect odd.pem na*me.pem
	no_control_bytes "$OUT"
	works inspect --json odd.pem na*me.pem
	no_control_bytes "$OUT"
	run_est inspect "$(printf 'mis\033sing')"
	no_control_bytes "$ERR"
}

@test "inspect: no socket is ever opened" {
	command -v strace >/dev/null || skip "no strace"
	openssl req -x509 -key ca.key -subj /CN=aia -days 2 -out aia.pem \
		-addext authorityInfoAccess='caIssuers;URI:http://127.0.0.1:9/ca' \
		-addext crlDistributionPoints=URI:http://127.0.0.1:9/crl 2>/dev/null
	# The leak checker cannot work in a process that is traced.
	ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=socket,connect -o trace "$EST" inspect aia.pem >/dev/null
	run ! grep -E 'socket|connect' trace
}
