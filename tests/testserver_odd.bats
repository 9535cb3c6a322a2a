#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=once
# shellcheck disable=SC2154 # stderr is set by run
# The test server's odd behaviour, by label and by script, and its life as a process.

bats_require_minimum_version 1.5.0

load lib/server
load lib/client

setup() {
	client_setup
}

# Under a sanitizer a leak makes the exit status of the server.
teardown() {
	server_stop
}

# ---- Wrong certificates ----------------------------------------------------------------------------

# enrol_label LABEL: its answer unpacked.
enrol_label() {
	csr -subj /CN=a
	[ "$(post "$est/$1/simpleenroll" "${account[@]}")" = 200 ]
	unpack
}

@test "server: other-key certifies another key, other-subject another name" {
	enrol_label other-key
	run ! same_key cert-1.pem
	openssl verify -CAfile "$EST_TEST_DIR/ca.pem" cert-1.pem
	enrol_label other-subject
	same_key cert-1.pem
	[ "$(openssl x509 -in cert-1.pem -noout -subject)" = 'subject=CN = somebody else' ]
}

@test "server: foreign-ca issues what does not chain" {
	enrol_label foreign-ca
	same_key cert-1.pem
	run ! openssl verify -CAfile "$EST_TEST_DIR/ca.pem" cert-1.pem
}

@test "server: ca-true issues a CA" {
	enrol_label ca-true
	openssl x509 -in cert-1.pem -noout -text | grep 'CA:TRUE'
}

@test "server: expired, not-yet and skew shift the validity" {
	enrol_label expired
	run -1 openssl x509 -in cert-1.pem -noout -checkend 0
	enrol_label not-yet
	run -2 openssl verify -CAfile "$EST_TEST_DIR/ca.pem" cert-1.pem
	[[ "$output$stderr" == *"not yet valid"* ]]
	enrol_label skew
	run -2 openssl verify -CAfile "$EST_TEST_DIR/ca.pem" cert-1.pem
	openssl verify -attime $(($(date +%s) + 660)) -CAfile "$EST_TEST_DIR/ca.pem" cert-1.pem
}

@test "server: chain, chain-reversed and multi-leaf keep their order" {
	[ "$(enrol_label chain)" = 3 ]
	same_key cert-1.pem
	openssl x509 -in cert-3.pem -noout -subject | grep root
	[ "$(enrol_label chain-reversed)" = 3 ]
	same_key cert-3.pem
	openssl x509 -in cert-1.pem -noout -subject | grep root
	[ "$(enrol_label multi-leaf)" = 2 ]
	run ! same_key cert-1.pem
	same_key cert-2.pem
}

@test "server: empty-bag has no certificate" {
	[ "$(get "$est/empty-bag/cacerts")" = 200 ]
	base64 -d body >bag.der
	[ "$(openssl pkcs7 -inform DER -in bag.der -print_certs | grep -c BEGIN)" = 0 ]
}

# ---- Wrong bodies and heads --------------------------------------------------------------------------

@test "server: wrap-N, and no newline with wrap-0" {
	get "$est/cacerts"
	[ "$(head -n 1 body | tr -d '\n' | wc -c)" = 64 ]
	[ "$(tail -c 1 body | hex)" = 0a ]
	mv body usual
	get "$est/wrap-76/cacerts"
	[ "$(head -n 1 body | tr -d '\n' | wc -c)" = 76 ]
	get "$est/wrap-0/cacerts"
	[ "$(wc -l <body)" = 0 ]
	cmp <(base64 -d body) <(base64 -d usual)
}

@test "server: der, pem, pem-certs and bare-cert" {
	get "$est/cacerts"
	base64 -d body >usual.der
	get "$est/der/cacerts"
	cmp body usual.der
	get "$est/pem/cacerts"
	openssl pkcs7 -in body -outform DER | cmp - usual.der
	get "$est/pem-certs/cacerts"
	[ "$(grep -c 'BEGIN CERTIFICATE' body)" = 2 ]
	get "$est/bare-cert/cacerts"
	base64 -d body | cmp - <(openssl x509 -in "$EST_TEST_DIR/root.pem" -outform DER)
}

@test "server: the head of an answer can be wrong" {
	get "$est/no-type/cacerts"
	[ -z "$(head_field Content-Type)" ]
	get "$est/octet-stream/cacerts"
	[ "$(head_field Content-Type)" = application/octet-stream ]
	get "$est/type-x/cacerts"
	[ "$(head_field Content-Type)" = application/x-pkcs7-mime ]
	get "$est/cte-binary/cacerts"
	[ "$(head_field Content-Transfer-Encoding)" = binary ]
	[ "$(unpack)" = 2 ]
	[ "$(get "$est/created/cacerts")" = 201 ]
	[ "$(get "$est/html/cacerts")" = 200 ]
	[ "$(head_field Content-Type)" = text/html ]
}

@test "server: odd field names and values leave a log that is JSON and UTF-8" {
	get "$est/cacerts" -H $'X-\xff\x80: \xc3\xa9\xff\x1b' -H 'X-A: 1' -H 'x-a: 2'
	get "$raw/none/cacerts" -H $'X-\xff"\x80: \xff\x1b'
	iconv -f UTF-8 -t UTF-8 "$EST_TEST_DIR/log.jsonl" >log
	jq -es 'length == 3' log
	[ "$(server_log 'select(.listener == "http") | .headers["x-a"]')" = '"1, 2"' ]
	[ "$(server_log 'select(.operation and .listener == "raw") | .headers["x-?\"?"]')" = \
		'"ÿ\u001b"' ]
}

@test "server: any status, and 401 without a challenge" {
	for status in 200 204 304 401 403 404 429 500 501 503 599; do
		[ "$(get "$est/status-$status/cacerts")" = $status ]
		[ -z "$(head_field WWW-Authenticate)" ]
	done
	[ "$(get "$est/status-099/cacerts")" = 200 ] # out of range: an unknown label
	[ "$(unpack)" = 2 ]
}

@test "server: redirects" {
	[ "$(get "$est/a/redirect/cacerts?x")" = 302 ]
	[ "$(head_field Location)" = '/.well-known/est/a/cacerts?x' ]
	[ "$(get -L "$est/redirect/cacerts")" = 200 ]
	[ "$(get "$est/redirect-out/cacerts")" = 307 ]
	[ "$(head_field Location)" = https://127.0.0.2:9/ ]
}

@test "server: errors in every dress" {
	[ "$(get "$est/error-html/cacerts")" = 400 ]
	[ "$(head_field Content-Type)" = text/html ]
	[ "$(get "$est/error-json/cacerts")" = 400 ]
	jq -e '.errors[0]' body
	[ "$(get "$est/error-controls/cacerts")" = 400 ]
	hex <body >bytes
	grep -q 1b5b324a bytes
	grep -q e280ae bytes
	[ "$(tr -dc '\0' <body | wc -c)" = 1 ]
	run ! iconv -f UTF-8 -t UTF-8 body
	[ "$(get "$est/error-big/cacerts")" = 500 ]
	[ "$(wc -c <body)" = 1048576 ]
}

@test "server: connections are kept, or closed when the label says so (R7030-3.2-01)" {
	get "$est/cacerts" -o /dev/null "$est/cacerts"
	[ "$(server_log .conn | uniq | wc -l)" = 1 ]
	server_log_reset
	get "$est/close/cacerts" -o /dev/null "$est/close/cacerts"
	[ "$(head_field Connection | head -n 1)" = close ]
	[ "$(server_log .conn | uniq | wc -l)" = 2 ]
}

# ---- The raw listener ------------------------------------------------------------------------------

@test "raw: a script is sent byte for byte and the request is logged" {
	raw_script plain <<-'SCRIPT'
		# a comment
		line HTTP/1.1 200 OK
		send Content-Length: 
		length cacerts-b64
		send \r\nX-Odd:\x20\t\\\r\n\r\n
		insert cacerts-b64
	SCRIPT
	[ "$(get "$raw/plain/cacerts?q" -H 'X-Mine: 1')" = 200 ]
	[ "$(unpack)" = 2 ]
	[ "$(head_field X-Odd)" = $'\t\\' ]
	[ "$(server_log 'select(.event == null) | [.listener, .method, .target, .label, .status,
		.headers["x-mine"]]')" = \
		'["raw","GET","/.well-known/est/plain/cacerts?q","plain",null,"1"]' ]
	run -0 server_log 'select(.event == "handshake")'
	[ "$(jq -r .sni <<<"$output")" = localhost ]
	[ "$(jq -c '[.ok, .alpn, .error]' <<<"$output")" = '[true,"http/1.1",null]' ]
	[ "$(jq '.client_hello_versions | index("TLS1.3") != null' <<<"$output")" = true ]
	[ "$(jq '.ciphers | index("1301") != null' <<<"$output")" = true ]
	[ "$(jq '.extensions | index(43) != null' <<<"$output")" = true ]
}

@test "raw: a certificate is issued for the request" {
	csr -subj /CN=raw
	raw_script issue <<-'SCRIPT'
		send HTTP/1.1 200 OK\r\nContent-Type: application/pkcs7-mime\r\n
		line Connection: close
		line 
		drip-insert 0 issued-b64
	SCRIPT
	[ "$(post "$raw/issue/simpleenroll")" = 200 ]
	[ "$(unpack)" = 1 ]
	same_key cert-1.pem
	openssl verify -CAfile "$EST_TEST_DIR/ca.pem" cert-1.pem
	cmp csr.der "$EST_TEST_DIR/$(server_log 'select(.csr) | .csr' | tr -d '"')"
	[ "$(server_count '.issued != null')" = 1 ]
}

@test "raw: next reads another request, repeat and file send bodies" {
	csr -subj /CN=raw
	printf 'from a file' >"$EST_TEST_SCRIPTS/some.bytes"
	raw_script twice <<-'SCRIPT'
		send HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\n
		send Content-Length: 300000\r\n\r\n
		repeat 100000 abc
		next
		send HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n
		file some.bytes
	SCRIPT
	[ "$(post "$raw/twice/simpleenroll" --anyauth "${account[@]}")" = 200 ]
	[ "$(cat body)" = 'from a file' ]
	[ "$(server_log 'select(.event == null) | .authorization')" = $'null\n"Basic"' ]
	[ "$(server_log 'select(.event == null) | .conn' | uniq | wc -l)" = 1 ]
}

@test "raw: drop, reset and close end as they say" {
	raw_script cut <<-'SCRIPT'
		send HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc
		drop
	SCRIPT
	raw_script rst <<-'SCRIPT'
		reset
	SCRIPT
	raw_script end <<-'SCRIPT'
		send HTTP/1.1 200 OK\r\n\r\nabc
		close
	SCRIPT
	run -18 get "$raw/cut/cacerts"
	run ! get "$raw/rst/cacerts"
	[[ "$output" == *[Rr]eset* ]]
	[ "$(get "$raw/end/cacerts")" = 200 ]
	[ "$(cat body)" = abc ]
}

@test "raw: drip and sleep take their time" {
	raw_script slow <<-'SCRIPT'
		sleep 300
		drip 20 HTTP/1.1 200 OK\r\n\r\n
	SCRIPT
	[ "$(curl -sS --max-time 30 --cacert "$EST_TEST_DIR/root.pem" -o body \
		-w '%{time_total}' "$raw/slow/cacerts" | awk '{ print ($1 >= 0.6) }')" = 1 ]
}

@test "raw: a missing script is 404, a broken one ends its connection only" {
	[ "$(get "$raw/no-such-script/cacerts")" = 404 ]
	[ "$(get "$raw/..%2Fx/cacerts")" = 404 ]
	for bad in 'sned x' 'send \q' 'send \x1' 'sleep much' 'file ../../etc/passwd' 'close now' \
		'insert nonsense' 'insert issued-b64' 'file not-there'; do
		server_log_reset
		raw_script bad <<<"$bad"
		run -52 get "$raw/bad/cacerts"
		# The connection ends before the line is written, at times.
		for _ in $(seq 50); do
			[ "$(server_count '.event == "script" and .error != null')" = 1 ] && break
			sleep 0.1
		done
		[ "$(server_count '.event == "script" and .error != null')" = 1 ]
	done
	[ "$(get "$raw/no-such-script/cacerts")" = 404 ]
}

@test "raw: a handshake that fails is logged" {
	run ! openssl s_client -connect "localhost:$EST_TEST_RAW_PORT" -tls1_1 \
		-cipher 'ALL:@SECLEVEL=0' </dev/null >out 2>&1
	for _ in $(seq 50); do
		[ "$(server_count '.event == "handshake"')" = 1 ] && break
		sleep 0.1
	done
	[ "$(server_log 'select(.event == "handshake") | [.ok, .error != null,
		.client_hello_versions[0]]')" = '[false,true,"TLS1.1"]' ]
}

@test "raw: garbage, half a request and many connections harm nobody else" {
	head -c 500 /dev/urandom | timeout 10 socat - "TCP:localhost:$EST_TEST_RAW_PORT" >out || true
	printf 'nonsense\r\n\r\n' | timeout 10 openssl s_client -quiet -connect \
		"localhost:$EST_TEST_RAW_PORT" >out 2>&1 || true
	printf 'POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n' | timeout 10 openssl s_client \
		-quiet -connect "localhost:$EST_TEST_RAW_PORT" >out 2>&1 || true
	[ "$(get "$raw/none/cacerts")" = 404 ]
}

# ---- The process -----------------------------------------------------------------------------------

@test "server: SIGTERM and SIGINT end it with 0, even while a script sleeps" {
	for signal in TERM INT; do
		server_stop
		server_start
		raw_script sleeper <<<'sleep 600000'
		curl -s --cacert "$EST_TEST_DIR/root.pem" --max-time 60 \
			"$EST_TEST_RAW_URL/.well-known/est/sleeper/cacerts" >out 2>&1 3>&- &
		client=$!
		for _ in $(seq 50); do
			[ "$(server_count '.label == "sleeper"')" = 1 ] && break
			sleep 0.1
		done
		kill -s "$signal" "$EST_TEST_PID"
		SECONDS=0
		wait "$EST_TEST_PID"
		[ "$SECONDS" -le 10 ]
		wait "$client" || true
		unset EST_TEST_PID
	done
}

@test "server: it stops by itself after --max-seconds" {
	server_stop
	server_start --max-seconds 1
	wait "$EST_TEST_PID"
	unset EST_TEST_PID
}

@test "server: with --parent-exit it does not outlive its parent" {
	(server_start && echo "$EST_TEST_PID" >pid)
	for _ in $(seq 100); do
		kill -0 "$(cat pid)" 2>/dev/null || break
		sleep 0.1
	done
	run ! kill "$(cat pid)"
}

@test "server: wrong options are refused with 2 and a message" {
	local bin
	bin=$(server_build)/est-testserver
	for args in --nonsense '--port 70000' '--port x' '--wrap -1' '--cert x' '--user a' \
		'--user a:b --password-file x' '--max-seconds 0' '--bind not-an-address' operand; do
		# shellcheck disable=SC2086
		run -2 --separate-stderr "$bin" --dir "$BATS_TEST_TMPDIR/d" $args
		[ -z "$output" ]
		[ -n "$stderr" ]
	done
	run ! --separate-stderr "$bin" --dir "$BATS_TEST_TMPDIR/d" --tls-priority NONSENSE
	[ -n "$stderr" ]
	run ! --separate-stderr "$bin" --dir "$BATS_TEST_TMPDIR/d" --user a --password-file not-there
	[ -n "$stderr" ]
}

@test "server: without an account Basic is never offered, and a folder is used again" {
	server_stop
	server_start --validity 100
	open=$EST_TEST_URL/.well-known/est
	csr -subj /CN=a
	[ "$(post "$open/simpleenroll" "${account[@]}")" = 403 ]
	[ "$(post "$open/auth-basic/simpleenroll" "${account[@]}")" = 403 ]
	[ -z "$(head_field WWW-Authenticate)" ]
	[ "$(post "$open/anon/simpleenroll")" = 200 ]
	unpack
	run -1 openssl x509 -in cert-1.pem -noout -checkend 101
	server_stop
	dir=$EST_TEST_DIR
	cp -r "$dir" before
	server_start --dir "$dir" --name other.example --name 127.0.0.1 --name ::1
	cmp "$dir/ca.pem" before/ca.pem
	run ! cmp -s "$dir/server.pem" before/server.pem
	run -0 openssl x509 -in "$dir/server.pem" -noout -ext subjectAltName
	[[ "$output" == *DNS:other.example* ]]
	[[ "$output" != *localhost* ]]
	[ "$(post "https://127.0.0.1:$EST_TEST_PORT/.well-known/est/anon/simpleenroll")" = 200 ]
	[ "$(find "$dir/requests" -name '*.der' | wc -l)" = 4 ]
}

@test "server: --cert and --key, --csrattrs, --tls-priority, --bind" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout own.key \
		-out own.pem -subj /CN=own -addext subjectAltName=IP:::1 -days 2
	printf 'MAkGBysGAQEBARY=' >attrs.b64
	base64 -d attrs.b64 >attrs.der
	for attrs in attrs.b64 attrs.der; do
		server_stop
		server_start --cert own.pem --key own.key --csrattrs $attrs --bind ::1 \
			--tls-priority NORMAL:-VERS-ALL:+VERS-TLS1.2
		[ "$(curl -sS --cacert own.pem -w '%{http_code}' -o body \
			"https://[::1]:$EST_TEST_PORT/.well-known/est/csrattrs")" = 200 ]
		cmp <(base64 -d body) attrs.der
		[ "$(server_log .tls)" = '"TLS1.2"' ]
	done
}

@test "server: no secret in the log, the requests or what it prints (H-07)" {
	csr -subj /CN=a
	post "$est/simpleenroll" "${account[@]}"
	post "$est/simpleenroll" -u tester:pass-Wd-99
	get "$est/cacerts" -H 'Authorization: naked-secret' -H 'Cookie: a=cookie-secret' \
		-H 'Proxy-Authorization: Basic proxy-secret'
	post "$raw/none/simpleenroll" "${account[@]}"
	[ "$(server_count '.operation')" = 4 ]
	for secret in pass-Wd "$(printf tester:pass-Wd-43 | base64)" "$(printf tester:pass-Wd-99 | base64)" \
		naked-secret cookie-secret proxy-secret; do
		run -1 grep -rF -- "$secret" "$EST_TEST_DIR" "$EST_TEST_STDERR"
	done
}

@test "server: each label of --list-labels stands in the man page with the same words" {
	"$(server_build)/est-testserver" --list-labels >labels
	[ "$(wc -l <labels)" -ge 40 ]
	sed -n '/^\.Sh LABELS/,/^\.El/p' "$BATS_TEST_DIRNAME/../man/est-testserver.1" |
		sed -n '/^\.It Cm /{s///;N;s/\n/\t/;p}' >manual
	diff labels manual
}

@test "server: each long option of --help stands in the man page" {
	"$(server_build)/est-testserver" --help >help
	grep -o '^  --[a-z-]*' help >options
	[ "$(wc -l <options)" -ge 18 ]
	while read -r option; do
		grep -q -- "Fl -${option#--}" "$BATS_TEST_DIRNAME/../man/est-testserver.1"
	done <options
}
