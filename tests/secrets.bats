#!/usr/bin/env bats
# bats file_tags=once
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2034,SC2153,SC2154 # the hooks expand; lib/est.bash sets and reads the rest
# Passwords, tokens, PINs, challenges and the passphrase of a key leave no trace: not in what est prints or writes, in
# /proc, in the environment of a hook, in a core file, or in its own memory when it ends.

bats_require_minimum_version 1.5.0

load lib/est

MARK=mark-7Gq2xT9v

setup_file() {
	export SECRETS=$BATS_FILE_TMPDIR/secrets
	mkdir "$SECRETS"
	printf '%s-password\n' $MARK >"$SECRETS/password"
	printf '%s-token\n' $MARK >"$SECRETS/token"
	printf '%s-passphrase\n' $MARK >"$SECRETS/passphrase"
	server_start --user tester --password-file "$SECRETS/password" --token-file "$SECRETS/token" --srp-port 0
	openssl ecparam -name prime256v1 -genkey -noout |
		openssl pkcs8 -topk8 -passout "file:$SECRETS/passphrase" -out "$SECRETS/enc.key"
	openssl req -new -key "$SECRETS/enc.key" -passin "file:$SECRETS/passphrase" -subj /CN=dev \
		-out "$SECRETS/csr"
	BATS_TEST_TMPDIR=$SECRETS issue "$SECRETS/csr" "$SECRETS/dev.pem"
	${CC:-cc} -O1 -shared -fPIC -o "$SECRETS/leftover.so" "$EST_LIB/leftover/leftover.c"
	LEFTOVER_MARK=$(python3 -c 'import sys
print(bytes(b ^ 0x55 for b in sys.argv[1].encode()).hex())' $MARK)
	export LEFTOVER_MARK
}

teardown_file() {
	server_stop
}

teardown() {
	est_teardown
}

setup() {
	est_setup
	cp "$SECRETS"/{enc.key,dev.pem} .
	user=(-u tester)
	id=(--cert dev.pem --key enc.key)
	env=(EST_PASSWORD="$(cat "$SECRETS/password")" EST_TOKEN="$(cat "$SECRETS/token")"
		EST_KEY_PASSWORD="$(cat "$SECRETS/passphrase")" no_proxy='*'
		https_proxy="http://me:$MARK-proxy@localhost:1" HTTPS_PROXY="me:$MARK-proxy@[::1]:1")
	files=(--password-file "$SECRETS/password" --token-file "$SECRETS/token")
	keyfile=(--key-password-file "$SECRETS/passphrase")
	basic=$(printf 'tester:%s-password' $MARK | base64 -w 0)
}

# traceless STATUS ENVIRONMENT... -- ARGS...
traceless() {
	local due=$1 variables=()
	shift
	while [ "$1" != -- ]; do
		variables+=("$1")
		shift
	done
	shift
	status=0
	env "${variables[@]}" LEFTOVER_OUT="$BATS_TEST_TMPDIR/leftover" LD_PRELOAD="$SECRETS/leftover.so" \
		"$EST" "$@" >"$OUT" 2>"$ERR" 3>&- || status=$?
	[ "$status" = "$due" ] || {
		explain "est $*: $due is due"
		return 1
	}
	[ "$(tail -n 1 "$BATS_TEST_TMPDIR/leftover")" = clean ] || {
		explain "est $*: in memory: $(cat "$BATS_TEST_TMPDIR/leftover")"
		return 1
	}
	! grep -aE "$MARK|$basic" "$OUT" "$ERR" || return 1
	! grep -raqE "$MARK|$basic" . "$EST_TEST_DIR" || return 1
}

@test "secrets: no trace of them in a run of any applet, from the environment or from files" {
	run ! traceless 3 -- inspect "$MARK" # what is to be found is found: here in argv
	[[ "$output" == *"in memory: found in "*stack* ]]
	for applet in $("$EST" --list); do
		for json in -q --json; do
			case $applet in
			csr)
				traceless 0 "${env[@]}" -- csr --use-key enc.key --subject CN=x -o c -vv $json
				traceless 0 -- csr --use-key enc.key --subject CN=x -o c -vv "${keyfile[@]}" $json
				;;
			inspect)
				traceless 0 "${env[@]}" -- inspect dev.pem --match-key enc.key -vv $json
				traceless 0 -- inspect dev.pem --match-key enc.key "${keyfile[@]}" -vv $json
				;;
			enroll)
				traceless 0 "${env[@]}" -- enroll "${trust[@]}" "${user[@]}" "${id[@]}" -l basic \
					--use-key enc.key --subject CN=x -o c -vv $json
				traceless 0 -- enroll "${trust[@]}" "${user[@]}" "${id[@]}" -l digest --subject CN=x \
					"${files[@]}" "${keyfile[@]}" --combined both --force -vv $json
				;;
			reenroll)
				cp "$SECRETS/dev.pem" .
				traceless 0 "${env[@]}" -- reenroll "${trust[@]}" "${id[@]}" -l bearer -vv $json
				cp "$SECRETS/dev.pem" .
				traceless 0 -- reenroll "${trust[@]}" "${id[@]}" "${user[@]}" -l auth-basic \
					"${files[@]}" "${keyfile[@]}" -vv $json
				;;
			cacerts | csrattrs)
				traceless 0 "${env[@]}" -- "$applet" "${trust[@]}" "${user[@]}" -l basic -o c -vv $json
				traceless 0 -- "$applet" "${trust[@]}" "${user[@]}" "${id[@]}" -l bearer -o c -vv \
					"${files[@]}" "${keyfile[@]}" $json
				;;
			*) # not here yet when this was written: at least a refusal
				traceless 2 "${env[@]}" -- "$applet" --no-such-option "${keyfile[@]}" $json
				;;
			esac
		done
	done
}

@test "secrets: no trace of the passwords for SRP, a proxy, a PKCS #12 file, and of a PIN" {
	local token='pkcs11:token=secrets;object=dev' srp
	srp=(-s "$(sed -n 's/.* srp=//p' "${EST_TEST_STDERR%/*}/ready")" "${anchor[@]}" --srp-user tester)
	traceless 0 "${env[@]}" -- enroll "${srp[@]}" --subject CN=x -vv --json --combined both --force \
		--p12 out.p12 --p12-password-file "$SECRETS/passphrase"
	traceless 0 -- cacerts "${srp[@]}" -vv --password-file "$SECRETS/password" -o ca
	traceless 8 EST_PASSWORD=$MARK-wrong -- cacerts "${srp[@]}" -vv --json
	for basic in "me:$MARK-password" "me:$MARK-other"; do
		helper peer.py proxy --basic "$basic"
		status=0
		[ "$basic" = "me:$MARK-password" ] || status=9
		traceless $status EST_PROXY_PASSWORD="$MARK-password" -- cacerts "${trust[@]}" -o ca -vv --json \
			--proxy "http://me@127.0.0.1:$PORT"
		traceless $status https_proxy="http://me:$MARK-password@127.0.0.1:$PORT" -- cacerts "${trust[@]}" \
			-o ca -vv
	done
	basic=$MARK
	mkdir "$BATS_TEST_TMPDIR/tokens"
	export SOFTHSM2_CONF=$BATS_TEST_TMPDIR/softhsm.conf
	printf 'directories.tokendir = %s\nlog.level = ERROR\n' "$BATS_TEST_TMPDIR/tokens" >"$SOFTHSM2_CONF"
	softhsm2-util --init-token --free --label secrets --pin "$(cat "$SECRETS/passphrase")" --so-pin 0815
	openssl pkey -in enc.key -passin "file:$SECRETS/passphrase" -out "$BATS_TEST_TMPDIR/pk8"
	softhsm2-util --import "$BATS_TEST_TMPDIR/pk8" --token secrets --label dev --id 10 \
		--pin "$(cat "$SECRETS/passphrase")"
	traceless 0 "${env[@]}" -- csr --use-key "$token" --subject CN=x -o c -vv --json
	traceless 0 -- reenroll "${trust[@]}" --cert dev.pem --key "$token" --rekey "${keyfile[@]}" -vv
	traceless 0 -- csr --use-key "$token?pin-source=$SECRETS/passphrase" --subject CN=x -o c -vv
	traceless 3 EST_KEY_PASSWORD=$MARK-wrong -- csr --use-key "$token" --subject CN=x -o c -vv --json
}

@test "secrets: no trace of them when a run fails" {
	cp dev.pem old.pem
	traceless 3 EST_KEY_PASSWORD=$MARK-wrong -- reenroll "${trust[@]}" "${id[@]}" -vv
	traceless 3 EST_KEY_PASSWORD=$MARK-wrong -- csr --use-key enc.key --subject CN=x --json
	traceless 9 EST_PASSWORD=$MARK-wrong -- cacerts "${trust[@]}" "${user[@]}" -l basic -vv --json
	traceless 9 EST_TOKEN=$MARK-wrong -- cacerts "${trust[@]}" -l bearer -vv
	traceless 5 "${env[@]}" -- reenroll -s localhost:1 "${anchor[@]}" "${user[@]}" "${id[@]}" -vv --json
	traceless 7 "${env[@]}" -- cacerts -s "$EST_TEST_URL" "${user[@]}" "${id[@]}" -vv
	traceless 10 "${env[@]}" -- reenroll "${trust[@]}" "${id[@]}" -l status-400 -vv --json
	traceless 14 "${env[@]}" -- reenroll "${trust[@]}" "${id[@]}" -l other-key -vv
	traceless 14 "${env[@]}" -- reenroll "${trust[@]}" "${id[@]}" --verify-with false -vv
	cmp dev.pem old.pem
}

@test "secrets: neither a hook nor /proc shows them while est runs" {
	# est is at work as long as its hook is; the hook looks at it.
	look='{ env; tr "\0" "\n" </proc/$PPID/environ; tr "\0" " " </proc/$PPID/cmdline
		cat /proc/$PPID/limits; } >>seen'
	traceless 0 "${env[@]}" -- reenroll "${trust[@]}" "${id[@]}" "${user[@]}" -l auth-basic \
		--verify-with "$look" --hook "$look" -vv
	[ "$(grep -c 'Max core file size  *0  *0' seen)" = 2 ]
	[ "$(grep -Ec '^EST_ACTION=(verify|renewed)$' seen)" = 2 ]
	[ "$(grep -Ec '^(https_proxy=http://me@localhost:1|HTTPS_PROXY=me@\[::1\]:1)$' seen)" = 4 ]
	[ "$(grep -c 'reenroll --server\|reenroll -s' seen)" = 2 ]
	# An open descriptor with a secret is not the hook's.
	cp "$SECRETS/dev.pem" .
	traceless 16 -- reenroll "${trust[@]}" "${id[@]}" --key-password-file /dev/fd/9 --hook 'cat <&9' \
		-vv 9<"$SECRETS/passphrase"
}

@test "secrets: no core file, and nobody of the same user may look" {
	ulimit -c unlimited
	run_est reenroll "${trust[@]}" "${id[@]}" "${keyfile[@]}" --hook 'kill -SEGV $PPID; sleep 1'
	[ "$status" = 139 ]
	[ -z "$(find . -name '*core*')" ]
	as=()
	[ "$(id -u)" != 0 ] || as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	"${as[@]}" test -x "$EST" || skip "another user cannot run $EST"
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	(cd / && exec "${as[@]}" "$EST" inspect - <"$BATS_TEST_TMPDIR/pipe") >"$OUT" 2>"$ERR" 3>&- &
	exec 4>"$BATS_TEST_TMPDIR/pipe"
	other() { [ "$(stat -c %u "/proc/$1/environ" 2>/dev/null)" = 0 ] && grep -q '^Name:.*est$' "/proc/$1/status"; }
	eventually other $!
	grep -q "^Uid:.*$([ "$(id -u)" = 0 ] && echo 65534 || id -u)" "/proc/$!/status"
	exec 4>&-
	wait $! || true
}

# The last one: from here on the server has secrets in the requests that it keeps.
@test "secrets: a challenge is in the request, and nowhere else" {
	local option due
	for option in challenge otp revocation-challenge; do
		printf '%s\n' "$MARK-$option" >"$BATS_TEST_TMPDIR/$option"
		due=0
		[ $option != challenge ] || due=10 # the server wants a binding there
		EST_TEST_DIR=$BATS_TEST_TMPDIR/work traceless $due "${env[@]}" -- enroll "${trust[@]}" "${user[@]}" \
			--subject CN=x --combined both --force -vv --json "--$option-file" "$BATS_TEST_TMPDIR/$option"
	done
}
