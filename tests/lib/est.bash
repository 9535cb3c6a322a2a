# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is used in the tests
# For bats: est as a user meets it, and what every refusal of it has to keep.
#
#   est_setup_file [ARGS...]  a test server for the file, with an account
#   est_setup                 an empty folder as ./, none of the caller's EST_* variables
#   run_est ARGS...           status in $status, stdout in $OUT, stderr in $ERR (files)
#   works ARGS...             the same, and it has to succeed
#   refused EXIT PATTERN APPLET ARGS...
#                             it has to fail in the way that all failures promise
#
# Arrays: trust (our server and its root), raw (its raw listener), account, new (a new key and
# where things go).  ONCE=1: refusals are not repeated with --json.  LEAVES: files that a refusal may leave behind; with KEY.est-new KEY.est-csr too.

# shellcheck disable=SC1091
source "${BASH_SOURCE[0]%/*}/server.bash"

EST_LIB=$EST_TEST_ROOT/tests/lib
EST_CLASSES=(ok internal usage input output network timeout untrusted tls auth refused server
	pending protocol rejected condition hook clock)

est_setup_file() {
	# Tests of one file share the server and its log.
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true
	printf 'pass-Wd-43\n' >"$BATS_FILE_TMPDIR/password"
	server_start --user tester --password-file "$BATS_FILE_TMPDIR/password" "$@"
}

est_setup() {
	unset EST_SERVER EST_LABEL EST_CACERT EST_CERT EST_KEY EST_KEY_PASSWORD EST_USER \
		EST_PASSWORD EST_CONNECT_TIMEOUT EST_MAX_TIME SSL_CERT_FILE SSL_CERT_DIR
	EST=$(server_build)/est
	OUT=$BATS_TEST_TMPDIR/stdout
	ERR=$BATS_TEST_TMPDIR/stderr
	LEAVES=
	mkdir "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return 1
	umask 022
	if [ -n "${EST_TEST_URL:-}" ]; then
		server_log_reset
		anchor=(--cacert "$EST_TEST_DIR/root.pem")
		trust=(-s "$EST_TEST_URL" "${anchor[@]}")
		raw=(-s "$EST_TEST_RAW_URL" "${anchor[@]}")
	fi
	account=(-u tester --password-file "$BATS_FILE_TMPDIR/password")
	new=(--subject CN=dev --key-out key.pem -o cert.pem)
	export EST OUT ERR
}

run_est() {
	status=0
	"$EST" "$@" >"$OUT" 2>"$ERR" 3>&- || status=$?
}

# What a failing assertion is explained with.
explain() {
	echo "$*"
	echo "status $status"
	echo "stdout: $(head -c 2000 "$OUT")"
	echo "stderr: $(head -c 2000 "$ERR")"
}

works() {
	run_est "$@"
	[ "$status" = 0 ] || {
		explain "est $*: this has to work"
		return 1
	}
}

# Everything that can be seen of ./ but the times of folders and what LEAVES names.  Whoever writes
# to a file, even the same bytes, changes the time of its status (%C@), and cannot set it back.
snapshot() {
	local name not=()
	for name in $LEAVES; do
		not+=(! -path "./$name")
		[[ $name != *.est-new ]] || not+=(! -path "./${name%new}csr")
	done
	find . -mindepth 1 "${not[@]}" -type d -printf '%p %y %m %i\n' -o \
		"${not[@]}" ! -type d -printf '%p %y %m %i %s %T@ %C@ %l\n' | sort
}

stderr_has() {
	grep -qiE -- "$1" "$ERR" || {
		explain "stderr has to match: $1"
		return 1
	}
}

# How many credentials and requests the test servers have got; peer.py has a file for all it hears.
on_the_wire() {
	cat "$EST_TEST_DIR/log.jsonl" "${capture:-/dev/null}" 2>/dev/null |
		grep -acE '"authorization":"|"csr":"|^Authorization:|^POST ' || true
}

refused() {
	local exit=$1 pattern=$2 applet=$3 before=$BATS_TEST_TMPDIR/before sent=
	shift 3
	snapshot >"$before"
	[ "$exit" != 7 ] || sent=$(on_the_wire)
	run_est "$applet" "$@"
	[ "$status" = "$exit" ] || {
		explain "est $applet $*: $exit is due"
		return 1
	}
	[ ! -s "$OUT" ] || {
		explain "a failure has nothing to say on stdout"
		return 1
	}
	[[ "$(head -n 1 "$ERR")" == "est: $applet: "?* ]] || {
		explain "the first line of stderr has to be \`est: $applet: ...'"
		return 1
	}
	stderr_has "$pattern" || return 1
	no_control_bytes "$ERR" || return 1
	[ -n "${ONCE:-}" ] || refused_json "$exit" "$pattern" "$applet" "$@" || return 1
	snapshot | diff "$before" - || {
		explain "est $applet $*: files have changed"
		return 1
	}
	# Whoever is not trusted gets nothing; SENDS=1: from when it still was there is something.
	[ "$exit${SENDS:-}" != 7 ] || [ "$(on_the_wire)" = "$sent" ] || {
		explain "est $applet $*: credentials or a request went to a server that is not trusted"
		return 1
	}
}

# The same once more with --json; one object, and only that, on stdout.
refused_json() {
	local exit=$1 pattern=$2 applet=$3 again=false
	shift 3
	run_est "$applet" "$@" --json
	[ "$status" = "$exit" ] || {
		explain "with --json: $exit is due"
		return 1
	}
	case $exit in 5 | 6 | 11 | 12) again=true ;; esac
	jq -es --arg applet "$applet" --arg class "${EST_CLASSES[exit]}" --argjson exit "$exit" \
		--argjson again "$again" --arg pattern "$pattern" 'length == 1 and (.[0] |
		.ok == false and .applet == $applet and (.version | type) == "string" and
		(.error | .exit == $exit and .class == $class and .retryable == $again and
		(.code | type) == "string" and has("http_status") and has("retry_after") and
		((.message + (.hint // "")) | test($pattern; "i"))))' "$OUT" >/dev/null || {
		explain "the JSON error object is not what is due"
		return 1
	}
	no_control_bytes "$OUT"
}

# Neither controls but the newline, nor bidirectional overrides, nor invalid UTF-8.
no_control_bytes() {
	iconv -f UTF-8 -t UTF-8 "$1" >/dev/null || {
		explain "$1 is not UTF-8"
		return 1
	}
	! LC_ALL=C grep -qaP '[\x00-\x08\x0b-\x1f\x7f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]' "$1" || {
		explain "$1 holds controls"
		return 1
	}
}

# eventually COMMAND...: within ten seconds.
eventually() {
	local i
	for ((i = 0; i < 100; i++)); do
		"$@" && return
		sleep 0.1
	done
	echo "this did not come true: $*"
	return 1
}

# The test server saw COUNT requests that satisfy a condition (jq) in this test.
seen() {
	[ "$(server_count ".target != null and ($2)")" = "$1" ] || {
		echo "$1 requests with $2 are due, these were seen:"
		server_log '[.method, .target, .status, .authorization, .body_len, .client_subject]'
		return 1
	}
}

nothing_sent() {
	seen 0 true
}

no_credentials() {
	seen 0 '.authorization != null'
}

no_csr() {
	seen 0 '.method == "POST" or .body_len > 0'
}

# plays NAME LINE...: a script of the raw listener for the label NAME.
plays() {
	local name=$1
	shift
	printf '%s\n' "$@" | raw_script "$name"
}

# identity NAME SUBJECT [OPENSSL REQ OPTION...]: NAME.pem and NAME.key, issued by the test
# server's CA without its help; extensions come from -addext.
identity() {
	local name=$1 subject=$2
	shift 2
	[ -e "$name.key" ] || openssl ecparam -name prime256v1 -genkey -noout -out "$name.key"
	openssl req -new -key "$name.key" -subj "$subject" -out "$BATS_TEST_TMPDIR/$name.csr" "$@"
	issue "$BATS_TEST_TMPDIR/$name.csr" "$name.pem"
}

# issue CSR CERT [OPENSSL X509 OPTION...]: for 30 days, of which five are left: due for renewal.
issue() {
	local csr=$1 cert=$2
	shift 2
	faketime -f -25d openssl x509 -req -in "$csr" -CA "$EST_TEST_DIR/issuing.pem" -CAkey \
		"$EST_TEST_DIR/issuing.key" -days 30 -copy_extensions copyall -out "$cert" "$@" \
		2>"$BATS_TEST_TMPDIR/issue.err"
}

# Of a key, a request or a certificate in PEM; a key wins in a file of several.
public_key() {
	if grep -q 'PRIVATE KEY-' "$1"; then
		openssl pkey -in "$1" -pubout
	elif grep -q 'CERTIFICATE REQUEST-' "$1"; then
		openssl req -in "$1" -noout -pubkey
	else
		openssl x509 -in "$1" -noout -pubkey
	fi
}

cert_key() {
	openssl x509 -in "$1" -noout -pubkey
}

same_key() {
	[ "$(public_key "$1")" = "$(public_key "$2")" ] || {
		echo "$1 and $2 are of different keys"
		return 1
	}
}

# The certificate is good: for openssl and for certtool, from the CA, for this key.
good_cert() {
	[ "$(cert_key "$1")" = "$(public_key "$2")" ] || return 1
	openssl verify -CAfile "$EST_TEST_DIR/root.pem" -untrusted "$EST_TEST_DIR/issuing.pem" "$1" ||
		return 1
	certtool --certificate-info --infile "$1" >/dev/null
}

# The certificates of a PEM file, one a line, sorted.
certs_of() {
	awk '/^-----BEGIN CERT/ { on = 1; der = ""; next }
		/^-----END CERT/ { on = 0; print der }
		on { der = der $0 }' "$1" | sort
}

same_certs() {
	[ -n "$(certs_of "$1")" ] || return 1
	diff <(certs_of "$1") <(certs_of "$2")
}

der_hex() {
	xxd -p "$1" | tr -d '\n'
}

# helper NAME [ARGS...]: a program of tests/lib in the background; PORT is what it printed.  It
# ends with the test.
helper() {
	local name=$1 ready
	shift
	ready=$(mktemp "$BATS_TEST_TMPDIR/ready.XXXXXX")
	"$EST_LIB/$name" "$@" >"$ready" 2>"$ready.err" 3>&- &
	HELPERS="${HELPERS:-} $!"
	eventually grep -q '^port ' "$ready" || {
		cat "$ready.err"
		return 1
	}
	PORT=$(sed -n 's/^port //p' "$ready")
}

est_teardown() {
	local pid
	for pid in ${HELPERS:-}; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}

# traced ARGS...: run_est with its network calls in $BATS_TEST_TMPDIR/trace.  LeakSanitizer, where it
# is built in, does not work under strace.
traced() {
	status=0
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace -f -e trace=network \
		-o "$BATS_TEST_TMPDIR/trace" "$EST" "$@" >"$OUT" 2>"$ERR" 3>&- || status=$?
}

with_asan() {
	grep -qa __asan_init "$EST"
}
