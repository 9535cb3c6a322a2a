#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# est reenroll: answers that renew nothing, certificates that cannot authenticate.

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	id=(--cert dev.pem --key dev.key)
}

# unfit NAME SUBJECT DAYS [REQ OPTION...]: identity with a validity of its own.
unfit() {
	local name=$1 subject=$2 days=$3
	shift 3
	[ -e "$name.key" ] || openssl ecparam -name prime256v1 -genkey -noout -out "$name.key"
	openssl req -new -key "$name.key" -subj "$subject" -out "$BATS_TEST_TMPDIR/$name.csr" "$@"
	issue "$BATS_TEST_TMPDIR/$name.csr" "$name.pem" -days "$days"
}

# expired NAME SUBJECT
expired() {
	local name=$1
	openssl ecparam -name prime256v1 -genkey -noout -out "$name.key"
	openssl req -new -key "$name.key" -subj "$2" -out "$BATS_TEST_TMPDIR/$name.csr"
	faketime -f -40d openssl x509 -req -in "$BATS_TEST_TMPDIR/$name.csr" \
		-CA "$EST_TEST_DIR/issuing.pem" -CAkey "$EST_TEST_DIR/issuing.key" -days 30 \
		-out "$name.pem" 2>/dev/null
}

# shown FILE: the TLS client certificate of every POST was this one.
shown() {
	local sum
	sum=$(openssl x509 -in "$1" -outform DER | sha256sum | cut -d ' ' -f 1)
	[ "$(server_log 'select(.method == "POST") | .client_sha256' | sort -u)" = "\"$sum\"" ]
}

@test "reenroll: the old certificate as the answer is rejected, nothing changes" {
	identity dev /CN=dev
	refused 14 'the one that was to be renewed' reenroll "${trust[@]}" "${id[@]}" --reuse-key -l same-cert
	run_est reenroll "${trust[@]}" "${id[@]}" --reuse-key -l same-cert --json
	[ "$(jq -r .error.code "$OUT")" = same-certificate ]
}

@test "reenroll: a certificate that expires before the old one is rejected, renewed or rekeyed" {
	unfit dev /CN=dev 4000
	refused 14 'expires [0-9]+ s before' reenroll --force "${trust[@]}" "${id[@]}" --reuse-key
	LEAVES=new.key.est-new refused 14 'expires [0-9]+ s before' reenroll --force "${trust[@]}" "${id[@]}" \
		--key-out new.key -o new.pem
	run_est reenroll --force "${trust[@]}" "${id[@]}" --reuse-key --json
	[ "$(jq -r .error.code "$OUT")" = expires-earlier ]
	[ ! -e new.key ]
}

@test "reenroll: one that can authenticate is used, whatever --alt-cert names (R7030-3.3.2-03)" {
	identity dev /CN=dev
	identity alt /CN=dev
	cp dev.pem old.pem
	works reenroll "${trust[@]}" "${id[@]}" --alt-cert alt.pem --alt-key alt.key
	shown old.pem
}

@test "reenroll: without clientAuth, without digitalSignature, expired: --alt-cert of the same subject (R7030-3.3.2-04 R7030-2.3-02)" {
	identity alt /CN=dev
	cat alt.key >>alt.pem
	unfit one /CN=dev 30 -addext extendedKeyUsage=serverAuth
	unfit two /CN=dev 30 -addext keyUsage=keyAgreement
	expired three /CN=dev
	for name in one two three; do
		cp $name.pem old.pem
		server_log_reset
		works reenroll "${trust[@]}" --cert $name.pem --key $name.key --alt-cert alt.pem
		stderr_has "alt.pem is used in TLS"
		shown alt.pem
		good_cert $name.pem $name.key
		run ! cmp -s $name.pem old.pem
	done
	[ "$(openssl x509 -in alt.pem -noout -subject)" = "subject=CN = dev" ]
}

@test "reenroll: an extKeyUsage with anyExtendedKeyUsage or clientAuth among others is fit" {
	for eku in anyExtendedKeyUsage serverAuth,clientAuth; do
		unfit dev /CN=dev 30 -addext extendedKeyUsage=$eku -addext keyUsage=digitalSignature
		run_est reenroll "${trust[@]}" "${id[@]}" --alt-cert dev.pem --alt-key dev.key
		[ "$status" = 0 ]
		run ! grep -q 'cannot authenticate' "$ERR"
		run ! grep -q 'is used' "$ERR"
	done
}

@test "reenroll: --alt-cert of another subject is not used, which is said; then the password alone (R7030-3.3.2-04 R7030-2.3-02)" {
	unfit dev /CN=dev 30 -addext extendedKeyUsage=serverAuth
	identity alt /CN=other
	works reenroll "${trust[@]}" "${id[@]}" --alt-cert alt.pem --alt-key alt.key "${account[@]}" \
		-l reenroll-basic
	stderr_has 'alt.pem is not used: it has another subject'
	stderr_has 'HTTP authentication alone'
	[ "$(server_log 'select(.method == "POST") | .client_sha256' | sort -u)" = null ]
	good_cert dev.pem dev.key
}

@test "reenroll: --alt-cert that is unfit itself is not used" {
	unfit dev /CN=dev 30 -addext extendedKeyUsage=serverAuth
	expired alt /CN=dev
	works reenroll "${trust[@]}" "${id[@]}" --alt-cert alt.pem --alt-key alt.key "${account[@]}" \
		-l reenroll-basic
	stderr_has 'alt.pem cannot authenticate a TLS client: it has expired'
}

@test "reenroll: with nothing else the unfit certificate is tried, with a notice" {
	expired dev /CN=dev
	run_est reenroll "${trust[@]}" "${id[@]}"
	[ "$status" != 0 ]
	stderr_has 'dev.pem cannot authenticate a TLS client: it has expired; the server may refuse it'
}

@test "reenroll: --alt-key without --alt-cert, files that are missing or of another key" {
	identity dev /CN=dev
	refused 2 alt-cert reenroll "${trust[@]}" "${id[@]}" --alt-key dev.key
	expired dev /CN=dev
	refused 3 nothing reenroll "${trust[@]}" "${id[@]}" --alt-cert nothing
	identity alt /CN=dev
	refused 3 'alt.pem|dev.key' reenroll "${trust[@]}" "${id[@]}" --alt-cert alt.pem --alt-key dev.key
	refused 3 'dev.pem|alt.key' reenroll "${trust[@]}" --cert dev.pem --key alt.key --alt-cert alt.pem \
		--alt-key alt.key
	nothing_sent
}

# ---- --change-subject ---------------------------------------------------------------------------------

# The request of the last POST as openssl prints it.
last_request() {
	openssl req -inform DER -in "$EST_TEST_DIR/$(server_log 'select(.csr) | .csr' | tail -n 1 |
		tr -d '"')" "$@"
}

# The DER of ChangeSubjectName in the last request, hex.
change_der() {
	last_request -outform DER | xxd -p | tr -d '\n' | grep -o '06082b06010505070724.*'
}

@test "reenroll: --change-subject leaves subject and SAN in the request and asks by attribute (R7030-4.2.1-05 R7030-4.2.2-02 R6402-2.8-01)" {
	identity dev /CN=dev/O=x -addext subjectAltName=DNS:dev.example
	works reenroll "${trust[@]}" "${id[@]}" --change-subject 'CN=new,O=y'
	good_cert dev.pem dev.key
	[ "$(last_request -noout -subject)" = "subject=CN = dev, O = x" ]
	last_request -noout -text | grep -q DNS:dev.example
	last_request -noout -verify
	[ "$(openssl x509 -in dev.pem -noout -subject -nameopt RFC2253)" = "subject=CN=new,O=y" ]
	openssl x509 -in dev.pem -noout -ext subjectAltName | grep -q DNS:dev.example
	# SEQUENCE { Name, GeneralNames }: the name that stays is in it too, untagged.
	local name=301a310a3008060355040a130179310c300a060355040313036e6577 san
	san=300d820b$(printf dev.example | xxd -p)
	[[ "$(change_der)" == 06082b06010505070724312d302b$name$san* ]]
}

@test "reenroll: --change-subject without a subjectAltName has the subject alone, and can rekey (R6402-2.8-01)" {
	identity dev /CN=dev
	works reenroll "${trust[@]}" "${id[@]}" --change-subject CN=new --key-out new.key -o new.pem
	good_cert new.pem new.key
	[ "$(openssl x509 -in new.pem -noout -subject)" = "subject=CN = new" ]
	run ! grep -q DNS <(openssl x509 -in new.pem -noout -text)
	[[ "$(change_der)" == 06082b0601050507072431123010300e310c300a060355040313036e6577* ]]
}

@test "reenroll: --change-subject with a 202 is resumed with the same bytes" {
	identity dev /CN=dev
	more=(--change-subject CN=new --key-out new.key -o new.pem -l pending-1)
	run_est reenroll "${trust[@]}" "${id[@]}" "${more[@]}"
	[ "$status" = 12 ]
	works reenroll "${trust[@]}" "${id[@]}" "${more[@]}" --wait=5
	[ "$(server_log 'select(.method == "POST") | .body_sha256' | sort -u | wc -l)" = 1 ]
	[ "$(openssl x509 -in new.pem -noout -subject)" = "subject=CN = new" ]
}

@test "reenroll: --change-subject that is no RFC 4514 name is a usage error; enroll has no such option" {
	identity dev /CN=dev
	for name in dev 'CN' '=x' 'CN=a,,CN=b' 'XX=y'; do
		refused 2 'change-subject' reenroll "${trust[@]}" "${id[@]}" --change-subject "$name"
	done
	refused 2 'no such option' enroll "${trust[@]}" "${account[@]}" "${new[@]}" --change-subject CN=x
	nothing_sent
}
