#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # lib/est.bash sets them
# est reenroll from cron: when it is due, what it says, what it costs when it is not.

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	renew=(reenroll "${trust[@]}" --cert dev.pem --key dev.key)
}

# lasts DAYS LEFT [NAME]: a certificate for so many days, of which so many are left, less half a day.
lasts() {
	local name=${3:-dev}
	[ -e "$name.key" ] || openssl ecparam -name prime256v1 -genkey -noout -out "$name.key"
	openssl req -new -key "$name.key" -subj "/CN=$name" -out "$BATS_TEST_TMPDIR/csr"
	faketime -f "$((24 * ($2 - $1) - 12))h" openssl x509 -req -in "$BATS_TEST_TMPDIR/csr" -days "$1" \
		-CA "$EST_TEST_DIR/issuing.pem" -CAkey "$EST_TEST_DIR/issuing.key" -out "$name.pem" 2>/dev/null
}

# skipped ARGS...: nothing sent, nothing changed, one line that says why.
skipped() {
	snapshot >"$BATS_TEST_TMPDIR/before"
	works "$@"
	grep -q '^est: reenroll: skipped: CN=dev ' "$ERR"
	[ "$(wc -l <"$ERR")" = 1 ]
	[ ! -s "$OUT" ]
	snapshot | diff "$BATS_TEST_TMPDIR/before" -
	nothing_sent
}

renewed() {
	server_log_reset
	works "$@"
	seen 1 '.operation == "simplereenroll" and .status == 200'
	[ "$(grep -Ec '^est: reenroll: (renewed|rekeyed) CN=dev, valid until 20' "$ERR")" = 1 ]
	good_cert dev.pem dev.key
}

@test "renew: a third of the lifetime left is the default" {
	lasts 90 31
	skipped "${renew[@]}"
	stderr_has 'valid until 20[0-9-]+T[0-9:]+Z, and due from 20[0-9-]+T[0-9:]+Z on$'
	lasts 90 29
	renewed "${renew[@]}"
	server_log_reset
	skipped "${renew[@]}" -o -
}

@test "renew: --renew-before in days, hours and percent" {
	lasts 90 10
	for early in 216h 10%; do
		server_log_reset
		skipped "${renew[@]}" --renew-before $early
	done
	for due in 2w 12%; do
		lasts 90 10
		renewed "${renew[@]}" --renew-before $due
	done
	# A lifetime shorter than that: two thirds of it.
	lasts 12 9
	server_log_reset
	skipped "${renew[@]}" --renew-before 30d
	lasts 12 7
	renewed "${renew[@]}" --renew-before 30d
	server_log_reset
	skipped "${renew[@]}" --renew-before 30d
}

@test "renew: nonsense in the options is refused before a file is looked at" {
	for value in 0% 101% 33 '%' -1d 0d 3d3 1000000000000d ' 3d'; do
		ONCE=1 refused 2 renew-before "${renew[@]}" --renew-before "$value"
	done
	ONCE=1 refused 2 skip-status "${renew[@]}" --skip-status 256
	ONCE=1 refused 2 skip-status "${renew[@]}" --skip-status -1
	ONCE=1 refused 2 jitter "${renew[@]}" --jitter -1
	ONCE=1 refused 2 'status.*dry-run' "${renew[@]}" --status -n
	refused 2 'server' reenroll --cert dev.pem
	nothing_sent
}

@test "renew: --force and 100% renew a fresh certificate, --dry-run checks one" {
	lasts 90 90
	skipped "${renew[@]}"
	works "${renew[@]}" -n
	grep -q 'dry run' "$ERR"
	nothing_sent
	renewed "${renew[@]}" --force
	renewed "${renew[@]}" --renew-before 100%
}

@test "renew: --skip-status and JSON tell a skip from a renewal" {
	lasts 90 40
	run_est "${renew[@]}" --skip-status 75 --json -q
	[ "$status" = 75 ]
	[ ! -s "$ERR" ]
	jq -es 'length == 1 and (.[0] | .ok and .action == "skipped" and .changed == false and
		.certificates[0].subject == "CN=dev" and .renew_at < .certificates[0].not_after)' "$OUT"
	works "${renew[@]}" --skip-status 75 --json --force
	jq -e '.action == "rekeyed" and .changed and (has("renew_at") | not)' "$OUT"
	# A failure is no skip.
	lasts 90 20
	run_est "${renew[@]}" --skip-status 75 -l status-400
	[ "$status" = 10 ]
}

@test "renew: a clock that is slow renews nothing, one before the build date says so" {
	lasts 90 90
	grep -qa __asan_init "$EST" && skip "the sanitizers and faketime exclude each other"
	cp dev.pem before.pem
	# What a CA issues now would not be valid yet and be rejected, each time again.
	faketime -f -20d "$EST" "${renew[@]}" --renew-before 100% --clock-floor off 2>"$ERR"
	stderr_has 'skipped: CN=dev is valid from 20.* on, and the clock says 20.*right'
	run -17 --separate-stderr faketime -f -20y "$EST" "${renew[@]}"
	cmp dev.pem before.pem
	nothing_sent
}

@test "renew: a clock that is far ahead finds the server expired and sends no request" {
	grep -qa __asan_init "$EST" && skip "the sanitizers and faketime exclude each other"
	lasts 90 90
	cp dev.pem before.pem
	run -7 --separate-stderr faketime -f +80y "$EST" "${renew[@]}" "${account[@]}"
	cmp dev.pem before.pem
	no_csr
}

@test "renew: however often it runs, a clock that is slow, fast, or jumps asks for no more than is due" {
	with_asan && skip "the sanitizers and faketime exclude each other"
	lasts 90 90
	at() {
		status=0
		FAKE_UTIME=1 faketime -f "$1" "$EST" "${renew[@]}" "${@:2}" >"$OUT" 2>"$ERR" || status=$?
	}
	# A new certificate, too, is due at once by the third of these; once it is asked for.
	for clock in -20y -20d +70d +70d +70d +70d +80y +0d; do
		at $clock --clock-floor off
	done
	[ "$status" = 0 ]
	seen 1 .csr
	good_cert dev.pem dev.key
	lasts 90 15
	at +5d
	stderr_has 'CN=dev, valid until'
	at +70d
	stderr_has 'is due at once by this clock: is it right\? it is not renewed again before 20'
	at +70d --json -q
	jq -e '.action == "skipped" and .renew_at > "20"' "$OUT"
	chmod 600 dev.pem # as who restores files, or links them into a backup, changes their status
	ln dev.pem "$BATS_TEST_TMPDIR/backup"
	cp -p dev.pem copy.pem
	cp "$OUT" before
	for file in dev copy; do
		at +70d --json -q --cert $file.pem
		cmp <(jq .renew_at before) <(jq .renew_at "$OUT")
	done
	rm before copy.pem
	at +70d --force -q # the operator knows
	[ "$status" = 0 ]
	seen 4 .csr
	# So slow that what is issued is not valid yet, or so fast that it has expired.
	for odd in expired not-yet; do
		server_log_reset
		lasts 90 15
		rm -f dev.key.est-*
		ONCE=1 LEAVES=dev.key.est-new refused 14 'hint: is this clock right' "${renew[@]}" -l $odd
		for _ in 1 2; do
			ONCE=1 refused 12 'again after (8640|7830)[01] s' "${renew[@]}" -l $odd
		done
		seen 1 .csr
	done
	# The clock is set, and the time has come.
	at +2d -l not-yet
	[ "$status" = 0 ]
	stderr_has 'recovered CN=dev'
}

@test "renew: no time that a file can have hides what is due" {
	lasts 90 15
	from=$(date -d "$(openssl x509 -in dev.pem -noout -startdate | cut -d= -f2)" +%s)
	for time in @$from @$((from + 60)) @$((from + 70 * 86400 + 30)) now +1day @0 2099-01-01; do
		touch -d "$time" dev.pem
		chmod 644 dev.pem
		works "${renew[@]}" --status
		grep -q 'next: renew' "$OUT"
	done
	cp -p dev.pem copy.pem
	works "${renew[@]}" --cert copy.pem --status
	grep -q 'next: renew' "$OUT"
}

@test "renew: an expired certificate is due; --alt-cert or user and password authenticate" {
	lasts 30 -5
	lasts 30 5 alt
	server_log_reset
	works "${renew[@]}" "${account[@]}" -l reenroll-basic --renew-before 1d
	stderr_has 'HTTP authentication alone'
	good_cert dev.pem dev.key
	lasts 30 -5
	cp dev.key other.key
	openssl req -new -key alt.key -subj /CN=dev -out csr
	issue csr alt.pem
	works "${renew[@]}" --alt-cert alt.pem --alt-key alt.key
	stderr_has 'alt.pem is used in TLS'
	good_cert dev.pem dev.key
}

@test "renew: with -o and --combined the dates of what is there count, if it is of the same subject" {
	lasts 30 5
	cp dev.pem old.pem
	works "${renew[@]}" -o new.pem
	server_log_reset
	skipped "${renew[@]}" -o new.pem
	works "${renew[@]}" --combined both.pem
	server_log_reset
	skipped "${renew[@]}" --combined both.pem
	lasts 30 30 other
	cp other.pem new.pem
	works "${renew[@]}" -o new.pem
	good_cert new.pem dev.key
	echo nonsense >new.pem
	works "${renew[@]}" -o new.pem
	cmp dev.pem old.pem
}

@test "renew: --jitter waits the same each time, --force does not; a signal ends it" {
	lasts 30 20
	works "${renew[@]}" --jitter 86400 -v
	run ! grep -q waiting "$ERR" # it is not due
	lasts 30 5
	renewed "${renew[@]}" --jitter 0.5 -v
	turn=$(grep -o 'waiting [0-9.]* s' "$ERR")
	lasts 30 6
	works "${renew[@]}" --jitter 0.5 -v
	[ "$(grep -o 'waiting [0-9.]* s' "$ERR")" = "$turn" ]
	lasts 30 5
	renewed "${renew[@]}" --jitter 86400 --force
	lasts 30 5
	printf 'jitter = 86400\n' >conf
	renewed "${renew[@]}" --config conf --jitter 0
	lasts 30 5
	server_log_reset
	: >dev.key.est-new # a run that failed has no other turn: its server may be overloaded
	echo torn >.dev.pem.est-journal
	"$EST" "${renew[@]}" --jitter 86400 -v >"$OUT" 2>"$ERR" 3>&- &
	eventually grep -q waiting "$ERR"
	[ ! -e .dev.pem.est-journal ] # what was left is in order, and the lock is free
	kill -TERM $!
	status=0
	wait $! || status=$?
	[ "$status" = 143 ]
	nothing_sent
}

@test "renew: after the wait the certificate is looked at again" {
	lasts 30 5
	# Names whose turn comes late enough to slip a renewal in.
	for name in dev dev1 dev2 dev3 dev4 dev5 dev6 dev7; do
		lasts 30 5 $name
		"$EST" reenroll "${trust[@]}" --cert $name.pem --key $name.key --jitter 2 -v \
			>"$OUT" 2>"$ERR" 3>&- &
		eventually grep -q 'waiting\|valid' "$ERR"
		if grep -q 'waiting [01]\.[5-9]' "$ERR"; then
			works reenroll "${trust[@]}" --cert $name.pem --key $name.key --force
			wait $!
			break
		fi
		wait $!
	done
	seen 1 ".csr and .client_subject == \"CN=$name\""
}

@test "renew: an unfinished run is gone on with, due or not" {
	lasts 30 5
	newkey=("${renew[@]}" --key-out new.key -o new.pem)
	run_est "${newkey[@]}" -l status-500 --csrattrs ignore
	[ "$status" = 11 ]
	lasts 30 30
	run_est "${newkey[@]}" --status
	grep -q 'pending, next: resume' "$OUT"
	works "${newkey[@]}" --json
	jq -e '.action == "recovered"' "$OUT"
	good_cert new.pem new.key
	server_log_reset
	works "${newkey[@]}"
	grep -q skipped "$ERR"
	nothing_sent
	# In place.  A run that keeps the old key has nothing to do with it, and does not renew each time.
	lasts 30 5
	run_est "${renew[@]}" --csrattrs ignore -l status-500
	[ -s dev.key.est-new ]
	lasts 30 30
	server_log_reset
	skipped "${renew[@]}" --reuse-key
	run_est "${renew[@]}" --status
	grep -q 'pending, next: resume' "$OUT"
	works "${renew[@]}"
	stderr_has 'recovered CN=dev'
	good_cert dev.pem dev.key
	# An encrypted key is kept, so nobody goes on with what lies there.
	openssl pkcs8 -topk8 -passout pass:x -in dev.key -out enc.key
	cp dev.key enc.key.est-new
	server_log_reset
	EST_KEY_PASSWORD=x works reenroll "${trust[@]}" --cert dev.pem --key enc.key
	stderr_has 'skipped: CN=dev'
	nothing_sent
}

@test "renew: two runs at the same time renew once" {
	lasts 30 5
	"$EST" "${renew[@]}" --lock-wait 20 >"$BATS_TEST_TMPDIR/out1" 2>"$BATS_TEST_TMPDIR/err1" 3>&- &
	works "${renew[@]}" --lock-wait 20
	wait $!
	[ "$(cat "$ERR" "$BATS_TEST_TMPDIR/err1" | grep -c 'ed CN=dev, valid')" = 1 ]
	[ "$(cat "$ERR" "$BATS_TEST_TMPDIR/err1" | grep -c ': skipped: CN=dev')" = 1 ]
	seen 1 .csr
	good_cert dev.pem dev.key
}

@test "renew: --status says what the next run would do, offline" {
	lasts 90 40
	works reenroll --cert dev.pem --key dev.key --status
	grep -qE '^dev.pem: CN=dev: 39 days left, nothing pending, next: skip; it is valid until 20.*due from' "$OUT"
	lasts 90 9
	works reenroll --cert dev.pem --key dev.key --status --json
	jq -e '.action == "status" and .next == "renew" and .days_left == 8 and .pending == false and
		(.renew_at | type) == "string" and (.certificates | length) == 1' "$OUT"
	lasts 90 -3
	works reenroll --cert dev.pem --status
	grep -q 'dev.pem: CN=dev: -4 days left.*next: renew; it has expired' "$OUT"
	refused 3 'not-there' reenroll --cert not-there.pem --status
	nothing_sent
}

@test "renew: a run that is not due opens no socket, no trust anchor, and writes nothing" {
	with_asan && skip "counts are those of the real binary"
	lasts 90 40
	calls() { strace -f -o "$BATS_TEST_TMPDIR/trace" "$@" >/dev/null 2>&1; }
	calls "$EST" --version
	version=$(wc -l <"$BATS_TEST_TMPDIR/trace")
	calls "$EST" "${renew[@]}" --jitter 9
	[ "$(wc -l <"$BATS_TEST_TMPDIR/trace")" -le $((3 * version)) ]
	sed -i /execve/d "$BATS_TEST_TMPDIR/trace" # the options name what is not to be opened
	run ! grep -E 'socket\(|connect\(|root\.pem|open.*dev\.key"|O_WRONLY|O_RDWR|O_CREAT|unlink|rename|mkdir|chmod' \
		"$BATS_TEST_TMPDIR/trace"
	[ "$(grep -c 'write(' "$BATS_TEST_TMPDIR/trace")" = 1 ] # the line that says so
}

# ---- Many certificates ------------------------------------------------------------------------------

# profile NAME DAYS LEFT [LINE...]: a certificate and its profile.
profile() {
	local name=$1
	mkdir -p etc
	lasts "$2" "$3" "$name"
	printf '%s\n' "server = $EST_TEST_URL" "cacert = $EST_TEST_DIR/root.pem" "cert = $name.pem" \
		"key = $name.key" "${@:4}" >"etc/$name.conf"
}

@test "profiles: each on its own, a line each, one JSON line each, the exit status of the worst" {
	profile due 30 5
	profile fresh 30 30
	profile wrong 30 5 'label = status-400'
	profile later 30 5 'label = status-503'
	echo 'no profile' >etc/README
	echo 'no profile' >etc/.hidden.conf
	run_est reenroll --config-dir etc --json
	[ "$status" = 10 ]
	[ "$(wc -l <"$OUT")" = 4 ]
	[ "$(jq -sc 'map([.profile, .action, .error.class])' "$OUT")" = \
		'[["due","rekeyed",null],["fresh","skipped",null],["later",null,"server"],["wrong",null,"refused"]]' ]
	grep -q '^est: reenroll: due: rekeyed CN=due, valid until' "$ERR"
	grep -q '^est: reenroll: fresh: skipped: CN=fresh is valid' "$ERR"
	grep -q '^est: reenroll: later: .*503' "$ERR"
	grep -q '^est: reenroll: wrong: .*400' "$ERR"
	[ "$(grep -vc '^est: hint: ' "$ERR")" = 4 ]
	good_cert due.pem due.key
	# The option on the command line is for all; what passes by itself is the lesser evil.
	rm etc/wrong.conf
	run_est reenroll --config-dir etc --skip-status 75 --parallel 4
	[ "$status" = 11 ]
	rm etc/later.conf
	run_est reenroll --config-dir etc --skip-status 75
	[ "$status" = 75 ]
	run_est reenroll --config-dir etc --skip-status 75 --force
	[ "$status" = 0 ]
	[ ! -s "$OUT" ]
}

@test "profiles: --status of each, side by side too" {
	profile due 30 5
	profile fresh 30 30
	profile gone 30 5
	rm gone.pem
	run_est reenroll --config-dir etc --status
	[ "$status" = 3 ]
	[ "$(cut -d , -f 1-3 "$OUT")" = "due: CN=due: 4 days left, nothing pending, next: renew; it is valid until $(
		)$(grep -o '20[^,]*' "$OUT" | head -n 1)
fresh: CN=fresh: 29 days left, nothing pending, next: skip; it is valid until $(
		)$(grep -o '20[^,]*' "$OUT" | sed -n 2p)" ]
	stderr_has '^est: reenroll: gone: gone.pem: '
	run_est reenroll --config-dir etc --status --json --parallel 3
	[ "$(jq -s 'map(select(.ok) | .next) | sort | join(" ")' "$OUT")" = '"renew skip"' ]
	nothing_sent
}

@test "profiles: what is for one certificate, or no folder of profiles, is refused" {
	mkdir -p etc empty
	for option in --cert --key -o --key-out --combined --store; do
		ONCE=1 refused 2 'config-dir for several' reenroll --config-dir etc $option x
	done
	: >empty.conf
	ONCE=1 refused 2 'config-dir for several' reenroll --config-dir etc --config empty.conf
	EST_CERT=x refused 2 'config-dir for several' reenroll --config-dir etc
	refused 3 'empty.*no profile' reenroll --config-dir empty
	ONCE=1 refused 3 'not-there' reenroll --config-dir not-there
	ONCE=1 refused 2 'parallel' reenroll --config-dir etc --parallel 65
	echo 'config-dir = etc' >etc/a.conf
	run_est reenroll --config-dir etc
	[ "$status" = 2 ]
	stderr_has "a.conf:1: 'config-dir' cannot stand in a config file"
	printf 'nonsense\n' >etc/a.conf
	run_est reenroll --config-dir etc --json
	[ "$status" = 2 ]
	jq -es 'length == 1 and .[0].profile == "a" and .[0].error.class == "usage"' "$OUT"
}

@test "profiles: what an editor, a tool or somebody else has left there harms none of the others" {
	profile good 30 5
	for name in old~ '#old.conf#' .old.conf.swp old.conf.dpkg-dist; do
		cp etc/good.conf "etc/$name"
	done
	mkdir etc/dir.conf
	ln -s nowhere etc/gone.conf
	ln -s ../linked etc/linked.conf
	cp etc/good.conf linked
	mkfifo etc/pipe.conf
	: >etc/empty.conf
	printf 'cert = x\0y\n' >etc/nul.conf
	install -m 666 etc/good.conf etc/open.conf
	run_est reenroll --config-dir etc --json
	[ "$status" = 3 ]
		[ "$(jq -sc 'map([.profile, (.action // .error.class)]) | sort' "$OUT")" = \
		'[["dir","input"],["empty","usage"],["gone","input"],["good","rekeyed"],["linked","skipped"],["nul","usage"],["open","input"],["pipe","input"]]' ]
	stderr_has 'open: etc/open.conf: others may write to it \(user [0-9]+, mode 0666\)'
	stderr_has 'pipe: etc/pipe.conf: not a file'
	good_cert good.pem good.key
	[ "$(id -u)" = 0 ] || return 0
	rm -r etc/*.conf
	profile good 30 5
	chown 1234 etc/good.conf
	chmod 1777 etc
	run_est reenroll --config-dir etc
	[ "$status" = 3 ]
	chmod 755 etc
	works reenroll --config-dir etc
	good_cert good.pem good.key
}

@test "profiles: a signal ends all of them, and none is started after it" {
	for name in one two three; do
		profile $name 30 5 'jitter = 86400'
	done
	"$EST" reenroll --config-dir etc --parallel 2 -v >"$OUT" 2>"$ERR" 3>&- &
	two_wait() { [ "$(grep -c waiting "$ERR")" = 2 ]; }
	eventually two_wait
	kill -TERM $!
	status=0
	wait $! || status=$?
	[ "$status" = 143 ]
	[ "$(grep -c waiting "$ERR")" = 2 ]
	nothing_sent
}
