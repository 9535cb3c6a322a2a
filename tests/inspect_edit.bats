#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # lib/est.bash sets them
# est inspect: bags compared, and their certificates taken out, sorted and written, byte for byte.

bats_require_minimum_version 1.5.0

load lib/est

key() {
	[ -e "$1.key" ] || openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
}

root() {
	key "$1"
	openssl req -x509 -new -key "$1.key" -subj "$2" -days "$3" -out "$4.pem"
}

signed() { # OUT KEY SUBJECT ISSUER CA
	key "$2"
	openssl req -new -key "$2.key" -subj "$3" -out "$1.csr"
	openssl x509 -req -in "$1.csr" -CA "$4.pem" -CAkey "$4.key" -days 30 \
		-extfile <(echo "basicConstraints=critical,CA:$5") -out "$1.pem" 2>/dev/null
}

setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true PKI=$BATS_FILE_TMPDIR
	cd "$PKI" || return 1
	root root '/O=Test/CN=root' 100 root
	root root '/O=Test/CN=root' 200 again
	root other '/O=Test/CN=root' 300 rekeyed
	root third /CN=third 300 third
	signed sub sub /CN=sub root TRUE
	signed leaf leaf '/CN=www.example' sub FALSE
	cat root.pem leaf.pem third.pem sub.pem leaf.pem >mess.pem
	openssl crl2pkcs7 -nocrl -certfile mess.pem -outform DER -out mess.p7
}

setup() {
	est_setup
	cp "$PKI"/* .
}

# order FILE: the certificates of a PEM file in its order, as base64 lines.
order() {
	awk '/^-----BEGIN CERT/ { on = 1; der = ""; next } /^-----END CERT/ { on = 0; print der } on { der = der $0 }' \
		"$1"
}

is() { # FILE PEM...: its certificates are these, in this order
	local file=$1
	shift
	diff <(order "$file") <(cat "$@" >all.tmp; order all.tmp)
}

@test "edit: --extract by number, root, leaf, fingerprint, several; byte for byte" {
	works inspect --extract 2 mess.pem
	is "$OUT" leaf.pem
	works inspect --extract root mess.pem
	is "$OUT" root.pem third.pem
	works inspect --extract leaf --dedup mess.pem
	is "$OUT" leaf.pem
	works inspect --extract leaf mess.pem
	is "$OUT" leaf.pem leaf.pem
	fingerprint=$(openssl x509 -in sub.pem -noout -fingerprint -sha256 | cut -d = -f 2)
	works inspect --extract "$fingerprint" mess.p7
	is "$OUT" sub.pem
	works inspect --extract "sha256:${fingerprint//:/}" --extract 3 root.pem leaf.pem third.pem sub.pem
	is "$OUT" third.pem sub.pem
	works inspect --extract 2 --outform der mess.pem
	openssl x509 -in leaf.pem -outform DER | cmp - "$OUT"
}

@test "edit: --extract of what is not there is 15, of nonsense 2" {
	refused 15 'extract 9: none of 5' inspect --extract 9 -o out mess.pem
	refused 15 'extract root: none of 1' inspect --extract root -o out leaf.pem
	refused 15 'none of 5' inspect --extract 1 --extract "$(printf 'a%.0s' {1..64})" -o out mess.pem
	for word in 0 -1 1x roots ../x 12345678901 abcdef; do
		refused 2 'extract' inspect --extract="$word" -o out mess.pem
	done
}

@test "edit: --outform pem, der and p7 are read back by openssl and by est" {
	for form in der p7; do
		works inspect --outform $form mess.pem
		cp "$OUT" out.$form
		[ $form = der ] && inform=DER || inform=PEM
		openssl pkcs7 -inform "$inform" -in out.$form -print_certs -out back.pem
		diff <(certs_of back.pem) <(certs_of mess.pem)
		works inspect --outform pem out.$form
		diff <(certs_of "$OUT") <(certs_of mess.pem)
	done
	works inspect --outform pem mess.pem
	is "$OUT" mess.pem
}

@test "edit: odd bytes in a certificate survive" {
	# A signature that does not verify, with which a library could refuse to write it again.
	python3 - <<-'PY'
		import base64, re
		pem = open("leaf.pem").read()
		der = bytearray(base64.b64decode("".join(pem.split("-----")[2].split())))
		open("odd.der", "wb").write(bytes(der[:-1]) + bytes([der[-1] ^ 1]))
	PY
	works inspect --extract 1 --outform der odd.der
	cmp odd.der "$OUT"
	works inspect --sort --dedup --outform p7 odd.der root.pem
	cp "$OUT" odd.p7
	works inspect --extract leaf --outform der odd.p7
	cmp odd.der "$OUT"
}

@test "edit: --sort puts each after what it issued, --dedup takes one of each, none is lost" {
	works inspect --sort --dedup mess.pem
	is "$OUT" leaf.pem sub.pem root.pem third.pem
	works inspect --sort mess.p7
	diff <(certs_of "$OUT") <(certs_of mess.pem)
	works inspect --dedup mess.pem
	is "$OUT" root.pem leaf.pem third.pem sub.pem
	works inspect --sort third.pem root.pem sub.pem
	is "$OUT" sub.pem root.pem third.pem
}

@test "edit: -o replaces a file at once; --json then says what was read" {
	echo before >out
	works inspect --dedup -o out mess.pem
	[ ! -s "$OUT" ]
	is out root.pem leaf.pem third.pem sub.pem
	works inspect --json --extract root -o out mess.pem
	jq -e '.ok and .changed and (.certificates | length == 5)' "$OUT"
	is out root.pem third.pem
	works inspect --json --extract root -o out mess.pem
	jq -e '.changed == false' "$OUT"
	refused 4 'No such file' inspect --dedup -o nowhere/out mess.pem
}

@test "edit: --split: names that are safe whatever a subject says" {
	cat >evil.cnf <<-'CNF'
		[req]
		prompt=no
		distinguished_name=dn
		string_mask=utf8only
		utf8=yes
		[dn]
		CN=../../etc/..|rm -rf \$HOME|`x` ünï/-x
	CNF
	openssl req -x509 -new -key root.key -config evil.cnf -days 9 -out evil.pem
	works inspect --split out evil.pem mess.pem
	[ "$(find out -type f | wc -l)" = 6 ]
	[ "$(find . -path ./out -prune -o -newer evil.pem -type f -print | wc -l)" = 0 ]
	run ! grep -vqE '^[1-6]-[A-Za-z0-9._-]*-?[0-9a-f]{8}\.pem$' < <(ls out)
	run ! grep -q '\.\.' < <(ls out)
	cat out/2-*.pem out/3-*.pem out/4-*.pem out/5-*.pem out/6-*.pem >joined
	is joined mess.pem
	works inspect --split out --outform der --dedup mess.pem
	openssl x509 -in leaf.pem -outform DER | cmp - out/2-www.example-*.der
	# A link that lies there leads nowhere.
	rm out/*.pem
	hex=$(openssl x509 -in root.pem -outform DER | sha256sum | cut -c 1-8)
	ln -s ../victim "out/1-root-$hex.pem"
	run_est inspect --split out root.pem
	[ "$status" = 4 ]
	[ ! -e victim ]
	refused 4 'Not a directory|File exists|not a directory' inspect --split root.pem leaf.pem
}

@test "edit: a broken certificate, nothing is written; other objects are not, and that is said" {
	printf '%s\n' '-----BEGIN CERTIFICATE-----' MAA= '-----END CERTIFICATE-----' >broken
	refused 3 'object' inspect --dedup -o out mess.pem broken
	refused 3 'No such file' inspect --split out mess.pem nowhere
	works inspect --extract leaf leaf.csr mess.pem
	stderr_has 'certificates alone were written, not 1 other object'
	works inspect -q --extract leaf leaf.csr mess.pem
	[ ! -s "$ERR" ]
	refused 3 'no certificate to write' inspect --dedup -o out leaf.csr
	openssl x509 -in leaf.pem -trustout -addtrust serverAuth -out trusted.pem
	works inspect --outform pem trusted.pem root.pem
	stderr_has "1 TRUSTED CERTIFICATE was written without OpenSSL's trust settings"
	is "$OUT" leaf.pem root.pem
}

@test "edit: CRLs go with their certificates, byte for byte; without --extract nothing of a bag is lost" {
	printf '[ca]\ndefault_ca=d\n[d]\ndatabase=db\ndefault_md=sha256\n' >conf
	: >db
	openssl ca -config conf -gencrl -keyfile root.key -cert root.pem -crldays 9 -out crl 2>/dev/null
	openssl crl -in crl -outform DER -out crl.der
	openssl crl2pkcs7 -in crl -certfile mess.pem -outform DER -out full.p7
	for form in p7 der pem; do
		works inspect --outform $form full.p7
		[ ! -s "$ERR" ]
		cp "$OUT" out
		works inspect --json out
		jq -e '(.certificates | length == 5) and (.crls | length == 1)' "$OUT"
		works inspect --sort --dedup out
		diff <(openssl crl -in "$OUT" -outform DER | xxd) <(xxd crl.der)
		is <(sed '/X509 CRL/,$d' "$OUT") leaf.pem sub.pem root.pem third.pem
	done
	openssl pkcs7 -in <("$EST" inspect --outform p7 full.p7) -print_certs -noout | grep -c 'Revocation List' | grep -qx 1
	works inspect --split dir --outform der full.p7
	cmp crl.der dir/6-crl-*.der
	works inspect --outform p7 crl
	openssl crl2pkcs7 -in crl | openssl pkcs7 -outform DER | cmp - <(openssl pkcs7 -in "$OUT" -outform DER)
	works inspect --extract 1 full.p7
	stderr_has 'not 1 other object'
	run ! grep -q CRL "$OUT"
	works inspect --json --dedup -o out full.p7
	jq -e '.crls[0].signed_by.index as $by | .certificates[] | select(.index == $by) | .subject == "CN=root,O=Test"' "$OUT"
}

@test "edit: with a question, what is written waits for the answer; a difference is shown all the same" {
	echo before >out
	for question in '--verify --cacert third.pem' '--expires-within 90d' '--min-strength 999'; do
		# shellcheck disable=SC2086
		run_est inspect --extract leaf -o out $question mess.pem
		[ "$status" = 15 ]
		[ "$(cat out)" = before ]
		# shellcheck disable=SC2086
		run_est inspect --split dir $question mess.pem
		[ "$status" = 15 ]
		[ ! -e dir ]
	done
	works inspect --extract leaf --dedup -o out --verify --cacert root.pem mess.pem
	is out leaf.pem
	run_est inspect --diff --min-strength 999 root.pem leaf.pem
	[ "$status" = 15 ]
	[ "$(wc -l <"$OUT")" = 2 ]
}

@test "edit: options that contradict each other" {
	refused 2 'pem, der or p7' inspect --outform text mess.pem
	refused 2 'pem or der' inspect --split d --outform p7 mess.pem
	refused 2 'exclude each other' inspect --split d -o f mess.pem
	refused 2 'is for --extract' inspect -o f mess.pem
	refused 2 'tree shows' inspect --tree --sort mess.pem
	refused 2 'diff shows' inspect --diff --sort mess.pem mess.pem
	run_est inspect --json --sort mess.pem
	[ "$status" = 2 ]
	refused 2 'two files' inspect --diff mess.pem
	refused 2 'two files' inspect --diff mess.pem mess.pem mess.pem
}

@test "diff: the same in another order, form and number is the same" {
	cat third.pem sub.pem leaf.pem root.pem root.pem >turned.pem
	works inspect --diff mess.p7 turned.pem
	[ ! -s "$OUT" ]
	[ ! -s "$ERR" ]
	cat turned.pem leaf.key >with-key.pem
	works inspect --diff mess.p7 with-key.pem
	stderr_has 'certificates alone were compared, not 1 other object'
	refused 3 'no certificate to compare' inspect --diff leaf.key leaf.csr
	works inspect --json --diff mess.p7 turned.pem
	jq -e '.diff == {added: [], removed: [], renewed: [], unchanged: 4}' "$OUT"
}

@test "diff: added, removed, renewed by key before renewed by name; exit 15" {
	cat root.pem sub.pem third.pem >a.pem
	cat rekeyed.pem again.pem sub.pem leaf.pem >b.pem
	run_est inspect --diff a.pem b.pem
	[ "$status" = 15 ]
	[ "$(cut -c 1 "$OUT" | tr -d '\n')" = '~ -++' ]
	grep -q '^~ 1 .*CN=root,O=Test$' "$OUT"
	grep -q '^  same key:  2 .*CN=root,O=Test$' "$OUT"
	grep -q '^- 3 .*CN=third$' "$OUT"
	grep -q '^+ 4 .*CN=www.example$' "$OUT"
	grep -q '^+ 1 .*CN=root,O=Test$' "$OUT"
	stderr_has '2 added, 1 removed, 1 renewed, 1 unchanged'
	run_est inspect --json --diff a.pem b.pem
	[ "$status" = 15 ]
	jq -e '.error.code == "differs" and (.diff | .unchanged == 1 and (.added | length == 2) and
		(.removed | map(.subject) == ["CN=third"]) and (.renewed | length == 1) and
		(.renewed[0] | .by == "key" and .from.index == 1 and .to.index == 2))' "$OUT"
	run_est inspect --json --diff root.pem rekeyed.pem
	jq -e '.diff.renewed[0].by == "name"' "$OUT"
}
