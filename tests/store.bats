#!/usr/bin/env bats
# bats file_tags=once
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2034,SC2154 # lib/est.bash sets and reads them
# Files that change together: a pair in place, a store, what else goes with them; one run at a time;
# and the run after one that was killed.  tests/torture kills at every other place.

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	id=(--cert dev.pem --key dev.key)
	printf geheim >pw
}

# killed N ARGS...: est ARGS, killed at its Nth rename().
killed() {
	run -137 timeout 20 strace -f -qq -e trace=rename -e inject=rename:signal=KILL:when="$1" \
		-o /dev/null "$EST" "${@:2}"
}

@test "store: a certificate of elsewhere goes into it once, and its own dates count from then on" {
	identity dev /CN=dev
	run_est reenroll "${trust[@]}" "${id[@]}" --store st --renew-before 90d --skip-status 75
	[ "$status" = 0 ]
	server_log_reset
	run_est reenroll "${trust[@]}" "${id[@]}" --store st --renew-before 89d --skip-status 75
	[ "$status" = 75 ]
	nothing_sent
	for file in "-o -" "-o x"; do
		# shellcheck disable=SC2086 # words
		ONCE=1 refused 2 '-o - is for|--output cannot be given' reenroll "${trust[@]}" --store st $file
	done
}

@test "store: --rekey replaces key and certificate in place, keeps the old pair, mode and owner" {
	identity dev /CN=dev
	chmod 640 dev.key
	chmod 600 dev.pem
	[ "$(id -u)" != 0 ] || chown 1234:2345 dev.key
	before=$(stat -c '%a %u %g' dev.key dev.pem)
	cp -p dev.key old.key
	cp dev.pem old.pem
	works reenroll --force "${trust[@]}" "${id[@]}" --rekey --json
	jq -e '.action == "rekeyed" and .changed' "$OUT"
	good_cert dev.pem dev.key
	run ! same_key dev.pem old.pem
	cmp dev.key.prev old.key
	cmp dev.pem.prev old.pem
	[ "$(stat -c '%a %u %g' dev.key dev.pem)" = "$before" ]
	[ "$(ls -A)" = $'dev.key\ndev.key.prev\ndev.pem\ndev.pem.prev\nold.key\nold.pem\npw' ]
	# Another type; two generations; a renewal with the same key keeps none unless told to.
	works reenroll --force "${trust[@]}" "${id[@]}" --rekey --new-key ed25519 --keep 2
	good_cert dev.pem dev.key
	cmp dev.key.prev.2 old.key
	good_cert dev.pem.prev dev.key.prev
	works reenroll --force "${trust[@]}" "${id[@]}" --rekey --keep 0
	works reenroll --force "${trust[@]}" "${id[@]}" --reuse-key
	cmp dev.pem.prev.2 old.pem
	works reenroll --force "${trust[@]}" "${id[@]}" --reuse-key --keep 1
	good_cert dev.pem dev.key
	[ ! -e dev.pem.prev.2 ]
}

@test "store: --rekey into --combined, with --p12 and --chain-out in the same swap" {
	identity dev /CN=dev
	cat dev.key dev.pem >all.pem
	works reenroll --force "${trust[@]}" --cert all.pem --combined all.pem --rekey --chain-out chain.pem \
		--p12 all.p12 --p12-password-file pw
	good_cert all.pem all.pem
	run ! same_key all.pem dev.key
	[ "$(openssl pkcs12 -in all.p12 -passin pass:geheim -nokeys -clcerts | openssl x509 -noout -pubkey)" = \
		"$(public_key all.pem)" ]
	grep -q BEGIN chain.pem
	[ "$(ls -A)" = $'all.p12\nall.p12.prev\nall.pem\nall.pem.prev\nchain.pem\ndev.key\ndev.pem\npw' ] ||
		[ "$(ls -A)" = $'all.p12\nall.pem\nall.pem.prev\nchain.pem\ndev.key\ndev.pem\npw' ]
}

@test "store: options that contradict each other" {
	identity dev /CN=dev
	cat dev.key dev.pem >all.pem
	ONCE=1
	refused 2 'combined' reenroll --force "${trust[@]}" --cert all.pem --rekey
	refused 2 'combined' reenroll --force "${trust[@]}" --cert all.pem --key ./all.pem --rekey
	refused 2 'rekey' reenroll --force "${trust[@]}" "${id[@]}" --rekey --key-out new.key -o new.pem
	refused 2 'rekey' reenroll --force "${trust[@]}" "${id[@]}" --rekey -o new.pem
	refused 2 'rekey' reenroll --force "${trust[@]}" "${id[@]}" --new-key ec:p384 -o new.pem
	refused 2 'in a token' reenroll --force "${trust[@]}" --cert dev.pem --key pkcs11:object=x --rekey --combined x
	for option in -o --key-out --chain-out --combined; do
		refused 2 'store' enroll "${trust[@]}" "${account[@]}" --subject CN=x --store st $option x
	done
	refused 2 'store.*csr' enroll "${trust[@]}" "${account[@]}" --store st --csr dev.pem
	refused 2 'keep' reenroll --force "${trust[@]}" "${id[@]}" --keep 1001
	refused 2 'lock-wait' reenroll --force "${trust[@]}" "${id[@]}" --lock-wait soon
	refused 3 'st/current/cert.pem' reenroll --force "${trust[@]}" --store st
	nothing_sent
}

@test "store: enrolled, renewed, rekeyed: complete generations behind one link" {
	works enroll "${trust[@]}" "${account[@]}" --subject CN=dev --store st
	good_cert st/current/cert.pem st/current/key.pem
	diff <(cat st/current/cert.pem st/current/chain.pem) st/current/fullchain.pem
	[ "$(stat -c %a st/current/key.pem st/current/cert.pem st st/current/ | tr '\n' ' ')" = '600 644 755 755 ' ]
	first=$(readlink st/current)
	cp st/current/key.pem key.pem
	works reenroll --force "${trust[@]}" --store st --reuse-key
	cmp st/current/key.pem key.pem
	[ "$(readlink st/current)" != "$first" ]
	[ -d "st/$first" ]
	chgrp 2345 st/current/key.pem 2>/dev/null || true
	chmod 640 st/current/key.pem
	mode=$(stat -c '%a %g' st/current/key.pem)
	works reenroll --force "${trust[@]}" --store st --rekey --p12 st.p12 --p12-password-file pw --json
	jq -e '.action == "rekeyed"' "$OUT"
	good_cert st/current/cert.pem st/current/key.pem
	run ! same_key st/current/cert.pem key.pem
	[ "$(stat -c '%a %g' st/current/key.pem)" = "$mode" ]
	[ ! -e "st/$first" ]
	[ "$(find st -mindepth 1 -maxdepth 1 | wc -l)" = 3 ] # current and two generations
	# From a pair in files into a store.
	identity dev /CN=dev
	works reenroll --force "${trust[@]}" "${id[@]}" --store st2 --reuse-key
	same_key st2/current/key.pem dev.key
	# A key that is encrypted stays so.
	openssl pkey -in st2/current/key.pem -aes256 -passout pass:geheim -out st2/current/enc
	cat st2/current/enc >st2/current/key.pem
	rm st2/current/enc
	works reenroll --force "${trust[@]}" --store st2 --key-password-file pw
	grep -q 'ENCRYPTED' st2/current/key.pem
}

@test "store: no run that does not replace it takes a generation away" {
	works enroll "${trust[@]}" "${account[@]}" --subject CN=dev --store st
	works reenroll --force "${trust[@]}" --store st --rekey
	ln -sfn gen-000001 st/current # back to the former one
	cp -a st before
	works reenroll --force "${trust[@]}" --store st -n
	diff -r --no-dereference before st
	rm st/current before/current # a copy without its links, and no server
	LEAVES='st st/key.pem.est-new' refused 5 connect enroll -s https://127.0.0.1:1 "${anchor[@]}" "${account[@]}" \
		--subject CN=dev --store st --connect-timeout 2
	rm -f st/key.pem.est-*
	diff -r before st
	ln -s gen-000001 st/current
	works reenroll --force "${trust[@]}" --store st --rekey
	[ "$(ls st)" = $'current\ngen-000001\ngen-000003' ] # the one it has replaced stays
	# Nor one that cannot go back from what it has put in place.
	local trace=(strace -f -qq -e "trace=rename,fsync" -o trace) me=(reenroll --force "${trust[@]}" --store st)
	"${trace[@]}" "$EST" "${me[@]}"
	run -4 "${trace[@]}" -e inject=rename:error=EIO:when=3 -e inject=fsync:error=EIO:when="$(awk \
		'/ fsync/ { n++ } /rename.*st\/current"/ { print n + 1 }' trace)" "$EST" "${me[@]}"
	[ "$(readlink st/current)" = gen-000005 ]
	good_cert st/current/cert.pem st/current/key.pem
	# A new store is on disk before its key can be certified.
	strace -f -qq -y -e trace=mkdir,fsync,sendto -o trace "$EST" enroll "${trust[@]}" "${account[@]}" \
		--subject CN=dev --store new
	grep -A1 'mkdir("new"' trace | grep "fsync([0-9]*<$PWD>)"
}

@test "store: in a directory where others may write, nothing of theirs is replaced or gone on with" {
	[ "$(id -u)" = 0 ] || skip "somebody else's files take root to make"
	local me=(enroll "${trust[@]}" "${account[@]}" --subject CN=x)
	mkdir -m 1777 open
	ONCE=1
	: >open/dev.pem
	chmod 600 open/dev.pem
	cp -p open/dev.pem open/dev.pem.est-new
	chown 1234 open/dev.pem open/dev.pem.est-new
	refused 4 'open/dev.pem: belongs to user 1234' "${me[@]}" --combined open/dev.pem
	stderr_has 'directory of user 0 that others may write to \(mode 1777\)'
	stderr_has 'hint: give it to .* chmod go-w .* run as user 1234'
	refused 4 'open/dev.pem: belongs to user 1234' "${me[@]}" --key-out open/dev.pem -o c.pem --force
	rm open/dev.pem
	refused 4 'est-new: belongs to user 1234' "${me[@]}" --combined open/dev.pem
	ln -s ../pw open/o.pem
	chown -h 1234 open/o.pem
	refused 4 'open/o.pem: belongs to user 1234' cacerts "${trust[@]}" -o open/o.pem
	mkdir open/st
	chown 1234 open/st
	refused 4 'open/st: belongs to user 1234' "${me[@]}" --store open/st
	no_csr
	[ "$(cat pw)" = geheim ]
	# Real places: a service's folder that root renews; a group that may read, or write beside root's files.
	local where
	for where in 'state 1234 1234 0770' 'state 1234 1234 2770' 'private 0 1234 0710' 'certs 0 1234 2770'; do
		# shellcheck disable=SC2086 # words
		set -- $where
		rm -rf "$1"
		mkdir "$1"
		chown "$2:$3" "$1"
		chmod "$4" "$1"
		works "${me[@]}" --key-out "$1/k" -o "$1/c"
		chown "$2:$3" "$1/k" "$1/c"
		chmod 640 "$1/k"
		works reenroll "${trust[@]}" --cert "$1/c" --key "$1/k" --force
		[ "$(stat -c %u:%g:%a "$1/k")" = "$2:$3:640" ]
		[ "$(stat -c %u:%g "$1/c")" = "$2:$3" ]
	done
	chown 1234 certs/k
	refused 4 'certs/k: belongs to user 1234.*directory of user 0 .*2770' reenroll "${trust[@]}" --cert certs/c \
		--key certs/k --force
	chmod g-w certs
	works reenroll "${trust[@]}" --cert certs/c --key certs/k --force
	[ "$(stat -c %u certs/k)" = 1234 ]
}

@test "store: what is no store, or cannot be one, is refused before anything is sent" {
	mkdir -p st/current ln
	ln -s /etc ln/current
	: >file
	me=(enroll "${trust[@]}" "${account[@]}" --subject CN=x)
	ONCE=1
	refused 4 'current' "${me[@]}" --store st
	refused 4 'current' "${me[@]}" --store ln
	refused 4 'file' "${me[@]}" --store file
	refused 4 'no/where' "${me[@]}" --store no/where/st
	refused 2 'store' "${me[@]}" --store "$(head -c 5000 /dev/zero | tr '\0' n)"
	nothing_sent
	# A server that refuses leaves no folder behind.
	refused 10 400 "${me[@]}" --store new -l status-400
}

@test "store: killed between two renames: the next run puts the pair in place, and sends nothing" {
	identity dev /CN=dev
	cp dev.pem old.pem
	killed 2 reenroll --force "${trust[@]}" "${id[@]}" --rekey
	run ! good_cert dev.pem dev.key # the documented window
	server_log_reset
	snapshot >"$BATS_TEST_TMPDIR/killed"
	works reenroll --force "${trust[@]}" "${id[@]}" --rekey -n --json
	jq -e '.ok and .action == "dry-run"' "$OUT"
	stderr_has 'would first finish or undo'
	snapshot | diff "$BATS_TEST_TMPDIR/killed" -
	works reenroll --force "${trust[@]}" "${id[@]}" --rekey --json
	jq -e '.ok and .action == "recovered" and .changed' "$OUT"
	stderr_has recovered
	nothing_sent
	good_cert dev.pem dev.key
	run ! same_key dev.pem old.pem
	[ "$(ls -A)" = $'dev.key\ndev.key.prev\ndev.pem\ndev.pem.prev\nold.pem\npw' ]
	# enroll: the same, although its key is in place then and would be refused.
	killed 2 enroll "${trust[@]}" "${account[@]}" --subject CN=x --key-out key.pem -o cert.pem
	[ -s key.pem.est-new ]
	server_log_reset
	works enroll "${trust[@]}" "${account[@]}" --subject CN=x --key-out key.pem -o cert.pem
	nothing_sent
	good_cert cert.pem key.pem
	rm -f key.pem cert.pem
	# A store: no window.
	works enroll "${trust[@]}" "${account[@]}" --subject CN=dev --store st
	for at in 1 2; do
		killed $at reenroll --force "${trust[@]}" --store st --rekey
		good_cert st/current/cert.pem st/current/key.pem
	done
	works reenroll --force "${trust[@]}" --store st --rekey
	good_cert st/current/cert.pem st/current/key.pem
	[ "$(find st -name '*est-*')" = '' ]
}

@test "store: killed, and the certificate then changed by hand: what fits counts" {
	identity dev /CN=dev
	cp dev.pem old.pem
	cp dev.key old.key
	killed 2 reenroll --force "${trust[@]}" "${id[@]}" --rekey
	rm dev.key.est-new # its key is gone
	works reenroll --force "${trust[@]}" "${id[@]}" --reuse-key -q
	good_cert dev.pem dev.key
	cmp dev.key old.key
	seen 2 .csr
	killed 2 reenroll --force "${trust[@]}" "${id[@]}" --rekey
	openssl ecparam -name prime256v1 -genkey -noout -out dev.key
	rm dev.key.est-new .dev.pem.est-old .dev.key.est-old
	ONCE=1 refused 3 'no key of those left' reenroll --force "${trust[@]}" "${id[@]}"
}

@test "store: one run at a time, --lock-wait waits" {
	identity dev /CN=dev
	flock .dev.pem.est-journal sleep 2 3>&- &
	eventually test -e .dev.pem.est-journal
	sleep 0.1
	ONCE=1 refused 4 'another est is at work' reenroll --force "${trust[@]}" "${id[@]}"
	stderr_has 'hint: --lock-wait'
	for wait in 0.2 0; do
		ONCE=1 refused 4 'another est is at work' reenroll --force "${trust[@]}" "${id[@]}" --lock-wait $wait
	done
	nothing_sent
	works reenroll --force "${trust[@]}" "${id[@]}" --lock-wait 10
	wait
	good_cert dev.pem dev.key
	[ ! -e .dev.pem.est-journal ]
	# Two runs of the real thing: both renew, one after the other.
	"$EST" reenroll --force "${trust[@]}" "${id[@]}" --rekey --lock-wait 20 >/dev/null 2>&1 3>&- &
	works reenroll --force "${trust[@]}" "${id[@]}" --rekey --lock-wait 20
	wait $!
	good_cert dev.pem dev.key
	[ "$(ls -A)" = $'dev.key\ndev.key.prev\ndev.pem\ndev.pem.prev\npw' ]
}

@test "store: leftovers of killed runs are removed, links and files of others are not followed" {
	identity dev /CN=dev
	for name in .dev.pem.est-tmp .dev.pem.est-old .dev.pem.est-journal; do
		echo rest >$name
	done
	works reenroll --force "${trust[@]}" "${id[@]}" --reuse-key
	[ "$(ls -A)" = $'dev.key\ndev.pem\npw' ]
	ln -s pw .dev.pem.est-tmp
	works reenroll --force "${trust[@]}" "${id[@]}" --reuse-key
	[ "$(cat pw)" = geheim ]
	mkdir .dev.pem.est-tmp
	ONCE=1 refused 4 'est-tmp' reenroll --force "${trust[@]}" "${id[@]}"
	rmdir .dev.pem.est-tmp
	ln -s pw .dev.pem.est-journal
	ONCE=1 refused 4 'est-journal' reenroll --force "${trust[@]}" "${id[@]}"
}

@test "store: the hook of a killed run is run by the next one, once, and nothing is sent" {
	local hook='echo "$EST_ACTION $EST_CERT_FILE $EST_KEY_FILE" >>ran' where
	identity dev /CN=dev
	works enroll "${trust[@]}" "${account[@]}" --subject CN=dev --store st
	for where in "${id[*]} --rekey" "${id[*]}" "--store st"; do
		rm -f ran
		# shellcheck disable=SC2086 # words
		run_est reenroll --force "${trust[@]}" $where --hook 'kill -9 $PPID'
		[ "$status" = 137 ]
		server_log_reset
		# shellcheck disable=SC2086
		works reenroll "${trust[@]}" $where --hook "$hook" --json
		jq -e '.action == "recovered" and .changed == false and .hook == "done"' "$OUT"
		nothing_sent
		[[ "$(cat ran)" == "recovered $PWD/"*.pem" $PWD/"* ]]
		# shellcheck disable=SC2046 # no blanks in these names
		good_cert $(cut -d' ' -f2- ran)
		# shellcheck disable=SC2086
		works reenroll "${trust[@]}" $where --hook "$hook" --json
		jq -e '.action == "skipped"' "$OUT"
		[ "$(wc -l <ran)" = 1 ]
	done
	# One that fails is not run for ever; a run without --hook leaves the debt to the next one, and a
	# renewal in between, to which no hook belongs, does not end it either.
	run_est reenroll --force "${trust[@]}" "${id[@]}" --hook 'kill -9 $PPID'
	run_est reenroll "${trust[@]}" "${id[@]}" --hook 'exit 3'
	[ "$status" = 16 ]
	works reenroll "${trust[@]}" "${id[@]}" --hook 'exit 3'
	run_est reenroll --force "${trust[@]}" "${id[@]}" --hook 'kill -9 $PPID'
	works reenroll "${trust[@]}" "${id[@]}" --force
	stderr_has 'stays owed'
	stderr_has 'rekeyed CN=dev'
	works reenroll "${trust[@]}" "${id[@]}" --hook 'touch paid'
	[ -e paid ]
	[ "$(find . -name '*est-*')" = '' ]
}

@test "store: --verify-with tries a generation before it is current" {
	works enroll "${trust[@]}" "${account[@]}" --subject CN=dev --store st
	before=$(readlink st/current)
	LEAVES=st/key.pem.est-new refused 14 'verify-with' reenroll --force "${trust[@]}" --store st --verify-with 'cat "$EST_CERT_FILE" "$EST_KEY_FILE" >/dev/null && exit 1'
	[ "$(readlink st/current)" = "$before" ]
	works reenroll --force "${trust[@]}" --store st \
		--verify-with 'cmp "$EST_CERT_FILE" st/current/cert.pem && exit 1; cp "$EST_CERT_FILE" seen'
	cmp seen st/current/cert.pem
}

@test "store: a new certificate beside the old key, and no journal: the key that waits fits" {
	identity dev /CN=dev
	cp dev.key old.key
	killed 2 reenroll "${trust[@]}" "${id[@]}" --force --rekey
	rm .dev.*
	server_log_reset
	works reenroll "${trust[@]}" "${id[@]}" -n
	stderr_has 'dry run: would first finish'
	[ -s dev.key.est-new ]
	cmp dev.key old.key
	works reenroll "${trust[@]}" "${id[@]}"
	stderr_has recovered
	nothing_sent
	good_cert dev.pem dev.key
	# One that does not fit is left where it is.
	cp old.key dev.key.est-new
	works reenroll "${trust[@]}" "${id[@]}" --force --reuse-key -q
	cmp old.key dev.key.est-new
	good_cert dev.pem dev.key
}

@test "store: links as targets stay links, the old pair is beside the real files" {
	identity dev /CN=dev
	mkdir -p real/keys
	mv dev.pem real
	mv dev.key real/keys
	ln -s real/dev.pem dev.pem
	ln -s real/keys/dev.key dev.key
	killed 2 reenroll "${trust[@]}" "${id[@]}" --force --rekey
	works reenroll "${trust[@]}" "${id[@]}" --rekey
	good_cert dev.pem dev.key
	[ "$(readlink dev.pem)$(readlink dev.key)" = real/dev.pemreal/keys/dev.key ]
	[ "$(find . -mindepth 1 -printf '%P\n' | LC_ALL=C sort | tr '\n' ' ')" = \
		"dev.key dev.pem pw real real/dev.pem real/dev.pem.prev real/keys \
real/keys/dev.key real/keys/dev.key.prev " ]
	# What a rename cannot replace, or only by a loss.
	ONCE=1
	for kind in 'mkdir t' 'mkfifo t' 'ln -s t t' 'ln -s no/where t'; do
		$kind
		refused 4 't' reenroll "${trust[@]}" "${id[@]}" --force --rekey --chain-out t
		rm -rf t
	done
	nothing_sent || seen 1 .csr # the one that was killed
}

@test "store: a full disk and a read-only one are noticed before anything is sent" {
	unshare -m true 2>/dev/null || skip "unshare -m is not allowed here"
	identity dev /CN=dev
	works enroll "${trust[@]}" "${account[@]}" --subject CN=dev --store st
	server_log_reset
	# shellcheck disable=SC2016
	unshare -m bash -c 'est=$1; shift; mkdir m; mount -t tmpfs -o size=200k tmpfs m; cp -a dev.* st m; cd m
		sums() { find . -type f ! -name filler -exec sha256sum {} + | sort; find . | sort; }
		head -c 300000 /dev/zero >filler 2>/dev/null; sums >../before
		"$est" reenroll "$@" --force --cert dev.pem --key dev.key --rekey 2>../err1; echo $? >../got
		"$est" reenroll "$@" --force --store st --rekey 2>../err2; echo $? >>../got; sums >../after
		rm filler; mount -o remount,ro "$PWD"
		"$est" reenroll "$@" --force --cert dev.pem --key dev.key --rekey 2>../err3; echo $? >>../got
		"$est" reenroll "$@" --force --store st --rekey 2>../err4; echo $? >>../got' x "$EST" "${trust[@]}"
	[ "$(tr '\n' ' ' <got)" = '4 4 4 4 ' ]
	grep -q space err1
	grep -q space err2
	grep -qi read-only err3
	grep -qi read-only err4
	diff before after
	nothing_sent
}
