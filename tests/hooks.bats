#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2154 # the hooks expand; lib/est.bash sets the rest
# --hook and --verify-with of enroll and reenroll.

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	identity dev /CN=dev
	rekey=(reenroll "${trust[@]}" --cert dev.pem --key dev.key)
	renew=("${rekey[@]}" --reuse-key)
}

@test "hook: runs when the files are in place, with the facts in its environment" {
	works "${renew[@]}" --chain-out chain.pem --hook 'cmp "$EST_CERT_FILE" dev.pem &&
		cd / && openssl x509 -in "$EST_CERT_FILE" -noout -serial -enddate >"$OLDPWD/facts" &&
		cat "$EST_CHAIN_FILE" "$EST_KEY_FILE" >/dev/null && env | grep ^EST_ | sort >"$OLDPWD/env"'
	[ "$(cut -d = -f 1 env | tr '\n' ' ')" = \
		"EST_ACTION EST_CERT_FILE EST_CHAIN_FILE EST_FINGERPRINT EST_KEY_FILE EST_NOT_AFTER EST_SERIAL " ]
	grep -qx EST_ACTION=renewed env
	grep -qx "EST_KEY_FILE=$PWD/dev.key" env
	grep -qx "EST_FINGERPRINT=$(openssl x509 -in dev.pem -outform DER | sha256sum | cut -d ' ' -f 1)" env
	[ "$(sed -n 's/^serial=0*//p' facts)" = "$(sed -n 's/^EST_SERIAL=0*//p' env | tr a-f A-F)" ]
	[ "$(date -d "$(sed -n 's/^notAfter=//p' facts)" +%s)" = \
		"$(date -d "$(sed -n 's/^EST_NOT_AFTER=//p' env)" +%s)" ]
}

@test "hook: of enroll, of a rekey, with --combined, with the certificate on standard output" {
	hook='echo "$EST_ACTION ${EST_CERT_FILE-none} ${EST_KEY_FILE-none} ${EST_CHAIN_FILE-none}" >>said'
	works enroll "${trust[@]}" "${account[@]}" "${new[@]}" --hook "$hook"
	works "${rekey[@]}" --key-out k -o c --hook "$hook"
	works "${renew[@]}" --combined both --hook "$hook"
	works enroll "${trust[@]}" "${account[@]}" --use-key dev.key --subject CN=x --hook "$hook"
	diff said - <<-END
		enrolled $PWD/cert.pem $PWD/key.pem none
		rekeyed $PWD/c $PWD/k none
		renewed $PWD/both $PWD/both $PWD/both
		enrolled none $PWD/dev.key none
	END
}

@test "hook: its failure is exit 16, with the files installed and its words escaped" {
	cp dev.pem old.pem
	run_est "${renew[@]}" --hook 'printf "bad \033[31m news\n"; echo more >&2; exit 3' --json -q
	[ "$status" = 16 ]
	no_control_bytes "$ERR"
	stderr_has '^est: reenroll: hook: bad \\x1b\[31m news$'
	stderr_has '^est: reenroll: hook: more$'
	stderr_has '^est: reenroll: --hook: exit status 3$'
	stderr_has '^est: hint: the new files are installed$'
	jq -e '.ok == false and .action == "renewed" and .changed and .hook == "failed" and
		.error.class == "hook" and .error.exit == 16 and (.certificates | length) > 0' "$OUT"
	good_cert dev.pem dev.key
	run ! cmp -s dev.pem old.pem
	# Not due any more: there is no second renewal on account of the hook.
	server_log_reset
	works "${renew[@]}"
	nothing_sent
}

@test "hook: says nothing when it succeeds, unless -v" {
	works "${renew[@]}" --hook 'echo fine' --json
	run ! grep -q fine "$ERR" "$OUT"
	jq -e '.hook == "done"' "$OUT"
	works "${renew[@]}" --hook 'echo fine; echo too >&2' -v --force
	stderr_has '^est: reenroll: hook: fine$'
	stderr_has '^est: reenroll: hook: too$'
}

@test "hook: not without new files: not due, refused, dry run" {
	hook=(--hook 'touch ran')
	run_est "${renew[@]}" "${hook[@]}" -l status-400
	[ "$status" = 10 ]
	works "${renew[@]}" "${hook[@]}" -n
	works "${renew[@]}"
	works "${renew[@]}" "${hook[@]}"
	stderr_has skipped
	[ ! -e ran ]
}

@test "hook: one that hangs is ended after 60 seconds, on a clock that runs faster" {
	with_asan && skip "the sanitizers and faketime exclude each other"
	begin=$SECONDS
	run -16 --separate-stderr faketime -f '+0 x60' "$EST" "${renew[@]}" \
		--hook 'echo $$ >pid; echo begun; unset LD_PRELOAD; sleep 50 & wait'
	[[ "$stderr" == *"reenroll: hook: begun"*"--hook: ended after 60 s"* ]]
	[ $((SECONDS - begin)) -lt 20 ]
	run ! kill -0 -- "-$(cat pid)"
	good_cert dev.pem dev.key
}

@test "hook: a signal to est ends the hook too" {
	"$EST" "${renew[@]}" --hook 'echo $$ >pid; exec sleep 60' >"$OUT" 2>"$ERR" 3>&- &
	eventually test -s pid
	kill -TERM $!
	status=0
	wait $! || status=$?
	[ "$status" = 143 ]
	run ! kill -0 "$(cat pid)"
	good_cert dev.pem dev.key
	# It is owed: the next run makes up for it, asks for nothing, and then it is done.
	server_log_reset
	works reenroll --cert dev.pem --key dev.key --status
	grep -q 'pending, next: recover' "$OUT"
	works "${renew[@]}" --hook 'touch dry' -n
	# A run without a hook does not pay for it, and is not kept from its own work.
	works "${renew[@]}"
	stderr_has 'stays owed'
	stderr_has skipped
	works "${renew[@]}" --hook 'echo "$EST_ACTION $EST_CERT_FILE $EST_SERIAL" >ran' --json
	jq -e '.action == "recovered" and .hook == "done" and .changed == false' "$OUT"
	grep -qx "recovered $PWD/dev.pem [0-9a-f]*" ran
	rm ran
	works "${renew[@]}" --hook 'touch ran'
	stderr_has skipped
	[ ! -e ran ] && [ ! -e dry ]
	nothing_sent
	with_asan && return
	# So is one that could not be started.
	run -16 --separate-stderr strace -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=pipe2 -e inject=pipe2:error=EMFILE \
		"$EST" "${renew[@]}" --force --hook 'touch ran' --json
	[ "$(jq -r '.hook + " " + .error.code' <<<"$output")" = 'failed not-started' ]
	# Nothing waits for it: what is due is renewed.
	server_log_reset
	for force in '' --force; do
		# shellcheck disable=SC2086
		run -16 --separate-stderr strace -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=pipe2 \
			-e inject=pipe2:error=EMFILE "$EST" "${renew[@]}" $force --hook 'touch ran' --json
		[ "$(jq -r '.error.code' <<<"$output")" = not-started ]
	done
	seen 1 .csr
	good_cert dev.pem dev.key
	works "${renew[@]}" --hook 'touch ran'
	stderr_has recovered
	[ -e ran ]
}

@test "hook: est is killed while it runs: owed, with --store and --rekey too; one that fails is not" {
	works enroll "${trust[@]}" "${account[@]}" --subject CN=st --store st
	store=(reenroll "${trust[@]}" --store st --rekey)
	"$EST" "${store[@]}" --force --hook 'kill -9 $PPID' >"$OUT" 2>"$ERR" 3>&- || true
	server_log_reset
	run_est "${store[@]}" --hook 'cmp "$EST_CERT_FILE" st/current/cert.pem && echo "$EST_KEY_FILE" >ran; exit 5'
	[ "$status" = 16 ]
	[ "$(cat ran)" = "$PWD/st/current/key.pem" ]
	rm ran
	works "${store[@]}" --hook 'touch ran'
	stderr_has skipped
	[ ! -e ran ]
	nothing_sent
	works "${store[@]}" --force --verify-with '[ "$(cat "$EST_CERT_FILE" "$EST_CHAIN_FILE" | grep -c BEGIN)" = 2 ] &&
		! cmp -s "$EST_CERT_FILE" st/current/cert.pem && openssl pkey -in "$EST_KEY_FILE" -noout'
}

@test "hook: killed while it runs, and no file has the certificate: nothing can be owed" {
	printf 'geheim\n' >pw
	p12=(enroll "${trust[@]}" "${account[@]}" --subject CN=p --p12 all.p12 --p12-password-file pw)
	"$EST" "${p12[@]}" --hook '[ -z "$EST_CERT_FILE" ] && kill -9 $PPID' >"$OUT" 2>"$ERR" 3>&- || true
	[ -s all.p12 ]
	server_log_reset
	works "${p12[@]}" --force --hook 'echo "$EST_ACTION" >ran'
	[ "$(cat ran)" = enrolled ]
	seen 1 '.operation == "simpleenroll" and .status == 200'
}

@test "verify-with: sees the new pair while the old one is in place" {
	cp dev.pem old.pem
	hidden=$(ls -A)
	works "${renew[@]}" --verify-with 'cmp dev.pem old.pem && ! cmp -s "$EST_CERT_FILE" old.pem &&
		[ "$EST_ACTION" = verify ] && [ "$EST_KEY_FILE" = "$PWD/dev.key" ] &&
		openssl x509 -in "$EST_CERT_FILE" -noout -pubkey >one &&
		openssl pkey -in "$EST_KEY_FILE" -pubout | cmp - one && rm one'
	run ! cmp -s dev.pem old.pem
	[ "$(ls -A)" = "$hidden" ]
	works "${rekey[@]}" --force --key-out k -o c --chain-out ch --verify-with '[ ! -e k ] && [ ! -e c ] &&
		openssl x509 -in "$EST_CERT_FILE" -noout -pubkey >one &&
		openssl pkey -in "$EST_KEY_FILE" -pubout | cmp - one && rm one && [ -s "$EST_CHAIN_FILE" ]'
	good_cert c k
	works "${renew[@]}" --force --combined both --verify-with '[ ! -e both ] &&
		[ "$EST_CERT_FILE" = "$EST_KEY_FILE" ] && openssl pkey -in "$EST_KEY_FILE" -noout'
	good_cert both dev.key
}

@test "verify-with: its failure is exit 14 and nothing is installed; a new key is kept" {
	refused 14 'verify-with: exit status 1' "${renew[@]}" --verify-with 'echo no; false' --hook 'touch ran'
	run_est "${renew[@]}" --verify-with 'kill $$' --json
	jq -e '.error.code == "verify-with" and (.error.message | test("signal 15"))' "$OUT"
	LEAVES=k.est-new refused 14 'verify-with' "${rekey[@]}" --key-out k -o c --verify-with false
	cp k.est-new kept
	works "${rekey[@]}" --key-out k -o c --verify-with true --json
	jq -e '.action == "recovered"' "$OUT"
	same_key k kept
	[ ! -e ran ]
}

@test "verify-with: needs a file to try" {
	ONCE=1 refused 2 'verify-with' "${renew[@]}" -o - --verify-with true
	ONCE=1 refused 2 'verify-with' enroll "${trust[@]}" "${account[@]}" --use-key dev.key --subject CN=x \
		--verify-with true
	nothing_sent
}
