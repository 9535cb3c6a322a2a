#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# shellcheck disable=SC2030,SC2031 # each test has its own $get
# HTTP as nobody should speak it, byte for byte from the raw listener: what is refused, what is
# tolerated and named, and that time, memory and files stay within their bounds.

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	echo before >ca.pem
	get=("${raw[@]}" -o ca.pem -m 20)
}

TYPE='line Content-Type: application/pkcs7-mime'

# A script that is right but for LINE..., which stand in its head.
with_head() {
	plays odd 'line HTTP/1.1 200 OK' "$TYPE" "$@" 'line ' 'insert cacerts-b64'
}

# The whole answer but its length fields.
LENGTH=('send Content-Length: ' 'length cacerts-b64' 'line ')

# bad PATTERN [EXIT]: the script `odd` is refused, at once: nothing is tried again.  The first time
# in a test also with --json.
bad() {
	server_log_reset
	ONCE=${json_seen:-} refused "${2:-13}" "$1" cacerts "${get[@]}" -l odd
	seen "$((2 - ${json_seen:-0}))" true
	json_seen=1
}

# good [ID]: the script `odd` works, with this deviation or none.
good() {
	works cacerts "${get[@]}" -l odd --json
	[ "$(jq -c .deviations "$OUT")" = "[${1:+\"$1\"}]" ] || {
		explain "deviations: ${1:-none} is due"
		return 1
	}
	same_certs ca.pem "$EST_TEST_DIR/ca.pem"
	echo before >ca.pem
	[ -z "${1:-}" ] || ONCE=1 refused 13 "$1" cacerts "${get[@]}" -l odd --strict
}

# ---- Status line (H-10) --------------------------------------------------------------------------

@test "http: an answer without anything odd" {
	with_head "${LENGTH[@]}"
	good
}

@test "http: a status line that is none is refused (H-10)" {
	for status in 'HTTP/2 200 OK' 'HTTP/3.0 200 OK' 'HTTP/1.2 200 OK' 'HTTP/0.9 200 OK' \
		'HTTP/1.1 20 OK' 'HTTP/1.1 2000 OK' 'HTTP/1.1  200 OK' 'HTTP/1.1 +20 OK' \
		'HTTP/1.1 099 OK' 'HTTP/1.1' 'HTTP/1.1 ' 'http/1.1 200 OK' ' HTTP/1.1 200 OK' \
		'ICY 200 OK' 'SSH-2.0-OpenSSH_9.2' '220 smtp.example ESMTP' '\x00\x01\x02' ''; do
		plays odd "send $status\\r\\n" "$TYPE" "${LENGTH[@]}" 'line ' 'insert cacerts-b64'
		bad 'status line|HTTP'
	done
}

@test "http: no reason phrase, with and without the space before it (H-10, Q-NO-REASON)" {
	plays odd 'send HTTP/1.1 200 \r\n' "$TYPE" "${LENGTH[@]}" 'line ' 'insert cacerts-b64'
	good
	plays odd 'send HTTP/1.1 200\r\n' "$TYPE" "${LENGTH[@]}" 'line ' 'insert cacerts-b64'
	good Q-NO-REASON
}

@test "http: HTTP/1.0 with a length is taken (H-10 H-18)" {
	plays odd 'send HTTP/1.0 200 OK\r\n' "$TYPE" "${LENGTH[@]}" 'line ' 'insert cacerts-b64'
	good
}

# ---- Header lines (H-11 to H-13, H-20) -----------------------------------------------------------

@test "http: header lines ended by LF alone are tolerated (H-11, Q-BARE-LF)" {
	plays odd 'send HTTP/1.1 200 OK\nContent-Type: application/pkcs7-mime\nContent-Length: ' \
		'length cacerts-b64' 'send \n\n' 'insert cacerts-b64'
	good Q-BARE-LF
}

@test "http: CR alone, NUL in the head are refused (H-11)" {
	for line in 'X-A: b\rX-B: c' 'X-A: b\x00c' 'X\x00A: b' '\x00' 'X-A: b\r\rX-B: c'; do
		with_head "${LENGTH[@]}" "send $line\\r\\n"
		bad 'CR|NUL|header|field|control'
	done
}

@test "http: field names that are none are refused (H-12)" {
	for line in 'Content-Type : text/plain' ': no name' 'no colon' 'a b: c' 'a(b): c' 'ä: c' \
		'"a": b' 'a\tb: c'; do
		with_head "${LENGTH[@]}" "send $line\\r\\n"
		bad 'header|field|name|colon'
	done
	plays odd 'line HTTP/1.1 200 OK' 'send \x20X-First: folded\r\n' "$TYPE" "${LENGTH[@]}" 'line ' \
		'insert cacerts-b64'
	bad 'header|field|white|fold|blank'
}

@test "http: names ignore case, values lose the blanks around them (H-12)" {
	plays odd 'line HTTP/1.1 200 OK' 'send CONTENT-type:application/PKCS7-Mime;smime-type=Certs-Only  \t\r\n' \
		'send content-LENGTH:\t \t' 'length cacerts-b64' 'send \x20\r\n\r\n' 'insert cacerts-b64'
	good
}

@test "http: a folded line is tolerated where nothing depends on it (H-13, Q-OBS-FOLD)" {
	with_head "${LENGTH[@]}" 'send X-Long: a\r\n \t b\r\n'
	good Q-OBS-FOLD
}

@test "http: a folded line that matters is refused (H-13)" {
	with_head 'send Content-Length:\r\n ' 'length cacerts-b64' 'line '
	bad 'fold|content-length'
	with_head 'send Transfer-Encoding:\r\n chunked\r\n'
	bad 'fold|transfer-encoding'
}

@test "http: singletons that contradict themselves are refused, repeated ones are not (H-14 H-20)" {
	with_head "${LENGTH[@]}" 'line Content-Length: 7'
	bad 'content-length'
	with_head "${LENGTH[@]}" 'line Content-Type: text/html'
	bad 'content-type'
	with_head "${LENGTH[@]}" "${LENGTH[@]}" "$TYPE"
	good
}

@test "http: a Content-Encoding is refused, identity is none (H-02)" {
	for coding in gzip deflate br x-gzip 'identity, gzip' zstd; do
		with_head "${LENGTH[@]}" "line Content-Encoding: $coding"
		bad 'content-encoding|encod'
	done
	with_head "${LENGTH[@]}" 'line Content-Encoding: Identity'
	good
}

@test "http: media types that contradict the operation are refused (H-01, R7030-3.2.4-02)" {
	for type in text/html application/csrattrs application/json multipart/mixed \
		'application/pkcs7-mime; smime-type=enveloped-data' \
		'application/pkcs7-mime; smime-type=CMC-response' application/pkcs7-mimeX nonsense; do
		plays odd 'line HTTP/1.1 200 OK' "line Content-Type: $type" "${LENGTH[@]}" 'line ' \
			'insert cacerts-b64'
		server_log_reset
		run_est cacerts "${raw[@]}" -l odd --strict
		[ "$status" = 13 ] || explain "$type has to be refused with --strict"
		[ "$status" = 13 ]
		case $type in
		text/html | multipart/* | application/json) bad 'content-type|media|type' ;;
		esac
	done
}

@test "http: parameters, case and blanks of the media type make no difference (R7030-3.2.4-02)" {
	for type in 'application/pkcs7-mime; smime-type=certs-only' 'APPLICATION/PKCS7-MIME' \
		'application/pkcs7-mime;charset=utf-8' 'application/pkcs7-mime ; name="a;b.p7c"' \
		'application/pkcs7-mime; smime-type="certs-only"; name=x' \
		'application/pkcs7-mime; SMIME-TYPE=CERTS-ONLY'; do
		plays odd 'line HTTP/1.1 200 OK' "line Content-Type: $type" "${LENGTH[@]}" 'line ' \
			'insert cacerts-b64'
		good
	done
}

@test "http: another smime-type of SignedData is tolerated (Q-SMIME-TYPE)" {
	plays odd 'line HTTP/1.1 200 OK' 'line Content-Type: application/pkcs7-mime; smime-type=signed-data' \
		"${LENGTH[@]}" 'line ' 'insert cacerts-b64'
	good Q-SMIME-TYPE
}

# ---- Length of the body (H-14, H-15) --------------------------------------------------------------

@test "http: Content-Length and Transfer-Encoding together are refused (H-14)" {
	with_head "${LENGTH[@]}" 'line Transfer-Encoding: chunked'
	bad 'both|content-length|transfer-encoding'
	with_head 'line Transfer-Encoding: identity' "${LENGTH[@]}"
	bad 'both|content-length|transfer-encoding'
}

@test "http: a Content-Length that is no number is refused (H-14)" {
	for length in +5 -1 0x10 '1 2' 1.0 '' five 99999999999999999999999 '12,13' 9223372036854775808 \
		18446744073709551617 '5;'; do
		with_head "line Content-Length: $length"
		bad 'content-length|large|too'
	done
}

@test "http: transfer codings other than one chunked are refused (H-14)" {
	for coding in gzip 'gzip, chunked' 'chunked, gzip' 'chunked, chunked' 'chunked;x=y' identity \
		'' xchunked '"chunked"'; do
		plays odd 'line HTTP/1.1 200 OK' "$TYPE" "line Transfer-Encoding: $coding" 'line ' \
			'send 0\r\n\r\n'
		bad 'transfer-encoding|coding'
	done
	plays odd 'line HTTP/1.0 200 OK' "$TYPE" 'line Transfer-Encoding: chunked' 'line ' \
		'send 0\r\n\r\n'
	bad 'transfer-encoding|coding|1\.0'
}

@test "http: a body up to the close, with close_notify (H-14)" {
	with_head
	good
	with_head 'line Connection: close'
	good
}

@test "http: a body up to a close without close_notify, when the DER is whole (H-14, Q-NO-CLOSE-NOTIFY)" {
	plays odd 'line HTTP/1.1 200 OK' "$TYPE" 'line ' 'insert cacerts-b64' drop
	good Q-NO-CLOSE-NOTIFY
}

@test "http: a body cut off by a close is refused (H-15)" {
	python3 - "$EST_TEST_SCRIPTS" <<-'PY'
		import base64, sys
		der = b"\x30\x82\x10\x00" + bytes(500)
		open(sys.argv[1] + "/half.b64", "wb").write(base64.b64encode(der))
	PY
	for end in close drop reset; do
		plays odd 'line HTTP/1.1 200 OK' "$TYPE" 'line ' 'file half.b64' $end
		server_log_reset
		run_est cacerts "${get[@]}" -l odd
		[ "$status" = 13 ] || [ "$status" = 5 ]
		[ "$(cat ca.pem)" = before ]
		[ -s "$ERR" ]
	done
}

@test "http: fewer bytes than Content-Length says are refused, with and without close_notify (H-15)" {
	for end in close drop; do
		plays odd 'line HTTP/1.1 200 OK' "$TYPE" 'line Content-Length: 5000' 'line ' \
			'insert cacerts-b64' $end
		server_log_reset
		refused 13 'short|truncated|ended|closed|bytes|5000' cacerts "${get[@]}" -l odd || {
			# A broken connection is the other honest name for it.
			refused 5 'short|truncated|ended|closed|bytes|5000' cacerts "${get[@]}" -l odd
		}
	done
}

@test "http: fewer bytes than Content-Length says, and silence: the deadline (H-15)" {
	plays odd 'line HTTP/1.1 200 OK' "$TYPE" 'line Content-Length: 5000' 'line ' \
		'insert cacerts-b64' 'sleep 60000'
	get=("${raw[@]}" -o ca.pem -m 1)
	ONCE=1 refused 6 'time' cacerts "${get[@]}" -l odd
}

@test "http: more bytes than Content-Length says: what was promised counts, and the rest is named (H-17, Q-EXTRA-BYTES)" {
	with_head "${LENGTH[@]}"
	plays odd 'line HTTP/1.1 200 OK' "$TYPE" "${LENGTH[@]}" 'line ' 'insert cacerts-b64' \
		'send HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
	works cacerts "${get[@]}" -l odd
	same_certs ca.pem "$EST_TEST_DIR/ca.pem"
}

@test "http: a status that has no body has none, whatever its head says (H-14)" {
	plays odd 'line HTTP/1.1 204 No Content' 'line Content-Length: 5000' 'line '
	refused 10 204 cacerts "${get[@]}" -l odd
	works csrattrs "${raw[@]}" -l odd -m 20
}

# ---- Chunks (H-16) ---------------------------------------------------------------------------------

# chunked LINE...: a chunked answer.
chunked() {
	plays odd 'line HTTP/1.1 200 OK' "$TYPE" 'line Transfer-Encoding: chunked' 'line ' "$@"
}

# The bytes of the right answer as FILE, cut in chunks of SIZE hex digits by python.
chunk_file() {
	works cacerts "${trust[@]}" --outform der -o "$BATS_TEST_TMPDIR/ca.der"
	python3 - "$BATS_TEST_TMPDIR/ca.der" "$EST_TEST_SCRIPTS/chunks" "$@" <<-'PY'
		import base64, sys
		body = base64.encodebytes(open(sys.argv[1], "rb").read())
		size, extension, trailer = int(sys.argv[3]), sys.argv[4], sys.argv[5]
		fmt = sys.argv[6] if len(sys.argv) > 6 else "%x"
		out = b""
		for i in range(0, len(body), size):
		    part = body[i:i + size]
		    out += (fmt % len(part)).encode() + extension.encode() + b"\r\n" + part + b"\r\n"
		out += b"0\r\n" + trailer.encode().decode("unicode_escape").encode() + b"\r\n"
		open(sys.argv[2], "wb").write(out)
	PY
	server_log_reset
}

@test "http: chunks of any size, with extensions, trailers, leading zeros, upper case (H-16)" {
	chunk_file 1 '' ''
	chunked 'file chunks'
	good
	chunk_file 500 '; name=value;q="a b"' 'X-Trailer: a\r\nContent-Length: 5\r\n'
	good
	chunk_file 700 '' '' '%015X'
	good
	chunk_file 100000 '' ''
	good
}

@test "http: a chunk size that is none is refused (H-16)" {
	for size in '' g 0x10 -1 +5 ' 5' '5 5' 1234567890abcdef ffffffffffffffff 7fffffffffffffff \
		'5\x00' 5_ ';'; do
		chunked "send $size\\r\\nMIIBa\\r\\n0\\r\\n\\r\\n"
		bad 'chunk|large|too'
	done
}

@test "http: chunk framing ended by LF alone, or not at all, is refused (H-16)" {
	for body in '5\nMIIBa\r\n0\r\n\r\n' '5\r\nMIIBa\n0\r\n\r\n' '5\r\nMIIBaX\r\n0\r\n\r\n' \
		'5\r\nMIIBa0\r\n\r\n' '5\r\nMIIBa\r\n0\n\n' '5\rMIIBa\r\n0\r\n\r\n'; do
		chunked "send $body"
		bad 'chunk'
	done
}

@test "http: chunks without their last one are refused (H-15 H-16)" {
	for body in '5\r\nMIIBa\r\n' '5\r\nMII' '5' '' '5\r\nMIIBa\r\n0\r\n' '5\r\nMIIBa\r\n0'; do
		chunked "send $body"
		run_est cacerts "${get[@]}" -l odd
		[ "$status" = 13 ] || [ "$status" = 5 ] || explain "$body has to be refused"
		[ "$status" = 13 ] || [ "$status" = 5 ]
		[ "$(cat ca.pem)" = before ]
	done
}

@test "http: endless extensions, endless trailers, endless empty-looking sizes are refused (H-16)" {
	chunked 'send 5;' 'repeat 1000 a' 'send \r\nMIIBa\r\n0\r\n\r\n'
	bad 'chunk'
	chunked 'send 5' 'repeat 1000 \x20' 'send \r\nMIIBa\r\n0\r\n\r\n'
	bad 'chunk'
	chunked 'repeat 1000000 0' 'send 5\r\nMIIBa\r\n0\r\n\r\n'
	bad 'chunk'
	chunked 'send 0\r\n' 'repeat 100000 X-Trailer: a\r\n' 'line '
	bad 'trailer|header|too'
	chunked 'send 0\r\nno colon\r\n\r\n'
	bad 'trailer|header|field|colon'
}

# ---- Interim answers (H-21) ---------------------------------------------------------------------------

@test "http: up to five interim answers are skipped (H-21)" {
	plays odd 'send HTTP/1.1 100 Continue\r\n\r\n' \
		'send HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: 7\r\n\r\n' \
		'send HTTP/1.1 102 Processing\r\n\r\n' 'send HTTP/1.1 199 x\r\n\r\n' \
		'send HTTP/1.1 100 Continue\r\n\r\n' \
		'line HTTP/1.1 200 OK' "$TYPE" "${LENGTH[@]}" 'line ' 'insert cacerts-b64'
	good
}

@test "http: six interim answers, endless ones, and 101 are refused (H-21)" {
	plays odd 'repeat 6 HTTP/1.1 100 Continue\r\n\r\n' 'line HTTP/1.1 200 OK' "$TYPE" \
		"${LENGTH[@]}" 'line ' 'insert cacerts-b64'
	bad '1xx|interim|100|too many'
	plays odd 'repeat 100000 HTTP/1.1 100 Continue\r\n\r\n'
	bad '1xx|interim|100|too many'
	plays odd 'send HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n'
	bad 101
}

# ---- Caps --------------------------------------------------------------------------------------------

@test "http: a header line of 8 KiB is taken, a longer one refused (H-12)" {
	with_head "${LENGTH[@]}" 'send X-Long: ' 'repeat 8000 a' 'line '
	good
	with_head "${LENGTH[@]}" 'send X-Long: ' 'repeat 9000 a' 'line '
	bad 'line|header|long|8192'
	plays odd 'send HTTP/1.1 200 ' 'repeat 9000 a' 'line ' "$TYPE" "${LENGTH[@]}" 'line ' \
		'insert cacerts-b64'
	bad 'line|long|8192'
}

@test "http: 100 header lines are taken, 101 refused" {
	with_head "${LENGTH[@]}" 'repeat 98 X-Many: a\r\n'
	good
	with_head "${LENGTH[@]}" 'repeat 99 X-Many: a\r\n'
	bad 'header|field|many|100'
}

@test "http: a head of more than 64 KiB is refused" {
	with_head "${LENGTH[@]}" "repeat 80 X-Many: $(head -c 1000 /dev/zero | tr '\0' a)\\r\\n"
	bad 'header|head|large|65536|64'
}

@test "http: a line, a head that never ends is refused in bounded memory" {
	plays odd 'line HTTP/1.1 200 OK' 'send X-Long: ' 'repeat 100000000 a'
	bad 'line|header|long|8192'
	plays odd 'line HTTP/1.1 200 OK' 'repeat 10000000 X-Many: a\r\n'
	bad 'header|field|many|100'
}

@test "http: --max-size holds for every kind of body" {
	local size
	works cacerts "${trust[@]}" --outform der -o "$BATS_TEST_TMPDIR/size.der"
	size=$(base64 -w 64 "$BATS_TEST_TMPDIR/size.der" | wc -c)
	with_head "${LENGTH[@]}"
	get=("${raw[@]}" -o ca.pem -m 20 --max-size $((size - 1)))
	bad 'max-size|large|bytes'
	with_head
	bad 'max-size|large|bytes'
	chunk_file 100 '' ''
	chunked 'file chunks'
	get=("${raw[@]}" -o ca.pem -m 20 --max-size 1000)
	bad 'max-size|large|bytes'
	with_head "${LENGTH[@]}"
	get=("${raw[@]}" -o ca.pem -m 20 --max-size "$size")
	good
}

@test "http: a body of more than 4 MiB is refused, whether announced or not" {
	with_head 'line Content-Length: 999999999999'
	bad 'max-size|large|bytes'
	plays odd 'line HTTP/1.1 200 OK' "$TYPE" 'line ' 'repeat 6000000 A'
	bad 'max-size|large|bytes'
}

@test "http: an error page without end is read to its bound only (H-22)" {
	plays odd 'line HTTP/1.1 400 Bad Request' 'line Content-Type: text/plain' 'line ' \
		'repeat 100000000 no\x20'
	refused 10 400 cacerts "${get[@]}" -l odd
	[ "$(wc -c <"$ERR")" -lt 1500 ]
}

# ---- Bodies that are nothing (H-03, H-04) ------------------------------------------------------------

# body BYTES...: an answer with this body, as printf writes it.
body() {
	# shellcheck disable=SC2059
	printf "$@" >"$EST_TEST_SCRIPTS/odd.body"
	plays odd 'line HTTP/1.1 200 OK' "$TYPE" 'line ' 'file odd.body'
}

@test "http: what is not base64 is refused (H-03)" {
	for text in 'MIIB-_==' '!!!!' 'MIIBa*==' '====' 'MA=' 'MAA==MAA=' 'MAB=' 'MAA=x' 'M' \
		'<html><body>hello</body></html>' '{"error": 1}' '\001\002\003' 'MAA\000='; do
		body "$text"
		bad 'base64|base 64|html|json|certs-only|CMS|text'
	done
}

@test "http: an empty body is refused (H-03)" {
	body ''
	bad 'empty|no base64|no cert'
	body '\r\n\r\n  '
	bad 'empty|no base64|no cert'
}

@test "http: base64 of something else is refused" {
	for text in "$(printf 'hello world, this is text' | base64)" MAA= MAMCAQA= \
		"$(openssl rand 300 | base64 -w 0)" "$(openssl pkey -in "$EST_TEST_DIR/server.key" \
			-outform DER | base64 -w 0)"; do
		body '%s' "$text"
		bad .
	done
}

@test "http: missing padding is tolerated (H-03, Q-PADDING)" {
	works cacerts "${trust[@]}" -l bare-cert --outform der -o "$BATS_TEST_TMPDIR/ca.der"
	for n in 1 2; do
		# A certificate whose length leaves padding.
		while openssl req -x509 -key "$EST_TEST_DIR/root.key" -subj "/CN=$(openssl rand -hex 9)$n" \
			-days 9 -outform DER -out "$BATS_TEST_TMPDIR/one.der" &&
			[ $(($(stat -c %s "$BATS_TEST_TMPDIR/one.der") % 3)) = 0 ]; do :; done
		openssl x509 -inform DER -in "$BATS_TEST_TMPDIR/one.der" -out "$BATS_TEST_TMPDIR/one.pem"
		openssl crl2pkcs7 -nocrl -certfile "$BATS_TEST_TMPDIR/one.pem" -outform DER |
			base64 -w 0 | tr -d = >"$EST_TEST_SCRIPTS/odd.body"
		plays odd 'line HTTP/1.1 200 OK' "$TYPE" 'line ' 'file odd.body'
		run_est cacerts "${raw[@]}" -l odd --json
		[ "$status" = 0 ]
		[ $(($(stat -c %s "$EST_TEST_SCRIPTS/odd.body") % 4)) = 0 ] ||
			jq -e '.deviations == ["Q-PADDING"]' "$OUT"
	done
}

@test "http: a BOM, white space and NUL after the DER are tolerated (Q-BOM, Q-TRAILING)" {
	works cacerts "${trust[@]}" --outform der -o "$BATS_TEST_TMPDIR/ca.der"
	{ printf '\xef\xbb\xbf' && base64 "$BATS_TEST_TMPDIR/ca.der"; } >"$EST_TEST_SCRIPTS/odd.body"
	plays odd 'line HTTP/1.1 200 OK' "$TYPE" 'line ' 'file odd.body'
	server_log_reset
	good Q-BOM
	{ cat "$BATS_TEST_TMPDIR/ca.der" && printf '\n\0'; } | base64 >"$EST_TEST_SCRIPTS/odd.body"
	good Q-TRAILING
	{ cat "$BATS_TEST_TMPDIR/ca.der" && printf 'x'; } | base64 >"$EST_TEST_SCRIPTS/odd.body"
	bad 'after|trailing|bytes'
}

@test "http: BER of openssl's making is tolerated in the wrapper (Q-BER)" {
	openssl crl2pkcs7 -nocrl -certfile "$EST_TEST_DIR/ca.pem" -outform DER \
		-out "$BATS_TEST_TMPDIR/ca.der"
	python3 - "$BATS_TEST_TMPDIR/ca.der" "$EST_TEST_SCRIPTS/odd.body" <<-'PY'
		import base64, sys
		der = open(sys.argv[1], "rb").read()
		n = der[1] & 0x7f if der[1] & 0x80 else 0
		body = der[2 + n:]
		open(sys.argv[2], "wb").write(base64.encodebytes(b"\x30\x80" + body + b"\0\0"))
	PY
	plays odd 'line HTTP/1.1 200 OK' "$TYPE" 'line ' 'file odd.body'
	works cacerts "${get[@]}" -l odd --json
	jq -e '.deviations | index("Q-BER")' "$OUT"
	same_certs ca.pem "$EST_TEST_DIR/ca.pem"
	echo before >ca.pem
	refused 13 Q-BER cacerts "${get[@]}" -l odd --strict
}

# ---- ASN.1 bombs (R7030-6-03) --------------------------------------------------------------------------

# A SignedData with the given content in one of its sets, all lengths right.
bomb() {
	python3 - "$EST_TEST_SCRIPTS/odd.body" "$1" <<-'PY'
		import base64, sys

		def tlv(tag, *parts):
		    body = b"".join(parts)
		    n = len(body)
		    if n < 128:
		        return bytes([tag, n]) + body
		    size = n.to_bytes((n.bit_length() + 7) // 8, "big")
		    return bytes([tag, 0x80 | len(size)]) + size + body

		def nested(depth):
		    out = b"\x02\x01\x00"
		    for _ in range(depth):
		        out = tlv(0x30, out)
		    return out

		million = b"\x30\x00" * 1000000
		where = {"certs": b"", "digests": b"", "signers": b"", "crls": b""}
		kind = sys.argv[2]
		if kind.startswith("million-"):
		    where[kind[8:]] = million
		elif kind == "nested":
		    where["certs"] = nested(50000)
		elif kind == "nested-few":
		    where["certs"] = nested(40)
		signed = tlv(0x30, b"\x02\x01\x01", tlv(0x31, where["digests"]),
		             tlv(0x30, bytes.fromhex("06092a864886f70d010701")), tlv(0xa0, where["certs"]),
		             tlv(0xa1, where["crls"]) if where["crls"] else b"", tlv(0x31, where["signers"]))
		der = tlv(0x30, bytes.fromhex("06092a864886f70d010702"), tlv(0xa0, signed))
		if kind == "deep-indefinite":
		    der = b"\x30\x80" * 1000000
		elif kind == "long-length":
		    der = b"\x30\x84\x7f\xff\xff\xff" + der[4:]
		elif kind == "huge-length":
		    der = b"\x30\x89\xff" + b"\xff" * 8 + der
		open(sys.argv[1], "wb").write(base64.b64encode(der))
	PY
	plays odd 'line HTTP/1.1 200 OK' "$TYPE" 'line ' 'file odd.body'
}

# Peak memory of `est cacerts` for the label, in KiB, on ./kib.
peak() {
	local rc=0
	"$EST_LIB/usage.py" kib "$EST" cacerts "${raw[@]}" -l "$1" -m 20 >"$OUT" 2>"$ERR" || rc=$?
	cut -d ' ' -f 2 kib
	rm kib
	return "$rc"
}

@test "http: a million empty elements: refused, soon, in 32 MiB (R7030-6-03)" {
	with_head "${LENGTH[@]}"
	base=$(peak odd)
	for set in certs digests signers crls; do
		bomb million-$set
		SECONDS=0
		bad .
		[ "$SECONDS" -le 15 ]
		run -13 peak odd
		with_asan || [ "$output" -le $((base + 32768)) ]
	done
}

@test "http: nesting bombs are refused, soon, in 32 MiB (R7030-6-03)" {
	with_head "${LENGTH[@]}"
	base=$(peak odd)
	for kind in nested nested-few deep-indefinite long-length huge-length; do
		bomb $kind
		bad .
		run -13 peak odd
		with_asan || [ "$output" -le $((base + 32768)) ]
	done
}

@test "http: one huge certificate, one with thousands of names are refused (R7030-6-03)" {
	python3 - "$BATS_TEST_TMPDIR/many.cnf" <<-'PY'
		import sys
		names = ",".join("DNS:h%05d.example" % i for i in range(1100))
		open(sys.argv[1], "w").write("[req]\ndistinguished_name=dn\nx509_extensions=v3\nprompt=no\n"
		    "[dn]\nCN=many\n[v3]\nsubjectAltName=%s\n" % names)
	PY
	openssl req -x509 -key "$EST_TEST_DIR/root.key" -config "$BATS_TEST_TMPDIR/many.cnf" -days 9 \
		-out "$BATS_TEST_TMPDIR/many.pem"
	openssl crl2pkcs7 -nocrl -certfile "$BATS_TEST_TMPDIR/many.pem" -outform DER | base64 \
		>"$EST_TEST_SCRIPTS/odd.body"
	plays odd 'line HTTP/1.1 200 OK' "$TYPE" 'line ' 'file odd.body'
	bad '1024|names|subjectAltName'
	python3 - "$BATS_TEST_TMPDIR/huge.cnf" <<-'PY'
		import sys
		open(sys.argv[1], "w").write("[req]\ndistinguished_name=dn\nx509_extensions=v3\nprompt=no\n"
		    "[dn]\nCN=huge\n[v3]\n1.2.3.4=ASN1:FORMAT:HEX,OCT:" + "00" * 70000 + "\n")
	PY
	openssl req -x509 -key "$EST_TEST_DIR/root.key" -config "$BATS_TEST_TMPDIR/huge.cnf" -days 9 \
		-out "$BATS_TEST_TMPDIR/huge.pem"
	openssl crl2pkcs7 -nocrl -certfile "$BATS_TEST_TMPDIR/huge.pem" -outform DER | base64 \
		>"$EST_TEST_SCRIPTS/odd.body"
	bad '65536|bytes|large'
}

# ---- Deadlines ---------------------------------------------------------------------------------------

# late LABEL: exit 6 within --max-time 1 and a second.
late() {
	local usage=$BATS_TEST_TMPDIR/usage rc=0
	"$EST_LIB/usage.py" "$usage" "$EST" cacerts "${raw[@]}" -l "$1" -o ca.pem -m 1 >"$OUT" 2>"$ERR" || rc=$?
	[ "$rc" = 6 ]
	[ ! -s "$OUT" ]
	stderr_has '^est: cacerts: .*time'
	[ "$(cat ca.pem)" = before ]
	awk '{ exit !($1 >= 0.9 && $1 < 2) }' "$usage"
}

@test "http: silence instead of a head ends at the deadline" {
	plays odd 'sleep 60000'
	late odd
	plays odd 'send HTTP/1.1 200 OK\r\nContent-Ty' 'sleep 60000'
	late odd
}

@test "http: silence within the body ends at the deadline" {
	plays odd 'line HTTP/1.1 200 OK' "$TYPE" 'line Transfer-Encoding: chunked' 'line ' \
		'send 5\r\nMII' 'sleep 60000'
	late odd
}

@test "http: one byte now and then ends at the deadline" {
	plays odd "drip 100 HTTP/1.1 200 OK\\r\\nX-Drip: $(head -c 2000 /dev/zero | tr '\0' a)"
	late odd
	plays odd 'line HTTP/1.1 200 OK' "$TYPE" 'line ' 'drip-insert 100 cacerts-b64'
	late odd
}

@test "http: interim answers now and then end at the deadline (H-21)" {
	plays odd 'send HTTP/1.1 100 Continue\r\n\r\n' 'sleep 400' 'send HTTP/1.1 100 Continue\r\n\r\n' \
		'sleep 400' 'send HTTP/1.1 100 Continue\r\n\r\n' 'sleep 60000'
	late odd
}

@test "http: slow, but within the deadline, is not late" {
	plays odd 'sleep 300' 'drip 5 HTTP/1.1 200 OK\r\n' "$TYPE" "${LENGTH[@]}" 'line ' \
		'insert cacerts-b64'
	good
}

# ---- Connections (H-18, H-19) --------------------------------------------------------------------------

@test "http: a challenge and its answer share a connection, or not if the server closes (H-18)" {
	new=(--subject CN=dev --key-out key.pem -o cert.pem --csrattrs ignore)
	ISSUED=('send HTTP/1.1 200 OK\r\nContent-Type: application/pkcs7-mime\r\nContent-Length: '
		'length issued-b64' 'send \r\n\r\n' 'insert issued-b64')
	plays keep 'send HTTP/1.1 401 U\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 3\r\n\r\nno\n' \
		next "${ISSUED[@]}"
	works enroll "${raw[@]}" -l keep "${account[@]}" "${new[@]}" --cacert "$EST_TEST_DIR/issuing.pem"
	[ "$(server_log 'select(.method == "POST") | [.conn, .authorization]' | wc -l)" = 2 ]
	[ "$(server_log 'select(.method == "POST") | .conn' | sort -u | wc -l)" = 1 ]
	good_cert cert.pem key.pem
}

@test "http: challenges in every notation; Basic is found among them (R7030-3.2.3-07)" {
	new=(--subject CN=dev --force --key-out key.pem -o cert.pem --csrattrs ignore)
	ISSUED=('send HTTP/1.1 200 OK\r\nContent-Type: application/pkcs7-mime\r\nContent-Length: '
		'length issued-b64' 'send \r\n\r\n' 'insert issued-b64')
	for challenge in 'Basic realm="a, Digest b"' 'basic realm=x' 'Negotiate, Basic realm="x"' \
		'Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"' \
		', , BASIC realm="x", charset="UTF-8"' 'NTLM\r\nWWW-Authenticate: Basic realm="x"'; do
		plays many 'send HTTP/1.1 401 U\r\nContent-Length: 0\r\nWWW-Authenticate: ' \
			"send $challenge\\r\\n\\r\\n" next "${ISSUED[@]}"
		server_log_reset
		works enroll "${raw[@]}" -l many "${account[@]}" "${new[@]}" \
			--cacert "$EST_TEST_DIR/issuing.pem"
		seen 1 '.authorization == "Basic"'
	done
}

@test "http: a challenge that cannot be answered ends it: unknown schemes, broken ones (R7030-3.2.3-08)" {
	new=(--subject CN=dev --key-out key.pem -o cert.pem --csrattrs ignore)
	for challenge in Negotiate 'Digest realm="x", nonce="y", algorithm=NONE' 'Bearer realm="x"' \
		'Basic realm="x", realm="y"' 'Basicx realm="x"' 'X="Basic realm=x"'; do
		plays many 'send HTTP/1.1 401 U\r\nContent-Length: 0\r\nWWW-Authenticate: ' \
			"send $challenge\\r\\n\\r\\n" next 'send HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n'
		server_log_reset
		ONCE=1 refused 9 401 enroll "${raw[@]}" -l many "${account[@]}" "${new[@]}"
		seen 1 true
		no_credentials
	done
}

@test "http: Content-Length of the request is right and Host has the port (R7030-3.2.2-07)" {
	plays odd 'send HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\n'
	ONCE=1 refused 10 400 enroll "${raw[@]}" -l odd "${account[@]}" --subject CN=d \
		--key-out k.pem --csrattrs ignore
	[ "$(server_log 'select(.method) | [.target, .headers.host,
		(.headers["content-length"] | tonumber) == .body_len]')" = \
		"[\"/.well-known/est/odd/simpleenroll\",\"localhost:$EST_TEST_RAW_PORT\",true]" ]
}
