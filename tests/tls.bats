#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# shellcheck disable=SC2030,SC2031 # each test has its own $at
# Who the server is, and what TLS it speaks: every refusal comes before a byte of HTTP is sent.
# The servers are Python's ssl and openssl s_server, their chains are made by openssl.

bats_require_minimum_version 1.5.0

load lib/served

# ca NAME SUBJECT [EXTENSION...]: NAME.pem and NAME.key, self-signed.
ca() {
	local name=$1 subject=$2
	shift 2
	openssl ecparam -name prime256v1 -genkey -noout -out "$name.key"
	openssl req -x509 -new -key "$name.key" -subj "$subject" -days 30 -out "$name.pem" \
		-addext 'keyUsage=critical,keyCertSign,cRLSign' "$@"
}

# leaf NAME CA EXTENSIONS [OPENSSL X509 OPTION...]: NAME.pem with its own chain behind it when CA
# is not a root; all leaves share one key.
leaf() {
	local name=$1 ca=$2 extensions=$3
	shift 3
	printf '%b\n' "$extensions" >"$name.ext"
	openssl req -new -key leaf.key -subj "${SUBJECT:-/CN=est server}" -out "$name.csr"
	openssl x509 -req -in "$name.csr" -CA "$ca.pem" -CAkey "$ca.key" -days 10 \
		-extfile "$name.ext" -out "$name.pem" "$@" 2>/dev/null
}

# sub NAME CA EXTENSIONS...: an intermediate.
sub() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
	openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
	printf '%b\n' "$3" >"$1.ext"
	openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -days 10 -extfile "$1.ext" \
		-out "$1.pem" 2>/dev/null
}

setup_file() {
	est_setup_file
	cd "$BATS_FILE_TMPDIR" || return 1
	local good='subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth'
	local san='subjectAltName=DNS:localhost' ca_ext='basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign'
	ca root /CN=root
	ca stranger /CN=stranger
	openssl ecparam -name prime256v1 -genkey -noout -out leaf.key
	leaf good root "$good"
	leaf untrusted stranger "$good"
	leaf other-name root 'subjectAltName=DNS:other.example,IP:192.0.2.1'
	SUBJECT=/CN=localhost leaf cn-only root 'keyUsage=digitalSignature'
	SUBJECT=/CN=localhost leaf email-only root 'subjectAltName=email:root@localhost,URI:https://localhost'
	SUBJECT=/CN=localhost leaf cn-beside root 'subjectAltName=DNS:other.example'
	leaf dns-as-ip root 'subjectAltName=DNS:127.0.0.1'
	leaf ip-only root 'subjectAltName=IP:127.0.0.1'
	leaf wildcard root 'subjectAltName=DNS:*.est.example,DNS:*.example'
	leaf partial root 'subjectAltName=DNS:e*.est.example,DNS:*t.est.example,DNS:a.*.example,DNS:*'
	leaf case root 'subjectAltName=DNS:LocalHost'
	leaf no-eku root "$san"
	leaf client-eku root "$san\nextendedKeyUsage=clientAuth"
	leaf cmcra root 'subjectAltName=DNS:other.example\nextendedKeyUsage=1.3.6.1.5.5.7.3.28'
	leaf cmcra-server root \
		'subjectAltName=DNS:other.example\nextendedKeyUsage=serverAuth,1.3.6.1.5.5.7.3.28'
	leaf cmcra-no-san root 'extendedKeyUsage=1.3.6.1.5.5.7.3.28'
	leaf cmcra-stranger stranger 'subjectAltName=DNS:other.example\nextendedKeyUsage=1.3.6.1.5.5.7.3.28'
	leaf critical root "$san\n1.2.3.4.5=critical,ASN1:UTF8:what"
	openssl ecparam -name prime256v1 -genkey -noout -out self.key
	openssl req -x509 -new -key leaf.key -subj /CN=self -days 9 -addext "$san" -out self.pem
	# Times by faketime: x509 -req of OpenSSL 3.0 cannot go back.
	faketime -f -20d openssl x509 -req -in good.csr -CA root.pem -CAkey root.key -days 10 \
		-extfile good.ext -out expired.pem 2>/dev/null
	faketime -f +5d openssl x509 -req -in good.csr -CA root.pem -CAkey root.key -days 10 \
		-extfile good.ext -out not-yet.pem 2>/dev/null
	openssl x509 -req -sha1 -in good.csr -CA root.pem -CAkey root.key -days 10 \
		-extfile good.ext -out sha1.pem 2>/dev/null
	# Chains
	sub inter root "$ca_ext"
	sub inter2 inter "$ca_ext"
	leaf deep inter2 "$good"
	cat deep.pem inter2.pem inter.pem >deep-chain.pem
	cat deep.pem inter.pem inter2.pem >deep-unsorted.pem
	cat deep.pem inter2.pem >deep-gap.pem
	cp leaf.key good.key
	leaf not-ca-leaf good "$good"
	chain good.pem not-ca-leaf
	sub no-sign root 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature'
	leaf no-sign-leaf no-sign "$good"
	chain no-sign.pem no-sign-leaf
	sub pathlen root "$ca_ext"',keyCertSign\nbasicConstraints=critical,CA:TRUE,pathlen:0'
	sub below pathlen "$ca_ext"
	leaf pathlen-leaf below "$good"
	cat pathlen-leaf.pem below.pem pathlen.pem >pathlen-leaf-chain.pem
	sub constrained root "$ca_ext"'\nnameConstraints=critical,permitted;DNS:example.org'
	leaf constrained-leaf constrained 'subjectAltName=DNS:localhost'
	chain constrained.pem constrained-leaf
	sub weird root "$ca_ext"'\n1.2.3.4.5=critical,ASN1:UTF8:what'
	leaf weird-leaf weird "$good"
	chain weird.pem weird-leaf
	openssl req -new -newkey rsa:1024 -nodes -keyout rsa1024.key -subj /CN=short -out rsa1024.csr 2>/dev/null
	openssl x509 -req -in rsa1024.csr -CA root.pem -CAkey root.key -days 9 -extfile good.ext \
		-out rsa1024.pem 2>/dev/null
	# What a server answers when it should have been left alone.
	openssl crl2pkcs7 -nocrl -certfile root.pem -outform DER | base64 >bag.b64
	printf 'HTTP/1.1 200 OK\r\nContent-Type: application/pkcs7-mime\r\nContent-Length: %s\r\n\r\n' \
		"$(stat -c %s bag.b64)" | cat - bag.b64 >answer
}

chain() {
	cat "$2.pem" "$1" >"$2-chain.pem"
}

setup() {
	est_setup
	pki=$BATS_FILE_TMPDIR
	capture=$BATS_TEST_TMPDIR/capture
	: >"$capture"
	echo before >cert.pem
}

# serve CERT [PEER OPTION...]: a server with this certificate; sets $at.
serve() {
	local cert=$1
	shift
	: >"$capture"
	helper peer.py tls --cert "$pki/$cert.pem" --key "${KEY:-$pki/leaf.key}" \
		--answer "$pki/answer" --capture "$capture" "$@"
	at=(-s "https://localhost:$PORT" --cacert "$pki/root.pem")
}

# distrusted PATTERN [EXIT]: no enrolment there, and nothing was said to the server.
distrusted() {
	refused "${2:-7}" "$1" enroll "${at[@]}" "${account[@]}" "${new[@]}" -m 20
	[ ! -e key.pem.est-new ]
	[ ! -s "$capture" ]
	ONCE=1 refused "${2:-7}" "$1" cacerts "${at[@]}" -m 20
	[ ! -s "$capture" ]
}

trusted() {
	works cacerts "${at[@]}" -m 20 "$@"
	same_certs "$OUT" "$pki/root.pem"
	grep -q '^GET /.well-known/est/cacerts HTTP/1.1' "$capture"
}

# ---- Chains (R7030-3.3.1-02) -------------------------------------------------------------------------

@test "tls: a good server, by name and by address (R7030-3.3.1-01 R7030-3.6.1-01)" {
	serve good
	trusted
	at=(-s "https://127.0.0.1:$PORT" --cacert "$pki/root.pem")
	trusted
}

@test "tls: an untrusted chain (R7030-3.3-02 R7030-3.3.1-02 R7030-4.2-04 R7030-4.1.2-04)" {
	serve untrusted
	distrusted 'chain|issuer|trust|anchor'
	serve self
	distrusted 'chain|issuer|trust|anchor|self-signed'
}

@test "tls: an expired certificate (R7030-3.3.1-02)" {
	serve expired
	distrusted 'expired on 20.* \(the local clock says 20'
}

@test "tls: a certificate of the future (R7030-3.3.1-02)" {
	serve not-yet
	distrusted 'not valid before 20.* \(the local clock says 20'
}

@test "tls: a chain of several, sorted or not; one with a gap is refused (R7030-3.3.1-02)" {
	serve deep-chain
	trusted
	serve deep-unsorted
	trusted
	serve deep-gap
	distrusted 'chain|issuer|trust|anchor'
}

@test "tls: an issuer that is no CA, cannot sign, or is too deep (R7030-3.3.1-02)" {
	serve no-sign-leaf-chain
	distrusted 'chain|issuer|trust|anchor|CA|sign'
	serve pathlen-leaf-chain
	distrusted 'chain|issuer|trust|anchor|path|constraint'
}

@test "tls: a leaf that another leaf signed (R7030-3.3.1-02)" {
	serve not-ca-leaf-chain
	distrusted 'chain|issuer|trust|anchor|CA'
}

@test "tls: a name outside the constraints of its CA (R7030-3.3.1-02)" {
	serve constrained-leaf-chain
	distrusted 'constraint|chain|trust'
}

@test "tls: an unknown critical extension in leaf or CA (R7030-3.3.1-02)" {
	serve critical
	distrusted 'critical|extension|chain|trust'
	serve weird-leaf-chain
	distrusted 'critical|extension|chain|trust'
}

@test "tls: signed with SHA-1, or an RSA key of 1024 bits" {
	serve sha1
	distrusted 'algorithm|insecure|SHA-?1|signature|chain'
	KEY=$pki/rsa1024.key serve rsa1024
	distrusted 'algorithm|insecure|RSA|key|weak|chain'
}

@test "tls: the purpose of the certificate (R7030-3.3.1-02)" {
	serve no-eku
	trusted
	serve client-eku
	distrusted 'purpose|serverAuth|extKeyUsage'
}

# ---- Names (R7030-3.6.1-01, RFC 6125) -------------------------------------------------------------------

@test "tls: a wrong name; the message has both (R7030-2-01 H-06 R7030-3.3.1-05 R7030-3.6-01 R7030-3.6.1-01)" {
	serve other-name
	distrusted 'localhost'
	stderr_has 'other\.example'
}

@test "tls: no subjectAltName, a common name alone (R6125-6.4.4-01)" {
	serve cn-only
	distrusted 'subjectAltName'
	run_est cacerts "${at[@]}" --json
	[ "$(jq -r .error.code "$OUT")" = no-san ]
	serve email-only
	distrusted 'name|subjectAltName'
	serve cn-beside
	distrusted 'other\.example'
}

@test "tls: an address has to be an iPAddress, a name a dNSName (R6125-6.4-01)" {
	serve dns-as-ip
	at=(-s "https://127.0.0.1:$PORT" --cacert "$pki/root.pem")
	distrusted '127\.0\.0\.1'
	serve ip-only
	distrusted 'localhost'
	at=(-s "https://127.0.0.1:$PORT" --cacert "$pki/root.pem")
	trusted
	at=(-s "https://[::1]:$PORT" --cacert "$pki/root.pem" --resolve "[::1]:$PORT:127.0.0.1")
	run_est cacerts "${at[@]}"
	[ "$status" != 0 ]
}

@test "tls: names ignore case (R6125-6.4-01)" {
	serve case
	trusted
	serve good
	at=(-s "https://LOCALHOST:$PORT" --cacert "$pki/root.pem")
	trusted
}

# named HOST: the server at hand under this name.
named() {
	at=(-s "https://$1:$PORT" --cacert "$pki/root.pem" --resolve "$1:$PORT:127.0.0.1")
}

@test "tls: a wildcard is the whole leftmost label and matches one (R6125-6.4.3-01)" {
	serve wildcard
	named www.est.example
	trusted
	: >"$capture"
	for host in a.b.est.example est.example.org example xest.example; do
		named $host
		distrusted "$host"
	done
	serve partial
	for host in est.est.example t.est.example a.b.example single; do
		named $host
		distrusted "$host"
	done
}

@test "tls: a name from --resolve is no identity (R6125-6.4-02)" {
	serve good
	named other.example
	distrusted 'other\.example'
}

@test "tls: id-kp-cmcRA vouches for any name under an explicit anchor (R7030-3.6.1-01)" {
	for cert in cmcra cmcra-server cmcra-no-san; do
		serve $cert
		trusted
	done
	serve cmcra-stranger
	distrusted 'chain|issuer|trust|anchor'
}

@test "tls: id-kp-cmcRA does not help under an implicit anchor (R7030-3.6.2-01)" {
	for cert in cmcra cmcra-server cmcra-no-san; do
		serve $cert
		at=(-s "https://localhost:$PORT")
		SSL_CERT_FILE=$pki/root.pem distrusted 'localhost|purpose|other\.example'
	done
}

@test "tls: under an implicit anchor the name has to match (R7030-3.6.2-01 R7030-3.6-02)" {
	serve other-name
	at=(-s "https://localhost:$PORT")
	SSL_CERT_FILE=$pki/root.pem distrusted 'localhost'
	serve good
	at=(-s "https://localhost:$PORT")
	SSL_CERT_FILE=$pki/root.pem trusted
}

# ---- TLS itself ---------------------------------------------------------------------------------------

# s_server OPTION...: openssl's server; PORT.  What it decrypts goes to its stdout, the capture.
s_server() {
	local log=$BATS_TEST_TMPDIR/s_server
	[ -p "$BATS_TEST_TMPDIR/fifo" ] || mkfifo "$BATS_TEST_TMPDIR/fifo"
	exec 7<>"$BATS_TEST_TMPDIR/fifo" # its stdin, which does not end
	: >"$log"
	openssl s_server -accept 127.0.0.1:0 -cert "$pki/good.pem" -key "$pki/leaf.key" \
		"$@" <&7 >"$log" 2>&1 3>&- &
	HELPERS="${HELPERS:-} $!"
	eventually grep -q '^ACCEPT' "$log"
	PORT=$(sed -n 's/^ACCEPT.*://p' "$log" | head -n 1)
	at=(-s "https://localhost:$PORT" --cacert "$pki/root.pem")
}

# A server that speaks no TLS of ours: exit 8, and none of our words in its log.
tls_refused() {
	refused 8 "$1" enroll "${at[@]}" "${account[@]}" "${new[@]}" -m 20
	run ! grep -aqE 'POST|HTTP/1.1|Authorization|pkcs10' "$BATS_TEST_TMPDIR/s_server"
}

@test "tls: a server limited to TLS 1.1 or 1.0 (R7030-3.3-04 R7030-3.2.3-02)" {
	s_server -tls1_1 -cipher ALL:@SECLEVEL=0
	tls_refused 'TLS|version|protocol'
	s_server -tls1 -cipher ALL:@SECLEVEL=0
	tls_refused 'TLS|version|protocol'
}

@test "tls: a server with anonymous or NULL suites alone (R7030-3.2.3-03 R7030-3.3-01)" {
	s_server -tls1_2 -cipher aNULL:@SECLEVEL=0
	tls_refused 'TLS|handshake|suite|cipher'
	s_server -tls1_2 -cipher eNULL:@SECLEVEL=0
	tls_refused 'TLS|handshake|suite|cipher'
}

@test "tls: TLS 1.2 alone and TLS 1.3 alone work, and are named (R7030-3.3-04)" {
	for version in 1.2 1.3; do
		serve good --min $version --max $version
		trusted
		works cacerts "${at[@]}" --json
		[ "$(jq -r .server.tls "$OUT")" = "TLS$version" ]
	done
}

@test "tls: what is offered: 1.2 and 1.3, no NULL, anonymous, EXPORT, DES, RC4 suites (R7030-3.3-04 R7030-3.2.3-03 R7030-6-02)" {
	with_raw
	[ "$(jq -c '.client_hello_versions | sort' hello)" = '["TLS1.2","TLS1.3"]' ]
	# What the registry calls NULL, EXPORT, DES, 3DES, RC4, MD5, anonymous, PSK alone.
	local bad='0000 0001 0002 0003 0004 0005 0006 0008 0009 000a 000b 000c 000d 000e 000f 0011 0012
		0013 0014 0015 0016 0017 0018 0019 001a 001b 002c 002d 002e 0034 003a 003b 006c 006d
		00a6 00a7 c001 c002 c003 c006 c007 c008 c00b c00c c00d c010 c011 c012 c015 c016 c017
		c018 c019'
	jq -e --arg bad "$bad" '.ciphers - (.ciphers - [$bad | splits("\\s+")]) == []' hello
	[ "$(jq '.ciphers | length' hello)" -gt 2 ]
}

# The ClientHello of a run, in ./hello.
with_raw() {
	run_est cacerts "${raw[@]}" -l nothing
	eventually hello_logged
	server_log 'select(.event == "handshake")' | tail -n 1 >hello
}

hello_logged() {
	[ "$(server_count '.event == "handshake"')" -ge 1 ]
}

@test "tls: SNI for a name, none for an address; ALPN http/1.1 (R7030-3.3.1-07)" {
	with_raw
	[ "$(jq -c '[.sni, .alpn]' hello)" = '["localhost","http/1.1"]' ]
	server_log_reset
	raw=(-s "https://127.0.0.1:$EST_TEST_RAW_PORT" "${anchor[@]}")
	with_raw
	[ "$(jq -c '.sni' hello)" = null ]
	[ "$(jq '.extensions | index(0)' hello)" = null ]
}

@test "tls: secure renegotiation is signalled (R5746-3.4-01)" {
	with_raw
	jq -e '(.extensions | index(65281) != null) or (.ciphers | index("00ff") != null)' hello
}

@test "tls: no option makes est trust anybody (R7030-3.6-01)" {
	for applet in cacerts enroll reenroll csrattrs; do
		run -0 "$EST" help --options $applet
		run ! grep -qiE -- '--(insecure|no-verify|no-check|skip-verify|allow|trust-all|k)\b' <<<"$output"
	done
	serve untrusted
	ONCE=1 refused 2 'no such option' cacerts "${at[@]}" --insecure
	ONCE=1 refused 2 'no such option' cacerts "${at[@]}" -k
}

@test "tls: plain HTTP on the port" {
	printf 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n' >plain
	helper peer.py bytes plain --capture "$capture"
	at=(-s "https://localhost:$PORT" --cacert "$pki/root.pem")
	refused 8 'TLS' enroll "${at[@]}" "${account[@]}" "${new[@]}" -m 20
	run ! grep -aqE 'POST|Authorization|HTTP/1.1' "$capture"
}

@test "tls: garbage, a fatal alert, an SSH banner in place of a handshake" {
	head -c 2000 /dev/urandom >random
	printf '\x15\x03\x03\x00\x02\x02\x28' >alert
	printf 'SSH-2.0-OpenSSH_9.2p1\r\n' >ssh
	head -c 100000 /dev/zero >zeros
	for bytes in random alert ssh zeros; do
		helper peer.py bytes $bytes --capture "$capture"
		ONCE=1 refused 8 . enroll -s "https://localhost:$PORT" --cacert "$pki/root.pem" \
			"${account[@]}" "${new[@]}" -m 20
	done
	run ! grep -aqE 'POST|Authorization' "$capture"
}

@test "tls: a server that closes at once" {
	helper peer.py close
	run_est enroll -s "https://localhost:$PORT" --cacert "$pki/root.pem" "${account[@]}" "${new[@]}" -m 20
	[ "$status" = 5 ] || [ "$status" = 8 ]
	[ "$(cat cert.pem)" = before ]
	[ ! -e key.pem ]
	[ ! -e key.pem.est-new ]
}

# ---- Client certificates -----------------------------------------------------------------------------

@test "tls: a server that demands a client certificate: with one it works, without there is a hint" {
	openssl req -x509 -new -key "$pki/leaf.key" -subj /CN=me -days 9 -out me.pem
	for version in 1.2 1.3; do
		serve good --client-ca me.pem --min $version --max $version
		trusted --cert me.pem --key "$pki/leaf.key"
		: >"$capture"
		# The alert of the server may be lost to the reset that follows it.
		run_est cacerts "${at[@]}" -m 20
		[ "$status" = 8 ] || [ "$status" = 5 ]
		stderr_has 'client certificate|--cert'
	done
}

@test "tls: a server that never asks for the client certificate is named (R7030-3.3.2-09)" {
	openssl req -x509 -new -key "$pki/leaf.key" -subj /CN=me -days 9 -out me.pem
	serve good
	trusted --cert me.pem --key "$pki/leaf.key"
	stderr_has 'certificate'
	[ "$(grep -c . "$ERR")" = 1 ]
	works cacerts "${at[@]}" --cert me.pem --key "$pki/leaf.key" --json
	[ "$(jq .server.client_certificate "$OUT")" = false ]
}

# ---- Getting there -----------------------------------------------------------------------------------

@test "tls: a name that does not resolve" {
	refused 5 'x\.invalid' enroll -s https://x.invalid --cacert "$pki/root.pem" "${account[@]}" "${new[@]}" -m 20
}

@test "tls: a port where nobody listens" {
	helper peer.py close
	est_teardown
	refused 5 "refused.*|127\.0\.0\.1:$PORT" enroll -s "https://localhost:$PORT" \
		--cacert "$pki/root.pem" "${account[@]}" "${new[@]}" -m 20
}

# timed EXIT ARGS...: `est enroll` there, ends within a second after the one it was given.
timed() {
	local exit=$1 rc=0
	shift
	"$EST_LIB/usage.py" "$BATS_TEST_TMPDIR/usage" "$EST" enroll -s "https://localhost:$PORT" \
		--cacert "$pki/root.pem" "${account[@]}" "${new[@]}" "$@" >"$OUT" 2>"$ERR" || rc=$?
	[ "$rc" = "$exit" ]
	[ ! -s "$OUT" ]
	stderr_has '^est: enroll: .*(time|no answer)'
	[ "$(cat cert.pem)" = before ]
	[ ! -e key.pem ]
	[ ! -e key.pem.est-new ]
	awk '{ exit !($1 >= 0.9 && $1 < 2) }' "$BATS_TEST_TMPDIR/usage"
}

@test "tls: a black hole: the connect timeout, and the deadline" {
	helper peer.py blackhole
	timed 6 -4 --connect-timeout 1 -m 30
	timed 6 -4 -m 1
}

@test "tls: silence in the handshake ends at the deadline" {
	helper peer.py silent --capture "$capture"
	timed 6 -m 1
	run ! grep -aqE 'POST|Authorization' "$capture"
}

@test "tls: a handshake that stalls halfway ends at the deadline" {
	printf '\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03' >half
	helper peer.py bytes half --capture "$capture"
	timed 6 -m 1
}

@test "tls: of several addresses the dead ones are passed over" {
	serve good
	at+=(--resolve "localhost:$PORT:127.0.0.9" --resolve "localhost:$PORT:127.0.0.1")
	trusted
}

@test "tls: http:, userinfo, query and fragment are refused before a packet (R7030-3.1-11 R7030-3.3-03)" {
	serve good
	for url in "http://localhost:$PORT" "https://u:p@localhost:$PORT" "https://u@localhost:$PORT" \
		"https://localhost:$PORT/?x" "https://localhost:$PORT/#x" "ftp://localhost:$PORT" \
		"https://localhost:$PORT/other/path" "https://" "https://localhost:99999" \
		"https://localhost:x" "https://local host" "localhost:$PORT/.well-known/est/cacerts" \
		"https://localhost:$PORT/.well-known/est/a/../b" "https://[::1" "//localhost"; do
		ONCE=1 refused 2 . cacerts -s "$url" --cacert "$pki/root.pem" -m 5
	done
	[ ! -s "$capture" ]
	run ! grep -q 'u:p' "$ERR"
}

@test "tls: labels that are operations, empty, dots are refused (R7030-3.2.2-05 R7030-3.2.2-08)" {
	for label in cacerts simpleenroll simplereenroll fullcmc serverkeygen csrattrs a//b . .. a/.. \
		a/cacerts a/; do
		ONCE=1 refused 2 'label' cacerts "${trust[@]}" -l "$label"
	done
	nothing_sent
}
