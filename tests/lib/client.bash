# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2034 # est, raw, account and identity are for the tests
# For bats: an EST client of curl and openssl, to prove the test server with.

# A server for each test: tests run at the same time and look at the log.
client_setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	printf 'pass-Wd-43\n' >password
	server_start --user tester --password-file password
	est=$EST_TEST_URL/.well-known/est
	raw=$EST_TEST_RAW_URL/.well-known/est
	account=(-u tester:pass-Wd-43)
}

# get [CURL OPTION...] URL: body in ./body, head in ./head, prints the status.
get() {
	curl -sS --max-time 30 --cacert "$EST_TEST_DIR/root.pem" -D head -o body -w '%{http_code}' "$@"
}

# post URL [CURL OPTION...]: ./csr.b64.
post() {
	local url=$1
	shift
	get -H 'Content-Type: application/pkcs10' --data-binary @csr.b64 "$@" "$url"
}

# csr [OPENSSL OPTION...]: ./key.pem (kept when it is there), ./csr.der, ./csr.b64.
csr() {
	[ -e key.pem ] || openssl ecparam -name prime256v1 -genkey -noout -out key.pem
	openssl req -new -key key.pem -outform DER -out csr.der "$@"
	base64 <csr.der >csr.b64
}

# The certificates of ./body, in its order, into cert-1.pem, cert-2.pem ...; prints how many.
unpack() {
	base64 -d body >bag.der || return 1
	openssl pkcs7 -inform DER -in bag.der -print_certs -out bag.pem || return 1
	awk '/BEGIN CERT/ { n++ } n { print > ("cert-" n ".pem") }' bag.pem
	grep -c BEGIN bag.pem
}

head_field() {
	tr -d '\r' <./head | sed -n "s/^$1: //ip"
}

# A certificate of this CA in ./cert-1.pem for ./key.pem.
enrolled() {
	csr "$@"
	[ "$(post "$est/simpleenroll" "${account[@]}")" = 200 ]
	[ "$(unpack)" = 1 ]
	mv cert-1.pem old.pem
	identity=(--cert old.pem --key key.pem)
}

same_key() {
	[ "$(openssl x509 -in "$1" -noout -pubkey)" = "$(openssl pkey -in key.pem -pubout)" ]
}

# stdin as lower-case hex on one line.
hex() {
	od -An -v -tx1 | tr -d ' \n'
}
