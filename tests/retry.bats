#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# --retry: what may pass is tried again, and never a POST that may have had its effect.

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	unset EST_WAIT EST_RETRY
	me=(--subject CN=dev "${account[@]}" --key-out key.pem -o cert.pem --csrattrs ignore)
	soon=(--retry-delay 0.2)
}

gaps() {
	server_log 'select(.target and .status != 401) | .time' |
		awk 'NR > 1 { printf "%.2f\n", $1 - last } { last = $1 }'
}

@test "retry: not unless asked for (R7030-4.2.3-11)" {
	unset ONCE # the repetition counts
	refused 11 503 cacerts "${trust[@]}" -l status-503
	seen 2 true
	server_log_reset
	LEAVES=key.pem.est-new refused 11 500 enroll "${trust[@]}" -l status-500 "${me[@]}" --wait=5
	seen 2 '.status == 500'
}

@test "retry: 5xx and 429 are tried N times more, the pause doubled, for every applet (R7030-4.2.3-11)" {
	for code in 429 500 502 503 504 599; do
		server_log_reset
		run_est cacerts "${trust[@]}" -l status-$code --retry 2 "${soon[@]}"
		[ "$status" = 11 ]
		seen 3 true
	done
	gaps | tr '\n' ' ' | awk '$1 < 0.2 || $1 > 0.4 || $2 < 0.4 || $2 > 0.7 { print; exit 1 }'
	server_log_reset
	run_est csrattrs "${trust[@]}" -l status-503 --retry 1 "${soon[@]}"
	[ "$status" = 11 ]
	seen 2 '.operation == "csrattrs"'
	identity dev /CN=dev
	server_log_reset
	run_est reenroll "${trust[@]}" -l status-503 --cert dev.pem --key dev.key --retry 1 "${soon[@]}" \
		--csrattrs ignore
	[ "$status" = 11 ]
	seen 2 '.operation == "simplereenroll"'
}

@test "retry: a POST that the server says has failed is sent again as it was (R7030-4.2.3-11)" {
	run_est enroll "${trust[@]}" -l status-503 "${me[@]}" --retry 2 "${soon[@]}"
	[ "$status" = 11 ]
	seen 3 '.method == "POST" and .status == 503'
	[ "$(server_log 'select(.method == "POST") | .body_sha256' | sort -u | wc -l)" = 1 ]
	[ -s key.pem.est-new ]
}

@test "retry: a key that a 5xx may have certified is kept, whatever is said of the repetition (H-19)" {
	for answer in '409 x' '400 x' '401 x'; do
		rm -f key.pem*
		server_log_reset
		plays then 'line HTTP/1.1 504 x' 'line Content-Length: 0' 'line ' next "line HTTP/1.1 $answer" \
			'line Content-Length: 0' 'line '
		run_est enroll "${raw[@]}" -l then "${me[@]}" --retry 1 "${soon[@]}"
		[ "$status" = 9 ] || [ "$status" = 10 ]
		seen 2 '.method == "POST"'
		[ -s key.pem.est-new ]
		stderr_has 'the new key is kept in'
	done
}

@test "retry: it ends when it works" {
	plays up 'line HTTP/1.1 503 x' 'line Content-Length: 0' 'line ' next 'line HTTP/1.1 200 OK' \
		'line Content-Type: application/pkcs7-mime; smime-type=certs-only' \
		'send Content-Length: ' 'length issued-b64' 'send \r\n\r\n' 'insert issued-b64'
	works enroll "${raw[@]}" -l up "${me[@]}" --retry 5 "${soon[@]}" -v
	good_cert cert.pem key.pem
	seen 2 '.method == "POST"'
	stderr_has 'the next attempt is in 0\.[0-9] s, at .*503'
}

@test "retry: nothing else is tried again: refused, auth, untrusted, TLS, protocol" {
	for code in 400 401 403 404 405 410 501; do
		server_log_reset
		run_est cacerts "${trust[@]}" -l status-$code --retry 3 "${soon[@]}"
		[ "$status" = 9 ] || [ "$status" = 10 ]
		seen 1 true
	done
	server_log_reset
	run_est cacerts "${trust[@]}" -l html --retry 3 "${soon[@]}"
	[ "$status" = 13 ]
	seen 1 true
	server_log_reset
	run_est cacerts "${trust[@]}" -l redirect-out --retry 3 "${soon[@]}"
	[ "$status" = 10 ]
	seen 1 true
	identity other /CN=other
	server_log_reset
	run_est cacerts -s "$EST_TEST_URL" --cacert other.pem --retry 3 "${soon[@]}"
	[ "$status" = 7 ]
	nothing_sent
}

@test "retry: Retry-After of a 503 is honoured, in seconds and as a date (R7030-4.2.3-11)" {
	for field in 'Retry-After: 2' $'Retry-After: Sun, 06 Nov 1994 08:49:39 GMT\nDate: Sun, 06 Nov 1994 08:49:37 GMT'; do
		mapfile -t head <<<"${field//Date:/line Date:}"
		server_log_reset
		plays busy 'line HTTP/1.1 503 x' "line ${head[0]}" "${head[@]:1}" 'line Content-Length: 0' 'line '
		run_est cacerts "${raw[@]}" -l busy --retry 1 "${soon[@]}" --json
		[ "$status" = 11 ]
		[ "$(jq .error.retry_after "$OUT")" = 2 ]
		seen 2 true
		gaps | awk '$1 < 2.0 || $1 > 2.7 { print; exit 1 }'
	done
	server_log_reset
	plays busy 'line HTTP/1.1 503 x' 'line Retry-After: 601' 'line Content-Length: 0' 'line '
	run_est cacerts "${raw[@]}" -l busy --retry 1 "${soon[@]}" --json
	[ "$status" = 11 ]
	[ "$(jq .error.retry_after "$OUT")" = 601 ]
	seen 1 true
}

@test "retry: a connection that cannot be made, or is cut before the request, is tried again" {
	began=$(date +%s%3N)
	run_est cacerts -s https://127.0.0.1:1 "${anchor[@]}" --retry 2 "${soon[@]}"
	[ "$status" = 5 ]
	[ $(($(date +%s%3N) - began)) -ge 600 ]
	run_est enroll -s https://127.0.0.1:1 "${anchor[@]}" "${me[@]}" --retry 1 "${soon[@]}" -v
	[ "$status" = 5 ]
	[ "$(grep -c 'next attempt' "$ERR")" = 1 ]
	[ ! -e key.pem.est-new ]
}

@test "retry: a GET that breaks or times out is tried again, a POST never (H-19)" {
	plays broken reset
	plays slow 'sleep 3000'
	run_est cacerts "${raw[@]}" -l broken --retry 2 "${soon[@]}"
	[ "$status" = 5 ]
	seen 3 '.method == "GET"'
	server_log_reset
	run_est csrattrs "${raw[@]}" -l slow --retry 1 "${soon[@]}" -m 1
	[ "$status" = 6 ]
	seen 2 '.method == "GET"'
	for label in broken slow; do
		rm -f key.pem*
		server_log_reset
		run_est enroll "${raw[@]}" -l $label "${me[@]}" --retry 3 "${soon[@]}" -m 1
		[ "$status" = 5 ] || [ "$status" = 6 ]
		seen 1 '.method == "POST"'
		[ -s key.pem.est-new ]
	done
}

@test "retry: a server that comes up meanwhile is found" {
	server_start
	port=$EST_TEST_PORT home=$EST_TEST_DIR
	server_stop
	"$EST" cacerts -s "localhost:$port" --cacert "$home/root.pem" --retry 20 "${soon[@]}" -o ca.pem \
		>"$OUT" 2>"$ERR" 3>&- &
	pid=$!
	sleep 0.5
	"$(server_build)/est-testserver" --dir "$home" --port "$port" --max-seconds 60 \
		>/dev/null 2>&1 3>&- &
	HELPERS="${HELPERS:-} $!"
	wait $pid
	same_certs ca.pem "$home/ca.pem"
}

@test "retry: the options" {
	EST_RETRY=1 run_est cacerts "${trust[@]}" -l status-503 "${soon[@]}"
	[ "$status" = 11 ]
	seen 2 true
	server_log_reset
	EST_RETRY=3 run_est cacerts "${trust[@]}" -l status-503 "${soon[@]}" --retry 0
	[ "$status" = 11 ]
	seen 1 true
	for value in x -1 1.5 1001 99999999999 ' 1'; do
		refused 2 retry cacerts "${trust[@]}" "--retry=$value"
	done
	refused 2 retry-delay cacerts "${trust[@]}" --retry-delay 0
	refused 2 'no such option' csr --retry 1
}

@test "retry: a signal ends the pause" {
	"$EST" cacerts "${trust[@]}" -l status-503 --retry 3 --retry-delay 60 >"$OUT" 2>"$ERR" 3>&- &
	pid=$!
	eventually one_answer
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	[ "$status" = 143 ]
	seen 1 true
}

one_answer() {
	[ "$(server_count '.status == 503')" = 1 ]
}
