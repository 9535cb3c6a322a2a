#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# est reenroll: the same names byte for byte, the same key or a new one, in place or elsewhere.

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	id=(--cert dev.pem --key dev.key)
}

# name_hex CERT-OR-CSR: subject and SAN extension as DER, as openssl cuts them out; hex.
name_hex() {
	local kind=x509
	grep -q REQUEST "$1" && kind=req
	openssl $kind -in "$1" -outform DER -out "$BATS_TEST_TMPDIR/one.der"
	python3 - "$BATS_TEST_TMPDIR/one.der" $kind <<-'PY'
		import sys

		def walk(data):
		    i = 0
		    while i < len(data):
		        tag, n, head = data[i], data[i + 1], 2
		        if n & 0x80:
		            head = 2 + (n & 0x7f)
		            n = int.from_bytes(data[i + 2:i + head], "big")
		        yield tag, data[i + head:i + head + n], data[i:i + head + n]
		        i += head + n

		def find(data, oid):
		    for tag, body, whole in walk(data):
		        if tag & 0x20:
		            if body.startswith(oid):
		                return whole
		            got = find(body, oid)
		            if got:
		                return got
		    return None

		data = open(sys.argv[1], "rb").read()
		tbs = list(walk(list(walk(list(walk(data))[0][1]))[0][1]))
		tbs = [field for field in tbs if field[0] != 0xa0]  # a version 1 names none
		subject = tbs[4][2] if sys.argv[2] == "x509" else tbs[1][2]
		san = find(data, bytes.fromhex("0603551d11"))
		print(subject.hex(), san.hex() if san else "none")
	PY
}

last_csr() {
	openssl req -inform DER -in "$EST_TEST_DIR/$(server_log 'select(.csr) | .csr' | tail -n 1 |
		tr -d '"')" -out got.csr
}

# ---- In place, the same key ---------------------------------------------------------------------------

@test "reenroll: in place with the same key, and it says what it did (R7030-4.2.2-01 R7030-2.3-01 R7030-3.2.2-09)" {
	identity dev /CN=dev/O=x -addext subjectAltName=DNS:dev.example,IP:192.0.2.1
	cp dev.pem old.pem
	before=$(stat -c '%i %a %y' dev.key; sha256sum dev.key)
	works reenroll "${trust[@]}" "${id[@]}" --reuse-key
	[ ! -s "$OUT" ]
	grep -q '^est: reenroll: .*CN=dev' "$ERR"
	run ! cmp -s dev.pem old.pem
	good_cert dev.pem dev.key
	[ "$(stat -c '%i %a %y' dev.key; sha256sum dev.key)" = "$before" ]
	[ "$(name_hex dev.pem)" = "$(name_hex old.pem)" ]
	[ "$(server_log 'select(.csr) | [.target, .status, .client_subject, .authorization]')" = \
		'["/.well-known/est/simplereenroll",200,"CN=dev,O=x",null]' ] ||
		[ "$(server_log 'select(.csr) | [.target, .status, .authorization]')" = \
			'["/.well-known/est/simplereenroll",200,null]' ]
	[ "$(ls -A)" = $'dev.key\ndev.pem\nold.pem' ]
}

@test "reenroll: the old certificate is the one in the handshake (R7030-3.3.2-03)" {
	identity dev /CN=dev
	sha=$(openssl x509 -in dev.pem -outform DER | sha256sum | cut -d ' ' -f 1)
	works reenroll "${trust[@]}" "${id[@]}"
	[ "$(server_log 'select(.csr) | .client_sha256')" = "\"$sha\"" ]
}

@test "reenroll: -q is silent, --json is one object, -o leaves the old one alone" {
	identity dev /CN=dev
	cp dev.pem old.pem
	works reenroll "${trust[@]}" "${id[@]}" -q -o new.pem
	[ ! -s "$ERR" ]
	cmp dev.pem old.pem
	good_cert new.pem dev.key
	works reenroll "${trust[@]}" "${id[@]}" --json -o new2.pem
	jq -es 'length == 1 and (.[0] | .ok and .action == "renewed" and .changed and
		.certificates[0].subject == "CN=dev")' "$OUT"
}

@test "reenroll: -o - is stdout" {
	identity dev /CN=dev
	cp dev.pem old.pem
	works reenroll "${trust[@]}" "${id[@]}" -o - -q
	cp "$OUT" got.pem
	good_cert got.pem dev.key
	cmp dev.pem old.pem
}

@test "reenroll: certificate and key in one file" {
	identity dev /CN=dev
	cat dev.key dev.pem >both.pem
	chmod 600 both.pem
	cp both.pem old
	# The certificate alone must not take the place of both.
	refused 4 'both\.pem.*private key' reenroll "${trust[@]}" --cert both.pem
	nothing_sent
	works reenroll "${trust[@]}" --cert old --combined both.pem --reuse-key
	good_cert both.pem dev.key
	[ "$(grep -c 'PRIVATE KEY' both.pem)" = 2 ]
	[ "$(stat -c %a both.pem)" = 600 ]
}

@test "reenroll: --chain-out and --fullchain (R7030-4.2.3-12)" {
	identity dev /CN=dev
	works reenroll "${trust[@]}" "${id[@]}" --chain-out chain.pem -o new.pem
	same_certs chain.pem "$EST_TEST_DIR/issuing.pem"
	works reenroll "${trust[@]}" "${id[@]}" --fullchain -o full.pem
	[ "$(grep -c BEGIN full.pem)" = 2 ]
	openssl verify -CAfile "$EST_TEST_DIR/root.pem" -untrusted full.pem full.pem
}

@test "reenroll: mode and owner of the certificate are kept, a link stays a link" {
	identity dev /CN=dev
	chmod 640 dev.pem
	mkdir real
	mv dev.pem real/cert.pem
	ln -s real/cert.pem dev.pem
	cp real/cert.pem old.pem
	works reenroll "${trust[@]}" "${id[@]}"
	[ -L dev.pem ]
	[ "$(readlink dev.pem)" = real/cert.pem ]
	[ "$(stat -c %a real/cert.pem)" = 640 ]
	run ! cmp -s real/cert.pem old.pem
	good_cert dev.pem dev.key
}

# ---- A new key -----------------------------------------------------------------------------------------

@test "reenroll: the key is new, in place of the old one, unless --reuse-key or -o alone keeps it" {
	identity dev /CN=dev
	cp dev.key old.key
	works reenroll "${trust[@]}" "${id[@]}" --json --keep 0
	[ "$(jq -r .action "$OUT")" = rekeyed ]
	good_cert dev.pem dev.key
	run ! same_key dev.key old.key
	cp dev.key kept.key
	works reenroll "${trust[@]}" "${id[@]}" --reuse-key --force --json
	[ "$(jq -r .action "$OUT")" = renewed ]
	works reenroll "${trust[@]}" "${id[@]}" --force -o new.pem
	cmp dev.key kept.key
	good_cert new.pem dev.key
	# One that waits for the CA is gone on with, due or not.
	run_est reenroll "${trust[@]}" "${id[@]}" --force -l pending-1
	[ "$status" = 12 ]
	cmp dev.key kept.key
	works reenroll "${trust[@]}" "${id[@]}" --json --keep 0
	[ "$(jq -r .action "$OUT")" = recovered ]
	good_cert dev.pem dev.key
	run ! same_key dev.key kept.key
	# Its type can be another one.
	works reenroll "${trust[@]}" "${id[@]}" --new-key ed25519 --force --keep 0
	good_cert dev.pem dev.key
	openssl pkey -in dev.key -noout -text | grep -q ED25519
	# One file: no other name to change with it.
	cat dev.key dev.pem >both.pem
	refused 2 'new-key.*needs --combined' reenroll "${trust[@]}" --cert both.pem --key both.pem --force \
		--new-key ec:p384
	works reenroll "${trust[@]}" --cert both.pem --combined both.pem --force --keep 0
	good_cert both.pem both.pem
	run ! same_key both.pem dev.key
	server_log_reset
	for option in --rekey '--new-key ec:p256' '--key-out k -o c'; do
		# shellcheck disable=SC2086 # words
		refused 2 'reuse-key keeps' reenroll "${trust[@]}" "${id[@]}" --reuse-key $option
	done
	nothing_sent
}

@test "reenroll: an encrypted key is kept, unless --rekey says that a new one may lie there open" {
	identity dev /CN=dev
	openssl pkcs8 -topk8 -passout pass:geheim -in dev.key -out enc.key
	openssl ec -aes128 -passout pass:geheim -in dev.key -out old.key 2>/dev/null
	for key in enc.key old.key; do
		cp $key before
		EST_KEY_PASSWORD=geheim works reenroll "${trust[@]}" --cert dev.pem --key $key --force
		stderr_has "$key is encrypted, which a new key would not be: it is kept"
		cmp $key before
	done
	# Nor does it lie open in a copy.
	for key in enc.key old.key; do
		EST_KEY_PASSWORD=geheim works reenroll "${trust[@]}" --cert dev.pem --key $key --combined both.pem --force
		run ! grep -q 'BEGIN PRIVATE' both.pem
		openssl pkey -in both.pem -passin pass:geheim -pubout | cmp - <(openssl pkey -in dev.key -pubout)
		good_cert both.pem dev.key
		EST_KEY_PASSWORD=geheim works reenroll "${trust[@]}" --cert dev.pem --key $key --store st --force
		cmp $key st/current/key.pem
	done
	EST_KEY_PASSWORD=geheim works reenroll "${trust[@]}" --cert dev.pem --key enc.key --rekey --force
	good_cert dev.pem enc.key
	run ! same_key enc.key dev.key
}

@test "reenroll: --key-out makes a new key of the same type (R7030-4.2.2-01)" {
	openssl ecparam -name secp384r1 -genkey -noout -out dev.key
	identity dev /CN=dev -addext subjectAltName=DNS:dev.example
	cp dev.pem old.pem
	works reenroll "${trust[@]}" "${id[@]}" --key-out new.key -o new.pem
	good_cert new.pem new.key
	run ! same_key new.key dev.key
	openssl pkey -in new.key -noout -text | grep -q secp384r1
	[ "$(stat -c %a new.key)" = 600 ]
	[ "$(name_hex new.pem)" = "$(name_hex old.pem)" ]
	cmp dev.pem old.pem
	[ "$(ls -A)" = $'dev.key\ndev.pem\nnew.key\nnew.pem\nold.pem' ]
}

@test "reenroll: --new-key is the type of the new key" {
	identity dev /CN=dev
	works reenroll "${trust[@]}" "${id[@]}" --new-key rsa:2048 --key-out new.key -o new.pem --json
	jq -e '.certificates[0].key == "RSA 2048"' "$OUT"
	good_cert new.pem new.key
	ONCE=1 refused 2 'key-out' reenroll "${trust[@]}" "${id[@]}" --new-key rsa:2048 -o other.pem
}

@test "reenroll: --key-out over a key that is there is refused, the key untouched" {
	identity dev /CN=dev
	openssl ecparam -name prime256v1 -genkey -noout -out other.key
	refused 4 'other\.key' reenroll "${trust[@]}" "${id[@]}" --key-out other.key -o new.pem
	refused 2 'key-out.*--key ' reenroll "${trust[@]}" "${id[@]}" --key-out dev.key -o new.pem
	refused 2 'output|-o' reenroll "${trust[@]}" "${id[@]}" --key-out new.key
	nothing_sent
}

# ---- The same names, byte for byte (R7030-4.2.2-01) ------------------------------------------------------

# renewed CONFIG: an old certificate made from an openssl request config; renewed, all names equal.
renewed() {
	openssl ecparam -name prime256v1 -genkey -noout -out dev.key
	openssl req -new -key dev.key -config "$1" -out dev.csr
	issue dev.csr dev.pem
	cp dev.pem old.pem
	works reenroll "${trust[@]}" "${id[@]}"
	last_csr
	[ "$(name_hex got.csr)" = "$(name_hex old.pem)" ]
	[ "$(name_hex dev.pem)" = "$(name_hex old.pem)" ]
	run ! cmp -s dev.pem old.pem
	good_cert dev.pem dev.key
	openssl req -in got.csr -noout -verify
}

config() {
	printf '%s\n' '[req]' 'prompt = no' 'distinguished_name = dn' 'utf8 = yes' "$@"
}

@test "reenroll: subjects in UTF8String, BMPString, T61String, PrintableString (R7030-4.2.2-01)" {
	for mask in utf8only 'MASK:0x800' 'MASK:0x4' pkix default; do
		config "string_mask = $mask" '[dn]' 'O = Gerät & Söhne' 'CN = dev' >one.cnf
		[ "$mask" != pkix ] || config 'string_mask = pkix' '[dn]' 'O = plain' 'CN = dev' >one.cnf
		renewed one.cnf
		openssl asn1parse -in old.pem >>types
	done
	for type in BMPSTRING UTF8STRING T61STRING PRINTABLESTRING; do
		grep -q $type types
	done
}

@test "reenroll: multi-valued RDNs, repeated and unknown attributes (R7030-4.2.2-01)" {
	config '[dn]' 'C = DE' 'O = x' 'OU = one' '1.OU = two' 'CN = dev' '+UID = 7' \
		'+serialNumber = 12' '0.1.3.6.1.4.1.99999.7 = what' >one.cnf
	renewed one.cnf
	openssl x509 -in old.pem -noout -subject | grep -q ' + '
}

@test "reenroll: an empty subject with a critical subjectAltName (R7030-4.2.2-01)" {
	config 'req_extensions = ext' '[dn]' '[ext]' 'subjectAltName = critical,DNS:only.example' >one.cnf
	openssl ecparam -name prime256v1 -genkey -noout -out dev.key
	openssl req -new -key dev.key -subj / -addext 'subjectAltName=critical,DNS:only.example' -out dev.csr
	issue dev.csr dev.pem
	cp dev.pem old.pem
	works reenroll "${trust[@]}" "${id[@]}"
	[ "$(name_hex dev.pem)" = "$(name_hex old.pem)" ]
	last_csr
	[ "$(name_hex got.csr)" = "$(name_hex old.pem)" ]
}

@test "reenroll: every kind of subjectAltName, otherName and directoryName too (R7030-4.2.2-01)" {
	config 'req_extensions = ext' '[dn]' 'CN = dev' '[ext]' 'subjectAltName = @alt' '[alt]' \
		'DNS.1 = a.example' 'DNS.2 = *.b.example' 'IP.1 = 192.0.2.1' 'IP.2 = 2001:db8::1' \
		'email = a@b.example' 'URI = urn:x:y' 'RID = 1.2.3.4' \
		'otherName = 1.3.6.1.5.5.7.8.4;SEQ:hw' 'dirName = dir' '[hw]' 'type = OID:1.2.3' \
		'serial = FORMAT:HEX,OCT:0102' '[dir]' 'O = inside' >one.cnf
	renewed one.cnf
	[ "$(name_hex old.pem | cut -d ' ' -f 2)" != none ]
}

@test "reenroll: no subjectAltName stays none (R7030-4.2.2-01)" {
	config '[dn]' 'CN = dev' >one.cnf
	renewed one.cnf
	[ "$(name_hex dev.pem | cut -d ' ' -f 2)" = none ]
}

@test "reenroll: RSA, Ed25519 and P-521 certificates are renewed with their keys" {
	openssl genrsa -out dev.key 2048 2>/dev/null
	identity dev /CN=dev
	works reenroll "${trust[@]}" "${id[@]}"
	good_cert dev.pem dev.key
	for make in 'genpkey -algorithm ed25519' 'ecparam -name secp521r1 -genkey -noout'; do
		# shellcheck disable=SC2086
		openssl $make -out dev.key
		identity dev /CN=dev
		works reenroll "${trust[@]}" "${id[@]}"
		good_cert dev.pem dev.key
	done
}

@test "reenroll: an encrypted key stays as it is" {
	identity dev /CN=dev
	openssl pkcs8 -topk8 -passout pass:geheim -in dev.key -out enc.key
	cp enc.key enc.before
	EST_KEY_PASSWORD=geheim works reenroll "${trust[@]}" --cert dev.pem --key enc.key
	cmp enc.key enc.before
	good_cert dev.pem dev.key
	EST_KEY_PASSWORD=falsch refused 3 'pass(word|phrase)' reenroll --force "${trust[@]}" --cert dev.pem --key enc.key
}

# ---- Refusals -------------------------------------------------------------------------------------------

@test "reenroll: without --cert, without its key, with another key" {
	identity dev /CN=dev
	openssl ecparam -name prime256v1 -genkey -noout -out other.key
	refused 2 'cert' reenroll "${trust[@]}"
	refused 2 'cert' reenroll "${trust[@]}" "${account[@]}"
	refused 3 'other\.key.*dev\.pem|dev\.pem.*other\.key' reenroll "${trust[@]}" --cert dev.pem --key other.key
	refused 3 'dev\.pem' reenroll "${trust[@]}" --cert dev.pem
	refused 3 'not-there' reenroll "${trust[@]}" --cert not-there.pem --key dev.key
	nothing_sent
}

@test "reenroll: options that would change the names do not exist (R7030-4.2.2-01)" {
	identity dev /CN=dev
	for option in --subject --dns --ip --email --uri --csr; do
		ONCE=1 refused 2 'no such option' reenroll "${trust[@]}" "${id[@]}" $option x
	done
}

@test "reenroll: every refusal leaves certificate and key as they were (R7030-4.2.1-07)" {
	identity dev /CN=dev
	while read -r label due pattern; do
		LEAVES=dev.pem.est-csr refused "$due" "$pattern" reenroll "${trust[@]}" "${id[@]}" --reuse-key -l "$label"
	done <<-'LABELS'
		status-400 10 400
		status-403 9 403
		status-404 10 404
		status-500 11 500
		retry-after-5 12 202
		redirect-out 10 origin
		html 13 html
		empty-bag 13 certificate
		other-key 14 key
		foreign-ca 14 .
		ca-true 14 CA
	LABELS
	# It is the clock that may be wrong: the next run is to wait.
	for label in expired not-yet; do
		LEAVES=dev.pem.est-csr ONCE=1 refused 14 'this clock right' reenroll "${trust[@]}" "${id[@]}" \
			--reuse-key -l $label
	done
}

@test "reenroll: with --key-out a refusal keeps or removes the new key as with enroll" {
	identity dev /CN=dev
	LEAVES=
	refused 10 400 reenroll "${trust[@]}" "${id[@]}" --key-out new.key -o new.pem -l status-400 --csrattrs ignore
	[ ! -e new.key.est-new ]
	LEAVES=new.key.est-new
	refused 11 500 reenroll "${trust[@]}" "${id[@]}" --key-out new.key -o new.pem -l status-500 --csrattrs ignore
	cp new.key.est-new kept.key
	works reenroll "${trust[@]}" "${id[@]}" --key-out new.key -o new.pem
	same_key new.key kept.key
	good_cert new.pem new.key
	[ ! -e new.key.est-new ]
}

@test "reenroll: a certificate of another CA is refused by the server, nothing changes" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout dev.key \
		-out dev.pem -subj /CN=stranger -days 2 2>/dev/null
	refused 9 '403' reenroll --force "${trust[@]}" "${id[@]}"
}

@test "reenroll: the first certificate of a chain file is the one that is renewed" {
	identity dev /CN=dev
	cat dev.pem "$EST_TEST_DIR/issuing.pem" >full.pem
	works reenroll "${trust[@]}" --cert full.pem --key dev.key -o new.pem
	[ "$(openssl x509 -in new.pem -noout -subject)" = 'subject=CN = dev' ]
}

@test "reenroll: --dry-run sends nothing and changes nothing" {
	identity dev /CN=dev
	cp dev.pem old.pem
	works reenroll "${trust[@]}" "${id[@]}" -n
	cmp dev.pem old.pem
	nothing_sent
}
