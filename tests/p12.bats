#!/usr/bin/env bats
# bats file_tags=once
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# --p12: key and certificates in one PKCS #12 file, as openssl and certtool read it.

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	printf 'wörd with blanks 8\n' >pw
	p12=(--p12 all.p12 --p12-password-file pw)
	me=("${account[@]}" --subject CN=dev)
}

# unpack FILE: key.out, leaf.out (the certificate with the key's localKeyID) and rest.out.  Once:
# its key derivations take a second.
unpack() {
	openssl pkcs12 -in "$1" -passin file:pw -nodes -out all.out 2>/dev/null
	rm -f key.out leaf.out rest.out
	awk '/^Bag Attributes/ { own = 0 } /localKeyID/ { own = 1 }
		/^-----BEGIN/ { to = /KEY/ ? "key.out" : own ? "leaf.out" : "rest.out" }
		to != "" { print >to } /^-----END/ { to = "" }' all.out
}

@test "p12: a new key needs no other file; openssl and certtool read key, certificate, chain; mode 0600" {
	umask 000
	works enroll "${trust[@]}" "${me[@]}" "${p12[@]}"
	umask 022
	[ ! -s "$OUT" ]
	[ "$(stat -c %a all.p12)" = 600 ]
	[ "$(ls -A)" = $'all.p12\npw' ]
	unpack all.p12
	good_cert leaf.out key.out
	same_certs rest.out "$EST_TEST_DIR/issuing.pem"
	certtool --p12-info --inder --password "$(cat pw)" --infile all.p12 | grep -q 'BEGIN CERTIFICATE'
	run -1 openssl pkcs12 -in all.p12 -passin pass:wrong -nodes -out x
	openssl pkcs12 -in all.p12 -passin file:pw -info -noout 2>&1 | grep -q 'PBES2.*AES-256-CBC'
	run ! grep -q "PRIVATE KEY" all.p12
}

@test "p12: every kind of key, beside the other files" {
	for type in rsa:2048 ed25519; do
		rm -f key.pem cert.pem
		works enroll "${trust[@]}" "${me[@]}" "${p12[@]}" --new-key $type --key-out key.pem -o cert.pem
		unpack all.p12
		same_key key.out key.pem
		same_certs leaf.out cert.pem
	done
	works enroll "${trust[@]}" "${me[@]}" "${p12[@]}" --use-key key.pem -o cert.pem
	unpack all.p12
	same_key key.out key.pem
	same_certs leaf.out cert.pem
}

@test "p12: reenroll in place, and the PKCS #12 file with it" {
	identity dev /CN=dev
	cp dev.pem old.pem
	works reenroll "${trust[@]}" --cert dev.pem --key dev.key "${p12[@]}"
	run ! cmp -s dev.pem old.pem
	unpack all.p12
	same_certs leaf.out dev.pem
	same_key key.out dev.key
}

@test "p12: the password from a pipe and from stdin; with --json the certificate is not printed" {
	works enroll "${trust[@]}" "${me[@]}" --p12 all.p12 --p12-password-file <(cat pw) --json
	jq -e '.certificates[0] | has("pem") | not' "$OUT"
	unpack all.p12
	[ -s key.out ]
	"$EST" enroll "${trust[@]}" "${me[@]}" --p12 other.p12 --p12-password-file - <pw
	unpack other.p12
	[ -s key.out ]
}

@test "p12: without its password, without a key, over another file: usage errors" {
	refused 2 'need each other' enroll "${trust[@]}" "${me[@]}" --p12 all.p12
	refused 2 'need each other' enroll "${trust[@]}" "${me[@]}" --key-out k -o c --p12-password-file pw
	refused 2 'standard output' enroll "${trust[@]}" "${me[@]}" --p12 - --p12-password-file pw
	openssl req -new -newkey rsa:2048 -nodes -keyout k -subj /CN=x -out csr 2>/dev/null
	refused 2 p12 enroll "${trust[@]}" "${account[@]}" --csr csr "${p12[@]}"
	refused 2 'same file' enroll "${trust[@]}" "${me[@]}" --key-out all.p12 "${p12[@]}"
	refused 2 'same file' enroll "${trust[@]}" "${me[@]}" -o all.p12 "${p12[@]}"
	refused 2 'same file' enroll "${trust[@]}" "${me[@]}" --use-key k --p12 k --p12-password-file pw
	refused 2 'standard input' enroll "${trust[@]}" -u tester --password-file - --subject CN=x \
		--p12 all.p12 --p12-password-file -
	nothing_sent
}

@test "p12: a password that is missing, empty or holds NUL, a folder that cannot be written: before anything is sent" {
	refused 3 nothing enroll "${trust[@]}" "${me[@]}" --p12 all.p12 --p12-password-file nothing
	: >empty
	refused 3 empty enroll "${trust[@]}" "${me[@]}" --p12 all.p12 --p12-password-file empty
	printf 'a\0b' >nul
	refused 3 NUL enroll "${trust[@]}" "${me[@]}" --p12 all.p12 --p12-password-file nul
	refused 4 "no/all.p12: its folder no: No such" enroll "${trust[@]}" "${me[@]}" --p12 no/all.p12 --p12-password-file pw
	nothing_sent
}

@test "p12: a rejected certificate changes nothing; a 202 keeps the key beside the file and it is recovered" {
	echo before >all.p12
	for file in '--p12 all.p12 --p12-password-file pw' '--combined all.p12'; do
		# shellcheck disable=SC2086 # words
		ONCE=1 refused 4 'all.p12: exists already' enroll "${trust[@]}" "${me[@]}" $file
		stderr_has "hint: --force lets --.* replace it and a key in it"
	done
	nothing_sent
	me+=(--force)
	LEAVES=all.p12.est-new refused 14 . enroll "${trust[@]}" "${me[@]}" "${p12[@]}" -l expired
	rm all.p12.est-*
	LEAVES=all.p12.est-new ONCE=1 refused 12 202 enroll "${trust[@]}" "${me[@]}" "${p12[@]}" -l pending-1
	cp all.p12.est-new kept
	works enroll "${trust[@]}" "${me[@]}" "${p12[@]}" -l pending-1 --wait=5
	unpack all.p12
	same_key key.out kept
	[ ! -e all.p12.est-new ]
	[ ! -e all.p12.est-csr ]
}
