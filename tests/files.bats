#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# Files: what est reads, and that what it writes is whole, in place, and for the right eyes; or
# that nothing has changed.

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	anon=("${trust[@]}" "${account[@]}" -l anon)
}

# ---- Files that are read ---------------------------------------------------------------------------

@test "files: trust anchors that are missing, no file, empty, of another kind, broken" {
	mkdir dir
	: >empty
	head -c 3000 /dev/urandom >random
	echo 'hello world' >text
	sed '3d' "$EST_TEST_DIR/root.pem" >broken.pem
	head -n 4 "$EST_TEST_DIR/root.pem" >cut.pem
	openssl ecparam -name prime256v1 -genkey -noout -out a.key
	openssl req -new -key a.key -subj /CN=x -out a.csr
	for file in not-there dir empty random text broken.pem cut.pem a.key a.csr /dev/null; do
		ONCE=1 refused 3 "${file##*/}" cacerts -s "$EST_TEST_URL" --cacert "$file"
	done
	refused 3 'not-there.*No such file' cacerts -s "$EST_TEST_URL" --cacert not-there
	refused 3 'directory' cacerts -s "$EST_TEST_URL" --cacert dir
	refused 3 'private key' cacerts -s "$EST_TEST_URL" --cacert a.key
	# One bad file among good ones is not passed over.
	refused 3 'text' cacerts "${trust[@]}" --cacert text
	nothing_sent
}

@test "files: a private key is never read aloud" {
	openssl ecparam -name prime256v1 -genkey -noout -out a.key
	for option in --cacert --cert --csr --config; do
		run_est enroll -s "$EST_TEST_URL" $option a.key --subject CN=x
		run ! grep -qF "$(sed -n 2p a.key)" "$ERR"
	done
}

@test "files: huge ones are refused by size, endless ones too" {
	head -c 5000000 /dev/zero | tr '\0' 'A' >huge
	refused 3 'huge' cacerts -s "$EST_TEST_URL" --cacert huge
	ONCE=1 refused 3 'zero' cacerts -s "$EST_TEST_URL" --cacert /dev/zero
	nothing_sent
}

@test "files: nobody's file cannot be read" {
	install -m 000 "$EST_TEST_DIR/root.pem" root.pem
	install -d -m 755 open
	install -m 000 "$EST_TEST_DIR/root.pem" open/root.pem
	[ "$(id -u)" = 0 ] || refused 3 'Permission' cacerts -s "$EST_TEST_URL" --cacert root.pem
	# Root can read all; without that right it is like anybody.
	run -3 --separate-stderr setpriv --bounding-set -all --inh-caps -all \
		"$EST" cacerts -s "$EST_TEST_URL" --cacert open/root.pem
	[[ "$stderr" == *open/root.pem*"Permission denied"* ]]
	[ -z "$output" ]
}

@test "files: key and certificate that do not fit, keys that are none" {
	identity dev /CN=dev
	identity other /CN=other
	: >empty
	printf 'geheim' >phrase
	refused 3 'other\.key' enroll "${trust[@]}" --cert dev.pem --key other.key "${new[@]}"
	refused 3 'dev\.pem' enroll "${trust[@]}" --cert dev.pem --key dev.pem "${new[@]}"
	refused 3 'empty' enroll "${trust[@]}" --cert dev.pem --key empty "${new[@]}"
	refused 3 'empty' enroll "${trust[@]}" --cert empty --key dev.key "${new[@]}"
	refused 3 'dev\.key' enroll "${trust[@]}" --cert dev.key --key dev.key "${new[@]}"
	refused 3 'not-there' enroll "${trust[@]}" --cert dev.pem --key not-there "${new[@]}"
	refused 2 'cert' enroll "${trust[@]}" --key dev.key "${new[@]}"
	for use in not-there empty dev.pem; do
		refused 3 "$use" enroll "${anon[@]}" --subject CN=x --use-key $use -o cert.pem
	done
	nothing_sent
}

@test "files: an encrypted key: right and wrong phrase, by file and environment, and none" {
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:geheim -out enc.key 2>/dev/null
	printf 'geheim\n' >phrase
	printf 'falsch\n' >wrong
	works csr --subject CN=x --use-key enc.key --key-password-file phrase -o a.csr
	EST_KEY_PASSWORD=geheim works csr --subject CN=x --use-key enc.key -o b.csr
	works csr --subject CN=x --use-key enc.key --key-password-file - -o c.csr <phrase
	same_key b.csr c.csr
	openssl req -in a.csr -noout -verify
	refused 3 'pass(word|phrase)' csr --subject CN=x --use-key enc.key --key-password-file wrong
	EST_KEY_PASSWORD=falsch refused 3 'pass(word|phrase)' csr --subject CN=x --use-key enc.key
	EST_KEY_PASSWORD='' refused 3 'pass(word|phrase)' csr --subject CN=x --use-key enc.key
	refused 3 'not-there' csr --subject CN=x --use-key enc.key --key-password-file not-there
	run -3 --separate-stderr timeout 10 setsid -w "$EST" csr --subject CN=x --use-key enc.key </dev/null
	[[ "$stderr" == "est: csr: "* ]]
}

@test "files: - is stdin for a CSR and for anchors" {
	identity dev /CN=dev
	works enroll "${anon[@]}" --csr - -o cert.pem <"$BATS_TEST_TMPDIR/dev.csr"
	good_cert cert.pem dev.key
	works cacerts -s "$EST_TEST_URL" --cacert - <"$EST_TEST_DIR/root.pem"
	works enroll "${anon[@]}" --use-key - --subject CN=x -o cert2.pem <dev.key
	good_cert cert2.pem dev.key
}

# ---- Targets that are no place to write (R7030-4.4.2-10 is for server keys; these are ours) -----------

# no_target TARGET PATTERN: refused for every option that names an output, nothing sent.
no_target() {
	refused 4 "$2" cacerts "${trust[@]}" -o "$1"
	for option in -o --chain-out --combined; do
		openssl ecparam -name prime256v1 -genkey -noout -out mine.key
		ONCE=1 refused 4 "$2" enroll "${anon[@]}" --subject CN=x --use-key mine.key \
			-o other.pem "$option" "$1"
	done
	ONCE=1 refused 4 "$2" enroll "${anon[@]}" --subject CN=x --key-out "$1" -o cert.pem
	ONCE=1 refused 4 "$2" csr --subject CN=x --key-out "$1" -o out.csr
	nothing_sent
}

@test "files: a directory as target" {
	mkdir dir
	no_target dir 'dir'
	no_target . '\.'
}

@test "files: a FIFO as target is not waited for" {
	mkfifo fifo
	no_target fifo 'fifo|FIFO|pipe|regular'
}

@test "files: a socket, a device as target" {
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")'
	no_target sock 'sock'
	ONCE=1 refused 4 'null|device|regular' cacerts "${trust[@]}" -o /dev/null
	[ -c /dev/null ]
}

@test "files: a dangling link as target, a link in a circle" {
	ln -s nowhere/else dangling
	ln -s loop2 loop1
	ln -s loop1 loop2
	no_target dangling 'dangling|nowhere'
	no_target loop1 'loop'
	[ "$(readlink dangling)" = nowhere/else ]
}

@test "files: a folder that is not there" {
	no_target not/there/ca.pem 'not/there'
}

@test "files: an empty name, a name that is too long" {
	ONCE=1 refused 2 . cacerts "${trust[@]}" -o '' || ONCE=1 refused 4 . cacerts "${trust[@]}" -o ''
	refused 4 . cacerts "${trust[@]}" -o "$(head -c 300 /dev/zero | tr '\0' n)"
	nothing_sent
}

@test "files: the same file for two things" {
	for pair in '--key-out a -o a' '--key-out a -o ./a' '--key-out a -o b --chain-out b' \
		'--key-out a --combined a'; do
		# shellcheck disable=SC2086
		ONCE=1 refused 2 . enroll "${anon[@]}" --subject CN=x $pair
	done
	nothing_sent
}

# A private view of the mounts, in which SETUP runs first; then `est ARGS...`.  Status, stdout and
# stderr as with run_est.
mounted() {
	local setup=$1
	shift
	status=0
	# shellcheck disable=SC2016
	unshare -m bash -c 'set -e; eval "$1"; shift; exec "$@"' mounted "$setup" "$EST" "$@" \
		>"$OUT" 2>"$ERR" || status=$?
}

needs_mounts() {
	unshare -m true 2>/dev/null || skip "unshare -m is not allowed here"
}

@test "files: a full disk is noticed before anything is sent" {
	needs_mounts
	mkdir full keep
	full='mount -t tmpfs -o size=64k tmpfs full; echo before >full/ca.pem
		head -c 100000 /dev/zero >full/filler 2>/dev/null || true
		trap "cp -r full/. keep/" EXIT; run() { "$@"; }'
	mounted "${full%; run*}; :" cacerts "${trust[@]}" -o full/ca.pem
	[ "$status" = 4 ]
	[ ! -s "$OUT" ]
	stderr_has 'space'
	nothing_sent
	mounted "${full%; run*}; :" enroll "${anon[@]}" --subject CN=x --key-out full/key.pem -o full/cert.pem
	[ "$status" = 4 ]
	stderr_has 'space'
	nothing_sent
}

@test "files: on a full disk the old file stays and no temporary file is left" {
	needs_mounts
	mkdir full
	# shellcheck disable=SC2016
	unshare -m bash -c 'mount -t tmpfs -o size=64k tmpfs full && echo before >full/ca.pem &&
		{ head -c 100000 /dev/zero >full/filler 2>/dev/null; "$@"; echo $? >status
		ls -A full >list; cp full/ca.pem after; }' sh "$EST" cacerts "${trust[@]}" -o full/ca.pem \
		>"$OUT" 2>"$ERR"
	[ "$(cat status)" = 4 ]
	[ "$(cat after)" = before ]
	[ "$(cat list)" = $'ca.pem\nfiller' ]
	nothing_sent
}

@test "files: a file system that is read-only" {
	needs_mounts
	mkdir ro
	echo before >ro/ca.pem
	setup='mount --bind ro ro; mount -o remount,ro,bind ro'
	mounted "$setup" cacerts "${trust[@]}" -o ro/ca.pem
	[ "$status" = 4 ]
	stderr_has 'read-only|Read-only'
	mounted "$setup" enroll "${anon[@]}" --subject CN=x --key-out ro/key.pem -o cert.pem
	[ "$status" = 4 ]
	mounted "$setup" enroll "${anon[@]}" --subject CN=x --key-out key.pem -o ro/cert.pem
	[ "$status" = 4 ]
	[ "$(ls -AR)" = $'.:\nro\n\n./ro:\nca.pem' ]
	[ "$(cat ro/ca.pem)" = before ]
	nothing_sent
}

@test "files: a folder without the right to write" {
	install -d -m 555 ro
	run -4 --separate-stderr setpriv --bounding-set -all --inh-caps -all \
		"$EST" cacerts "${trust[@]}" -o ro/ca.pem
	[[ "$stderr" == "est: cacerts: "*ro*"Permission denied"* ]] || {
		echo "$stderr"
		return 1
	}
	[ -z "$(ls -A ro)" ]
	nothing_sent
}

@test "files: a full device as stdout" {
	: >"$OUT"
	openssl ecparam -name prime256v1 -genkey -noout -out dev.key
	for args in "cacerts ${trust[*]}" "csr --subject CN=x --use-key dev.key" \
		"cacerts ${trust[*]} --json" "csrattrs ${trust[*]} -l csrattrs-rfc"; do
		status=0
		# shellcheck disable=SC2086
		"$EST" $args >/dev/full 2>"$ERR" || status=$?
		[ "$status" = 4 ] || explain "est $args: 4 is due"
		[ "$status" = 4 ]
		stderr_has "^est: ${args%% *}: .*(stdout|standard output)"
		[ "$(grep -c '^est: ' "$ERR")" = 1 ]
	done
	for args in --version --list help 'help enroll' 'help exit-codes' 'enroll --help'; do
		status=0
		# shellcheck disable=SC2086
		"$EST" $args >/dev/full 2>"$ERR" || status=$?
		[ "$status" = 4 ] || explain "est $args: 4 is due"
		[ "$status" = 4 ]
		[ -s "$ERR" ]
	done
}

@test "files: a reader that goes away does not end in a crash" {
	"$EST" cacerts "${trust[@]}" -l bag-1000 2>"$ERR" | head -c 10 >/dev/null
	status=${PIPESTATUS[0]}
	[ "$status" = 4 ] || [ "$status" = 141 ]
}

@test "files: stdout and stderr that are closed" {
	status=0
	"$EST" cacerts "${trust[@]}" -o ca.pem >&- 2>&- || status=$?
	[ "$status" = 0 ]
	same_certs ca.pem "$EST_TEST_DIR/ca.pem"
	status=0
	: >"$OUT"
	"$EST" cacerts "${trust[@]}" >&- 2>"$ERR" || status=$?
	[ "$status" = 4 ] || explain "with stdout closed: 4 is due"
	[ "$status" = 4 ]
	# A file that gets the number of a closed stdout is not written to by mistake.
	"$EST" enroll "${anon[@]}" --subject CN=x --key-out key.pem -o cert.pem <&- >&- 2>&-
	good_cert cert.pem key.pem
}

# ---- Modes, links, owners ---------------------------------------------------------------------------

@test "files: keys are 0600 under any umask, certificates follow it" {
	for mask in 000 022 077 777; do
		umask $mask
		works enroll "${anon[@]}" --subject CN=x --force --key-out key.pem -o cert.pem \
			--chain-out chain.pem
		works csr --subject CN=x --key-out csr.key --force -o out.csr
		umask 022
		for key in key.pem csr.key; do
			[ "$(stat -c %a $key)" = 600 ]
		done
		case $mask in
		000) [ "$(stat -c %a cert.pem)" = 666 ] || [ "$(stat -c %a cert.pem)" = 644 ] ;;
		022) [ "$(stat -c %a cert.pem)" = 644 ] ;;
		077) [ "$(stat -c %a cert.pem)" = 600 ] ;;
		esac
		rm -f cert.pem key.pem chain.pem csr.key out.csr
	done
}

@test "files: a combined file is 0600 under any umask" {
	openssl ecparam -name prime256v1 -genkey -noout -out mine.key
	for mask in 000 077; do
		rm -f all.pem
		umask $mask
		works enroll "${anon[@]}" --subject CN=x --use-key mine.key --combined all.pem
		umask 022
		[ "$(stat -c %a all.pem)" = 600 ]
	done
}

@test "files: KEY.est-new is 0600 under any umask" {
	umask 000
	run_est enroll "${trust[@]}" "${account[@]}" "${new[@]}" -l status-500 --csrattrs ignore
	umask 022
	[ "$status" = 11 ]
	[ "$(stat -c %a key.pem.est-new)" = 600 ]
}

@test "files: the mode of what is replaced is kept; of a key never wider than 0640" {
	for mode in 600 640 644 664 400; do
		echo before >cert.pem
		chmod $mode cert.pem
		works enroll "${anon[@]}" "${new[@]}" --force
		[ "$(stat -c %a cert.pem)" = $mode ]
	done
	while read -r mode due; do
		chmod "$mode" key.pem
		works enroll "${anon[@]}" "${new[@]}" --force
		[ "$(stat -c %a key.pem)" = "$due" ]
	done <<-'MODES'
		600 600
		640 640
		400 400
		644 640
		666 640
	MODES
}

@test "files: the owner of what is replaced is kept" {
	[ "$(id -u)" = 0 ] || skip "only root can give files away"
	echo before >ca.pem
	chown 1234:2345 ca.pem
	works cacerts "${trust[@]}" -o ca.pem
	[ "$(stat -c %u:%g ca.pem)" = 1234:2345 ]
	same_certs ca.pem "$EST_TEST_DIR/ca.pem"
}

# acl FILE [access|default UID]: prints the access control list, or sets one by which that user may read,
# and the group, whatever the bits of the mode say, may not.
acl() {
	python3 - "$@" <<-'END'
		import os, struct, sys
		NAME = "system.posix_acl_"
		if len(sys.argv) > 2:
		    entries = [(1, 6, -1), (2, 4, int(sys.argv[3])), (4, 0, -1), (16, 4, -1), (32, 0, -1)]
		    os.setxattr(sys.argv[1], NAME + sys.argv[2], struct.pack("<I", 2) + b"".join(
		        struct.pack("<HHi", *entry) for entry in entries))
		else:
		    print(os.getxattr(sys.argv[1], NAME + "access").hex() if NAME + "access" in
		          os.listxattr(sys.argv[1]) else "none")
	END
}

@test "files: an access control list is kept, and one of the directory opens no key" {
	works enroll "${anon[@]}" "${new[@]}"
	works enroll "${anon[@]}" --subject CN=dev --store st
	acl key.pem access 1234 || skip "no access control lists here"
	due=$(acl key.pem)
	[ "$(stat -c %a key.pem)" = 640 ]
	acl st/current/key.pem access 1234
	for _ in 1 2; do
		works enroll "${anon[@]}" "${new[@]}" --force
		[ "$(acl key.pem)" = "$due" ]
		works enroll "${anon[@]}" --subject CN=dev --store st --force
		[ "$(acl st/current/key.pem)" = "$due" ]
		acl . default 1234
	done
	python3 -c 'import os; os.removexattr("key.pem", "system.posix_acl_access")'
	chmod 640 key.pem
	works enroll "${anon[@]}" "${new[@]}" --force
	[ "$(acl key.pem) $(stat -c %a key.pem)" = 'none 640' ]
	rm key.pem
	works enroll "${anon[@]}" "${new[@]}"
	[ "$(stat -c %a key.pem)" = 600 ] # its mask: nobody
}

@test "files: a link as target stays a link, also over several and across folders" {
	mkdir -p a/b
	echo before >a/b/ca.pem
	ln -s a/b/ca.pem one
	ln -s one two
	works cacerts "${trust[@]}" -o two
	[ "$(readlink two)" = one ]
	[ "$(readlink one)" = a/b/ca.pem ]
	same_certs a/b/ca.pem "$EST_TEST_DIR/ca.pem"
	[ "$(ls -A a/b)" = ca.pem ]
}

@test "files: a replaced file is another inode, readers of the old one keep it" {
	echo before >ca.pem
	exec 8<ca.pem
	works cacerts "${trust[@]}" -o ca.pem
	[ "$(cat <&8)" = before ]
	exec 8<&-
}

@test "files: equal content is not written again" {
	openssl genpkey -algorithm ed25519 -out mine.key
	works csr --use-key mine.key --subject CN=x -o out.csr
	before=$(stat -c '%i %y %z' out.csr)
	works csr --use-key mine.key --subject CN=x -o out.csr
	[ "$(stat -c '%i %y %z' out.csr)" = "$before" ]
}

@test "files: files with spaces, newlines, leading dashes, non-ASCII in their names" {
	for name in 'a b' $'a\nb' -dash 'ä €' 'quote"s' 'star*'; do
		works cacerts "${trust[@]}" -o "$name"
		same_certs "./$name" "$EST_TEST_DIR/ca.pem"
		works cacerts -s "$EST_TEST_URL" --cacert "$name"
	done
}

# ---- New keys ---------------------------------------------------------------------------------------

@test "files: --key-out that is there is refused without --force, and untouched" {
	openssl ecparam -name prime256v1 -genkey -noout -out key.pem
	refused 4 'key\.pem' enroll "${anon[@]}" "${new[@]}"
	refused 4 'key\.pem' csr --subject CN=x --key-out key.pem
	stderr_has 'force'
	nothing_sent
	cp key.pem old.pem
	works enroll "${anon[@]}" "${new[@]}" --force
	good_cert cert.pem key.pem
	run ! cmp -s key.pem old.pem
}

@test "files: with --force the old key stays until the new one is certified" {
	openssl ecparam -name prime256v1 -genkey -noout -out key.pem
	refused 10 400 enroll "${anon[@]:0:4}" "${account[@]}" "${new[@]}" --force -l status-400
	LEAVES=key.pem.est-new
	refused 11 500 enroll "${anon[@]:0:4}" "${account[@]}" "${new[@]}" --force -l status-500
	refused 14 . enroll "${anon[@]:0:4}" "${account[@]}" "${new[@]}" --force -l expired
}

@test "files: KEY.est-new that is no key is replaced, one of another type than asked for not used silently" {
	# Half a key may be there after a power cut: a new one is made.
	for rest in '' nonsense '-----BEGIN PRIVATE KEY-----'; do
		printf '%s' "$rest" >key.pem.est-new
		works enroll "${anon[@]}" "${new[@]}"
		good_cert cert.pem key.pem
		[ ! -e key.pem.est-new ]
		rm key.pem cert.pem
	done
	openssl genrsa -out key.pem.est-new 2048 2>/dev/null
	chmod 600 key.pem.est-new
	cp key.pem.est-new kept
	run_est enroll "${anon[@]}" "${new[@]}" --new-key ec:p256
	if [ "$status" = 0 ]; then
		# It was resumed, and that was said.
		stderr_has 'est-new'
		same_key key.pem kept
	else
		cmp key.pem.est-new kept
	fi
}

@test "files: two runs at once for the same key: one of them is told" {
	plays slow 'sleep 3000'
	"$EST" enroll "${raw[@]}" "${account[@]}" "${new[@]}" -l slow -m 10 --csrattrs ignore \
		>/dev/null 2>&1 3>&- &
	first=$!
	eventually test -s key.pem.est-new
	LEAVES=key.pem.est-new ONCE=1 refused 4 'cert\.pem: another est' enroll "${anon[@]}" "${new[@]}"
	kill "$first"
	wait "$first" || true
	[ "$(server_count '.listener == "http" and .method == "POST"')" = 0 ]
}

@test "files: SIGINT and SIGTERM: 128 and the signal, files as before, the new key kept" {
	echo before >cert.pem
	plays slow 'sleep 60000'
	for signal in INT TERM; do
		server_log_reset
		# A shell ignores SIGINT for what it starts in the background.
		python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])' \
			"$EST" enroll "${raw[@]}" "${account[@]}" "${new[@]}" -l slow -m 30 \
			--csrattrs ignore >"$OUT" 2>"$ERR" 3>&- &
		pid=$!
		eventually post_seen
		kill -s $signal $pid
		status=0
		wait $pid || status=$?
		[ "$status" = $((128 + $(kill -l $signal))) ]
		[ ! -s "$OUT" ]
		[ "$(cat cert.pem)" = before ]
		[ ! -e key.pem ]
		[ "$(ls -A)" = $'cert.pem\nkey.pem.est-csr\nkey.pem.est-new' ]
	done
}

post_seen() {
	[ "$(server_count '.method == "POST"')" -ge 1 ]
}

@test "files: killed at once, nothing is half written and the key goes on" {
	echo before >cert.pem
	plays slow 'sleep 60000'
	"$EST" enroll "${raw[@]}" "${account[@]}" "${new[@]}" -l slow -m 30 --csrattrs ignore \
		>"$OUT" 2>"$ERR" 3>&- &
	pid=$!
	eventually post_seen
	kill -KILL $pid
	wait $pid || true
	[ "$(cat cert.pem)" = before ]
	cp key.pem.est-new kept
	works enroll "${anon[@]}" "${new[@]}"
	same_key key.pem kept
	good_cert cert.pem key.pem
	[ ! -e key.pem.est-new ]
}
