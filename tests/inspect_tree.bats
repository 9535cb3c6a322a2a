#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # lib/est.bash sets them
# est inspect --tree: who issued whom, which part each plays, what a client would take.

bats_require_minimum_version 1.5.0

load lib/est

key() {
	[ -e "$1.key" ] || openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
}

# root NAME SUBJECT DAYS
root() {
	key "$1"
	openssl req -x509 -new -key "$1.key" -subj "$2" -days "$3" -out "$1.pem" "${@:4}"
}

# signed OUT KEY SUBJECT ISSUER [DAYS [EXTENSION...]]: a certificate for KEY.key, from ISSUER.
signed() {
	local out=$1 key=$2 subject=$3 issuer=$4 days=${5:-30}
	shift $(($# > 5 ? 5 : $#))
	key "$key"
	openssl req -new -key "$key.key" -subj "$subject" -out "$out.csr"
	printf '%s\n' "${@:-basicConstraints=critical,CA:TRUE}" >"$out.ext"
	openssl x509 -req -in "$out.csr" -CA "$issuer.pem" -CAkey "$issuer.key" -days "$days" \
		-extfile "$out.ext" -out "$out.pem" 2>/dev/null
}

setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true PKI=$BATS_FILE_TMPDIR
	cd "$PKI" || return 1
	root old /CN=CA 100
	root new /CN=CA 900
	signed nwo new /CN=CA old 90
	signed own old /CN=CA new 100
	root far /CN=far 500
	signed sub sub /CN=sub new 300
	signed xsub sub /CN=sub far 300
	signed leaf leaf /CN=leaf sub 30 'basicConstraints=CA:FALSE'
	signed lone lone /CN=lone far 30 'basicConstraints=CA:FALSE'
}

setup() {
	est_setup
	cp "$PKI"/* .
	vectors=$EST_TEST_ROOT/tests/data/vectors
}

# tree FILE...: [number, role, number of the issuer] of each certificate, in the order of the files.
tree() {
	works inspect --tree --json "$@" || return 1
	jq -c '.tree.certificates | sort_by(.number) | .[] | [.role, .issuer]' "$OUT" >roles
}

roles() {
	diff -u <(printf '%s\n' "$@") roles
}

@test "tree: the four certificates of RFC 7030 appendix A.1 (R4210-4.4-01 R7030-4.1.3-08)" {
	tree "$vectors/rfc7030-a1-cacerts-response.b64"
	roles '["old-with-old",null]' '["new-with-old",1]' '["old-with-new",4]' '["current-anchor",null]'
	jq -e '.tree | .anchors == [1, 4] and (.certificates | all(.expired))' "$OUT"
	works inspect --tree "$vectors/rfc7030-a1-cacerts-response.der"
	grep -q '^4  current-anchor .*CN=estExampleCA NwN$' "$OUT"
	grep -q '^1  old-with-old .*CN=estExampleCA OwO$' "$OUT"
	[ "$(tail -n 1 "$OUT")" = 'An EST client takes 2 as explicit anchors: 1, 4 (2 expired).' ]
}

@test "tree: a change of the root key is told by keys and signatures, in any order (R4210-4.4-01)" {
	tree old.pem nwo.pem own.pem new.pem
	roles '["old-with-old",null]' '["new-with-old",1]' '["old-with-new",4]' '["current-anchor",null]'
	tree own.pem new.pem nwo.pem old.pem
	roles '["old-with-new",2]' '["current-anchor",null]' '["new-with-old",4]' '["old-with-old",null]'
	# Without certificates that link them, one name is enough; another name is another CA.
	tree new.pem old.pem far.pem
	roles '["current-anchor",null]' '["old-with-old",null]' '["current-anchor",null]'
	# Other names, linked: one CA all the same.
	signed link far /CN=far new
	tree new.pem far.pem link.pem
	roles '["current-anchor",null]' '["old-with-old",null]' '["old-with-new",1]'
}

@test "tree: intermediates and leaves under their issuers, cross certificates, strays, duplicates" {
	tree leaf.pem sub.pem new.pem
	roles '["end-entity",2]' '["intermediate",3]' '["current-anchor",null]'
	tree new.pem far.pem sub.pem xsub.pem leaf.pem
	jq -e '.tree.certificates | map(select(.number == 3 or .number == 4) | .role) == ["cross", "cross"]' "$OUT"
	tree new.pem sub.pem lone.pem sub.pem
	roles '["current-anchor",null]' '["intermediate",1]' '["stray",null]' '["duplicate",2]'
	jq -e '.tree.certificates[] | select(.number == 3) | .notes == ["its issuer is not here: CN=far"]' "$OUT"
	tree leaf.pem
	roles '["end-entity",null]'
}

@test "tree: a name is not enough: the issuer's key has to verify the signature" {
	root evil /CN=sub 100
	tree evil.pem leaf.pem
	roles '["current-anchor",null]' '["stray",null]'
	jq -e '.tree.certificates[] | select(.number == 2) | .notes ==
		["its issuer is not here, only another key of that name: CN=sub"]' "$OUT"
	# Two certificates of one name: the one whose key it is.
	tree evil.pem sub.pem leaf.pem
	jq -e '.tree.certificates[] | select(.number == 3) | .issuer == 2' "$OUT"
	# The key identifier is wrong, the signature is right.
	echo 2.5.29.35=DER:30:04:80:02:ab:cd >ext
	openssl x509 -req -in leaf.csr -CA new.pem -CAkey new.key -extfile ext -out named.pem 2>/dev/null
	tree new.pem named.pem
	jq -e '.tree.certificates[] | select(.number == 2) | .issuer == 1 and .notes ==
		["its authorityKeyIdentifier is not that of its issuer"]' "$OUT"
	# A root that names itself and is signed by another key.
	openssl x509 -in new.pem -outform DER -out forged.der
	printf '\x01' | dd of=forged.der bs=1 seek=$(($(stat -c %s forged.der) - 1)) conv=notrunc 2>/dev/null
	tree forged.der leaf.pem
	jq -e '.tree.certificates[] | select(.number == 1) | .self_signed == false and (.notes[0] |
		startswith("not signed by"))' "$OUT"
}

@test "tree: two CAs that certify each other make no endless path" {
	key a
	key b
	root a /CN=a 10
	root b /CN=b 10
	signed ab a /CN=a b
	signed ba b /CN=b a
	tree ab.pem ba.pem
	jq -e '[.tree.certificates[].notes[]] | index("its issuer is one of those that it issued") != null' "$OUT"
	jq -e '.tree.certificates | length == 2' "$OUT"
	tree ab.pem ba.pem a.pem b.pem
	jq -e '.tree | .anchors == [3, 4] and (.certificates | length == 4)' "$OUT"
}

@test "tree: expired, not yet valid, weak, and --at" {
	openssl req -x509 -newkey rsa:1024 -nodes -keyout w.key -subj /CN=w -days 3 -out w.pem 2>/dev/null
	works inspect --tree w.pem
	grep -q '\^ weak: RSA 1024$' "$OUT"
	works inspect --tree --at 2099-01-01 new.pem
	grep -q '\^ expired at ' "$OUT"
	grep -q 'anchor: 1 (1 expired)\.$' "$OUT"
	works inspect --tree --at 1999-01-01 new.pem
	grep -q '\^ not valid before ' "$OUT"
	works inspect --tree new.pem
	[ "$(wc -l <"$OUT")" = 2 ]
	works inspect --tree -v new.pem
	[ "$(sed -n 2p "$OUT")" = '   = object 1 of new.pem' ]
	[ "$(sed -n 3p "$OUT")" = "   = sha256 $(openssl x509 -in new.pem -outform DER | sha256sum | cut -d ' ' -f 1)" ]
}

@test "tree: the verdict is what the client does with the same file" {
	est_verdict() { "$EST" inspect --tree "$@" | tail -n 1; }
	[ "$(est_verdict sub.pem new.pem leaf.pem)" = 'An EST client takes 1 as explicit anchor: 2.' ]
	cat sub.pem new.pem >ca.pem
	works inspect -q --verify --cacert ca.pem leaf.pem
	# The intermediate is no anchor: without the root there is none that the leaf of another leads to.
	cat xsub.pem new.pem >ca.pem
	[ "$(est_verdict ca.pem)" = 'An EST client takes 1 as explicit anchor: 2.' ]
	run_est inspect -q --verify --cacert ca.pem leaf.pem
	[ "$status" = 15 ]
	[[ "$(est_verdict sub.pem leaf.pem)" == 'An EST client refuses this as /cacerts (no root); as --cacert each is'* ]]
	works inspect -q --verify --cacert sub.pem leaf.pem
	[ "$(est_verdict new.pem new.pem)" = 'An EST client takes 1 as explicit anchor: 1.' ]
}

@test "tree: lines fit 80 columns, and the terminal where it is wide" {
	long=$(printf 'x%.0s' {1..60})
	root wide "/O=$long/OU=$long/CN=größer" 30
	# Characters that are two columns wide, as wc knows them.
	root cjk "/CN=$(printf '証%.0s' {1..40})" 30 -utf8
	works inspect --tree wide.pem new.pem leaf.pem lone.pem cjk.pem
	[ "$(LC_ALL=C.UTF-8 wc -L <"$OUT")" -le 80 ]
	grep -qE '証{15,19}\.\.\.$' "$OUT"
	# Many anchors, one of them expired by then: the last line too.
	works inspect --tree --at 2099-01-01 /etc/ssl/certs/ca-certificates.crt wide.pem
	[ "$(wc -L <"$OUT")" -le 80 ]
	tail -n 1 "$OUT" | grep -qE '^An EST client takes [0-9]+ as explicit anchors: 1, 2, .*, \.\.\. \([0-9]+ expired\)\.$'
	no_control_bytes "$OUT"
	stty_cols() { script -qec "stty cols $1; $EST inspect --tree wide.pem old.pem nwo.pem" /dev/null | tr -d '\r'; }
	if command -v script >/dev/null; then
		[ "$(stty_cols 200 | LC_ALL=C.UTF-8 wc -L)" -gt 100 ]
		[ "$(stty_cols 60 | sed 's/\x1b\[[0-9]*m//g' | LC_ALL=C.UTF-8 wc -L)" -le 60 ]
	fi
}

@test "tree: on a terminal it is the default for a bag, in colour; --color and NO_COLOR" {
	on_terminal() { "$EST_LIB/on-terminal" '' '' env TERM=xterm "$@" | tr -d '\r'; }
	on_terminal "$EST" inspect new.pem sub.pem >shown
	grep -q $'\x1b\\[32mcurrent-anchor\x1b\\[0m  20' shown
	grep -q 'An EST client takes 1' shown
	on_terminal NO_COLOR=1 "$EST" inspect new.pem sub.pem >shown
	run ! grep -q $'\x1b' shown
	grep -q 'current-anchor' shown
	on_terminal NO_COLOR=1 "$EST" inspect --color always new.pem sub.pem >shown
	grep -q $'\x1b\\[32m' shown
	on_terminal TERM=dumb "$EST" inspect new.pem sub.pem >shown
	run ! grep -q $'\x1b' shown
	on_terminal "$EST" inspect --color=never new.pem sub.pem >shown
	run ! grep -q $'\x1b' shown
	# One certificate, or -v: the list.
	on_terminal "$EST" inspect new.pem >shown
	grep -q '^subject: ' shown
	on_terminal "$EST" inspect -v new.pem sub.pem >shown
	[ "$(grep -c '^subject: ' shown)" = 2 ]
	# Off a terminal.
	works inspect new.pem sub.pem
	[ "$(grep -c '^subject: ' "$OUT")" = 2 ]
	works inspect --tree new.pem sub.pem
	run ! grep -q $'\x1b' "$OUT"
	works inspect --tree --color=always new.pem sub.pem
	grep -q $'\x1b\\[32m' "$OUT"
	refused 2 '--color is auto, always or never' inspect --tree --color=blue new.pem
}

@test "tree: what is no certificate is listed before it, also on a terminal" {
	works inspect --tree new.pem leaf.csr sub.pem
	[ "$(head -n 1 "$OUT")" = 'object:        request' ]
	grep -q '^1  current-anchor' "$OUT"
	"$EST_LIB/on-terminal" '' '' "$EST" inspect --color=never new.pem leaf.csr sub.pem |
		tr -d '\r' | sed '${/^$/d}' | diff - "$OUT"
}

@test "tree: a CRL says who has signed it, by name, key and signature, wherever it stands" {
	printf '%s\n' '[ca]' 'default_ca=d' '[d]' database=db default_md=sha256 crlnumber=number crl_extensions=e \
		'[e]' 'authorityKeyIdentifier=keyid' >conf
	echo 01 >number
	printf 'R\t351231235959Z\t260101000000Z\t%s\tunknown\t/CN=x\n' 01 02 >db
	openssl ca -config conf -gencrl -keyfile new.key -cert new.pem -crldays 9 -out crl 2>/dev/null
	crl() { grep -A 3 -- ' crl  ' "$OUT" | grep -v '^An EST\|current-anchor'; }
	# Two CAs of one name: the key decides; also when the CRL comes first.
	openssl crl2pkcs7 -in crl -certfile old.pem -certfile new.pem -out bag
	until=$(date -u -d "$(openssl crl -in crl -noout -nextupdate | cut -d = -f 2)" +%F)
	for files in bag 'crl old.pem new.pem'; do
		# shellcheck disable=SC2086
		works inspect --tree $files
		[ "$(crl)" = "-  crl             $until  by 2       revokes 2: CN=CA" ]
	done
	works inspect --tree crl old.pem
	[ "$(crl)" = "-  crl             $until  by none    revokes 2: CN=CA
   ^ signed by the key of no certificate here of that name: CN=CA" ]
	works inspect --tree crl far.pem
	grep -qx '   ^ its issuer is not here: CN=CA' "$OUT"
	works inspect --tree --at 2099-01-01 crl new.pem
	grep -q '\^ outdated: the next one was due at ' "$OUT"
	works inspect --tree --at 1999-01-01 crl new.pem
	[ "$(crl | grep -c '\^ not valid before ')" = 1 ]
	# As a list, and in JSON; what is not asked for is not said.
	hex=$(openssl x509 -in new.pem -outform DER | sha256sum | cut -d ' ' -f 1)
	works inspect -v crl old.pem new.pem
	grep -qx "signed-by:     certificate 1 of new.pem, sha256 $hex" "$OUT"
	works inspect -v crl old.pem
	grep -qx 'signed-by:     none of the certificates here' "$OUT"
	works inspect crl new.pem
	run ! grep -q '^signed-by' "$OUT"
	for option in -v --tree '--verify --cacert old.pem --cacert new.pem'; do
		# shellcheck disable=SC2086
		works inspect --json-lines $option bag
		jq -se --arg hex "$hex" 'map(select(.type == "crls")) | length == 1 and (.[0] | .index == 3 and .notes == []
			and .signed_by == {file: "bag", index: 2, sha256: $hex})' "$OUT"
	done
	"$EST_LIB/on-terminal" '' '' "$EST" inspect --color=never bag | grep -q 'by 2 *revokes 2'
	# A signer that may not, an algorithm that nobody should trust, a damaged CRL.
	signed nosign sub /CN=sub new 9 'basicConstraints=critical,CA:TRUE' keyUsage=keyCertSign
	openssl ca -config conf -md sha1 -gencrl -keyfile sub.key -cert nosign.pem -crldays 9 -out weak 2>/dev/null
	works inspect --tree weak nosign.pem
	grep -qx '   ^ the keyUsage of its issuer lacks cRLSign' "$OUT"
	grep -qx '   ^ weak: signature ecdsa-with-SHA1' "$OUT"
	openssl crl -in crl -outform DER -out bad
	printf '\x01' | dd of=bad bs=1 seek=$(($(stat -c %s bad) - 1)) conv=notrunc 2>/dev/null
	works inspect --tree bad new.pem
	grep -q ' by none ' "$OUT"
	head -c 60 bad >short
	run_est inspect --tree short new.pem
	[ "$status" = 3 ]
	stderr_has 'short: object 1 at offset 0'
}

@test "tree: five thousand times the same certificate, each compared and none verified twice" {
	python3 - <<-'PY'
		one = open("new.pem").read()
		open("same.pem", "w").write(one * 5000)
	PY
	works inspect --tree same.pem
	[ "$(grep -c duplicate "$OUT")" = 4999 ]
}
