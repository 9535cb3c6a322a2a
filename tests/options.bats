#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# The command line: options, their sources and their order, help, links, the JSON error object.

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	mapfile -t applets < <("$EST" --list | cut -d ' ' -f 1)
}

# ---- est itself ------------------------------------------------------------------------------------

@test "options: --list has the applets, one a line, sorted" {
	run -0 "$EST" --list
	for applet in cacerts csr csrattrs enroll inspect reenroll; do
		grep -q "^$applet\b" <<<"$output"
	done
	LC_ALL=C sort -c <<<"$output"
}

@test "options: --version names est and the library" {
	run -0 --separate-stderr "$EST" --version
	[[ "$output" =~ ^est\ [0-9]+\.[0-9]+\.[0-9]+.*GnuTLS\ [0-9.]+ ]]
	[ -z "$stderr" ]
	run -0 "$EST" cacerts --version
	[[ "$output" == est\ * ]]
	run -0 "$EST" enroll -V
}

@test "options: help goes to stdout with 0" {
	for args in help --help -h; do
		run -0 --separate-stderr "$EST" "$args"
		[ -z "$stderr" ]
		for applet in "${applets[@]}"; do
			[[ "$output" == *"$applet"* ]]
		done
	done
	for applet in "${applets[@]}"; do
		run -0 --separate-stderr "$EST" help "$applet"
		[ -z "$stderr" ]
		[[ "$output" == "usage: est $applet"* ]]
		text=$output
		for option in --help -h; do
			run -0 "$EST" "$applet" $option
			[ "$output" = "$text" ]
		done
	done
}

@test "options: help fits a terminal's idea of a line and names every option's source" {
	run -0 "$EST" help enroll
	for word in EST_SERVER EST_LABEL EST_CACERT EST_CERT EST_KEY EST_KEY_PASSWORD EST_USER EST_PASSWORD \
		EST_CONNECT_TIMEOUT EST_MAX_TIME; do
		[[ "$output" == *"$word"* ]]
	done
	[[ "$output" == *"default 60"* ]]
}

@test "options: help exit-codes lists them all" {
	run -0 --separate-stderr "$EST" help exit-codes
	for code in {0..17}; do
		grep -qE "^ *$code +${EST_CLASSES[code]}\b" <<<"$output"
	done
	[[ "$output" == *128* ]]
}

@test "options: help for what is not there is a usage error" {
	run -2 --separate-stderr "$EST" help nonsense
	[ -z "$output" ]
	[[ "$stderr" == "est: "*nonsense* ]]
}

@test "options: no applet, an unknown one, a prefix of one, an unknown option of est" {
	for args in '' frobnicate cacert enrol --nonsense -x -- ''; do
		# shellcheck disable=SC2086
		run -2 --separate-stderr "$EST" $args
		[ -z "$output" ]
		[ -n "$stderr" ]
	done
	run -2 --separate-stderr "$EST" ''
	[ -n "$stderr" ]
	run -2 --separate-stderr "$EST" $'ab\e[31m\ncd'
	no_control_bytes <(grep -v '^usage\|^ ' <<<"$stderr")
}

@test "options: a link named est-APPLET is the applet" {
	mkdir bin
	for applet in "${applets[@]}"; do
		ln -s "$EST" "bin/est-$applet"
		run -0 "bin/est-$applet" --help
		[ "$output" = "$("$EST" help "$applet")" ]
	done
	run -0 bin/est-cacerts "${trust[@]}"
	[[ "$output" == *"BEGIN CERTIFICATE"* ]]
	run -2 --separate-stderr bin/est-cacerts --nonsense
	[[ "$stderr" == "est: cacerts: "* ]]
	ln -s "$EST" bin/est-nonsense
	run -2 --separate-stderr bin/est-nonsense
	[[ "$stderr" == "est: "*nonsense* ]]
	ln -s "$EST" bin/anything
	run -0 bin/anything --list
}

@test "options: --install makes the links, again, and not over a file" {
	mkdir bin
	run -0 "$EST" --install bin
	for applet in "${applets[@]}"; do
		[ -L "bin/est-$applet" ]
		run -0 "bin/est-$applet" --help
	done
	[ "$(find bin -type l | wc -l)" -ge ${#applets[@]} ]
	run -0 "$EST" --install bin
	rm bin/est-enroll
	echo mine >bin/est-enroll
	run ! "$EST" --install bin
	[ "$(cat bin/est-enroll)" = mine ]
	run -4 --separate-stderr "$EST" --install not-there
	[[ "$stderr" == "est: "*not-there* ]]
	for args in '' 'a b'; do
		# shellcheck disable=SC2086
		run -2 --separate-stderr "$EST" --install $args
		[[ "$stderr" == 'est: --install needs one folder'* ]]
	done
	run -2 --separate-stderr "$EST" --install "$(printf 'a%.0s' {1..5000})"
	[[ "$stderr" == *'too long'* ]]
}

# ---- Options of an applet ------------------------------------------------------------------------------

@test "options: --option=value and --option value, short options glued and not" {
	works cacerts --server="$EST_TEST_URL" --cacert="$EST_TEST_DIR/root.pem" --output=a.pem --max-time=30
	works cacerts --server "$EST_TEST_URL" --cacert "$EST_TEST_DIR/root.pem" --output b.pem --max-time 30
	works cacerts -s"$EST_TEST_URL" "${anchor[@]}" -oc.pem -m30 -4q
	cmp a.pem b.pem
	cmp a.pem c.pem
}

@test "options: long options are not abbreviated" {
	for option in --serve --cacer --outpu --max-tim --stric --jso --dry; do
		ONCE=1 refused 2 'no such option' cacerts "${trust[@]}" $option x
		grep -q "^est: hint: options are spelt out: $option" "$ERR"
	done
	ONCE=1 refused 2 'no such option' cacerts "${trust[@]}" --severs x
	grep -q '^est: hint: est help cacerts' "$ERR"
	nothing_sent
}

@test "options: an option that is planned does not exist, yet" {
	for option in --bootstrap --ca-fingerprint --update --crl --token-file --auth --srp-user --pop \
		--redirect-to --proxy --retry --wait --tls-min --priority --session-cache --store --p12 \
		--csrattrs --hook --renew-before --jitter; do
		for applet in cacerts enroll reenroll; do
			grep -q -- "^$option\b" <("$EST" help --options "$applet") && continue
			ONCE=1 refused 2 'no such option' "$applet" $option x
		done
	done
}

@test "options: a value where none belongs, none where one does, an unknown short one" {
	ONCE=1 refused 2 'strict' cacerts "${trust[@]}" --strict=yes
	ONCE=1 refused 2 'server' cacerts "${anchor[@]}" --server
	ONCE=1 refused 2 'value|label' cacerts "${trust[@]}" --label ''
	ONCE=1 refused 2 '\bo\b|-o' cacerts "${trust[@]}" -o
	ONCE=1 refused 2 'Z' cacerts "${trust[@]}" -Z
	ONCE=1 refused 2 'extra' cacerts "${trust[@]}" extra
	ONCE=1 refused 2 'extra' cacerts "${trust[@]}" -- extra
	nothing_sent
}

@test "options: the server is required" {
	refused 2 'server' cacerts "${anchor[@]}"
	refused 2 'server' enroll "${anchor[@]}" "${account[@]}" "${new[@]}"
	refused 2 'server' csrattrs "${anchor[@]}"
}

@test "options: numbers are numbers, within bounds" {
	for value in x '' -1 0 1.5.2 1x 99999999999999999999 ' 1'; do
		ONCE=1 refused 2 'max-time' cacerts "${trust[@]}" --max-time "$value"
		ONCE=1 refused 2 'connect-timeout' cacerts "${trust[@]}" --connect-timeout "$value"
	done
	for value in x '' -1 4X 99999999999999999999; do
		ONCE=1 refused 2 'max-size' cacerts "${trust[@]}" --max-size "$value"
	done
	works cacerts "${trust[@]}" --max-size 4M --max-time 7 --connect-timeout 3
	works cacerts "${trust[@]}" --max-size 64k
	nothing_sent || seen 2 true
}

@test "options: choices and names of files are checked" {
	openssl ecparam -name prime256v1 -genkey -noout -out "$BATS_TEST_TMPDIR/k"
	openssl req -x509 -new -key "$BATS_TEST_TMPDIR/k" -subj /CN=a -days 9 -out only.pem
	while IFS='|' read -r pattern args; do
		# shellcheck disable=SC2086
		ONCE=1 refused 2 "$pattern" $args "${trust[@]}"
	done <<-'CHOICES'
		outform: 'txt' is none of pem, der, p7|cacerts --outform txt
		outform: 'der,' is none of|cacerts --outform der,
		outform: 'pem' is none of text, der, b64|csrattrs --outform pem
		auth: 'kerberos' is none of auto, basic|cacerts --auth kerberos
		auth: 'basic,' is none of|cacerts --auth basic,
		tls-min: '1' is none of 1.2, 1.3|cacerts --tls-min 1
		clock-floor: 'yes' is none of on, off|cacerts --clock-floor yes
	CHOICES
	while IFS='|' read -r pattern args; do
		# shellcheck disable=SC2086
		ONCE=1 refused "${pattern%% *}" "${pattern#* }" $args "${trust[@]}"
	done <<-'FILES'
		4 no/k.pem: its folder no: No such|enroll --subject CN=a -u t --token-file /dev/null --key-out no/k.pem -o c.pem
		4 no/c.pem: its folder no: No such|enroll --subject CN=a --token-file /dev/null --key-out k.pem -o no/c.pem
		4 no/c.pem: its folder no: No such|enroll --subject CN=a --token-file /dev/null --combined no/c.pem
		3 name the key of --cert with --key|cacerts --cert only.pem
		3 name the key of --cert with --key|reenroll --cert only.pem --force
		3 none: cannot open: No such file|cacerts -u t --password-file none
		3 none: cannot open: No such file|csrattrs --token-file none
		3 /: is a directory|enroll --token-file / --subject CN=a --combined c.pem
		2 GnuTLS does not understand "foo"$|cacerts --priority NORMAL:foo
		2 GnuTLS does not understand "-FOO"$|cacerts --priority -FOO:+AES-128-GCM
	FILES
	ONCE=1 refused 2 'write https' cacerts "${anchor[@]}" -s http://localhost
	ONCE=1 refused 2 'resolve' cacerts "${trust[@]}" --resolve nonsense
	ONCE=1 refused 2 'resolve' cacerts "${trust[@]}" --resolve localhost:x:127.0.0.1
	ONCE=1 refused 2 'resolve' cacerts "${trust[@]}" --resolve localhost:443:not-an-address
	ONCE=1 refused 2 '-4|ipv4' cacerts "${trust[@]}" -4 -6
	nothing_sent
}

@test "options: names in a request are checked before anything is made" {
	while IFS='|' read -r option value; do
		ONCE=1 refused 2 "${option#--}" csr --key-out k.pem "$option" "$value"
	done <<-'VALUES'
		--ip|300.1.1.1
		--ip|nonsense
		--ip|192.0.2.1/24
		--dns|a b
		--dns|ümlaut.example
		--uri|no scheme
		--subject|nonsense
		--subject|CN=
		--subject|=x
	VALUES
	[ -z "$(ls -A)" ]
}

@test "options: names outside the syntax of RFC 5280 or RFC 4514 are refused" {
	while IFS='|' read -r option value; do
		ONCE=1 refused 2 "${option#--}" csr --key-out k.pem "$option" "$value"
	done <<-'VALUES'
		--dns|a..b
		--dns|.a
		--email|nobody
		--email|a@
		--email|@b
		--subject|CN=a,
		--subject|CN=a,,O=b
	VALUES
	[ -z "$(ls -A)" ]
}

@test "options: a subject as RFC 4514 writes it: escapes, hex, multi-valued RDNs, its order" {
	openssl ecparam -name prime256v1 -genkey -noout -out mine.key
	while IFS='|' read -r subject due; do
		works csr --use-key mine.key --subject "$subject" -o out.csr
		got=$(openssl req -in out.csr -noout -subject -nameopt RFC2253,-esc_msb,utf8)
		[ "$got" = "subject=$due" ] || explain "$subject became $got"
		[ "$got" = "subject=$due" ]
	done <<-'SUBJECTS'
		CN=dev|CN=dev
		CN=dev,O=Example,C=DE|CN=dev,O=Example,C=DE
		CN=a\, b,O=x|CN=a\, b,O=x
		CN=a\+b|CN=a\+b
		CN=\#a|CN=\#a
		CN=\ a\ |CN=\ a\ 
		CN=a\2Cb|CN=a\,b
		CN=Ger\C3\A4t|CN=Gerät
		CN=Gerät|CN=Gerät
		CN=#0C0161|CN=a
		1.2.3.4=#0C0161|1.2.3.4=#0C0161
		2.5.4.3=a|CN=a
		UID=7+CN=dev,DC=example,DC=org|UID=7+CN=dev,DC=example,DC=org
		serialNumber=12,CN=dev|serialNumber=12,CN=dev
		cn=dev|CN=dev
		CN=a=b|CN=a=b
	SUBJECTS
}

# ---- Environment, configuration file, precedence ---------------------------------------------------------

@test "options: the environment has a value for each option that says so" {
	EST_SERVER=$EST_TEST_URL EST_CACERT=$EST_TEST_DIR/root.pem EST_LABEL=wrap-76 \
		EST_MAX_TIME=30 EST_CONNECT_TIMEOUT=5 works cacerts
	[ "$(server_log .label)" = '"wrap-76"' ]
	identity dev /CN=dev
	EST_SERVER=$EST_TEST_URL EST_CACERT=$EST_TEST_DIR/root.pem EST_CERT=dev.pem EST_KEY=dev.key \
		works enroll "${new[@]}"
	seen 1 '.client_subject == "CN=dev" and .csr'
}

@test "options: argv beats the environment, the environment beats the file" {
	printf '%s\n' "server = $EST_TEST_URL" "cacert = $EST_TEST_DIR/root.pem" 'label = from-file' >conf
	works cacerts --config conf
	EST_LABEL=from-env works cacerts --config conf
	EST_LABEL=from-env works cacerts --config conf --label from-argv
	EST_LABEL=from-env works cacerts --label from-argv --config conf
	[ "$(server_log .label)" = $'"from-file"\n"from-env"\n"from-argv"\n"from-argv"' ]
}

@test "options: wrong values of the environment are refused by the variable's name" {
	EST_MAX_TIME=x ONCE=1 refused 2 'EST_MAX_TIME' cacerts "${trust[@]}"
	EST_SERVER=http://x refused 2 . cacerts "${anchor[@]}"
	EST_LABEL=a//b refused 2 'label' cacerts "${trust[@]}"
}

@test "options: an empty variable is as good as none" {
	EST_LABEL='' EST_USER='' EST_CERT='' works cacerts "${trust[@]}"
	[ "$(server_log .label)" = null ]
}

@test "options: a configuration file: comments, blanks, flags, repeated options" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout o.key \
		-out other.pem -subj /CN=other -days 2 2>/dev/null
	printf '%s\n' '# a comment' '' "  server   =   $EST_TEST_URL  " 'cacert = other.pem' \
		"cacert=$EST_TEST_DIR/root.pem" '	# another' 'strict = yes' 'quiet = no' 'max-time = 30' >conf
	printf '%s\r\n' 'label = wrap-76' >>conf
	works cacerts --config conf
	[ "$(server_log .label)" = '"wrap-76"' ]
	[ "$(grep -c BEGIN "$OUT")" = 2 ]
	printf 'server = %s\nlabel = no newline' "$EST_TEST_URL" >conf
	works cacerts --config conf "${anchor[@]}"
}

@test "options: a configuration file that is wrong is refused with its line" {
	while IFS='|' read -r line pattern; do
		printf '# first\n%b\n' "$line" >conf
		ONCE=1 refused 2 "$pattern" cacerts "${trust[@]}" --config conf
	done <<-'LINES'
		nonsense = 1|conf.*2.*nonsense
		serve = x|conf.*2
		-l = x|conf.*2
		--label = x|conf.*2
		label|conf.*2
		label =|conf.*2
		strict = maybe|conf.*2
		= x|conf.*2
		help|conf.*2
		config = other|conf.*2
		password = secret|conf.*2
		key-password = secret|conf.*2
		label = a\x00b|conf.*(2|NUL)
	LINES
	run ! grep -q 'secret' "$ERR"
	nothing_sent
}

@test "options: a configuration file that is missing, a folder, binary, huge" {
	mkdir dir
	head -c 3000 /dev/urandom >random
	head -c 9000000 /dev/zero | tr '\0' '#' >huge
	ONCE=1 refused 3 'not-there' cacerts "${trust[@]}" --config not-there
	ONCE=1 refused 3 'dir' cacerts "${trust[@]}" --config dir
	for file in random huge; do
		run_est cacerts "${trust[@]}" --config $file
		[ "$status" = 2 ] || [ "$status" = 3 ]
		grep -q $file "$ERR"
		no_control_bytes "$ERR"
	done
	nothing_sent
}

@test "options: est itself and other programs' variables are left alone" {
	EST_NONSENSE=1 http_proxy=http://127.0.0.1:1 all_proxy=http://127.0.0.1:1 works cacerts "${trust[@]}"
}

@test "options: SSLKEYLOGFILE does not make est write session secrets" {
	SSLKEYLOGFILE=$PWD/keys works cacerts "${trust[@]}"
	[ ! -e keys ]
}

# ---- Messages and JSON -----------------------------------------------------------------------------------

@test "options: usage errors have their JSON object too, wherever --json stands" {
	for args in '--nonsense --json' '--json --nonsense' '--json extra' \
		'--max-time x --json'; do
		# shellcheck disable=SC2086
		run_est cacerts "${trust[@]}" $args
		[ "$status" = 2 ]
		jq -es 'length == 1 and (.[0] | .ok == false and .applet == "cacerts" and
			.error.exit == 2 and .error.class == "usage" and .error.retryable == false)' "$OUT" || {
			explain "$args"
			return 1
		}
	done
	printf 'nonsense = 1\n' >conf
	for args in '--json --config conf' '--config conf --json' '--config not-there --json'; do
		# shellcheck disable=SC2086
		run_est cacerts "${trust[@]}" $args
		jq -es 'length == 1 and .[0].ok == false' "$OUT"
	done
	EST_MAX_TIME=x run_est cacerts "${trust[@]}" --json
	jq -es 'length == 1 and .[0].error.exit == 2' "$OUT"
}

@test "options: --json in the configuration file counts" {
	printf 'json = yes\n' >conf
	run_est cacerts "${trust[@]}" -l status-500 --config conf
	[ "$status" = 11 ]
	jq -e '.error.class == "server" and .error.http_status == 500 and .error.retryable' "$OUT"
}

@test "options: retryable is true for network, timeout, server and pending, and no other" {
	while read -r due again args; do
		# shellcheck disable=SC2086
		run_est cacerts "${anchor[@]}" $args --json
		[ "$status" = "$due" ]
		[ "$(jq .error.retryable "$OUT")" = "$again" ]
		[ "$(jq .error.exit "$OUT")" = "$due" ]
	done <<-ARGS
		2 false --server http://x
		3 false --cacert not-there -s $EST_TEST_URL
		4 false -s $EST_TEST_URL -o not/there
		5 true -s https://127.0.0.1:1
		9 false -s $EST_TEST_URL -l status-403
		10 false -s $EST_TEST_URL -l status-404
		11 true -s $EST_TEST_URL -l status-500
		13 false -s $EST_TEST_URL -l html
	ARGS
}

@test "options: a message is one line, a hint one more, nothing else on stderr" {
	run_est cacerts "${trust[@]}" -l status-404
	[ "$(wc -l <"$ERR")" -le 2 ]
	[ "$(sed -n 1p "$ERR" | grep -c '^est: cacerts: ')" = 1 ]
	[ "$(sed -n 2p "$ERR" | grep -c '^est: hint: ')" = 1 ]
}

@test "options: -q silences notices, not errors; -v may be repeated" {
	run_est cacerts "${trust[@]}" -l status-500 -q
	stderr_has '^est: cacerts: '
	works cacerts "${trust[@]}" -vvv -v --verbose
	works cacerts "${trust[@]}" -q
	[ ! -s "$ERR" ]
}

@test "options: a clock before the build is said before a packet is sent" {
	with_asan && skip "libfaketime and ASan both want to be loaded first"
	status=0
	faketime -f '@2001-01-01 00:00:00' "$EST" cacerts -s https://localhost:1 --json >"$OUT" 2>"$ERR" ||
		status=$?
	[ "$status" = 17 ]
	jq -e '.error.class == "clock"' "$OUT"
	jq -e '.error.message | test("the clock says 2001-01-01T00:00:.*before est was built")' "$OUT"
	# For tests alone: then nothing that is valid today is valid yet.
	status=0
	faketime -f '@2001-01-01 00:00:00' "$EST" cacerts "${trust[@]}" --clock-floor off 2>"$ERR" || status=$?
	[ "$status" = 7 ]
	stderr_has 'the local clock says 2001-01-01 00:00'
	ONCE=1 refused 2 'clock-floor' cacerts "${trust[@]}" --clock-floor maybe
	nothing_sent
	# What a packager says is the build date.
	make -C "$EST_TEST_ROOT" -nB BUILD="$PWD/b" SOURCE_DATE_EPOCH=4102444800 "$PWD/b/cmd/network.o" |
		grep -q -- -DEST_BUILD_TIME=4102444800
}
