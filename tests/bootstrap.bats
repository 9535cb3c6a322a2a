#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # lib/est.bash sets and reads them
# est cacerts --bootstrap: the first trust anchors (RFC 7030 section 4.1.1).

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	root=$EST_TEST_DIR/root.pem
	at=(-s "$EST_TEST_URL")
	sha256=sha256:$(fingerprint "$root" sha256)
	sha512=sha512:$(fingerprint "$root" sha512)
}

# fingerprint PEM HASH: lower-case hex, by openssl.
fingerprint() {
	openssl x509 -in "$1" -noout -fingerprint "-$2" | sed 's/.*=//; s/://g' | tr A-F a-f
}

# off ARGS...: run_est without a terminal to ask on.
off() {
	status=0
	setsid -w "$EST" "$@" >"$OUT" 2>"$ERR" </dev/null 3>&- || status=$?
}

# asked PROMPT ANSWER ARGS...: on a terminal, which goes to $OUT.
asked() {
	local prompt=$1 answer=$2
	shift 2
	status=0
	"$EST_LIB/on-terminal" "$prompt" "$answer" "$EST" "$@" >"$OUT" 2>"$ERR" 3>&- || status=$?
}

# authority NAME SUBJECT: a root of its own, NAME.pem and NAME.key.
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" \
		-out "$1.pem" -subj "$2" -days "${DAYS:-30}" -addext basicConstraints=critical,CA:TRUE \
		-addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
}

# answer FILE...: an HTTP answer with a bag of these, in ./answer.
answer() {
	cat "$@" >bag.pem
	openssl crl2pkcs7 -nocrl -certfile bag.pem -outform DER | base64 >bag.b64
	printf 'HTTP/1.1 200 OK\r\nContent-Type: application/pkcs7-mime\r\nContent-Length: %s\r\n\r\n' \
		"$(stat -c %s bag.b64)" | cat - bag.b64 >answer
}

# serves [PEER OPTION...]: the certificate of the test server and ./answer; sets at.
serves() {
	: >capture
	helper peer.py tls --cert "$EST_TEST_DIR/server.pem" --key "$EST_TEST_DIR/server.key" \
		--answer answer --capture "$PWD/capture" "$@"
	at=(-s "https://localhost:$PORT")
}

@test "bootstrap: a fingerprint is enough, and what it gave is an anchor (R7030-3.1-07 R7030-4.1.1-01 R7030-4.1.1-04 R7030-4.1.1-06)" {
	works cacerts "${at[@]}" --bootstrap --ca-fingerprint "$sha256" -o ca.pem
	[ ! -s "$ERR" ]
	[ ! -s "$OUT" ]
	same_certs ca.pem "$root"
	works cacerts "${at[@]}" --cacert ca.pem
	works cacerts "${at[@]}" --bootstrap --ca-fingerprint "$sha512"
	same_certs "$OUT" "$root"
}

@test "bootstrap: fingerprints in the form that openssl prints, and several of them (R7030-4.1.1-04)" {
	local colons
	colons=$(openssl x509 -in "$root" -noout -fingerprint -sha256 | sed 's/.*=//')
	works cacerts "${at[@]}" --bootstrap --ca-fingerprint "sha256:$colons"
	works cacerts "${at[@]}" --bootstrap --ca-fingerprint "sha256:$(printf '%064d' 0)" \
		--ca-fingerprint "$sha512"
	same_certs "$OUT" "$root"
}

@test "bootstrap: one bit off is another CA: nothing is written (R7030-4.1.1-02 R7030-4.1.1-04)" {
	unset ONCE # the repetition counts
	local last=${sha256: -1} other=0
	[ "$last" = 0 ] && other=1
	echo before >ca.pem
	refused 7 'fingerprint' cacerts "${at[@]}" --bootstrap --ca-fingerprint "${sha256%?}$other" \
		-o ca.pem --chain-out chain.pem
	jq -e '.error.code == "fingerprint"' "$OUT"
	refused 7 'fingerprint' cacerts "${at[@]}" --bootstrap \
		--ca-fingerprint "sha256:$(fingerprint "$EST_TEST_DIR/issuing.pem" sha256)" -o ca.pem
	seen 4 true
}

@test "bootstrap: a truncated or other hash is a usage error, before a packet (R7030-4.1.1-04)" {
	local bad hex=${sha256#sha256:}
	for bad in "sha256:${hex%??}" "sha256:${hex%?}" "sha256:${hex}00" "sha256:$hex " "sha256:" \
		"sha512:$hex" "sha256:${sha512#sha512:}" "sha1:${hex:0:40}" "md5:${hex:0:32}" "$hex" \
		"SHA256:$hex" "sha384:$hex" "sha256:${hex%?}g" "sha256:0x${hex:2}" \
		"sha256:${hex:0:2}:${hex:2}" "sha256:${hex:0:32}" "sha256: ${hex:1}"; do
		ONCE=1 refused 2 'fingerprint' cacerts "${at[@]}" --bootstrap --ca-fingerprint "$bad"
		ONCE=1 refused 2 'fingerprint' cacerts "${at[@]}" --bootstrap --ca-fingerprint "$bad" -n
	done
	refused 2 'fingerprint' cacerts "${at[@]}" --bootstrap --ca-fingerprint "$sha256" \
		--ca-fingerprint sha256:00
	nothing_sent
}

@test "bootstrap: contradictions are usage errors (R7030-4.1.1-01 R7030-4.1.1-03)" {
	refused 2 'cacert' cacerts "${trust[@]}" --bootstrap --ca-fingerprint "$sha256"
	EST_CACERT=$root refused 2 'EST_CACERT' cacerts "${at[@]}" --bootstrap --ca-fingerprint "$sha256"
	refused 2 'system-trust' cacerts "${at[@]}" --system-trust --bootstrap
	refused 2 'bootstrap' cacerts "${trust[@]}" --ca-fingerprint "$sha256"
	refused 2 'bootstrap' cacerts "${trust[@]}" --chain-out chain.pem
	ONCE=1 refused 2 'one file' cacerts "${at[@]}" --bootstrap --ca-fingerprint "$sha256" --chain-out -
	for applet in enroll reenroll csrattrs; do
		ONCE=1 refused 2 'no such option' $applet "${at[@]}" --bootstrap
	done
	nothing_sent
}

@test "bootstrap: off a terminal without a fingerprint: exit 7, the option to use, nothing written (R7030-4.1.1-02)" {
	off cacerts "${at[@]}" --bootstrap -o ca.pem
	[ "$status" = 7 ]
	[ ! -s "$OUT" ]
	stderr_has '^est: hint: .*--ca-fingerprint sha256:'
	[ -z "$(ls)" ]
	off cacerts "${at[@]}" --bootstrap --json
	jq -e '.error | .code == "no-fingerprint" and .exit == 7' "$OUT"
	nothing_sent
	[ "$(server_count '.event == "handshake"')" = 0 ]
}

@test "bootstrap: a human sees subject, validity and both fingerprints, and says yes (R7030-4.1.1-02)" {
	asked 'yes or no: ' yes cacerts "${at[@]}" --bootstrap -o ca.pem
	[ "$status" = 0 ]
	grep -q 'subject: CN=EST test root' "$OUT"
	grep -q "$sha256" "$OUT"
	grep -q "$sha512" "$OUT"
	local year
	year=$(openssl x509 -in "$root" -noout -enddate -dateopt iso_8601 | sed 's/.*=//; s/ .*//')
	grep -q "valid: .* to $year" "$OUT"
	same_certs ca.pem "$root"
}

@test "bootstrap: everything but yes is a no (R7030-4.1.1-02)" {
	local word
	for word in no y '' YES 'yes please' ' yes'; do
		asked 'yes or no: ' "$word" cacerts "${at[@]}" --bootstrap -o ca.pem
		[ "$status" = 7 ]
		[ ! -e ca.pem ]
	done
	asked 'yes or no: ' ^C cacerts "${at[@]}" --bootstrap -o ca.pem
	[ "$status" = 130 ]
	[ -z "$(ls -A)" ]
}

@test "bootstrap: the first connection is one GET of cacerts, the second a full handshake (R7030-4.1.1-07)" {
	plays boot 'line HTTP/1.1 200 OK' 'line Content-Type: application/pkcs7-mime' \
		'line Connection: keep-alive' 'send Content-Length: ' 'length cacerts-b64' 'line ' \
		'line ' 'insert cacerts-b64' 'next' 'close'
	works cacerts -s "$EST_TEST_RAW_URL" -l boot --bootstrap --ca-fingerprint "$sha256" \
		-o ca.pem --json
	jq -e '.action == "bootstrapped" and .accepted_by == "fingerprint" and
		(.server | .connections == 2 and .vouched_by == "explicit")' "$OUT"
	eventually two_handshakes
	[ "$(server_count '.event == "handshake" and .resumed')" = 0 ]
	[ "$(server_count '.event == "handshake" and (.extensions | index(41) or index(42))')" = 0 ]
	[ "$(server_log 'select(.event == "handshake") | .extensions | index(35)' | head -n 1)" = null ]
	[ "$(server_log 'select(.target) | [.method, .target, .body_len, .authorization]')" = \
		'["GET","/.well-known/est/boot/cacerts",0,null]' ]
}

two_handshakes() {
	[ "$(server_count '.event == "handshake"')" = 2 ]
}

@test "bootstrap: neither client certificate nor password nor token is shown (R7030-4.1.1-05 R7030-4.1.1-08)" {
	identity dev /CN=dev
	echo token >token
	works cacerts "${at[@]}" --bootstrap --ca-fingerprint "$sha256" --cert dev.pem --key dev.key \
		"${account[@]}" --token-file token -o ca.pem
	[ "$(server_log '[.client_subject, .authorization]')" = '[null,null]' ]
	for label in basic digest any-auth; do
		refused 9 '401' cacerts "${at[@]}" -l $label --bootstrap --ca-fingerprint "$sha256" \
			--cert dev.pem --key dev.key "${account[@]}" --token-file token -o new.pem
		stderr_has 'no password'
	done
	no_credentials
	seen 0 '.client_subject != null'
}

@test "bootstrap: the server has to prove itself under the accepted root (R7030-4.1.1-07 R7030-3.6-03)" {
	answer "$EST_TEST_DIR/ca.pem"
	authority stranger /CN=stranger
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout mallory.key \
		-subj /CN=mallory -out mallory.csr 2>/dev/null
	echo subjectAltName=DNS:localhost >ext
	openssl x509 -req -in mallory.csr -CA stranger.pem -CAkey stranger.key -days 9 -extfile ext \
		-out mallory.pem 2>/dev/null
	# From the first connection on somebody else, who knows the true certificates.
	LEAVES=capture
	serves --cert mallory.pem --key mallory.key
	ONCE=1 refused 7 'anchor' cacerts "${at[@]}" --bootstrap --ca-fingerprint "$sha256" -o ca.pem
	stderr_has 'nothing was written'
	# The right one first, and somebody else on the second connection.
	cat mallory.pem mallory.key >mallory.both
	serves --then mallory.both
	ONCE=1 refused 7 'anchor' cacerts "${at[@]}" --bootstrap --ca-fingerprint "$sha256" -o ca.pem
	[ "$(grep -c ^GET capture)" = 1 ]
	# The right one, again and again.
	serves
	works cacerts "${at[@]}" --bootstrap --ca-fingerprint "$sha256" -o ca.pem
	same_certs ca.pem "$root"
}

@test "bootstrap: the name has to match as well, on the second connection (R7030-4.1.1-07)" {
	unset ONCE # the repetition counts
	refused 7 'other\.example' cacerts -s "https://other.example:$EST_TEST_PORT" --bootstrap \
		--ca-fingerprint "$sha256" --resolve "other.example:$EST_TEST_PORT:127.0.0.1" -o ca.pem
	seen 2 '.method == "GET"'
}

@test "bootstrap: intermediates go to --chain-out, never among the anchors; strays nowhere (R7030-4.1.3-09)" {
	authority stray /CN=stray
	answer stray.pem "$EST_TEST_DIR/ca.pem"
	LEAVES=capture
	serves
	works cacerts "${at[@]}" --bootstrap --ca-fingerprint "$sha256" -o ca.pem \
		--chain-out chain.pem --json
	same_certs ca.pem "$root"
	same_certs chain.pem "$EST_TEST_DIR/issuing.pem"
	stderr_has '1 of the certificates .*dropped'
	jq -e '[.certificates, .intermediates, .strays | length] == [1, 1, 1] and
		.strays[0].subject == "CN=stray"' "$OUT"
}

@test "bootstrap: of two roots the one with the fingerprint, or the current one for a human (R7030-4.1.3-08)" {
	DAYS=20000 authority late '/CN=late root'
	answer late.pem "$EST_TEST_DIR/ca.pem"
	LEAVES=capture
	serves
	works cacerts "${at[@]}" --bootstrap --ca-fingerprint "$sha256" -o ca.pem
	same_certs ca.pem "$root"
	asked 'yes or no: ' yes cacerts "${at[@]}" --bootstrap -o other.pem
	grep -q 'subject: CN=late root' "$OUT"
	[ "$status" = 7 ] # this server is not of that CA
	[ ! -e other.pem ]
}

@test "bootstrap: both roots, when both fingerprints are given (R7030-4.1.1-04)" {
	authority other '/CN=other root'
	answer other.pem "$EST_TEST_DIR/ca.pem"
	serves
	works cacerts "${at[@]}" --bootstrap --ca-fingerprint "$sha256" \
		--ca-fingerprint "sha512:$(fingerprint other.pem sha512)" -o ca.pem
	[ "$(grep -c BEGIN ca.pem)" = 2 ]
	[ ! -s "$ERR" ]
}

@test "bootstrap: an expired root, and a root that is no CA, are refused" {
	faketime -f -90d openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout old.key -out old.pem -subj /CN=old -days 30 \
		-addext basicConstraints=critical,CA:TRUE 2>/dev/null
	answer old.pem
	LEAVES=capture
	serves
	ONCE=1 refused 7 'expired' cacerts "${at[@]}" --bootstrap \
		--ca-fingerprint "sha256:$(fingerprint old.pem sha256)" -o ca.pem
	openssl req -x509 -key old.key -out self.pem -subj /CN=self -days 30 \
		-addext basicConstraints=critical,CA:FALSE
	answer self.pem
	serves
	ONCE=1 refused 7 'fingerprint' cacerts "${at[@]}" --bootstrap \
		--ca-fingerprint "sha256:$(fingerprint self.pem sha256)" -o ca.pem
}

@test "bootstrap: what else can be wrong with the answer (R7030-4.1.3-02 R7030-4.1.3-04)" {
	local boot=(--bootstrap --ca-fingerprint "$sha256" -o ca.pem)
	echo before >ca.pem
	refused 13 'self-signed' cacerts "${at[@]}" -l no-root "${boot[@]}"
	refused 13 'certificate' cacerts "${at[@]}" -l empty-bag "${boot[@]}"
	refused 13 'html' cacerts "${at[@]}" -l html "${boot[@]}"
	refused 10 '202' cacerts "${at[@]}" -l retry-after-5 "${boot[@]}"
	refused 11 '500' cacerts "${at[@]}" -l status-500 "${boot[@]}"
	refused 10 'redirect' cacerts "${at[@]}" -l redirect-out "${boot[@]}"
	refused 4 'no-dir' cacerts "${at[@]}" "${boot[@]}" --chain-out no-dir/chain.pem
}

@test "bootstrap: a bag of a thousand foreign roots is dropped in time" {
	works cacerts "${at[@]}" -l bag-1000 --bootstrap --ca-fingerprint "$sha256" -o ca.pem -m 20
	same_certs ca.pem "$root"
	stderr_has '1000 of the certificates'
}

@test "bootstrap: --dry-run sends nothing, --outform is of the anchors" {
	works cacerts "${at[@]}" --bootstrap --ca-fingerprint "$sha256" -o ca.pem -n
	[ ! -e ca.pem ]
	nothing_sent
	works cacerts "${at[@]}" --bootstrap --ca-fingerprint "$sha256" --outform p7
	openssl pkcs7 -in "$OUT" -print_certs -out got.pem
	same_certs got.pem "$root"
}

@test "bootstrap: --max-time also ends the look at a bag that is made to cost signatures" {
	local how
	# Self-issued, each with a key that verifies slowly and a signature that is none.
	python3 - >many.pem <<-'PY'
		import base64
		def tlv(tag, *parts):
		    body = b"".join(parts)
		    n = len(body)
		    size = bytes([n]) if n < 128 else b"\x82" + n.to_bytes(2, "big")
		    if 128 <= n < 256: size = b"\x81" + bytes([n])
		    return bytes([tag]) + size + body
		seq = lambda *parts: tlv(0x30, *parts)
		oid = lambda text: tlv(6, bytes.fromhex(text))
		rsa = lambda last: seq(oid("2a864886f70d0101" + last), tlv(5))
		name = seq(tlv(0x31, seq(oid("550403"), tlv(0x0c, b"x"))))
		day = seq(tlv(0x17, b"250101000000Z"), tlv(0x17, b"450101000000Z"))
		key = seq(tlv(2, b"\0" + b"\xdf" * 1024), tlv(2, b"\x7f" * 8))
		key = seq(rsa("01"), tlv(3, b"\0" + key))
		for i in range(1000):
		    serial = tlv(2, b"\1" + i.to_bytes(2, "big"))
		    tbs = seq(tlv(0xa0, tlv(2, b"\2")), serial, rsa("0b"), name, day, name, key)
		    cert = seq(tbs, rsa("0b"), tlv(3, b"\0" + b"\x5b" * 1024))
		    print("-----BEGIN CERTIFICATE-----")
		    print(base64.encodebytes(cert).decode(), end="")
		    print("-----END CERTIFICATE-----")
	PY
	TIMEFORMAT=%U
	for how in "--bootstrap --ca-fingerprint $sha256" "--cacert $root --json"; do
		# With a root in front the others are looked at for the list alone.
		if [[ $how == *json ]]; then answer "$root" many.pem; else answer many.pem; fi
		serves
		# shellcheck disable=SC2086 # words
		{ time run_est cacerts "${at[@]}" $how --max-time 0.3; } 2>cpu
		[ "$status" = 6 ]
		grep -q 'timed out' "$ERR"
		with_asan || awk '$1 > 1 { exit 1 }' cpu
	done
}
