#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# est enroll: what goes over the wire, what is installed, and what never is.

bats_require_minimum_version 1.5.0

load lib/served

setup_file() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=maker \
		-keyout "$BATS_FILE_TMPDIR/maker.key" -out "$BATS_FILE_TMPDIR/maker.pem" 2>/dev/null
	est_setup_file --client-ca "$BATS_FILE_TMPDIR/maker.pem"
}

setup() {
	est_setup
	password='pass-Wd-43'
}

# The request that the server got last, as ./got.der.
last_csr() {
	cp "$EST_TEST_DIR/$(server_log 'select(.csr) | .csr' | tail -n 1 | tr -d '"')" got.der
}

csr_text() {
	openssl req -inform DER -in got.der -noout -text -nameopt RFC2253
}

# enrol ARGS...: with the account, a new key and a subject; has to work.
enrol() {
	works enroll "${trust[@]}" "${account[@]}" "${new[@]}" "$@"
}

# ---- What is installed ---------------------------------------------------------------------------

@test "enroll: a P-256 key and a certificate for it, silently (R7030-3.1-01 R7030-4.2-01 R7030-3.4-01)" {
	enrol --dns dev.example
	[ ! -s "$OUT" ]
	[ ! -s "$ERR" ]
	[ "$(ls -A)" = $'cert.pem\nkey.pem' ]
	good_cert cert.pem key.pem
	[ "$(grep -c BEGIN cert.pem)" = 1 ]
	[ "$(openssl x509 -in cert.pem -noout -subject -nameopt RFC2253)" = subject=CN=dev ]
	openssl pkey -in key.pem -noout -text | grep -q 'prime256v1'
	certtool --key-info --infile key.pem | grep -q 'EC/ECDSA'
	[ "$(stat -c %a key.pem)" = 600 ]
	[ "$(stat -c %a cert.pem)" = 644 ]
}

@test "enroll: without -o the certificate goes to stdout" {
	works enroll "${trust[@]}" "${account[@]}" --subject CN=dev --key-out key.pem
	cp "$OUT" cert.pem
	good_cert cert.pem key.pem
	[ "$(grep -c BEGIN cert.pem)" = 1 ]
}

@test "enroll: every type of key, accepted by openssl and certtool" {
	while read -r type pattern; do
		rm -f key.pem cert.pem
		enrol --new-key "$type"
		good_cert cert.pem key.pem
		openssl pkey -in key.pem -noout -text >text
		grep -qiE "$pattern" text
		certtool --key-info --infile key.pem >/dev/null
		[ "$(stat -c %a key.pem)" = 600 ]
	done <<-'TYPES'
		ec:p256 prime256v1
		ec:p384 secp384r1
		ec:p521 secp521r1
		rsa:2048 2048.bit
		rsa:3072 3072.bit
		ed25519 ED25519
		ed448 ED448
	TYPES
}

@test "enroll: a key type that does not exist is refused, also a short RSA key" {
	for type in ec:p192 rsa:1024 rsa:2047 rsa:8193 rsa:99999999999999999999 rsa dsa:2048 '' EC:P256x; do
		refused 2 'key' enroll "${trust[@]}" "${account[@]}" "${new[@]}" --new-key "$type"
	done
	nothing_sent
}

@test "enroll: every kind of subjectAltName arrives as it was given" {
	enrol --dns a.example --dns '*.b.example' --ip 192.0.2.7 --ip 2001:db8::7 \
		--email dev@example.org --uri urn:dev:7
	run -0 openssl x509 -in cert.pem -noout -ext subjectAltName
	[[ "$output" == *"DNS:a.example, DNS:*.b.example, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7, email:dev@example.org, URI:urn:dev:7"* ]]
	last_csr
	[ "$(csr_text | grep -A 1 'Subject Alternative Name' | tail -n 1 | tr -d ' ')" = \
		"$(openssl x509 -in cert.pem -noout -ext subjectAltName | tail -n 1 | tr -d ' ')" ]
}

@test "enroll: a subject alone, a name alone" {
	enrol
	last_csr
	run ! grep -q 'Alternative' <(csr_text)
	works enroll "${trust[@]}" "${account[@]}" --dns only.example --key-out k2.pem -o c2.pem
	[ "$(openssl x509 -in c2.pem -noout -subject)" = subject= ]
	good_cert c2.pem k2.pem
}

@test "enroll: keyUsage and extKeyUsage are asked for when named, and only then" {
	enrol
	last_csr
	run ! grep -q 'Key Usage' <(csr_text)
	rm key.pem cert.pem
	enrol --key-usage digitalSignature --key-usage keyAgreement --ext-key-usage clientAuth \
		--ext-key-usage 1.3.6.1.5.5.7.3.17
	last_csr
	csr_text >text
	grep -A 1 'X509v3 Key Usage' text | grep -q 'Digital Signature, Key Agreement$'
	grep -A 1 'Extended Key Usage' text | grep -qE 'TLS Web Client Authentication, (ipsec|1\.3\.6)'
	refused 2 'nonsense' enroll "${trust[@]}" "${account[@]}" --subject CN=a --key-out k --key-usage nonsense
	refused 2 'nonsense' enroll "${trust[@]}" "${account[@]}" --subject CN=a --key-out k --ext-key-usage nonsense
}

@test "enroll: --hash is the hash of the request's signature" {
	for hash in sha256 sha384 sha512; do
		rm -f key.pem cert.pem
		enrol --hash $hash
		last_csr
		csr_text | grep -qi "ecdsa-with-$hash"
	done
	refused 2 sha1 enroll "${trust[@]}" "${account[@]}" --subject CN=a --key-out k --hash sha1
}

@test "enroll: --use-key takes an existing key and leaves it alone" {
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out mine.key 2>/dev/null
	chmod 640 mine.key
	before=$(stat -c '%i %a %Y' mine.key; sha256sum mine.key)
	works enroll "${trust[@]}" "${account[@]}" --subject CN=dev --use-key mine.key -o cert.pem
	good_cert cert.pem mine.key
	[ "$(stat -c '%i %a %Y' mine.key; sha256sum mine.key)" = "$before" ]
	[ "$(ls -A)" = $'cert.pem\nmine.key' ]
}

@test "enroll: --use-key takes what openssl writes: SEC 1, PKCS#1, PKCS#8, DER, encrypted" {
	openssl ecparam -name prime256v1 -genkey -noout -out sec1.key
	openssl genrsa -traditional -out pkcs1.key 2048 2>/dev/null
	openssl pkcs8 -topk8 -nocrypt -in sec1.key -out pkcs8.key
	openssl pkcs8 -topk8 -nocrypt -in sec1.key -outform DER -out der.key
	openssl pkcs8 -topk8 -passout pass:geheim -v2 aes-256-cbc -in sec1.key -out enc.key
	printf 'geheim\n' >phrase
	for key in sec1.key pkcs1.key pkcs8.key der.key enc.key; do
		works enroll "${trust[@]}" "${account[@]}" --subject CN=dev --use-key $key \
			--key-password-file phrase -o cert.pem
		case $key in
		pkcs1.key) good_cert cert.pem pkcs1.key ;;
		*) good_cert cert.pem sec1.key ;;
		esac
	done
	EST_KEY_PASSWORD=geheim works enroll "${trust[@]}" "${account[@]}" --subject CN=dev \
		--use-key enc.key -o cert.pem
}

@test "enroll: --csr sends the request of another program byte for byte" {
	openssl req -new -newkey rsa:2048 -nodes -keyout mine.key -subj /CN=other/O=x \
		-addext subjectAltName=DNS:x.example -out mine.csr 2>/dev/null
	openssl req -in mine.csr -outform DER -out mine.der
	base64 mine.der >mine.b64
	for file in mine.csr mine.der mine.b64; do
		works enroll "${trust[@]}" "${account[@]}" --csr $file -o cert.pem
		good_cert cert.pem mine.key
		last_csr
		cmp got.der mine.der
	done
}

@test "enroll: --csr with a request that is broken, or not one, is refused before anything is sent" {
	openssl req -new -newkey rsa:2048 -nodes -keyout mine.key -subj /CN=other -outform DER \
		-out mine.der 2>/dev/null
	python3 -c 'd = bytearray(open("mine.der", "rb").read()); d[-1] ^= 1
open("bad.der", "wb").write(d)'
	head -c 100 mine.der >short.der
	cp "$EST_TEST_DIR/root.pem" cert.csr
	: >empty.csr
	refused 3 'signature' enroll "${trust[@]}" "${account[@]}" --csr bad.der -o cert.pem
	refused 3 'short\.der' enroll "${trust[@]}" "${account[@]}" --csr short.der -o cert.pem
	refused 3 'certificate' enroll "${trust[@]}" "${account[@]}" --csr cert.csr -o cert.pem
	refused 3 'empty\.csr' enroll "${trust[@]}" "${account[@]}" --csr empty.csr -o cert.pem
	refused 3 'mine\.key|private key' enroll "${trust[@]}" "${account[@]}" --csr mine.key -o cert.pem
	nothing_sent
}

@test "enroll: --csr and options that make a request contradict each other" {
	identity mine /CN=mine
	cp "$BATS_TEST_TMPDIR/mine.csr" mine.csr
	for extra in '--subject CN=x' '--dns x' '--new-key ec:p256' '--use-key mine.key' \
		'--key-out k.pem' '--hash sha384' '--key-usage digitalSignature'; do
		# shellcheck disable=SC2086
		refused 2 'csr' enroll "${trust[@]}" "${account[@]}" --csr mine.csr $extra
	done
	refused 2 'use-key|new-key' enroll "${trust[@]}" "${account[@]}" --subject CN=x \
		--use-key mine.key --new-key ec:p256 --key-out k.pem
	nothing_sent
}

@test "enroll: --chain-out is the intermediates, --fullchain one file with all but the root" {
	enrol --chain-out chain.pem
	same_certs chain.pem "$EST_TEST_DIR/issuing.pem"
	[ "$(grep -c BEGIN cert.pem)" = 1 ]
	openssl verify -CAfile "$EST_TEST_DIR/root.pem" -untrusted chain.pem cert.pem
	rm key.pem cert.pem
	enrol --fullchain
	[ "$(grep -c BEGIN cert.pem)" = 2 ]
	same_key cert.pem key.pem
	openssl verify -CAfile "$EST_TEST_DIR/root.pem" -untrusted cert.pem cert.pem
	certtool --verify --load-ca-certificate "$EST_TEST_DIR/root.pem" --infile cert.pem
}

@test "enroll: --combined is key, certificate and chain in one file that nobody else reads" {
	works enroll "${trust[@]}" "${account[@]}" --subject CN=dev --combined all.pem
	[ "$(ls -A)" = all.pem ]
	check_combined
	rm all.pem
	openssl genpkey -algorithm ed25519 -out mine.key
	works enroll "${trust[@]}" "${account[@]}" --subject CN=dev --use-key mine.key --combined all.pem
	check_combined
	# One file may be the whole TLS identity.
	works enroll "${trust[@]}" --cert all.pem --subject CN=dev2 --key-out k2.pem -o c2.pem
	good_cert c2.pem k2.pem
}

check_combined() {
	[ "$(stat -c %a all.pem)" = 600 ]
	[ "$(grep -c 'BEGIN CERTIFICATE' all.pem)" = 2 ]
	[ "$(grep -c 'BEGIN .*PRIVATE KEY' all.pem)" = 1 ]
	openssl pkey -in all.pem -out key.pem
	good_cert all.pem key.pem
}

@test "enroll: issued certificates in odd bags: with chain, reversed, with another leaf (Q-EXTRA-CERTS)" {
	for label in chain chain-reversed multi-leaf; do
		rm -f key.pem cert.pem
		enrol -l $label
		good_cert cert.pem key.pem
		[ "$(grep -c BEGIN cert.pem)" = 1 ]
		rm key.pem cert.pem
		enrol -l $label --fullchain --json
		jq -e '.deviations == ["Q-EXTRA-CERTS"]' "$OUT"
		[ "$(grep -c BEGIN cert.pem)" = 2 ]
		openssl verify -CAfile "$EST_TEST_DIR/root.pem" -untrusted cert.pem cert.pem
		rm key.pem cert.pem
		LEAVES=key.pem.est-new refused 13 Q-EXTRA-CERTS enroll "${trust[@]}" "${account[@]}" \
			"${new[@]}" -l $label --strict
		rm -f key.pem.est-new
	done
}

@test "enroll: wrapped otherwise, DER, PEM, bare certificate: the bytes decide (R7030-3.2.4-02 Q-STATUS-201)" {
	while read -r label quirks; do
		rm -f key.pem cert.pem
		enrol -l "$label" --json
		good_cert cert.pem key.pem
		[ "$(jq -c .deviations "$OUT")" = "$quirks" ]
	done <<-'LABELS'
		wrap-0 []
		wrap-76 []
		cte-binary []
		close []
		der ["Q-RAW-DER"]
		pem ["Q-PEM"]
		bare-cert ["Q-BARE-CERT"]
		octet-stream ["Q-MEDIA-TYPE"]
		type-x ["Q-MEDIA-TYPE"]
		created ["Q-STATUS-201"]
	LABELS
}

@test "enroll: a clock of the CA that is ten minutes fast is taken (R7030-4.2.1-07)" {
	enrol -l skew
	same_key cert.pem key.pem
}

@test "enroll: another subject than asked for is a notice" {
	enrol -l other-subject
	stderr_has 'subject'
	[ "$(openssl x509 -in cert.pem -noout -subject)" = 'subject=CN = somebody else' ]
	rm key.pem cert.pem
	enrol -l other-subject -q
	[ ! -s "$ERR" ]
}

@test "enroll: --json says what was done and never the key" {
	enrol --json
	jq -es 'length == 1 and (.[0] | .ok and .action == "enrolled" and .changed and
		.applet == "enroll" and .certificates[0].subject == "CN=dev")' "$OUT"
	[ "$(jq -r '.certificates[0].sha256' "$OUT")" = "$(openssl x509 -in cert.pem -outform DER |
		sha256sum | cut -d ' ' -f 1)" ]
	run ! grep -q 'PRIVATE' "$OUT"
	run ! grep -qF "$(sed -n 2p key.pem)" "$OUT"
}

# ---- On the wire ---------------------------------------------------------------------------------

@test "enroll: first the CA certificates, then what the CA wants, then the request; no path that was not asked for (R7030-2.1-01 R7030-4.2-03 R7030-3.2.2-10)" {
	works cacerts -s "$EST_TEST_URL" --bootstrap --ca-fingerprint \
		"sha256:$(openssl x509 -in "$EST_TEST_DIR/root.pem" -outform DER | sha256sum | cut -d' ' -f1)" -o anchors.pem
	works enroll -s "$EST_TEST_URL" --cacert anchors.pem "${account[@]}" "${new[@]}"
	works reenroll -s "$EST_TEST_URL" --cacert anchors.pem --cert cert.pem --key key.pem --force
	good_cert cert.pem key.pem
	[ "$(server_log 'select(.target != null) | .target' | tr -d '"' | uniq)" = "/.well-known/est/cacerts
/.well-known/est/csrattrs
/.well-known/est/simpleenroll
/.well-known/est/csrattrs
/.well-known/est/simplereenroll" ]
}

@test "enroll: the body is base64 of PKCS#10 in 64 columns with a final newline (R7030-4.2.1-01 R8951-3-01 R7030-3.2.4-01)" {
	enrol
	body=$EST_TEST_DIR/$(server_log 'select(.csr) | .csr' | tail -n 1 | tr -d '"' | sed 's/der$/body/')
	last_csr
	cmp "$body" <(base64 -w 64 got.der)
	openssl req -inform DER -in got.der -noout -verify
	certtool --crq-info --inder --infile got.der >/dev/null
	[ "$(server_log 'select(.csr) | .headers["content-type"]' | sort -u)" = '"application/pkcs10"' ]
	[ "$(server_log 'select(.csr) | .headers["content-length"]' | tail -n 1)" = \
		"\"$(stat -c %s "$body")\"" ]
	seen 0 '.headers["expect"] or .headers["transfer-encoding"] or
		.headers["content-transfer-encoding"]'
	seen 0 '.csr and .target != "/.well-known/est/simpleenroll"'
}

@test "enroll: Basic only after a challenge, on the same connection (R7030-3.2.3-05 R7030-3.2.3-07 R7030-3.2.3-11)" {
	enrol
	[ "$(server_log 'select(.operation == "simpleenroll") | [.status, .authorization]')" = \
		$'[401,null]\n[200,"Basic"]' ]
	[ "$(server_log 'select(.operation == "simpleenroll") | .conn' | sort -u | wc -l)" = 1 ]
	[ "$(server_log 'select(.operation == "simpleenroll") | .body_sha256' | sort -u | wc -l)" = 1 ]
	seen 0 '.operation != "simpleenroll" and .authorization'
}

@test "enroll: no password is sent where none is asked for (R7030-3.2.3-11 R7030-6-01)" {
	enrol -l anon
	no_credentials
}

@test "enroll: password from a file, from stdin, from /dev/fd, from the environment" {
	rm -f "$BATS_TEST_TMPDIR/none"
	args=("${trust[@]}" -u tester --subject CN=dev --force --key-out key.pem -o cert.pem)
	works enroll "${args[@]}" --password-file - <<<"$password"
	works enroll "${args[@]}" --password-file <(printf %s "$password")
	works enroll "${args[@]}" --password-file /dev/fd/9 9<<<"$password"
	EST_PASSWORD=$password works enroll "${args[@]}"
	EST_USER=tester EST_PASSWORD=$password works enroll "${trust[@]}" --subject CN=dev --force \
		--key-out key.pem -o cert.pem
	seen 5 '.status == 200 and .operation == "simpleenroll"'
}

@test "enroll: passwords with a colon and with UTF-8 go as they are (R7030-3.2.3-05)" {
	for secret in 'a:b:c' '123£' ' lead and trail ' 'ümläut'; do
		printf '%s\n' "$secret" >secret
		server_start --user tester --password-file secret
		works enroll -s "$EST_TEST_URL" --cacert "$EST_TEST_DIR/root.pem" -u tester \
			--password-file secret --subject CN=dev --force --key-out key.pem -o cert.pem
		server_stop
	done
}

@test "enroll: an empty user name with a password (R7030-3.2.3-09)" {
	printf 'only' >secret
	server_start --user '' --password-file secret
	works enroll -s "$EST_TEST_URL" --cacert "$EST_TEST_DIR/root.pem" -u '' \
		--password-file secret --subject CN=dev --key-out key.pem -o cert.pem
	server_stop
}

@test "enroll: a client certificate alone (R7030-3.3.2-01 R7030-4.2.1-06)" {
	identity first /CN=first
	works enroll "${trust[@]}" --cert first.pem --key first.key "${new[@]}"
	good_cert cert.pem key.pem
	[ "$(server_log 'select(.csr) | [.status, .client_subject, .client_trusted, .authorization]')" = \
		'[200,"CN=first",true,null]' ]
}

@test "enroll: the client certificate with its chain in one file, key by another" {
	identity first /CN=first
	cat first.pem "$EST_TEST_DIR/issuing.pem" >both.pem
	works enroll "${trust[@]}" --cert both.pem --key first.key "${new[@]}"
	seen 1 '.csr and .client_subject == "CN=first"'
}

@test "enroll: a client certificate and a password, where both are wanted (R7030-3.3.2-01)" {
	identity first /CN=first
	works enroll "${trust[@]}" -l auth-basic --cert first.pem --key first.key "${account[@]}" "${new[@]}"
	[ "$(server_log 'select(.csr) | [.status, .client_subject, .authorization]')" = \
		$'[401,"CN=first",null]\n[200,"CN=first","Basic"]' ]
}

@test "enroll: a client certificate of a third party, which this CA does not renew (R7030-3.3.2-05)" {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout idevid.key -out idevid.csr \
		-subj /CN=device-7 2>/dev/null
	openssl x509 -req -in idevid.csr -CA "$BATS_FILE_TMPDIR/maker.pem" -CAkey "$BATS_FILE_TMPDIR/maker.key" \
		-days 2 -out idevid.pem 2>/dev/null
	works enroll "${trust[@]}" --cert idevid.pem --key idevid.key "${new[@]}"
	seen 1 '.csr and .client_subject == "CN=device-7" and .client_vouched_by == "implicit"'
	refused 9 'not of this CA' reenroll "${trust[@]}" --cert idevid.pem --key idevid.key --reuse-key --force
}

@test "enroll: an encrypted key of the client certificate, by file and by environment" {
	identity first /CN=first
	openssl pkcs8 -topk8 -passout pass:geheim -in first.key -out enc.key
	printf 'geheim' >phrase
	printf 'falsch' >wrong
	id=(--cert first.pem --key enc.key)
	works enroll "${trust[@]}" "${id[@]}" --key-password-file phrase "${new[@]}"
	EST_KEY_PASSWORD=geheim works enroll "${trust[@]}" "${id[@]}" --force "${new[@]}"
	server_log_reset
	refused 3 'pass(word|phrase)' enroll "${trust[@]}" "${id[@]}" --key-password-file wrong --subject CN=d --key-out k2
	EST_KEY_PASSWORD=falsch refused 3 'pass(word|phrase)' enroll "${trust[@]}" "${id[@]}" \
		--subject CN=d --key-out k2
	refused 3 'pass(word|phrase)' enroll "${trust[@]}" "${id[@]}" --key-password-file not-there \
		--subject CN=d --key-out k2 || refused 3 'not-there' enroll "${trust[@]}" "${id[@]}" \
		--key-password-file not-there --subject CN=d --key-out k2
	nothing_sent
}

@test "enroll: the same connection serves everything the server lets it (R7030-3.2-01)" {
	enrol --json
	[ "$(jq .server.connections "$OUT")" = 1 ]
	[ "$(server_log .conn | sort -u | wc -l)" = 1 ]
	rm key.pem cert.pem
	server_log_reset
	enrol -l close --json
	good_cert cert.pem key.pem
	[ "$(server_log .conn | sort -u | wc -l)" = "$(server_log .conn | wc -l)" ]
}

@test "enroll: csr and enroll ask for the same (R7030-4.2.1-01)" {
	openssl genpkey -algorithm ed25519 -out mine.key # its signatures are deterministic
	names=(--subject 'CN=dev,OU=a,O=c' --dns a.example --ip ::1 --email a@b.example --uri urn:x
		--key-usage digitalSignature --ext-key-usage clientAuth)
	works csr --use-key mine.key "${names[@]}" --outform der -o mine.der
	works enroll "${trust[@]}" "${account[@]}" --use-key mine.key "${names[@]}" -o cert.pem
	last_csr
	cmp got.der mine.der
}

@test "enroll: --dry-run checks everything and sends nothing" {
	works enroll "${trust[@]}" "${account[@]}" "${new[@]}" -n
	[ -z "$(ls -A)" ]
	nothing_sent
	refused 4 'no-dir' enroll "${trust[@]}" "${account[@]}" --subject CN=d --key-out no-dir/k -n
	refused 2 'nonsense' enroll "${trust[@]}" "${account[@]}" --subject nonsense --key-out k -n
	nothing_sent
}

# ---- Who is refused, and what becomes of the new key -----------------------------------------------

@test "enroll: nothing to authenticate with is a usage error (R7030-3.3.2-08)" {
	refused 2 '3\.3\.2' enroll "${trust[@]}" "${new[@]}"
	nothing_sent
}

@test "enroll: a challenge without credentials ends it, the key is gone again (R7030-3.2.3-08)" {
	unset ONCE # the repetition counts
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout maker.key \
		-out maker.pem -subj /CN=maker -days 2 2>/dev/null
	echo before >cert.pem
	refused 9 '401|403' enroll "${trust[@]}" --cert maker.pem --key maker.key "${new[@]}"
	seen 2 '.csr'
	no_credentials
}

@test "enroll: wrong credentials are tried once (R7030-3.2.3-08)" {
	unset ONCE # the repetition counts
	echo wrong >wrong
	echo before >cert.pem
	ONCE=1 refused 9 '401' enroll "${trust[@]}" -u tester --password-file wrong "${new[@]}"
	[ "$(server_log '[.status, .authorization]')" = $'[204,null]\n[401,null]\n[401,"Basic"]' ]
	ONCE=1 refused 9 '401' enroll "${trust[@]}" -u nobody "${account[@]:2}" "${new[@]}"
	seen 4 '.status == 401'
	refused 9 '401' enroll "${trust[@]}" -u tester --password-file wrong "${new[@]}"
	[ "$(jq '.error.http_status' "$OUT")" = 401 ]
}

@test "enroll: 403 has the text of the server, and no second try" {
	echo before >cert.pem
	ONCE=1 refused 9 '403.*the server says' enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l auth-cert
	seen 1 '.method == "POST"'
	refused 9 403 enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l status-403 --csrattrs ignore
}

@test "enroll: 4xx means nothing was issued: the key is removed (R7030-4.2.3-11)" {
	echo before >cert.pem
	for code in 400 404 409 422 501; do
		refused 10 $code enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l status-$code --csrattrs ignore
		[ ! -e key.pem.est-new ]
	done
	refused 10 400 enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l error-html --csrattrs ignore
	refused 10 400 enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l error-controls --csrattrs ignore
	[ ! -e key.pem.est-new ]
}

@test "enroll: a redirect elsewhere ends it, nothing crosses to the other origin, the key is removed (R7030-3.2.1-07 H-06)" {
	echo before >cert.pem
	ONCE=1 refused 10 'another origin' enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l redirect-out --csrattrs ignore
	[ ! -e key.pem.est-new ]
	seen 1 true
	no_credentials
}

@test "enroll: 5xx keeps the key, the next run goes on with it" {
	echo before >cert.pem
	LEAVES=key.pem.est-new
	for code in 500 502 503 599; do
		refused 11 $code enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l status-$code --csrattrs ignore
		[ "$(stat -c %a key.pem.est-new)" = 600 ]
	done
	[ "$(server_log 'select(.csr) | .csr' | tr -d '"' | while read -r csr; do
		openssl req -inform DER -in "$EST_TEST_DIR/$csr" -noout -pubkey | sha256sum
	done | sort -u | wc -l)" = 1 ]
	cp key.pem.est-new kept.key
	enrol
	same_key key.pem kept.key
	good_cert cert.pem key.pem
	[ ! -e key.pem.est-new ]
}

@test "enroll: 202 is pending: exit 12, retry_after, the key kept and resumed (R7030-4.2.3-08 R7030-4.2.3-09)" {
	echo before >cert.pem
	LEAVES=key.pem.est-new
	ONCE=1 refused 12 202 enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l pending-2
	[ "$(stat -c %a key.pem.est-new)" = 600 ]
	cp key.pem.est-new kept.key
	rm key.pem.est-csr # who cannot wait may; the key stays
	run_est enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l pending-2 --json
	[ "$status" = 12 ]
	jq -e '.error.retry_after == 1 and .error.http_status == 202 and .error.retryable' "$OUT"
	[ "$(cat cert.pem)" = before ]
	[ ! -e key.pem ]
	same_key key.pem.est-new kept.key
	enrol -l pending-2 --wait=5
	same_key key.pem kept.key
	good_cert cert.pem key.pem
	[ "$(ls -A)" = $'cert.pem\nkept.key\nkey.pem' ]
	[ "$(server_log 'select(.status == 202 or .status == 200) | .status' | head -n 3 | sort |
		uniq -c | tr -s ' ' | tr '\n' ,)" = ' 1 200, 2 202,' ]
}

@test "enroll: Retry-After in seconds, as three dates, in the past, as nonsense (H-05, Q-NO-RETRY-AFTER)" {
	LEAVES=key.pem.est-new
	while IFS='|' read -r value due; do
		run_est enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l "retry-after-$value" --json
		[ "$status" = 12 ]
		[ "$(jq .error.retry_after "$OUT")" = "$due" ] || explain "$value: $due is due"
		[ "$(jq .error.retry_after "$OUT")" = "$due" ]
	done <<-'VALUES'
		120|120
		0|0
		0007|7
		Fri, 31 Dec 1999 23:59:59 GMT|0
		Friday, 31-Dec-99 23:59:59 GMT|0
		Fri Dec 31 23:59:59 1999|0
		+5|null
		1.5|null
		-1|null
		soon|null
		5 5|null
	VALUES
	future=$(LC_ALL=C date -u -d '+1 hour' '+%a, %d %b %Y %H:%M:%S GMT')
	run_est enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l "retry-after-$future" --json
	[ "$status" = 12 ]
	jq -e '.error.retry_after > 3500 and .error.retry_after <= 3601' "$OUT"
	run_est enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l no-retry-after --json
	[ "$status" = 12 ]
	jq -e '.error.retry_after == null and (.deviations | index("Q-NO-RETRY-AFTER"))' "$OUT"
}

@test "enroll: a timeout keeps the key, as the server may have issued" {
	plays slow 'sleep 60000'
	echo before >cert.pem
	LEAVES=key.pem.est-new refused 6 'time' enroll "${raw[@]}" "${account[@]}" "${new[@]}" -l slow -m 1 --csrattrs ignore
	[ "$(stat -c %a key.pem.est-new)" = 600 ]
	cp key.pem.est-new kept.key
	enrol
	same_key key.pem kept.key
}

@test "enroll: a connection that breaks before the answer: the key is kept, the POST not repeated (H-19)" {
	plays broken reset
	plays gone close
	echo before >cert.pem
	LEAVES=key.pem.est-new
	for label in broken gone; do
		server_log_reset
		ONCE=1 refused 5 . enroll "${raw[@]}" "${account[@]}" "${new[@]}" -l $label --csrattrs ignore
		seen 1 '.method == "POST"'
		[ -e key.pem.est-new ]
	done
}

@test "enroll: before anything could be issued no key is left (no connection, no trust)" {
	echo before >cert.pem
	refused 5 . enroll -s https://127.0.0.1:1 "${anchor[@]}" "${account[@]}" "${new[@]}"
	identity other /CN=other
	refused 7 . enroll -s "$EST_TEST_URL" --cacert other.pem "${account[@]}" "${new[@]}"
	[ ! -e key.pem.est-new ]
	nothing_sent
}

# ---- Certificates that must not be installed --------------------------------------------------------

# rejected LABEL PATTERN: exit 14, nothing installed.
rejected() {
	echo before >cert.pem
	echo chain >chain.pem
	LEAVES=key.pem.est-new
	refused 14 "$2" enroll "${trust[@]}" "${account[@]}" "${new[@]}" --chain-out chain.pem -l "$1"
	[ ! -e key.pem ]
	openssl ecparam -name prime256v1 -genkey -noout -out mine.key
	echo before >all.pem
	refused 14 "$2" enroll "${trust[@]}" "${account[@]}" --subject CN=d --use-key mine.key \
		--combined all.pem -l "$1"
}

@test "enroll: a certificate for another key is rejected (R7030-4.2.1-07)" {
	rejected other-key 'key'
}

@test "enroll: a certificate of a CA nobody knows is rejected (R7030-4.2.1-07)" {
	rejected foreign-ca 'chain|anchor|issuer|trust'
}

@test "enroll: a CA certificate is rejected (R7030-4.2.1-07)" {
	rejected ca-true 'CA'
}

@test "enroll: an expired certificate is rejected (R7030-4.2.1-07)" {
	rejected expired 'expired|notAfter'
}

@test "enroll: a certificate that is not valid yet is rejected (R7030-4.2.1-07)" {
	rejected not-yet 'not yet|notBefore|valid'
}

@test "enroll: an empty bag, HTML, no type: protocol, nothing installed (H-01)" {
	echo before >cert.pem
	LEAVES=key.pem.est-new
	refused 13 'no certificate|empty' enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l empty-bag
	refused 13 'text/html' enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l html
	refused 13 'content-type' enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l no-type
	refused 10 204 enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l status-204
	[ ! -e key.pem ]
}

@test "enroll: a deviation under --strict installs nothing" {
	echo before >cert.pem
	for label in der pem bare-cert octet-stream created; do
		LEAVES=key.pem.est-new refused 13 'Q-' enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l $label --strict
	done
	[ ! -e key.pem ]
}

# ---- Secrets -------------------------------------------------------------------------------------

@test "enroll: no secret in messages, logs or what strace sees of them (H-07)" {
	works enroll "${trust[@]}" "${account[@]}" "${new[@]}" -v -v -v
	for secret in "$password" "$(printf 'tester:%s' "$password" | base64)"; do
		run ! grep -rqF -- "$secret" "$OUT" "$ERR" "$EST_TEST_DIR" .
	done
	run ! grep -qF "$(sed -n 2p key.pem)" "$ERR"
}

@test "enroll: a password on the command line is refused (R7030-3.2.3-05)" {
	refused 2 'colon|:' enroll "${trust[@]}" -u tester:pass-Wd-43 "${new[@]}"
	run ! grep -q 'pass-Wd-43' "$ERR"
	ONCE=1 refused 2 'no such option' enroll "${trust[@]}" -u tester --password pass-Wd-43 "${new[@]}"
	run ! grep -q 'pass-Wd-43' "$ERR"
	EST_USER=tester:pass-Wd-43 refused 2 'colon|:' enroll "${trust[@]}" "${account[@]:2}" "${new[@]}"
	nothing_sent
}

@test "enroll: control characters in user or password are refused (R7030-3.2.3-05)" {
	refused 2 'control' enroll "${trust[@]}" -u $'a\tb' "${account[@]:2}" "${new[@]}"
	printf 'a\nb\n' >two
	refused 2 'control' enroll "${trust[@]}" -u tester --password-file two "${new[@]}"
	: >empty
	run_est enroll "${trust[@]}" -u tester --password-file empty "${new[@]}"
	[ "$status" = 3 ] || [ "$status" = 9 ]
	head -c 100000 /dev/zero | tr '\0' x >huge
	refused 3 'huge|long|large|bytes' enroll "${trust[@]}" -u tester --password-file huge "${new[@]}"
}

@test "enroll: off a terminal a missing password is said, not waited for" {
	run -3 --separate-stderr timeout 10 setsid -w "$EST" enroll "${trust[@]}" -u tester "${new[@]}" </dev/null
	[[ "$stderr" == "est: enroll: "*assword* ]]
	[ -z "$output" ]
	[ -z "$(ls -A)" ]
	no_credentials
}
