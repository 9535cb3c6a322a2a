#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # lib/est.bash sets and reads them
# est cacerts --update: stored anchors and the roots that follow them (RFC 7030 section 4.1.3, RFC
# 4210 section 4.4).

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	cp "$EST_TEST_DIR/root.pem" ca.pem
	at=(-s "$EST_TEST_URL")
	update=("${at[@]}" --update ca.pem)
}

# words WORDS FILE: what the test server has under this label, as PEM.
words() {
	curl -sS --cacert "$EST_TEST_DIR/root.pem" "$EST_TEST_URL/.well-known/est/rollover-$1/cacerts" |
		base64 -d | openssl pkcs7 -inform DER -print_certs -out "$2"
}

# anchors N: so many are in ca.pem.
anchors() {
	[ "$(grep -c BEGIN ca.pem)" = "$1" ] || {
		openssl storeutl -noout -text -certs ca.pem | grep -E 'Subject:|Not After'
		return 1
	}
}

# note FILTER: something about the anchors in the JSON object of the last run.
note() {
	jq -e "$1" "$OUT" >/dev/null || {
		cat "$OUT"
		return 1
	}
}

# serves CERT KEY ANSWER: a server elsewhere; sets at.
serves() {
	: >"$BATS_TEST_TMPDIR/capture"
	helper peer.py tls --cert "$1" --key "$2" --answer "$3" --capture "$BATS_TEST_TMPDIR/capture"
	at=(-s "https://localhost:$PORT")
}

# answer FILE...: an HTTP answer with a bag of these.
answer() {
	cat "$@" >"$BATS_TEST_TMPDIR/bag.pem"
	openssl crl2pkcs7 -nocrl -certfile "$BATS_TEST_TMPDIR/bag.pem" -outform DER | base64 \
		>"$BATS_TEST_TMPDIR/bag.b64"
	printf 'HTTP/1.1 200 OK\r\nContent-Type: application/pkcs7-mime\r\nContent-Length: %s\r\n\r\n' \
		"$(stat -c %s "$BATS_TEST_TMPDIR/bag.b64")" |
		cat - "$BATS_TEST_TMPDIR/bag.b64" >"$BATS_TEST_TMPDIR/answer"
}

@test "update: nothing new is not rewritten, and is no news" {
	before=$(stat -c '%i %y %z' ca.pem)
	works cacerts "${update[@]}" --json
	[ ! -s "$ERR" ]
	[ "$(stat -c '%i %y %z' ca.pem)" = "$before" ]
	note '.action == "unchanged" and .changed == false and (.anchors | length == 1) and
		.anchors[0].change == "kept" and (.intermediates | length == 1) and .strays == []'
	works cacerts "${update[@]}"
	[ ! -s "$OUT" ]
	[ ! -s "$ERR" ]
}

@test "update: a root change with all its certificates (R7030-4.1.3-06 R7030-4.1.3-07 R4210-4.4-02)" {
	works cacerts "${update[@]}" -l rollover-owo-own-nwo-nwn --chain-out chain.pem --json
	anchors 2
	note '.action == "updated" and .changed and ([.anchors[].change] == ["kept","added"]) and
		(.anchors[1].why | test("NewWithOld"))'
	[ "$(wc -l <"$ERR")" = 1 ]
	stderr_has 'ca\.pem: added CN=EST test root.*NewWithOld'
	same_certs ca.pem <(cat "$EST_TEST_DIR/root.pem" "$EST_TEST_DIR/new-root.pem")
	# Next run: nothing to do.
	before=$(stat -c '%i %y %z' ca.pem)
	works cacerts "${update[@]}" -l rollover-owo-own-nwo-nwn --chain-out chain.pem --json
	note '.action == "unchanged" and .changed == false'
	[ "$(stat -c '%i %y %z' ca.pem)" = "$before" ]
}

@test "update: then a server below the new root is believed (R4210-4.4-02 R7030-4.1.3-10)" {
	answer "$EST_TEST_DIR/new-root.pem"
	openssl x509 -in "$EST_TEST_DIR/server-new.pem" -out leaf.pem
	serves leaf.pem "$EST_TEST_DIR/server-new.key" "$BATS_TEST_TMPDIR/answer"
	refused 7 'anchor' cacerts "${at[@]}" --cacert ca.pem
	works cacerts "${update[@]}" -l rollover-nwo-nwn
	works cacerts "${at[@]}" --cacert ca.pem
	same_certs "$OUT" "$EST_TEST_DIR/new-root.pem"
}

@test "update: from a server that is below the new root already and sends NewWithOld (R7030-4.1.3-14)" {
	words nwo-nwn bag.pem
	answer bag.pem
	serves "$EST_TEST_DIR/server-new.pem" "$EST_TEST_DIR/server-new.key" "$BATS_TEST_TMPDIR/answer"
	works cacerts "${at[@]}" --update ca.pem --json
	note '[.anchors[].change] == ["removed","added"] or [.anchors[].change] == ["kept","added"]'
	grep -qF "$(sed -n 2p "$EST_TEST_DIR/new-root.pem")" ca.pem
}

@test "update: each of OldWithOld and OldWithNew may be missing, in any order (R7030-4.1.3-07)" {
	local label
	for label in own-nwo-nwn owo-nwo-nwn nwn-nwo nwo-nwn nwn-own-nwo-owo; do
		cp "$EST_TEST_DIR/root.pem" ca.pem
		works cacerts "${update[@]}" -l rollover-$label --json
		anchors 2
		note '.action == "updated"'
	done
}

@test "update: without NewWithOld the new root is refused, and nothing changes (R4210-4.4-04)" {
	unset ONCE # the repetition counts
	local label
	for label in owo-own-nwn nwn own-nwn owo-nwn; do
		refused 7 'vouches' cacerts "${update[@]}" -l rollover-$label --chain-out chain.pem
		stderr_has '^est: hint: .*--bootstrap'
		jq -e '.error.code == "not-vouched"' "$OUT"
	done
}

@test "update: a NewWithOld that expired, or that another key has signed, is none (R4210-4.4-02)" {
	refused 7 'vouches' cacerts "${update[@]}" -l rollover-owo-nwe-nwn
	refused 7 'vouches' cacerts "${update[@]}" -l rollover-owo-nwf-nwn
	refused 7 'vouches' cacerts "${update[@]}" -l rollover-owo-nwx-nwn
	# A link for another root than the one that is offered.
	refused 7 'vouches' cacerts "${update[@]}" -l rollover-owo-nwo-twt
	refused 7 'vouches' cacerts "${update[@]}" -l rollover-owo-fwf
}

# crl CA [CERT]: CA.crl of the test server, which revokes the certificate.
crl() {
	local ca=(-config ca.conf -cert "$EST_TEST_DIR/$1.pem" -keyfile "$EST_TEST_DIR/$1.key")
	printf '[ca]\ndefault_ca=c\n[c]\ndatabase=db\ndefault_md=sha256\n' >ca.conf
	: >db
	[ -z "${2:-}" ] || openssl ca "${ca[@]}" -revoke "$2" 2>/dev/null
	openssl ca "${ca[@]}" -gencrl -crldays 9 -out "$1.crl" 2>/dev/null
}

@test "update: a NewWithOld that a given --crl revokes is none (R4210-4.4-02)" {
	unset ONCE # the repetition is looked at
	crl issuing
	words nwo nwo.pem
	crl root nwo.pem
	update+=(--crl issuing.crl --crl root.crl)
	refused 7 'link certificate was revoked' cacerts "${update[@]}" -l rollover-nwo-nwn
	jq -e '.error.code == "revoked"' "$OUT"
	anchors 1
	crl root
	works cacerts "${update[@]}" -l rollover-nwo-nwn
	anchors 2
}

@test "update: an unrelated root is refused, the file stays, the way out is named (R7030-4.1.3-14 R4210-4.4-04)" {
	refused 7 'EST other root' cacerts "${update[@]}" -l rollover-xwx --chain-out chain.pem
	stderr_has '^est: hint: .*--bootstrap --ca-fingerprint'
	refused 7 'EST other root' cacerts "${update[@]}" -l rollover-owo-xwx
	anchors 1
}

@test "update: other foreign roots that are older are strays, and not kept (R7030-4.1.3-09)" {
	works cacerts "${update[@]}" -l bag-3 --chain-out chain.pem --json
	note '.action == "unchanged" and (.strays | length) == 3'
	stderr_has '3 of the certificates .*not kept'
	same_certs chain.pem "$EST_TEST_DIR/issuing.pem"
}

@test "update: two changes in a row, at once and one after the other (R4210-4.4-02)" {
	works cacerts "${update[@]}" -l rollover-owo-nwo-nwn-twn-twt --json
	anchors 3
	note '[.anchors[].change] == ["kept","added","added"]'
	cp "$EST_TEST_DIR/root.pem" ca.pem
	works cacerts "${update[@]}" -l rollover-owo-nwo-nwn
	works cacerts "${update[@]}" -l rollover-owo-nwo-nwn-twn-twt
	anchors 3
	# The link in the middle is missing.
	cp "$EST_TEST_DIR/root.pem" ca.pem
	refused 7 'vouches' cacerts "${update[@]}" -l rollover-owo-nwn-twn-twt
	# The root in the middle is missing.
	refused 7 'vouches' cacerts "${update[@]}" -l rollover-owo-nwo-twn-twt
}

@test "update: to RSA, and from RSA to EC (R4210-4.4-02)" {
	works cacerts "${update[@]}" -l rollover-owo-rwo-rwr
	anchors 2
	works cacerts "${update[@]}" -l rollover-owo-rwo-rwr-nwr-nwn --json
	anchors 3
	note '[.anchors[].change] == ["kept","kept","added"]'
	openssl storeutl -noout -text -certs ca.pem | grep -q rsaEncryption
}

@test "update: an anchor that has expired leaves when another remains (R4210-4.4-05)" {
	faketime -f -90d openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$BATS_TEST_TMPDIR/old.key" -out old.pem -subj /CN=old -days 30 \
		-addext basicConstraints=critical,CA:TRUE 2>/dev/null
	cat old.pem >>ca.pem
	works cacerts "${update[@]}" --json
	same_certs ca.pem "$EST_TEST_DIR/root.pem"
	note '.anchors[1] | .subject == "CN=old" and .change == "removed" and .why == "expired"'
	stderr_has 'removed CN=old.*expired'
	# The only one stays, and then nothing can be fetched.
	cp old.pem ca.pem
	refused 7 . cacerts "${update[@]}"
}

@test "update: an anchor of another CA stays, whatever this one answers (R4210-4.4-05)" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$BATS_TEST_TMPDIR/other.key" -out other.pem -subj /CN=other -days 30 \
		-addext basicConstraints=critical,CA:TRUE 2>/dev/null
	cat other.pem >>ca.pem
	works cacerts "${update[@]}" -l rollover-owo-nwo-nwn
	anchors 3
}

@test "update: a retired anchor leaves, unless the server still needs it (R4210-4.4-05)" {
	cat "$EST_TEST_DIR/new-root.pem" >>ca.pem
	# What the old key has signed is in the answer: the issuing CA.
	works cacerts "${update[@]}" -l rollover-nwn --json
	anchors 2
	note '.anchors[0] | .change == "kept" and .why == "stored"'
	# This server is below the old root, which its answer names no more.
	answer "$EST_TEST_DIR/new-root.pem"
	serves "$EST_TEST_DIR/server.pem" "$EST_TEST_DIR/server.key" "$BATS_TEST_TMPDIR/answer"
	works cacerts "${at[@]}" --update ca.pem --json
	anchors 2
	note '.anchors[0] | .change == "kept" and (.why | test("server"))'
	# That one is below the new root; a redirect to it does not speak for the one that redirects.
	openssl x509 -in "$EST_TEST_DIR/server-new.pem" -out leaf.pem
	serves leaf.pem "$EST_TEST_DIR/server-new.key" "$BATS_TEST_TMPDIR/answer"
	printf 'HTTP/1.1 302 Found\r\nLocation: %s/.well-known/est/cacerts\r\nContent-Length: 0\r\n\r\n' \
		"${at[1]}" >"$BATS_TEST_TMPDIR/moved"
	local next=${at[1]}
	serves "$EST_TEST_DIR/server.pem" "$EST_TEST_DIR/server.key" "$BATS_TEST_TMPDIR/moved"
	works cacerts "${at[@]}" --redirect-to "$next" --update ca.pem --json
	anchors 2
	note '.anchors[0] | .change == "kept" and (.why | test("server"))'
	serves leaf.pem "$EST_TEST_DIR/server-new.key" "$BATS_TEST_TMPDIR/answer"
	works cacerts "${at[@]}" --update ca.pem --json
	same_certs ca.pem "$EST_TEST_DIR/new-root.pem"
	note '.anchors[0] | .change == "removed" and (.why | test("retired"))'
	# As long as a link certificate names it, it stays.
	cat "$EST_TEST_DIR/root.pem" >>ca.pem
	words own-nwn bag.pem
	answer bag.pem
	serves leaf.pem "$EST_TEST_DIR/server-new.key" "$BATS_TEST_TMPDIR/answer"
	works cacerts "${at[@]}" --update ca.pem
	anchors 2
}

@test "update: intermediates go to --chain-out and never among the anchors (R7030-4.1.3-09)" {
	works cacerts "${update[@]}" -l rollover-owo-own-nwo-nwn --chain-out chain.pem
	[ "$(grep -c BEGIN chain.pem)" = 3 ] # the issuing CA, OldWithNew, NewWithOld
	run ! grep -qF "$(sed -n 2,4p "$EST_TEST_DIR/issuing.pem")" ca.pem
	anchors 2
	# OldWithNew bridges from the new root to what the old key has signed (R4210-4.4-03).
	openssl verify -CAfile "$EST_TEST_DIR/new-root.pem" -untrusted chain.pem \
		-partial_chain "$EST_TEST_DIR/server.pem"
}

@test "update: -v names OldWithOld, OldWithNew, NewWithOld and NewWithNew by signature (R4210-4.4-01)" {
	works cacerts "${update[@]}" -l rollover-nwo-owo-nwn-own -v
	for kind in OldWithOld OldWithNew NewWithOld NewWithNew; do
		[ "$(grep -c "$kind: CN=EST test root" "$ERR")" = 1 ]
	done
}

@test "update: --if-older asks when it is time, and remembers that it has asked" {
	works cacerts "${update[@]}" --if-older 7d --json
	note '.action == "not-due" and .changed == false'
	nothing_sent
	touch -d '8 days ago' ca.pem
	works cacerts "${update[@]}" --if-older 7d --json
	note '.action == "unchanged"'
	seen 1 true
	works cacerts "${update[@]}" --if-older 7d --json
	note '.action == "not-due"'
	seen 1 true
	touch -d '+2 days' ca.pem # a clock that was wrong
	works cacerts "${update[@]}" --if-older 7d
	seen 2 true
}

@test "update: --if-older runs before the first anchor expires (R7030-4.1.2-02)" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$BATS_TEST_TMPDIR/soon.key" -out soon.pem -subj /CN=soon -days 5 \
		-addext basicConstraints=critical,CA:TRUE 2>/dev/null
	cat soon.pem >>ca.pem
	works cacerts "${update[@]}" --if-older 3d
	nothing_sent
	works cacerts "${update[@]}" --if-older 7d
	seen 1 true
}

@test "update: contradictions are usage errors" {
	local age
	refused 2 'exclude' cacerts "${update[@]}" -o other.pem
	refused 2 'exclude' cacerts "${update[@]}" --system-trust
	refused 2 'exclude' cacerts "${update[@]}" --bootstrap
	cp ca.pem other.pem
	refused 2 'cacert' cacerts "${update[@]}" --cacert other.pem
	refused 2 'one file' cacerts "${update[@]}" --chain-out ./ca.pem
	refused 2 'if-older' cacerts "${trust[@]}" --if-older 7d
	for age in 7 d 7x 7dd -7d 1.5d 99999999999d 3651d ''; do
		ONCE=1 refused 2 'if-older' cacerts "${update[@]}" --if-older="$age"
	done
	works cacerts "${update[@]}" --cacert ca.pem
	EST_CACERT=./ca.pem works cacerts "${update[@]}"
}

@test "update: what can be wrong with the file and the answer leaves it as it was" {
	refused 3 'not-there' cacerts "${at[@]}" --update not-there.pem
	refused 13 'self-signed' cacerts "${update[@]}" -l no-root
	refused 11 '500' cacerts "${update[@]}" -l status-500
	refused 10 '202' cacerts "${update[@]}" -l retry-after-5
	refused 13 'html' cacerts "${update[@]}" -l html
	cp "$EST_TEST_DIR/new-root.pem" ca.pem
	refused 7 'anchor' cacerts "${update[@]}"
	stderr_has '^est: hint: .*--bootstrap'
}

@test "update: --dry-run sends nothing; mode and links of the file are kept" {
	works cacerts "${update[@]}" -n
	nothing_sent
	chmod 640 ca.pem
	mv ca.pem real.pem
	ln -s real.pem ca.pem
	works cacerts "${update[@]}" -l rollover-owo-nwo-nwn
	[ -L ca.pem ]
	[ "$(stat -c %a real.pem)" = 640 ]
	anchors 2
}
