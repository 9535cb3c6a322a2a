#!/usr/bin/env bats
# bats file_tags=once
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2030,SC2031,SC2016,SC2034,SC2154 # lib/est.bash sets and reads them; each test has its own
# Keys, certificates and anchors in a PKCS #11 token: SoftHSM's, found through p11-kit.

bats_require_minimum_version 1.5.0

load lib/served

KEY='pkcs11:token=est%20test;object=dev'

setup_file() {
	est_setup_file
	cd "$BATS_FILE_TMPDIR" || return 1
	export SOFTHSM2_CONF=$PWD/softhsm.conf
	mkdir tokens
	printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$PWD/tokens" \
		>softhsm.conf
	softhsm2-util --init-token --free --label 'est test' --pin 4711 --so-pin 0815 >/dev/null
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR identity dev /CN=dev -addext extendedKeyUsage=clientAuth
	openssl genrsa -out rsa.key 2048 2>/dev/null
	local name id=10
	for name in dev rsa; do
		openssl pkcs8 -topk8 -nocrypt -in $name.key -out $name.pk8
		softhsm2-util --import $name.pk8 --token 'est test' --label $name --id $((id++)) \
			--pin 4711 >/dev/null
	done
	into_token dev.pem dev
	into_token "$EST_TEST_DIR/root.pem" root
	printf '4711\n' >pin
}

# into_token FILE LABEL: a certificate.
into_token() {
	GNUTLS_PIN=4711 p11tool --batch --login --write --load-certificate "$1" --label "$2" \
		'pkcs11:token=est%20test' >/dev/null 2>&1
}

setup() {
	est_setup
	pin=$BATS_FILE_TMPDIR/pin
	dev=(--cert "$KEY" --key "$KEY" --key-password-file "$pin")
}

@test "token: a request by a key in a token, EC and RSA; the PIN from file, environment, pin-source" {
	works csr --use-key "$KEY" --key-password-file "$pin" --subject CN=x -o a.csr
	EST_KEY_PASSWORD=4711 works csr --use-key "${KEY/dev/rsa}" --subject CN=x -o b.csr
	works csr --use-key "$KEY?pin-source=$pin" --subject CN=x -o c.csr
	works csr --use-key "$KEY?pin-source=file:$pin" --subject CN=x -o d.csr
	cp "$pin" 'a pin&%'
	works csr --use-key "$KEY?pin-source=file:$PWD/a%20pin%26%25" --subject CN=x -o e.csr
	ONCE=1 refused 2 '%00' csr --use-key "$KEY?pin-source=$pin%00" --subject CN=x
	ONCE=1 refused 2 'hexadecimal' csr --use-key "$KEY?pin-source=$pin%2" --subject CN=x
	for name in a c d e; do
		openssl req -in $name.csr -noout -verify
		same_key $name.csr "$BATS_FILE_TMPDIR/dev.key"
	done
	openssl req -in b.csr -noout -verify
	same_key b.csr "$BATS_FILE_TMPDIR/rsa.key"
}

@test "token: the PIN from a prompt" {
	run -0 "$EST_LIB/on-terminal" "PIN of the token est test: " 4711 \
		"$EST" csr --use-key "$KEY" --subject CN=x -o a.csr
	openssl req -in a.csr -noout -verify
	[[ "$output" != *4711* ]]
}

@test "token: a wrong PIN is tried once, and a missing one is said" {
	export EST_KEY_PASSWORD=4712
	refused 3 'wrong PIN for the token .*est test' csr --use-key "$KEY" --subject CN=x
	[ "$(jq -r .error.code "$OUT")" = wrong-passphrase ]
	for bad in '' "$(printf '%0300d' 1)"; do
		export EST_KEY_PASSWORD=$bad
		ONCE=1 refused 3 PIN csr --use-key "$KEY" --subject CN=x
	done
	unset EST_KEY_PASSWORD
	refused 3 'PIN of the token est test needed' csr --use-key "$KEY" --subject CN=x
	[ "$(jq -r .error.code "$OUT")" = no-secret ]
	stderr_has 'hint: .*--key-password-file FILE or EST_KEY_PASSWORD' || run_est csr --use-key "$KEY" --subject CN=x
	ONCE=1 refused 3 "$PWD/none" csr --use-key "$KEY?pin-source=$PWD/none" --subject CN=x
}

@test "token: a PIN in the URL is refused, and not repeated" {
	ONCE=1 refused 2 'a PIN on the command line' csr --use-key "$KEY?pin-value=4711" --subject CN=x
	run ! grep -q 4711 "$ERR"
	ONCE=1 refused 2 PIN cacerts "${trust[@]}" --cert "$KEY?pin-value=4711"
	nothing_sent
}

@test "token: objects that are not there, and a URL that is none" {
	export EST_KEY_PASSWORD=4711
	for url in "${KEY/dev/nobody}" "${KEY/test/other}" pkcs11:nonsense=1 'pkcs11:token=%zz' 'pkcs11:'; do
		ONCE=1 refused 3 'pkcs11:' csr --use-key "$url" --subject CN=x
		ONCE=1 refused 3 'pkcs11:' cacerts -s "$EST_TEST_URL" --cacert "$url"
		ONCE=1 refused 3 'pkcs11:' cacerts "${trust[@]}" --cert "$url"
	done
	nothing_sent
}

@test "token: --cert and --key authenticate in TLS, and the certificate is renewed (R7030-3.3.2-02)" {
	works reenroll "${trust[@]}" "${dev[@]}" -o new.pem
	good_cert new.pem "$BATS_FILE_TMPDIR/dev.key"
	seen 1 '.operation == "simplereenroll" and .client_subject == "CN=dev" and .status == 200'
	for version in 1.2 1.3; do
		works cacerts "${trust[@]}" --cert "$KEY" --key-password-file "$pin" --json \
			--priority "-VERS-ALL:+VERS-TLS$version"
		jq -e '.server.client_certificate' "$OUT"
	done
	works enroll "${trust[@]}" "${dev[@]}" "${new[@]}"
	good_cert cert.pem key.pem
	# Both in the token have to be of one key.
	refused 3 'public keys differ' cacerts "${trust[@]}" --cert "$KEY" --key "${KEY/dev/rsa}" \
		--key-password-file "$pin"
}

@test "token: what cannot be done is said before anything is sent" {
	refused 4 'nothing is written into a token.*|-o' reenroll "${trust[@]}" "${dev[@]}"
	for where in '--combined both.pem' "--p12 out.p12 --p12-password-file $pin" \
		'--store st'; do
		# shellcheck disable=SC2086 # options are words
		ONCE=1 refused 2 'a token does not give it away' enroll "${trust[@]}" "${account[@]}" \
			--use-key "$KEY" --key-password-file "$pin" --subject CN=x $where
	done
	ONCE=1 refused 4 'nothing is written into a token' cacerts "${trust[@]}" -o "$KEY"
	nothing_sent
}

@test "token: --cacert: one anchor, or all of a token (R7030-3.1-06)" {
	works cacerts -s "$EST_TEST_URL" --cacert 'pkcs11:token=est%20test;object=root' --json
	jq -e '.server.vouched_by == "explicit"' "$OUT"
	works cacerts -s "$EST_TEST_URL" --cacert 'pkcs11:token=est%20test'
	ONCE=1 refused 7 anchor cacerts -s "$EST_TEST_URL" --cacert 'pkcs11:token=est%20test;object=dev'
}

# ---- A new key in the token ---------------------------------------------------------------------

# labels: what keys there are, with the number of their halves.
labels() {
	GNUTLS_PIN=4711 p11tool --batch --login --list-all "$TOKEN" 2>/dev/null |
		sed -n 's/^.*Label: //p' | grep "^$NAME" | sort | uniq -c |
		awk '{ printf "%s%s*%s", (NR > 1 ? " " : ""), $2, $1 }'
}

# relabel FROM TO: one half of a key, as a kill can leave it.
relabel() {
	GNUTLS_PIN=4711 p11tool --batch --login --set-label "$2" "$TOKEN;object=${1%%;*};type=${1##*;}" \
		>/dev/null 2>&1
}

# A key in the token and its certificate in cert.pem; every test has a name of its own.
in_token() {
	NAME=$1 TOKEN='pkcs11:token=est%20test' URL="pkcs11:token=est%20test;object=$1"
	GNUTLS_PIN=4711 p11tool --batch --login --generate-privkey=ecdsa --curve secp256r1 --label "$NAME" \
		"$TOKEN" >/dev/null 2>&1
	[ "$(labels)" = "$NAME*2" ]
	works enroll "${trust[@]}" "${account[@]}" --use-key "$URL" --key-password-file "$pin" \
		--subject CN=dev -o cert.pem
	rekey=(reenroll "${trust[@]}" --rekey --cert cert.pem --key "$URL" --key-password-file "$pin")
}

# The key that the label names is that of the certificate, and no trace is left beside it.
whole() {
	works csr --use-key "$URL" --key-password-file "$pin" --subject CN=x -o now.csr
	[ "$(cert_key cert.pem)" = "$(public_key now.csr)" ]
	[ "$(labels)" = "$1" ] || { echo "$1 is due, there is: $(labels)"; return 1; }
	[ -z "$(find . -name '*.est-*')" ]
}

@test "token: --rekey makes the new key in it, under the same label; the old one stays as --keep says" {
	in_token new
	cp cert.pem old.pem
	works "${rekey[@]}"
	stderr_has skipped
	works "${rekey[@]}" --force --json --hook 'echo "$EST_KEY_FILE" >hook'
	jq -e '.action == "rekeyed" and .changed' "$OUT"
	[ "$(cat hook)" = "$URL" ]
	whole 'new*2 new.prev*2'
	cmp old.pem cert.pem.prev
	run ! same_key cert.pem old.pem
	# It authenticates the next one, which is of another type, and of which nothing is kept.
	works "${rekey[@]}" --force --keep 0 --new-key ec:p384
	whole 'new*2 new.prev*2'
	openssl x509 -in cert.pem -noout -text | grep -q secp384r1
	works "${rekey[@]}" --dry-run
	whole 'new*2 new.prev*2'
	# Without a word about it the key stays.
	cp cert.pem old.pem
	works reenroll "${trust[@]}" --force --cert cert.pem --key "$URL" --key-password-file "$pin"
	stderr_has 'renewed CN=dev'
	same_key cert.pem old.pem
}

@test "token: --rekey: what cannot be is said before anything is sent" {
	in_token no
	for half in private public; do
		GNUTLS_PIN=4711 p11tool --batch --login --set-id 0a0b "$URL;type=$half" >/dev/null 2>&1
	done
	rekey+=(--force)
	local bad="reenroll ${trust[*]} --rekey --force --cert cert.pem --key-password-file $pin --key $TOKEN;id=%0a%0b"
	server_log_reset
	# shellcheck disable=SC2086 # no blanks in them
	ONCE=1 refused 3 'label, and object= does not name any' $bad
	# shellcheck disable=SC2086
	ONCE=1 refused 3 'not by id=' $bad';object=no'
	for where in '--combined both.pem' '--store st' '--cert pkcs11:token=x;object=y'; do
		# shellcheck disable=SC2086
		ONCE=1 refused 2 'a key in a token' "${rekey[@]}" $where
	done
	ONCE=1 refused 2 'in place' "${rekey[@]}" -o other.pem
	ONCE=1 refused 3 'no new key in this token' "${rekey[@]}" --new-key ed448 --csrattrs ignore
	ONCE=1 refused 3 'wrong PIN' "${rekey[@]}" --key-password-file <(echo 4712)
	nothing_sent
	[ "$(labels)" = 'no*2' ]
}

@test "token: --rekey: what the token cannot make, or not sign with, is said before anything is sent" {
	in_token lacks
	rekey+=(--force)
	# shellcheck disable=SC2046 # flags are words
	${CC:-cc} -D_GNU_SOURCE -O1 -shared -fPIC $(pkg-config --cflags p11-kit-1) -o filter.so \
		"$EST_LIB/filter/filter.c" -ldl
	export LD_PRELOAD=$PWD/filter.so
	server_log_reset
	# Key generation and signature of EC, of RSA and of EdDSA; what is there is asked for the rest.
	while read -r gone type names; do
		FILTER_MECHANISMS=$gone ONCE=1 refused 3 "does not make $names keys that sign" "${rekey[@]}" \
			--new-key "$type"
		stderr_has 'hint: without --rekey'
	done <<-'TYPES'
		1040 ec:p256 EC.ECDSA
		1041 ec:p384 EC.ECDSA
		0 rsa:2048 RSA
		1 rsa:2048 RSA
		1055 ed25519 EdDSA.*
		0,1,1057 ed25519 EdDSA.*
	TYPES
	nothing_sent
	# It says that it can, and cannot.
	FILTER_GENERATE=1 ONCE=1 refused 3 'new key in this token' "${rekey[@]}"
	no_csr
	FILTER_MECHANISMS=0,1,1055,1057 works "${rekey[@]}"
	unset LD_PRELOAD
	whole 'lacks*2 lacks.prev*2'
}

@test "token: --rekey: a 202 or a pair that does not work keeps the key for the next run, a refusal does not" {
	in_token wait
	ONCE=1 refused 10 404 "${rekey[@]}" --force --csrattrs ignore -l status-404
	whole 'wait*2'
	ONCE=1 LEAVES='cert.pem.est-csr' refused 12 'est-new: the same command goes on' "${rekey[@]}" --force -l pending-2
	[ "$(labels)" = 'wait*2 wait.est-new*2' ]
	works "${rekey[@]}" --status
	grep -q 'pending, next: resume' "$OUT"
	ONCE=1 refused 3 'key of type ec:p256, and rsa:2048' "${rekey[@]}" --new-key rsa:2048
	works csr --use-key "$URL.est-new" --key-password-file "$pin" --subject CN=x -o waits.csr
	ONCE=1 LEAVES='cert.pem.est-csr' refused 14 'verify-with: .*wait.est-new' "${rekey[@]}" \
		--verify-with 'echo "$EST_KEY_FILE"; false'
	works "${rekey[@]}" --json
	jq -e '.action == "recovered"' "$OUT"
	whole 'wait*2 wait.prev*2'
	same_key cert.pem waits.csr
}

# cut CALL N: a rekey is killed at its Nth such call.
cut() {
	run -137 timeout 20 strace -f -qq -o /dev/null -e trace="$1" -e inject="$1:signal=KILL:when=$2" \
		"$EST" "${rekey[@]}" --force
}

@test "token: --rekey that is killed: the next run goes forward, or back, as the keys match" {
	in_token cut
	# The key has taken the label over, the certificate is not there yet: back, and on with that key.
	cut linkat 1
	works "${rekey[@]}" -n
	stderr_has 'would first finish or undo'
	[ "$(labels)" = 'cut*2 cut.est-old*2' ]
	works csr --use-key "$URL" --key-password-file "$pin" --subject CN=x -o waits.csr
	works "${rekey[@]}" --json
	jq -e '.action == "recovered"' "$OUT"
	whole 'cut*2 cut.prev*2'
	same_key cert.pem waits.csr
	# The same, and halves of keys on their way.
	for halves in private 'private public'; do
		cut linkat 1
		for half in $halves; do
			relabel "cut;$half" cut.est-new
		done
		[ "$halves" != 'private public' ] || relabel 'cut.est-old;private' cut
		works "${rekey[@]}"
		whole 'cut*2 cut.prev*2'
	done
	# The certificate is in place: forward, without a word to the server.
	cut rename 1
	server_log_reset
	works "${rekey[@]}"
	stderr_has recovered
	nothing_sent
	whole 'cut*2 cut.prev*2'
	# So it is when the old key was to go.
	relabel 'cut.prev;public' cut.est-old
	: >cert.pem.est-csr
	works "${rekey[@]}"
	whole 'cut*2 cut.prev*2'
	# Half of a key that the token was making.
	GNUTLS_PIN=4711 p11tool --batch --login --generate-privkey=ecdsa --curve secp256r1 \
		--label cut.est-new "$TOKEN" >/dev/null 2>&1
	GNUTLS_PIN=4711 p11tool --batch --login --delete "$URL.est-new;type=public" >/dev/null 2>&1
	works "${rekey[@]}" --force
	whole 'cut*2 cut.prev*2'
}
