#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# est csrattrs: what the CA wants, in words, as it came, or not at all.

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	vectors=$EST_TEST_ROOT/tests/data/vectors
	TYPE='line Content-Type: application/csrattrs'
}

@test "csrattrs: names and values in words (R7030-3.1-04 R7030-4.5.1-01 R7030-4.5-01)" {
	works csrattrs "${trust[@]}" -l csrattrs-rfc
	[ ! -s "$ERR" ]
	grep -q '^1\.2\.840\.113549\.1\.9\.7 challengePassword$' "$OUT"
	grep -q '^1\.2\.840\.10045\.2\.1 ecPublicKey' "$OUT"
	grep -q 'secp384r1' "$OUT"
	grep -q '^1\.2\.840\.10045\.4\.3\.3 ecdsa-with-SHA384$' "$OUT"
	[ "$(server_log '[.method, .target, .body_len, .authorization]')" = \
		'["GET","/.well-known/est/csrattrs-rfc/csrattrs",0,null]' ]
}

@test "csrattrs: --outform der and b64 are what the server sent" {
	works csrattrs "${trust[@]}" -l csrattrs-rfc --outform der -o a.der
	works csrattrs "${trust[@]}" -l csrattrs-rfc --outform b64 -o a.b64
	base64 -d a.b64 | cmp - a.der
	openssl asn1parse -inform DER -in a.der | grep -q secp384r1
	works csrattrs "${trust[@]}" -l csrattrs-rfc --outform der
	cmp "$OUT" a.der
}

@test "csrattrs: --json has every element" {
	works csrattrs "${trust[@]}" -l csrattrs-rfc --json
	jq -es 'length == 1 and (.[0] | .ok and .applet == "csrattrs" and (.csrattrs | length == 4) and
		(.csrattrs[1] | .oid == "1.2.840.10045.2.1" and .values == ["secp384r1"]))' "$OUT"
}

@test "csrattrs: none is an answer: 204, 404, an empty sequence (R7030-4.5.2-02 R7030-4.5.2-05)" {
	for label in none csrattrs-204 csrattrs-404 csrattrs-none; do
		works csrattrs "${trust[@]}" -l $label
		[ ! -s "$OUT" ]
		works csrattrs "${trust[@]}" -l $label --json --strict
		jq -e '.csrattrs == [] and .deviations == []' "$OUT"
	done
}

@test "csrattrs: an empty body is tolerated (Q-EMPTY-BODY)" {
	works csrattrs "${trust[@]}" -l csrattrs-empty --json
	jq -e '.csrattrs == [] and .deviations == ["Q-EMPTY-BODY"]' "$OUT"
	refused 13 Q-EMPTY-BODY csrattrs "${trust[@]}" -l csrattrs-empty --strict
}

# wire FILE [LINE...]: the raw listener sends the file.
wire() {
	cp "$1" "$EST_TEST_SCRIPTS/attrs.body"
	shift
	plays attrs 'line HTTP/1.1 200 OK' "${@:-$TYPE}" 'line ' 'file attrs.body'
}

@test "csrattrs: the samples of RFC 7030 and RFC 9908, over the wire and from a file (R7030-3.1-04 R8951-4-01)" {
	for file in "$vectors"/rfc*csrattrs*.b64 "$vectors"/rfc9908*.b64 "$vectors"/*empty.b64; do
		wire "$file"
		works csrattrs "${raw[@]}" -l attrs -m 20
		cp "$OUT" wire.txt
		works csrattrs --from "$file"
		cmp wire.txt "$OUT"
		works csrattrs --from "${file%.b64}.der"
		cmp wire.txt "$OUT"
		works csrattrs --from "$file" --outform der
		cmp "$OUT" "${file%.b64}.der"
	done
}

@test "csrattrs: unknown elements are shown by number and ignored (R7030-4.5.2-04)" {
	# SEQUENCE { OID 1.3.6.1.4.1.99999.1, SEQUENCE { OID 1.3.6.1.4.1.99999.2, SET { BOOLEAN } } }
	python3 -c 'import sys
oid = bytes.fromhex("06082b0601040186 8d1f".replace(" ", ""))
one, two = oid + b"\x01", oid + b"\x02"
one, two = b"\x06\x09" + one[2:], b"\x06\x09" + two[2:]
attr = two + b"\x31\x03\x01\x01\xff"
body = one + b"\x30" + bytes([len(attr)]) + attr
sys.stdout.buffer.write(b"\x30" + bytes([len(body)]) + body)' >a.der
	works csrattrs --from a.der
	grep -q '^1\.3\.6\.1\.4\.1\.99999\.1 (unknown, ignored)$' "$OUT"
	grep -q '^1\.3\.6\.1\.4\.1\.99999\.2 (unknown, ignored)' "$OUT"
	works csrattrs --from a.der --json
	jq -e '.csrattrs | length == 2 and all(.name == null)' "$OUT"
}

@test "csrattrs: served as another type it is decoded by content (Q-MEDIA-TYPE, R7030-3.2.1-02)" {
	for type in application/pkcs7-mime application/octet-stream text/plain; do
		wire "$vectors/rfc9908-5.2-revised.b64" "line Content-Type: $type"
		works csrattrs "${raw[@]}" -l attrs -m 20 --json
		jq -e '.deviations == ["Q-MEDIA-TYPE"] and (.csrattrs | length > 0)' "$OUT"
		refused 13 Q-MEDIA-TYPE csrattrs "${raw[@]}" -l attrs -m 20 --strict
	done
	wire "$vectors/rfc9908-5.2-revised.b64" 'line Content-Type: text/html'
	refused 13 'html' csrattrs "${raw[@]}" -l attrs -m 20
}

@test "csrattrs: raw DER, white space, Content-Transfer-Encoding (Q-RAW-DER, R8951-3-02 R8951-3.1-01)" {
	wire "$vectors/rfc9908-5.2-revised.der"
	works csrattrs "${raw[@]}" -l attrs -m 20 --json
	jq -e '.deviations == ["Q-RAW-DER"]' "$OUT"
	sed 's/./& \t/g; s/$/\r/' "$vectors/rfc9908-5.2-revised.b64" >spread
	wire spread "$TYPE" 'line Content-Transfer-Encoding: 8bit'
	works csrattrs "${raw[@]}" -l attrs -m 20 --strict
}

@test "csrattrs: what is no CsrAttrs is refused (R7030-6-03)" {
	while read -r hex; do
		printf '%s' "$hex" | xxd -r -p | base64 >bad.b64
		wire bad.b64
		ONCE=1 refused 13 . csrattrs "${raw[@]}" -l attrs -m 20
		ONCE=1 refused 3 '^est: csrattrs: bad.b64: ' csrattrs --from bad.b64
		run ! grep -q 'response body' "$ERR" # it is none
	done <<-'HEX'
		3100
		3003020101
		30020600
		3004060280ff
		3003060180
		30050603550403ff
		300430020500
		3006300406025503
		30800603550403
		30840000000306012a
		0603550403
		300c300a0603550403130361626331
	HEX
	wire "$EST_TEST_DIR/root.pem"
	refused 13 . csrattrs "${raw[@]}" -l attrs -m 20
}

@test "csrattrs: a list of a hundred thousand, a value of a megabyte, a nest are refused (R7030-6-03)" {
	python3 - <<-'PY'
		import base64
		def tlv(tag, body):
		    n = len(body)
		    size = bytes([n]) if n < 128 else bytes([0x80 | 4]) + n.to_bytes(4, "big")
		    if n >= 128:
		        raw = n.to_bytes((n.bit_length() + 7) // 8, "big")
		        size = bytes([0x80 | len(raw)]) + raw
		    return bytes([tag]) + size + body
		nest = b"\x05\x00"
		for _ in range(1000):
		    nest = tlv(0x30, nest)
		for name, der in (("many", tlv(0x30, b"\x06\x03\x55\x04\x03" * 100000)),
		                  ("big", tlv(0x30, tlv(0x30, b"\x06\x03\x55\x04\x03" +
		                                        tlv(0x31, tlv(4, bytes(1000000)))))),
		                  ("nest", tlv(0x30, tlv(0x30, b"\x06\x03\x55\x04\x03" + tlv(0x31, nest))))):
		    open(name, "wb").write(base64.encodebytes(der))
	PY
	for kind in many big nest; do
		wire $kind
		refused 13 . csrattrs "${raw[@]}" -l attrs -m 20
	done
}

@test "csrattrs: values that could paint the terminal are escaped (H-22)" {
	python3 -c 'import sys
text = "\x1b[2J\u202eabc".encode()
value = b"\x0c" + bytes([len(text)]) + text
attr = b"\x06\x03\x55\x04\x03\x31" + bytes([len(value)]) + value
body = b"\x30" + bytes([len(attr)]) + attr
sys.stdout.buffer.write(b"\x30" + bytes([len(body)]) + body)' >a.der
	works csrattrs --from a.der
	no_control_bytes "$OUT"
	works csrattrs --from a.der --json
	no_control_bytes "$OUT"
	jq -es 'length == 1' "$OUT"
}

@test "csrattrs: errors have their exit codes" {
	while read -r code due; do
		refused "$due" "$code" csrattrs "${trust[@]}" -l "status-$code"
	done <<-'CODES'
		202 10
		401 9
		403 9
		400 10
		500 11
		501 10
		503 11
	CODES
	refused 13 html csrattrs "${trust[@]}" -l html
	refused 10 'another origin' csrattrs "${trust[@]}" -l redirect-out
}

@test "csrattrs: --from asks no server, even when one is named" {
	traced csrattrs --from "$vectors/rfc7030-4.5.2-csrattrs.b64"
	[ "$status" = 0 ]
	run ! grep -qE 'socket\(AF_INET|connect\(' "$BATS_TEST_TMPDIR/trace"
	works csrattrs "${trust[@]}" --from "$vectors/rfc7030-4.5.2-csrattrs.b64"
	refused 3 'not-there' csrattrs --from not-there
	works csrattrs --from - <"$vectors/rfc7030-4.5.2-csrattrs.b64"
	[ -s "$OUT" ]
	nothing_sent
}

@test "csrattrs: -o writes the file, or nothing on a failure" {
	works csrattrs "${trust[@]}" -l csrattrs-rfc -o attrs.txt
	[ ! -s "$OUT" ]
	grep -q secp384r1 attrs.txt
	refused 11 500 csrattrs "${trust[@]}" -l status-500 -o attrs.txt
}
