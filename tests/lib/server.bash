# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For bats: an est-testserver of one's own, its log and its scripts.
#
#   server_start [ARGS...]   sets EST_TEST_URL, EST_TEST_PORT, EST_TEST_RAW_URL,
#                            EST_TEST_RAW_PORT, EST_TEST_DIR, EST_TEST_PID and exports them
#   server_stop              graceful; fails when the server did not end with 0
#   server_log FILTER        jq -c FILTER over the log since server_log_reset
#   server_log_reset         forget the log so far
#   server_count CONDITION   how many log lines since then satisfy it
#   raw_script NAME <<EOF    the raw listener plays it for label NAME
#
# The binary is est-testserver in $EST_BUILD, else $BUILD, else build/.  Call server_start in
# setup_file or setup, not in a subshell: the server ends with the process that started it.  Tests
# that look at the log want a server of their own, because files run with -j.

# The tests ask for JSON a thousand times: gojq answers in a tenth of the time that jq takes to start.
jq() { gojq "$@"; }
unset https_proxy HTTPS_PROXY # the servers are on this machine

EST_TEST_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# The folder with the binaries, absolute.
server_build() {
	local build=${EST_BUILD:-${BUILD:-build}}
	[[ "$build" == /* ]] || build=$EST_TEST_ROOT/$build
	echo "$build"
}

server_start() {
	local base=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR} home i
	home=$(mktemp -d "$base/server.XXXXXX") || return 1
	mkdir "$home/scripts" || return 1
	: >"$home/ready"
	# 3>&-: bats waits for whoever holds its descriptor.
	"$(server_build)/est-testserver" --dir "$home/ca" --scripts "$home/scripts" --raw-port 0 \
		--parent-exit --max-seconds 900 "$@" >"$home/ready" 2>"$home/stderr" 3>&- &
	EST_TEST_PID=$!
	for ((i = 0; i < 300; i++)); do
		grep -q '^ready .*pid=' "$home/ready" && break
		kill -0 "$EST_TEST_PID" 2>/dev/null || break
		sleep 0.1
	done
	read -r _ EST_TEST_URL EST_TEST_RAW_URL EST_TEST_DIR _ <"$home/ready" || {
		echo "est-testserver did not start: $(cat "$home/stderr")" >&2
		return 1
	}
	EST_TEST_URL=${EST_TEST_URL#url=}
	EST_TEST_RAW_URL=${EST_TEST_RAW_URL#raw=}
	EST_TEST_DIR=${EST_TEST_DIR#dir=}
	EST_TEST_PORT=${EST_TEST_URL##*:}
	EST_TEST_RAW_PORT=${EST_TEST_RAW_URL##*:}
	EST_TEST_SCRIPTS=$home/scripts
	EST_TEST_STDERR=$home/stderr
	# In a file, because server_start may have run in another process than the test.
	EST_TEST_OFFSET=$home/offset
	echo 0 >"$EST_TEST_OFFSET"
	export EST_TEST_URL EST_TEST_PORT EST_TEST_RAW_URL EST_TEST_RAW_PORT EST_TEST_DIR \
		EST_TEST_PID EST_TEST_SCRIPTS EST_TEST_STDERR EST_TEST_OFFSET
}

server_stop() {
	local status=0
	[ -n "${EST_TEST_PID:-}" ] || return 0
	kill "$EST_TEST_PID" 2>/dev/null
	wait "$EST_TEST_PID" || status=$?
	unset EST_TEST_PID
	[ ! -s "$EST_TEST_STDERR" ] || cat "$EST_TEST_STDERR" >&2
	return "$status"
}

server_log_lines() {
	tail -c "+$(($(cat "$EST_TEST_OFFSET") + 1))" "$EST_TEST_DIR/log.jsonl"
}

server_log_reset() {
	stat -c %s "$EST_TEST_DIR/log.jsonl" >"$EST_TEST_OFFSET"
}

server_log() {
	server_log_lines | jq -c "$1"
}

server_count() {
	server_log_lines | jq -c "select($1)" | wc -l
}

raw_script() {
	cat >"$EST_TEST_SCRIPTS/$1.script"
}
