#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # lib/est.bash sets them
# est inspect as a gate: exit 15 when the answer is no, and who is to blame.

bats_require_minimum_version 1.5.0

load lib/est

# sign NAME SUBJECT DAYS ISSUER [EXTENSION LINE...]: NAME.pem for NAME.key.
sign() {
	local name=$1 subject=$2 days=$3 issuer=$4
	shift 4
	[ -e "$name.key" ] || openssl ecparam -name prime256v1 -genkey -noout -out "$name.key"
	openssl req -new -key "$name.key" -subj "$subject" -out "$name.csr"
	printf '%s\n' "$@" >"$name.ext"
	openssl x509 -req -in "$name.csr" -CA "$issuer.pem" -CAkey "$issuer.key" -days "$days" \
		-extfile "$name.ext" -out "$name.pem" ${MD:+-$MD} 2>/dev/null
}

setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true PKI=$BATS_FILE_TMPDIR
	cd "$PKI" || return 1
	local server=('subjectAltName=DNS:www.example,DNS:*.wild.example,IP:192.0.2.7,IP:2001:db8::7'
		'extendedKeyUsage=serverAuth' 'basicConstraints=critical,CA:FALSE')
	openssl ecparam -name prime256v1 -genkey -noout -out root.key
	openssl req -x509 -new -key root.key -subj /CN=root -days 400 -out root.pem
	openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -subj /CN=other -days 400 -out other.pem \
		2>/dev/null
	sign sub /CN=sub 300 root 'basicConstraints=critical,CA:TRUE' 'keyUsage=critical,keyCertSign,cRLSign'
	sign www /CN=www.example 200 sub "${server[@]}"
	sign soon /CN=soon 5 sub "${server[@]}"
	sign client /CN=client 200 sub 'extendedKeyUsage=clientAuth'
	sign nosan /CN=www.example 200 sub 'extendedKeyUsage=serverAuth'
	sign ra /CN=ra 200 sub 'extendedKeyUsage=1.3.6.1.5.5.7.3.28' 'subjectAltName=DNS:ra.example'
	openssl genrsa -out weak.key 1024 2>/dev/null
	sign weak /CN=weak 200 sub "${server[@]}"
	MD=sha1 sign old /CN=old 200 sub "${server[@]}"
	cat www.pem sub.pem root.pem >bag.pem
	cat soon.pem sub.pem >soon-bag.pem
	openssl pkcs8 -topk8 -in www.key -passout pass:opensesame -out enc.key
	echo opensesame >password
}

setup() {
	est_setup
	cp "$PKI"/* .
}

# no PATTERN CODE ARGS...: exit 15, the reason on stderr, its code in the check's failures.
no() {
	local pattern=$1 code=$2
	shift 2
	run_est inspect -q "$@"
	[ "$status" = 15 ] || { explain "15 is due: $*"; return 1; }
	[ ! -s "$OUT" ]
	stderr_has "$pattern" || return 1
	no_control_bytes "$ERR"
	run_est inspect --json "$@"
	[ "$status" = 15 ]
	jq -es --arg code "$code" --arg pattern "$pattern" 'length == 1 and (.[0] | .ok == false and
		.error.exit == 15 and .error.class == "condition" and .error.code == $code and
		(.checks | map(select(.ok | not)) | length == 1 and (.[0] | .failed >= 1 and
		(.failures[0] | .code == $code and has("file") and has("index") and has("sha256")
		and has("subject") and (.message | type) == "string"))))' "$OUT" >/dev/null || {
		explain "the JSON of a gate: $*"
		return 1
	}
}

yes() {
	run_est inspect -q "$@"
	if [ "$status" != 0 ] || [ -s "$OUT" ] || [ -s "$ERR" ]; then
		explain "yes is due: $*"
		return 1
	fi
	works inspect --json "$@"
	jq -e '.ok and (.checks | length >= 1 and all(.ok and .failed == 0 and .failures == []))' "$OUT" \
		>/dev/null
}

@test "gate: --expires-within names each certificate that expires, and when" {
	yes --expires-within 30d bag.pem
	yes --expires-within 4d soon-bag.pem
	no 'soon-bag.pem: certificate 1 \(CN=soon\): expires at .*, in [45] days, within 30d' expires \
		--expires-within 30d soon-bag.pem
	no 'certificate 1 .*expires at .* hours' expires --expires-within 7200h --at \
		"$(date -u -d '+199 days' +%Y-%m-%d)" www.pem
	run_est inspect -q --expires-within 52w bag.pem soon.pem
	[ "$status" = 15 ]
	[ "$(grep -c 'expires at' "$ERR")" = 3 ]
	yes --expires-within 1s bag.pem
	yes --expires-within 1m bag.pem
}

@test "gate: --expires-within of a certificate that has expired, and of one by --at" {
	no 'CN=www.*expired at' expired --expires-within 0s --at 2099-01-01 www.pem
	no 'CN=www.*expired at' expired --expires-within 1d --at 2099-01-01T12:00:00Z www.pem
	yes --expires-within 1d --at 1999-01-01 www.pem
}

@test "gate: --verify by the client's rules, its helpers from the same files in any order" {
	yes --verify --cacert root.pem bag.pem
	cat root.pem sub.pem www.pem >backwards.pem
	yes --verify --cacert root.pem backwards.pem
	yes --verify --cacert root.pem www.pem sub.pem
	yes --verify --cacert other.pem --cacert root.pem bag.pem
	yes --verify --cacert sub.pem www.pem
	yes --verify --cacert root.pem sub.pem root.pem
	no 'www.pem: certificate 1 \(CN=www.example\): .*does not lead to a trust anchor' unknown-ca \
		--verify --cacert root.pem www.pem
	no 'does not lead to a trust anchor' unknown-ca --verify --cacert other.pem bag.pem
	no 'does not lead to a trust anchor' unknown-ca --verify bag.pem
	# However many others there are: the names lead to the issuer.
	python3 -c 'import base64, sys
der = base64.b64decode("".join(sys.stdin.read().split("-----")[2].split()))
for i in range(1101):
    pem = base64.b64encode(der.replace(b"other", b"%05d" % i)).decode()
    print("-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----" % pem)' <other.pem >many.pem
	works inspect -q --verify --cacert root.pem many.pem www.pem sub.pem
	no 'CN=old' weak --verify --cacert root.pem old.pem sub.pem
	no 'CN=weak' weak --verify --cacert root.pem weak.pem sub.pem
}

@test "gate: --verify agrees with openssl verify at security level 2" {
	for leaf in www soon weak old client; do
		works=0
		"$EST" inspect -q --verify --cacert root.pem --purpose serverAuth $leaf.pem sub.pem 2>/dev/null ||
			works=$?
		theirs=0
		openssl verify -auth_level 2 -purpose sslserver -CAfile root.pem -untrusted sub.pem $leaf.pem \
			>/dev/null 2>&1 || theirs=15
		[ $works = $theirs ] || { echo "$leaf: $works, openssl $theirs"; return 1; }
	done
}

@test "gate: --at asks for another time, of leaf, issuer and anchor" {
	yes --verify --cacert root.pem --at "$(date -u -d '+100 days' +%Y-%m-%d)" bag.pem
	no 'expired on .*the time asked about is' expired --verify --cacert root.pem --at \
		"$(date -u -d '+250 days' +%Y-%m-%d)" bag.pem
	no 'not valid before' not-yet-valid --verify --cacert root.pem --at 2001-01-01 bag.pem
	# All that is left at the end is the anchor.
	no 'certificate 1 .CN=root.' expired --verify --cacert root.pem --at \
		"$(date -u -d '+500 days' +%Y-%m-%d)" root.pem
	# The leaf outlives its anchor.
	openssl x509 -req -in www.csr -CA root.pem -CAkey root.key -days 900 -extfile www.ext -out long.pem \
		2>/dev/null
	yes --verify --cacert root.pem --at "$(date -u -d '+300 days' +%Y-%m-%d)" long.pem
	no 'not valid then' expired --verify --cacert root.pem --at \
		"$(date -u -d '+500 days' +%Y-%m-%d)" long.pem
}

@test "gate: --hostname by the rules for servers: subjectAltName alone, whole labels" {
	for name in www.example WWW.Example a.wild.example 192.0.2.7 2001:db8::7 '[2001:db8::7]'; do
		yes --verify --cacert root.pem --hostname "$name" bag.pem
	done
	for name in example a.b.wild.example wild.example 192.0.2.8 2001:db8::8; do
		no "not for .* but for www.example" name-mismatch --verify --cacert root.pem \
			--hostname "$name" bag.pem
	done
	no 'no subjectAltName' no-san --verify --cacert root.pem --hostname www.example nosan.pem sub.pem
	no 'CN=client' wrong-purpose --verify --cacert root.pem --hostname client client.pem sub.pem
	# RFC 7030 section 3.6.1: below an explicit anchor a CMC RA needs no matching name.
	yes --verify --cacert root.pem --hostname any.example ra.pem sub.pem
}

@test "gate: --crl with --verify: what the client is given with --crl, revocation and its reason named" {
	printf '%s\n' '[ca]' 'default_ca=d' '[d]' database=db default_md=sha256 crlnumber=number >conf
	echo 01 >number
	: >db
	crl() { openssl ca -config conf -gencrl -keyfile "$1.key" -cert "$1.pem" -crldays 30 -out "$2" 2>/dev/null; }
	crl sub clean.crl
	crl root root.crl
	serial=$(openssl x509 -in www.pem -noout -serial | cut -d = -f 2)
	printf 'R\t351231235959Z\t260101000000Z,keyCompromise\t%s\tunknown\t/CN=x\n' "$serial" >db
	crl sub revoked.crl
	yes --verify --cacert root.pem --crl clean.crl --crl root.crl --hostname www.example bag.pem
	yes --verify --cacert root.pem bag.pem revoked.crl
	no 'bag.pem: certificate 1 .CN=www.example.: .*revoked' revoked --verify --cacert root.pem --crl revoked.crl bag.pem
	no 'none of the CRLs given is one of its issuer' no-crl --verify --cacert root.pem --crl root.crl \
		--hostname www.example bag.pem
	no 'CRL' crl-stale --verify --cacert root.pem --crl clean.crl --at "$(date -u -d '+60 days' +%F)" \
		--hostname www.example bag.pem
	refused 2 'crl is for --verify' inspect --crl clean.crl bag.pem
	refused 3 'No such file' inspect --verify --cacert root.pem --crl nowhere bag.pem
	refused 3 'CRL' inspect --verify --cacert root.pem --crl root.pem bag.pem
}

@test "gate: --purpose by name or OID" {
	yes --verify --cacert root.pem --purpose serverAuth bag.pem
	yes --verify --cacert root.pem --purpose 1.3.6.1.5.5.7.3.2 client.pem sub.pem
	no 'CN=www' wrong-purpose --verify --cacert root.pem --purpose clientAuth bag.pem
	no 'CN=client' wrong-purpose --verify --cacert root.pem --purpose serverAuth client.pem sub.pem
}

@test "gate: --match-key of a certificate, of one of a bag, of a request, an encrypted key" {
	yes --match-key www.key bag.pem
	yes --match-key www.key www.csr
	yes --match-key enc.key --key-password-file password bag.pem
	no 'none of 3 certificates and requests is for the key in client.key' key-mismatch \
		--match-key client.key bag.pem
	no 'none of 1' key-mismatch --match-key client.key www.csr
	# Keys that are not used here are compared all the same.
	openssl req -x509 -newkey rsa:1024 -nodes -keyout weak.key -out weak.pem -subj /CN=weak 2>/dev/null
	openssl req -x509 -newkey rsa-pss -nodes -keyout pss.key -out pss.pem -subj /CN=pss 2>/dev/null
	yes --match-key weak.key bag.pem weak.pem
	yes --match-key pss.key pss.pem
	no 'none of 1' key-mismatch --match-key weak.key pss.pem
	refused 3 'no-such-file|No such file' inspect --match-key nowhere bag.pem
	refused 3 'key' inspect --match-key root.pem bag.pem
}

@test "gate: --min-strength of keys and signatures, roots for their keys alone" {
	yes --min-strength 128 bag.pem
	no 'certificate 1 .*its key, EC P-256, has 128 bits of security, not 129' weak --min-strength 129 bag.pem
	no 'CN=weak.*RSA 1024, has 80 bits of security, not 112' weak --min-strength 112 weak.pem
	no 'CN=old.*its signature, ecdsa-with-SHA1, has 61 bits' weak --min-strength 112 old.pem
	yes --min-strength 112 other.pem
	no 'RSA 2048, has 112' weak --min-strength 113 other.pem
	openssl req -x509 -key other.key -subj /CN=selfsigned -sha1 -days 9 -out sha1.pem
	yes --min-strength 112 sha1.pem
	openssl req -x509 -newkey rsa:3072 -nodes -keyout pss.key -subj /CN=pss -sigopt rsa_padding_mode:pss \
		-sha384 -days 9 -out pss.pem 2>/dev/null
	openssl req -new -key www.key -subj /CN=y -out y.csr
	openssl x509 -req -in y.csr -CA pss.pem -CAkey pss.key -sigopt rsa_padding_mode:pss -sha384 -days 3 \
		-out y.pem 2>/dev/null
	yes --min-strength 128 y.pem
	# The salt is as long as fits, for openssl: still its own signature, and its issuer's.
	openssl req -new -key pss.key -subj /CN=pss -sigopt rsa_padding_mode:pss -sha384 -out pss.csr
	works inspect pss.pem pss.csr
	[ "$(grep -cxE '(self-signed: {3}|verified: {6})yes|signature: {5}RSASSA-PSS with sha384' "$OUT")" = 4 ]
	works inspect --tree pss.pem y.pem
	grep -q '^2  end-entity .*    CN=y$' "$OUT"
	openssl x509 -req -in y.csr -CA pss.pem -CAkey pss.key -sigopt rsa_padding_mode:pss -sha1 -days 3 \
		-out y.pem 2>/dev/null
	no 'RSASSA-PSS with sha1, has 61' weak --min-strength 80 y.pem
}

@test "gate: --has-root in any spelling, of a self-signed certificate only" {
	openssl x509 -in root.pem -outform DER -out root.der
	hex=$(sha256sum <root.der | cut -d ' ' -f 1)
	colons=$(openssl x509 -in root.pem -noout -fingerprint -sha256 | cut -d = -f 2)
	for form in "$hex" "sha256:$hex" "$colons" "sha256:$colons" "${hex^^}"; do
		yes --has-root "$form" bag.pem
		no "$hex is the fingerprint of no certificate here" no-root --has-root "$form" www.pem
	done
	sub=$(openssl x509 -in sub.pem -noout -fingerprint -sha256 | cut -d = -f 2)
	no 'no self-signed certificate here' no-root --has-root "$sub" bag.pem
	no 'no certificate here' no-root --has-root "$hex" --has-root "${hex/?/0}" bag.pem ||
		no 'no certificate here' no-root --has-root "$hex" --has-root "${hex/?/1}" bag.pem
}

@test "gate: several questions at once; a broken file is still exit 3" {
	yes --verify --cacert root.pem --expires-within 30d --min-strength 128 --match-key www.key bag.pem
	run_est inspect --json --verify --cacert root.pem --expires-within 30d --match-key www.key soon-bag.pem
	[ "$status" = 15 ]
	jq -e '[.checks[] | [.check, .ok]] == [["expires-within", false], ["verify", true], ["match-key", false]]' \
		"$OUT"
	echo nonsense >bad
	run_est inspect -q --expires-within 30d bad soon-bag.pem
	[ "$status" = 3 ]
	stderr_has 'CN=soon.*expires'
	# In whatever order.
	run_est inspect --json --expires-within 30d soon-bag.pem bad
	[ "$status" = 3 ]
	stderr_has 'CN=soon.*expires'
	jq -e '.error.exit == 3 and (.checks[0].failures | length == 1)' "$OUT"
}

@test "gate: without -q the certificates are shown as ever; without certificates the answer is no" {
	run_est inspect --expires-within 30d soon-bag.pem
	[ "$status" = 15 ]
	[ "$(grep -c '^subject:' "$OUT")" = 2 ]
	no 'no certificate' nothing --expires-within 30d www.csr
	no 'no certificate' nothing --verify --cacert root.pem www.key
}

@test "gate: options that say nothing, or nothing alone, are usage errors" {
	for word in 30 d 30x -1d 1d1h '' ' 3d' 3.5d; do
		refused 2 'expires-within' inspect --expires-within="$word" bag.pem
	done
	for word in tomorrow 2031-13-01 2031-02-29 2031-01-31T00:00 20310131 '' 2031-1-31 ' 2031-1-31' 2031-01-31T00:00:60Z \
		2031-01-31T24:00:00Z 2031-01-31T00:00:00+01:00; do
		refused 2 '--at' inspect --verify --at="$word" bag.pem
	done
	for word in 0 -5 1000 112bit 0x70; do
		refused 2 'min-strength' inspect --min-strength="$word" bag.pem
	done
	for word in abc sha512:00 "$(printf 'g%.0s' {1..64})" "$(printf '0%.0s' {1..65})" \
		"$(printf '0%.0s' {1..64}):"; do
		refused 2 'has-root' inspect --has-root="$word" bag.pem
	done
	refused 2 'purpose' inspect --verify --cacert root.pem --purpose server bag.pem
	refused 2 'purpose' inspect --verify --cacert root.pem --purpose commonName bag.pem
	refused 2 'hostname' inspect --verify --cacert root.pem --hostname 'a b' bag.pem
	refused 2 'hostname is for --verify' inspect --hostname x bag.pem
	refused 2 'cacert is for --verify' inspect --cacert root.pem bag.pem
	refused 2 'purpose is for --verify' inspect --purpose serverAuth bag.pem
	refused 2 '--at is for' inspect --at 2031-01-01 bag.pem
	refused 3 'No such file' inspect --verify --cacert nowhere bag.pem
}
