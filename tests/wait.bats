#!/usr/bin/env bats
# bats file_tags=once
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# 202: a certificate that is issued later, waited for.

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	unset EST_WAIT EST_RETRY
	me=(--subject CN=dev "${account[@]}" --key-out key.pem -o cert.pem --csrattrs ignore)
}

# Seconds between the answers to the POSTs, one a line.
gaps() {
	server_log 'select(.method == "POST" and .status != 401) | .time' |
		awk 'NR > 1 { printf "%.2f\n", $1 - last } { last = $1 }'
}

# gaps_between LOW HIGH: each of them; there is at least one.
gaps_between() {
	[ -n "$(gaps)" ] || return 1
	gaps | awk -v low="$1" -v high="$2" '$1 < low || $1 > high { print; bad = 1 } END { exit bad }'
}

# The bodies of the POSTs, one a line.
bodies() {
	server_log 'select(.method == "POST" and .body_len > 0) | .body_sha256' | tr -d '"'
}

# answers STATUS FIELD...: two answers of the raw listener on one connection, the second issues.
answers() {
	local head=() field
	for field in "${@:2}"; do
		head+=("line $field")
	done
	plays twice "line HTTP/1.1 $1 x" "${head[@]}" 'line Content-Length: 0' 'line ' next \
		'line HTTP/1.1 200 OK' 'line Content-Type: application/pkcs7-mime; smime-type=certs-only' \
		'send Content-Length: ' 'length issued-b64' 'send \r\n\r\n' 'insert issued-b64'
}

took_ms() {
	echo $(($(date +%s%3N) - began))
}

@test "wait: the same request again, same key and same bytes, not earlier than told, until it is issued (R7030-4.2.3-05 R7030-4.2.3-07 R7030-4.2.3-09)" {
	works enroll "${trust[@]}" -l pending-2 "${me[@]}" --wait=20
	good_cert cert.pem key.pem
	[ ! -s "$ERR" ]
	[ "$(bodies | sort -u | wc -l)" = 1 ]
	seen 2 '.status == 202'
	seen 1 '.status == 200'
	gaps_between 1.0 1.6
	[ "$(ls -A)" = $'cert.pem\nkey.pem' ]
}

@test "wait: with --json the action is that of any enrolment" {
	works enroll "${trust[@]}" -l pending-1 "${me[@]}" --wait --json
	[ "$(jq -r .action "$OUT")" = enrolled ]
	jq -e .ok "$OUT"
}

@test "wait: reenroll waits too, and renews in place (R7030-4.2.3-07)" {
	identity dev /CN=renewed
	cp dev.pem old.pem
	works reenroll "${trust[@]}" -l pending-1 --cert dev.pem --key dev.key --wait=20
	run ! cmp -s dev.pem old.pem
	good_cert dev.pem dev.key
	[ "$(bodies | sort -u | wc -l)" = 1 ]
	seen 1 '.status == 202'
}

@test "wait: without --wait, with 0, and for a time the server's is beyond: exit 12 at once, retry_after, action pending (R7030-4.2.3-07)" {
	began=$(date +%s%3N)
	for wait in '' --wait=0 --wait=4.9; do
		rm -f key.pem.est-*
		server_log_reset
		run_est enroll "${trust[@]}" -l retry-after-5 "${me[@]}" $wait --json
		[ "$status" = 12 ]
		jq -e '.action == "pending" and .error.retry_after == 5 and .error.class == "pending" and
			.error.http_status == 202 and .error.retryable' "$OUT"
		seen 1 '.status == 202'
		[ -s key.pem.est-new ]
		[ ! -e key.pem ]
	done
	[ "$(took_ms)" -lt 4000 ]
}

@test "wait: what is left of the budget counts, not the whole (R7030-4.2.3-07)" {
	began=$(date +%s%3N)
	run_est enroll "${trust[@]}" -l retry-after-2 "${me[@]}" --wait=3 --json
	[ "$status" = 12 ]
	[ "$(jq .error.retry_after "$OUT")" = 2 ]
	seen 2 '.status == 202'
	[ "$(took_ms)" -ge 2000 ]
	[ "$(took_ms)" -lt 4500 ]
}

@test "wait: requests that a server draws out count, too, and the hint has the second that is due" {
	local part=('sleep 300' 'line HTTP/1.1 202 x' 'line Retry-After: 0' 'line Content-Length: 0' 'line ')
	plays slow "${part[@]}" next "${part[@]}" next "${part[@]}"
	run_est enroll "${raw[@]}" -l slow "${me[@]}" --wait=2.2 --json
	[ "$status" = 12 ]
	seen 2 '.method == "POST"'
	[ "$(jq .error.retry_after "$OUT")" = 0 ]
	stderr_has 'again after 1 s'
}

@test "wait: an absurd Retry-After ends at once, however long the budget" {
	for value in 86401 99999999999 18446744073709551617 'Fri, 31 Dec 9999 23:59:59 GMT'; do
		run_est enroll "${trust[@]}" -l "retry-after-$value" "${me[@]}" --wait=86400 -m 5
		[ "$status" = 12 ]
	done
	seen 4 '.status == 202'
}

@test "wait: a date, in each of its three forms, against the server's own clock (R7030-4.2.3-05)" {
	while IFS='|' read -r date after; do
		rm -f key.pem* cert.pem
		server_log_reset
		answers 202 "Date: $date" "Retry-After: $after"
		works enroll "${raw[@]}" -l twice "${me[@]}" --wait=20
		gaps_between 2.0 2.7
	done <<-'DATES'
		Sun, 06 Nov 1994 08:49:37 GMT|Sun, 06 Nov 1994 08:49:39 GMT
		Sunday, 06-Nov-94 08:49:37 GMT|Sunday, 06-Nov-94 08:49:39 GMT
		Sun Nov  6 08:49:37 1994|Sun Nov  6 08:49:39 1994
	DATES
}

@test "wait: a date in the past and 0 mean now, which is a second (R7030-4.2.3-07)" {
	for after in 0 'Fri, 31 Dec 1999 23:59:59 GMT'; do
		rm -f key.pem* cert.pem
		server_log_reset
		answers 202 "Retry-After: $after"
		works enroll "${raw[@]}" -l twice "${me[@]}" --wait=20
		gaps_between 1.0 1.6
	done
}

@test "wait: no usable Retry-After: ten seconds, so that a smaller budget is not enough (R7030-4.2.3-06)" {
	for label in no-retry-after retry-after-soon retry-after-+5; do
		run_est enroll "${trust[@]}" -l $label "${me[@]}" --wait=9.9
		[ "$status" = 12 ]
	done
	seen 3 '.status == 202'
	run_est enroll "${trust[@]}" -l no-retry-after "${me[@]}" --wait --strict
	[ "$status" = 13 ]
	stderr_has Q-NO-RETRY-AFTER
}

@test "wait: ten seconds pass without a usable Retry-After, on a new connection" {
	answers 202
	"$EST" enroll "${raw[@]}" -l twice "${me[@]}" --wait=10.5 >"$OUT" 2>"$ERR" 3>&- &
	pid=$!
	eventually test "$(sleep 3; server_count '.method == "POST"')" = 1
	sleep 5
	[ "$(server_count '.method == "POST"')" = 1 ]
	status=0
	wait $pid || status=$?
	[ "$status" = 12 ] # the script begins anew on the new connection
	gaps_between 10.0 11.2
	[ "$(server_log 'select(.method == "POST") | .conn' | sort -u | wc -l)" = 2 ]
}

@test "wait: --max-time is for each attempt, not for the waiting" {
	works enroll "${trust[@]}" -l pending-3 "${me[@]}" --wait=20 -m 2
	good_cert cert.pem key.pem
	seen 3 '.status == 202'
}

@test "wait: -v says when the next attempt is; without it nothing off a terminal (R7030-4.2.3-08)" {
	works enroll "${trust[@]}" -l pending-1 "${me[@]}" --wait=20 -v
	stderr_has 'the next attempt is in 1\.[01] s, at 20..-..-..T..:..:..Z: .*202'
	no_control_bytes "$ERR"
	rm key.pem cert.pem
	works enroll "${trust[@]}" -l pending-1 "${me[@]}" --wait=20
	[ ! -s "$ERR" ]
}

@test "wait: on a terminal a line counts down and is taken away; not with -q (R7030-4.2.3-08)" {
	run -0 "$EST_TEST_ROOT/tests/lib/on-terminal" nothing-like-this x "$EST" enroll \
		"${trust[@]}" -l pending-2 "${me[@]}" --wait=20
	[[ "$output" == *"waiting, the next attempt is in "[12]" s"* ]]
	[[ "$output" == *" "$'\r' ]]
	[[ "$output" != *$'\033'* ]]
	rm key.pem cert.pem
	run -0 "$EST_TEST_ROOT/tests/lib/on-terminal" nothing-like-this x "$EST" enroll \
		"${trust[@]}" -l pending-2 "${me[@]}" --wait=20 -q
	[ -z "$output" ]
}

@test "wait: signals end the waiting at once; the key waits for the next run" {
	for signal in INT TERM HUP; do
		rm -f key.pem.est-*
		server_log_reset
		python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])' \
			"$EST" enroll "${trust[@]}" -l retry-after-60 "${me[@]}" --wait=600 \
			>"$OUT" 2>"$ERR" 3>&- &
		pid=$!
		eventually test_seen_202
		began=$(date +%s%3N)
		kill -s $signal $pid
		status=0
		wait $pid || status=$?
		[ "$status" = $((128 + $(kill -l $signal))) ]
		[ "$(took_ms)" -lt 2000 ]
		[ -s key.pem.est-new ]
		[ ! -e key.pem ]
	done
}

test_seen_202() {
	[ "$(server_count '.status == 202')" = 1 ]
}

@test "wait: a server that has become another one meanwhile gets nothing (R7030-4.2.3-10)" {
	server_start --user tester --password-file "$BATS_FILE_TMPDIR/password"
	here=(-s "$EST_TEST_URL" --cacert "$EST_TEST_DIR/root.pem")
	"$EST" enroll "${here[@]}" -l retry-after-3 "${me[@]}" --wait=20 >"$OUT" 2>"$ERR" 3>&- &
	pid=$!
	eventually test_seen_202
	port=$EST_TEST_PORT
	server_stop
	server_start --user tester --password-file "$BATS_FILE_TMPDIR/password" --port "$port"
	status=0
	wait $pid || status=$?
	[ "$status" = 7 ]
	[ -s key.pem.est-new ]
	nothing_sent
	server_stop
}

@test "wait: what the server says after a 202 is final, and the key is kept (R7030-4.2.3-11)" {
	for code in 400 403 500; do
		rm -f key.pem*
		plays turn 'line HTTP/1.1 202 x' 'line Retry-After: 1' 'line Content-Length: 0' 'line ' \
			next "line HTTP/1.1 $code x" 'line Content-Length: 0' 'line '
		run_est enroll "${raw[@]}" -l turn "${me[@]}" --wait=20
		case $code in 400) [ "$status" = 10 ] ;; 403) [ "$status" = 9 ] ;; 500) [ "$status" = 11 ] ;; esac
		[ -s key.pem.est-new ]
		[ ! -e key.pem ]
	done
}

@test "wait: a later run goes on with the key, not earlier than told, and its action is recovered (R7030-4.2.3-07)" {
	run_est enroll "${trust[@]}" -l pending-1 "${me[@]}" --json
	[ "$status" = 12 ]
	[ "$(jq -r .action "$OUT")" = pending ]
	cp key.pem.est-new kept
	works enroll "${trust[@]}" -l pending-1 "${me[@]}" --json --wait=5
	[ "$(jq -r .action "$OUT")" = recovered ]
	gaps_between 1.0 3.0
	same_key key.pem kept
	good_cert cert.pem key.pem
}

@test "wait: 202 to a GET is not waited for (R7030-4.1.3-02)" {
	EST_WAIT=10 refused 10 202 cacerts "${trust[@]}" -l retry-after-1
}

@test "wait: the option: alone, with =, from the environment, from a file; nothing else" {
	EST_WAIT=20 works enroll "${trust[@]}" -l pending-1 "${me[@]}"
	rm key.pem cert.pem
	echo 'wait = 20' >conf
	works enroll "${trust[@]}" -l pending-1 "${me[@]}" --config conf
	rm key.pem cert.pem
	EST_WAIT=20 run_est enroll "${trust[@]}" -l pending-1 "${me[@]}" --wait=0
	[ "$status" = 12 ]
	rm key.pem.est-*
	for value in x -1 1x 86401 '' ' '; do
		refused 2 wait enroll "${trust[@]}" "${me[@]}" "--wait=$value"
	done
	refused 2 'behind =.*--wait=60' enroll "${trust[@]}" "${me[@]}" --wait 60
	EST_WAIT=soon refused 2 EST_WAIT enroll "${trust[@]}" "${me[@]}"
	refused 2 'no such option' cacerts "${trust[@]}" --wait
	seen 3 '.status == 202'
	seen 8 true
}

# ---- KEY.est-csr: the request of an unfinished run ------------------------------------------------------

# killed WHEN ARGS...: est enroll, killed with SIGKILL when the command WHEN has come true.
killed() {
	local when=$1
	shift
	"$EST" enroll "$@" >"$OUT" 2>"$ERR" 3>&- &
	pid=$!
	eventually "$when"
	kill -KILL $pid
	wait $pid || true
}

post_seen() {
	[ "$(server_count '.method == "POST" and .body_len > 0')" -ge 1 ]
}

one_body() {
	[ "$(bodies | sort -u | wc -l)" = 1 ] || { bodies; return 1; }
	[ "$(bodies | wc -l)" -ge "$1" ]
}

@test "resume: killed while it waits, the next run sends the same bytes (R7030-4.2.3-07 R7030-4.2.3-09)" {
	killed test_seen_202 "${trust[@]}" -l pending-1 "${me[@]}" --wait=20
	[ "$(stat -c %a key.pem.est-csr)" = 600 ]
	openssl req -in key.pem.est-csr -verify -noout
	same_key key.pem.est-csr key.pem.est-new
	works enroll "${trust[@]}" -l pending-1 "${me[@]}" --json --wait=5
	[ "$(jq -r .action "$OUT")" = recovered ]
	good_cert cert.pem key.pem
	gaps_between 1.0 3.0
	one_body 2
	[ ! -e key.pem.est-csr ]
	[ ! -e key.pem.est-new ]
}

@test "resume: killed at the POST, key and request are on disk, and the same bytes go again" {
	plays slow 'sleep 60000'
	killed post_seen "${raw[@]}" -l slow "${me[@]}"
	openssl req -in key.pem.est-csr -outform DER -out was.der
	works enroll "${raw[@]/$EST_TEST_RAW_URL/$EST_TEST_URL}" "${me[@]}"
	good_cert cert.pem key.pem
	one_body 2
	cmp was.der "$EST_TEST_DIR/$(server_log 'select(.issued) | .csr' | tr -d '"')"
}

@test "resume: killed ten times over, always the same request" {
	plays slow 'sleep 60000'
	for ((i = 0; i < 10; i++)); do
		server_log_reset
		killed post_seen "${raw[@]}" -l slow "${me[@]}"
		bodies >>../bodies
	done
	[ "$(sort -u ../bodies | wc -l)" = 1 ]
}

@test "resume: before its time a later run asks nobody: exit 12, the rest in retry_after, whatever the clock does (R7030-4.2.3-07)" {
	unset ONCE # the repetition is looked at
	run_est enroll "${trust[@]}" -l retry-after-60 "${me[@]}"
	[ "$status" = 12 ]
	head -n 3 key.pem.est-csr | diff - <(awk '/^Date: .* GMT$/ || /^Retry-After: .* GMT$/ ||
		/^Server: https:..localhost:[0-9]+..well-known.est.retry-after-60$/' key.pem.est-csr)
	server_log_reset
	LEAVES=key.pem.est-new
	refused 12 'not to be asked again before .* GMT' enroll "${trust[@]}" -l retry-after-60 "${me[@]}" \
		--wait=30 --csrattrs auto
	jq -e '.action == "pending" and .error.http_status == null and
		(.error.retry_after | . > 40 and . <= 61)' "$OUT"
	with_asan && skip "up to here: the sanitizers and faketime exclude each other"
	# Set back, the time begins anew, and is not a day longer for that.
	FAKE='-30s' clocked
	[ "$status" = 12 ]
	nothing_sent
	jq -e '.error.retry_after | . == 60 or . == 61' "$OUT"
	FAKE='+0s' clocked
	[ "$status" = 12 ]
	jq -e '.error.retry_after <= 60' "$OUT"
	nothing_sent
	FAKE='+65s' clocked # the time has come
	[ "$status" = 12 ]
	seen 1 '.status == 202'
	one_body 1
	# A dry run waits for nobody, and another server is not the one that said so.
	works enroll -n "${trust[@]}" -l retry-after-60 "${me[@]}"
	works enroll "${trust[@]}" -l pending-0 "${me[@]}"
	stderr_has 'has asked https:.*/retry-after-60, this one asks https:.*/pending-0$'
	one_body 2
	[ "$(ls -A)" = $'cert.pem\nkey.pem' ]
}

@test "resume: a key whose name is a link: what waits is beside what it leads to (R7030-4.2.3-07)" {
	identity dev /CN=dev
	mkdir data
	mv dev.key data
	ln -s data/dev.key dev.key
	renew=(reenroll "${trust[@]}" -l retry-after-60 --cert dev.pem --key dev.key --csrattrs ignore)
	run_est "${renew[@]}" --force
	[ "$status" = 12 ]
	[ -s data/dev.key.est-new ]
	server_log_reset
	for more in --force --renew-before=1s; do
		run_est "${renew[@]}" $more
		[ "$status" = 12 ]
		stderr_has 'not to be asked again before'
	done
	nothing_sent
	works reenroll --cert dev.pem --key dev.key --status
	grep -q pending "$OUT"
}

clocked() {
	status=0
	faketime -f "$FAKE" "$EST" enroll "${trust[@]}" -l retry-after-60 "${me[@]}" --json >"$OUT" 2>"$ERR" 3>&- ||
		status=$?
}

@test "resume: an absurd time ends after 30 days; lines that are torn keep nobody waiting (R7030-4.2.3-07)" {
	run_est enroll "${trust[@]}" -l retry-after-99999999999 "${me[@]}"
	run_est enroll "${trust[@]}" -l retry-after-99999999999 "${me[@]}" --json
	[ "$status" = 12 ]
	jq -e '.error.retry_after | . > 2591000 and . <= 2592000' "$OUT"
	seen 1 '.status == 202'
	sed -i 's/^Retry-After: .*/Retry-After: never/' key.pem.est-csr
	works enroll "${trust[@]}" -l pending-0 "${me[@]}"
	stderr_has 'does not say when to come back'
	one_body 2
	good_cert cert.pem key.pem
}

@test "resume: a key that was there: the request is beside what the certificate goes to, and comes again" {
	identity dev /CN=renewed
	mkdir st
	for args in "enroll --use-key own.key --subject CN=own -o c.pem" "enroll --csr own.csr -o c.pem" \
		"enroll --use-key own.key --subject CN=own --store st" "reenroll --reuse-key --cert dev.pem --key dev.key"; do
		server_log_reset
		openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout own.key -subj /CN=own \
			-out own.csr 2>/dev/null
		find . | sort >../before
		# shellcheck disable=SC2086 # words
		set -- ${args%% *} "${trust[@]}" "${account[@]}" ${args#* } --csrattrs ignore -l pending-1
		run_est "$@"
		[ "$status" = 12 ]
		find . | sort | diff ../before - | grep -q 'est-csr$'
		if [ "$1" = reenroll ]; then
			works "$@" --status --json
			jq -e '.next == "resume" and .pending and (.ask_again_at | test("^20.*Z$"))' "$OUT"
			works "$@" --status
			grep -q 'pending, next: resume' "$OUT"
		fi
		works "$@" --wait=5 --json
		[ "$(jq -r .action "$OUT")" = recovered ]
		gaps_between 1.0 3.0
		one_body 2
		[ -z "$(find . -name '*.est-*')" ]
		rm -f c.pem
	done
	good_cert dev.pem dev.key
	# Nothing of it stays when the server has not taken it, or says no.
	refused 10 400 enroll "${trust[@]}" "${account[@]}" --csr own.csr -o c.pem -l status-400
	refused 11 500 enroll "${trust[@]}" "${account[@]}" --csr own.csr -o c.pem -l status-500
}

# What the server said of the time is forgotten.
come_back_now() {
	sed -i "2s/.*/$(sed -n '1s/^Date/Retry-After/p' key.pem.est-csr)/" key.pem.est-csr
}

@test "resume: other names or another hash, and the request is made anew, which is said; the key stays" {
	run_est enroll "${trust[@]}" -l retry-after-60 "${me[@]}"
	cp key.pem.est-new kept
	cp key.pem.est-csr first
	come_back_now
	for more in '--subject CN=other' '--dns a.example' '--hash sha384' '--key-usage digitalSignature'; do
		# shellcheck disable=SC2086 # words
		run_est enroll "${trust[@]}" -l retry-after-60 "${me[@]}" $more
		[ "$status" = 12 ]
		stderr_has 'a new one is made'
		cmp kept key.pem.est-new
		run ! cmp -s first key.pem.est-csr
		come_back_now
		# and that is the one that counts from now on
		# shellcheck disable=SC2086
		run_est enroll "${trust[@]}" -l retry-after-60 "${me[@]}" $more
		run ! grep -q 'a new one is made' "$ERR"
		come_back_now
	done
	[ "$(bodies | sort -u | wc -l)" = 5 ]
}

@test "resume: a request that is torn, of another key or not a file is not sent" {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null \
		-subj /CN=dev -out foreign.csr 2>/dev/null
	echo untouched >target
	for rest in 'head -c 80 good' 'cat foreign.csr' 'cat /dev/null' 'sed s/[A-D]/B/g good' link; do
		rm -f key.pem* cert.pem
		run_est enroll "${trust[@]}" -l retry-after-60 "${me[@]}"
		[ "$status" = 12 ]
		mv key.pem.est-csr good
		if [ "$rest" = link ]; then
			ln -s target key.pem.est-csr
		else
			$rest >key.pem.est-csr
		fi
		works enroll "${trust[@]}" "${me[@]}"
		stderr_has 'a new one is made'
		good_cert cert.pem key.pem
		[ ! -e key.pem.est-csr ]
	done
	[ "$(cat target)" = untouched ]
}

@test "resume: the request goes with the key: after a refusal, with --combined, never for est csr or a dry run" {
	LEAVES='' refused 10 400 enroll "${trust[@]}" -l status-400 "${me[@]}"
	[ -z "$(ls -A)" ]
	server_log_reset
	run_est enroll "${trust[@]}" -l retry-after-60 --subject CN=c "${account[@]}" --combined all.pem
	[ -s all.pem.est-csr ]
	cp all.pem.est-csr kept
	works enroll -n "${trust[@]}" --subject CN=other "${account[@]}" --combined all.pem
	cmp kept all.pem.est-csr
	works enroll "${trust[@]}" --subject CN=c "${account[@]}" --combined all.pem
	[ "$(ls -A)" = $'all.pem\nkept' ]
	one_body 2
	works csr --subject CN=x --key-out x.key -o x.csr
	[ "$(ls -A)" = $'all.pem\nkept\nx.csr\nx.key' ]
}

@test "resume: it is on disk before the first byte of the request leaves" {
	with_asan && skip "strace and LeakSanitizer exclude each other"
	strace -f -e trace=fsync,openat,sendmsg,sendto,write,rename -o "$BATS_TEST_TMPDIR/order" \
		"$EST" enroll "${trust[@]}" "${me[@]}" 3>&-
	# open KEY.est-csr, sync it, sync the folder; the first socket call comes later.
	awk '/est-csr/ { opened = NR } /fsync/ && opened && !sent { synced++ }
		/sendmsg|sendto/ && !sent { sent = NR }
		END { exit !(opened && synced >= 2 && sent > opened) }' "$BATS_TEST_TMPDIR/order"
}

@test "resume: a folder in which the request cannot be kept stops before anything is sent" {
	mkdir key.pem.est-csr
	refused 4 'est-csr' enroll "${trust[@]}" "${me[@]}"
	nothing_sent
}
