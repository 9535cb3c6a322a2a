#!/usr/bin/env bats
# bats file_tags=once
# shellcheck disable=SC2013,SC2016 # what is read is words; backquotes are what README has
# What is written about est is what est does: man pages, completions, README.

bats_require_minimum_version 1.5.0

load lib/server

setup_file() {
	cd "$BATS_TEST_DIRNAME/.." || return 1
	local build=${EST_BUILD:-${BUILD:-build}}
	build=$(cd "$build" && pwd) || return 1
	# As installed: completions ask the est that is typed, and a link est-APPLET for its est.
	export BUILD=$build BIN=$BATS_FILE_TMPDIR/bin
	mkdir "$BIN"
	ln -s "$build/est" "$build/est-testserver" "$BIN"
	"$build/est" --install "$BIN"
	export PATH=$BIN:$PATH HOME=$BATS_FILE_TMPDIR LC_ALL=C.UTF-8
	unset "${!EST_@}"
	APPLETS=$(est --list)
	export APPLETS
}

setup() {
	cd "$BATS_TEST_DIRNAME/.." || return 1
}

teardown() {
	server_stop
}

options_of() { est help --options "$1" | cut -f 1 | sort; }
argument_of() { est help --options "$1" | awk -F '\t' -v o="$2" '$1 == o { print $3 }'; }

# The options of a man page as lines "--name -l ARGUMENT", made from its OPTIONS section.
man_options() {
	sed -n '/^\.Sh OPTIONS/,/^\.Sh ENVIRONMENT/s/^\.It Fl //p' "man/est-$1.1" |
		sed -E 's/^([A-Za-z0-9]) , Fl -([a-z0-9-]+)/--\2 -\1/; s/^-([^-])/--\1/
			s/ Ns Op = Ns Ar (.*)/ [=\1]/; s/ Ar / /' | sort
}

# complete SHELL LINE: what the completion offers at the end of LINE, one a line, sorted.
complete_in() {
	case $1 in
	bash) bash tests/lib/complete.bash "$2" ;;
	zsh) TMPDIR=$BATS_TEST_TMPDIR timeout 60 tests/lib/complete.zsh "$2" ;;
	fish) timeout 60 fish -N -c "source completions/est.fish; complete -C '$2'" | cut -f 1 ;;
	esac | LC_ALL=C sort -u
}

# completes SHELL LINE WORD...: exactly these are offered.
completes() {
	local shell=$1 line=$2 offered
	shift 2
	offered=$(complete_in "$shell" "$line")
	diff -u --label "$shell: $line" --label expected <(echo "$offered") \
		<(printf '%s\n' "$@" | LC_ALL=C sort -u)
}

# Options, in each shell: those of the table, for the applet and for its link.
options_complete() {
	local applet
	for applet in $APPLETS; do
		mapfile -t options < <(options_of "$applet")
		completes "$1" "est $applet --" "${options[@]}" || return 1
	done
	completes "$1" "est-${APPLETS%%[[:space:]]*} --ver" --verbose --version || return 1
	completes "$1" "$BIN/est-${APPLETS%%[[:space:]]*} --ver" --verbose --version
}

applets_complete() {
	# shellcheck disable=SC2086 # the applets are words
	{
		completes "$1" "est " $APPLETS help || return 1
		completes "$1" "est help --options " $APPLETS || return 1
	}
	completes "$1" "est help e" "$(complete_in "$1" "est help " | grep ^e)" || return 1
	[[ $(complete_in "$1" "est help ") == *exit-codes* ]] || return 1
	completes "$1" "est --" --help --install --list --version
}

# files_complete SHELL OPTION...: files where the argument of an option of enroll is a file.
files_complete() {
	local shell=$1 option argument
	shift
	: >"$BATS_TEST_TMPDIR/only-one"
	for option; do
		argument=$(argument_of enroll "$option")
		[ -n "$argument" ] || continue
		run -0 complete_in "$shell" "est enroll $option $BATS_TEST_TMPDIR/only-"
		if [ "$argument" = FILE ]; then
			[[ "$output" == *only-one ]] || { echo "$shell: $option: $output"; return 1; }
		else
			[[ "$output" != *only-one* ]] || { echo "$shell: $option: $output"; return 1; }
		fi
	done
	run -0 complete_in "$shell" "est enroll -o $BATS_TEST_TMPDIR/only-"
	[[ "$output" == *only-one ]]
	mkdir "$BATS_TEST_TMPDIR/folder"
	run -0 complete_in "$shell" "est reenroll --config-dir $BATS_TEST_TMPDIR/fol"
	[[ "$output" == *folder* ]]
	run -0 complete_in "$shell" "est reenroll --config-dir $BATS_TEST_TMPDIR/only-"
	[[ "$output" != *only-one* ]]
}

# The words of the message with which est refuses a value, `SHELL APPLET OPTION`.
refused_words() {
	local message
	message=$(est "$1" "$2" nonsense "${@:3}" 2>&1 >/dev/null | head -n 1)
	[[ "$message" == *"${2#--}"* ]] || [[ "$message" == *"no such key type"* ]] || return 1
	grep -oE '\<(pem|der|p7|text|b64|ec:p[0-9]+|ed[0-9]+|[a-zA-Z]+(Auth|Signature|Repudiation|Encipherment|Agreement|Signing|Protection|Stamping))\>' \
		<<<"$message" | LC_ALL=C sort -u
}

values_complete() {
	local new=(--subject CN=x -n --key-out "$BATS_TEST_TMPDIR/key") applet offered value
	for option in --key-usage --ext-key-usage; do
		diff -u <(complete_in "$1" "est csr $option ") \
			<(refused_words csr "$option" "${new[@]}") || return 1
	done
	completes "$1" "est enroll --compat " cte pem oneline || return 1
	completes "$1" "est enroll --pop " auto off require tls-exporter tls-unique || return 1
	completes "$1" "est reenroll --csrattrs " auto require ignore || return 1
	completes "$1" "est csr --hash " sha256 sha384 sha512 || return 1
	completes "$1" "est cacerts --tls-min " 1.2 1.3 || return 1
	for value in sha256 sha384 sha512; do
		est csr "${new[@]}" --hash "$value" || return 1
	done
	for applet in $APPLETS; do
		[ -n "$(argument_of "$applet" --outform)" ] || continue
		diff -u <(complete_in "$1" "est $applet --outform ") \
			<(refused_words "$applet" --outform) || return 1
	done
	diff -u <(complete_in "$1" "est csr --new-key " | grep -v rsa) \
		<(refused_words csr --new-key "${new[@]}") || return 1
	for value in $(complete_in "$1" "est csr --new-key " | grep -v 8192); do
		est csr "${new[@]}" --new-key "$value" || return 1
	done
	offered=$(complete_in "$1" "est csr --new-key=ec:p3")
	[[ "$offered" =~ ^(--new-key=)?(ec:)?p384$ ]] # bash replaces what comes after the colon
}

@test "man: every applet has a page with exactly the options, letters and arguments of its table" {
	for applet in $APPLETS; do
		diff -u --label "est help --options $applet" --label "man/est-$applet.1" \
			<(est help --options "$applet" |
				awk -F '\t' '{ print $1 ($2 ? " " $2 : "") ($3 ? " " $3 : "") }' | sort) \
			<(man_options "$applet")
	done
}

@test "man: every page has its sections and no mandoc warning" {
	# shellcheck disable=SC2086 # the applets are words
	for page in man/est.1 $(printf 'man/est-%s.1 ' $APPLETS); do
		run -0 mandoc -Tlint -W warning "$page"
		[ -z "$output" ]
		for section in NAME SYNOPSIS DESCRIPTION OPTIONS ENVIRONMENT FILES "EXIT STATUS" EXAMPLES \
			STANDARDS "SECURITY CONSIDERATIONS"; do
			grep -qx "\.Sh $section" "$page" || { echo "$page: no $section"; return 1; }
		done
	done
}

@test "man: est.1 names every applet" {
	for applet in $APPLETS; do
		grep -qx "\.It Cm $applet" man/est.1
		grep -q "^\.Xr est-$applet 1" man/est.1
	done
}

@test "man: est.1 has the exit codes as est help exit-codes prints them" {
	diff -u <(est help exit-codes | sed -E 's/^ +//; s/ +/ /g; s/^128 interrupted \+N: /128+N interrupted /') \
		<(sed -n '/^\.Sh EXIT STATUS/,/^\.El/s/^\.It \([0-9].*\)/\1/p' man/est.1 | sed 's/ Ta / /g')
}

@test "man: est.1 has every deviation and every finer error code, with its words" {
	diff -u <(sed -n 's/^QUIRK([A-Z0-9_]*, "\(.*\)", "\(.*\)")$/\1 Ta \2/p' \
		libest-core/include/est-quirks.h) <(sed -n 's/^\.It \(Q-.*\)/\1/p' man/est.1)
	# A reason is a word in quotes, given to est_reason() or kept in a variable of that name.
	for id in $(grep -rhoE '(est_reason\(&?[a-z>-]+, |reason = )"[a-z-]+"' libest-core cmd |
		grep -oE '"[a-z-]+"' | tr -d '"' | sort -u); do
		sed -n '/The finer codes/,/^\.El/p' man/est.1 | grep -q "^\.It $id Ta " ||
			{ echo "$id is missing"; return 1; }
	done
}

@test "man: est.1 has every environment variable that est help shows" {
	for applet in $APPLETS; do
		for name in $(est help "$applet" | grep -oE '\<EST_[A-Z_]+' | sort -u); do
			grep -qE "^\.It Ev (.*, )?$name( |$)" man/est.1 || { echo "$name"; return 1; }
		done
	done
}

@test "man: the configuration file in the example of est.1 is one that est can read" {
	sed -n '/^# our CA/,/^\.Ed/p' man/est.1 | grep -v '^\.' >"$BATS_TEST_TMPDIR/est.conf"
	[ "$(grep -c = "$BATS_TEST_TMPDIR/est.conf")" -ge 5 ]
	# It gets as far as the files that the example names.
	run -3 --separate-stderr est cacerts --config "$BATS_TEST_TMPDIR/est.conf" -n
	# shellcheck disable=SC2154 # run sets stderr
	[[ "$stderr" == *"/etc/est/"* ]]
}

@test "man: the JSON names of est.1 are those of a real run, and of a failure" {
	cd "$BATS_TEST_TMPDIR"
	printf 'pass-Do-17\n' >password
	server_start --user fleet --password-file password
	names() { sed -n "/$1/,/^\.El/s/^\.It \([a-z_0-9]*\) Ta .*/\1/p" "$BATS_TEST_DIRNAME/../man/est.1" | sort; }
	run -0 --separate-stderr est enroll -s "$EST_TEST_URL" --cacert "$EST_TEST_DIR/root.pem" \
		--user fleet --password-file password --key-out k --subject CN=x --json
	for name in $(jq -r 'keys[]' <<<"$output"); do
		names 'exactly one JSON object' | grep -qx "$name" || { echo "$name"; return 1; }
	done
	diff -u <(names '^A certificate:') <(jq -r '.certificates[0] | keys[]' <<<"$output" | sort)
	diff -u <(names '^The server:') <(jq -r '.server | keys[]' <<<"$output" | sort)
	run -7 --separate-stderr est cacerts -s "$EST_TEST_URL" --json
	diff -u <(names '^The error:') <(jq -r '.error | keys[]' <<<"$output" | sort)
	run -0 --separate-stderr est csrattrs -s "$EST_TEST_URL" -l csrattrs-rfc \
		--cacert "$EST_TEST_DIR/root.pem" --json
	diff -u <(names '^An element of') <(jq -r '.csrattrs[0] | keys[]' <<<"$output" | sort)
	run -0 --separate-stderr est csr --from "$BATS_TEST_DIRNAME/data/vectors/rfc9908-5.2-revised.der" \
		--subject CN=x --key-out k2 --json
	for name in $(jq -r 'keys[]' <<<"$output"); do
		names 'exactly one JSON object' | grep -qx "$name" || { echo "$name"; return 1; }
	done
	[ "$(jq -rc '.explanation[0] | keys' <<<"$output")" = '["does","wants"]' ]
}

@test "man: the JSON names of est-inspect.1 are those of a real run" {
	est --list | grep -qx inspect || skip "built without inspect"
	local page=$BATS_TEST_DIRNAME/../man/est-inspect.1
	names() { sed -n "/^$1/,/^\.El/s/^\.It \([a-z_0-9]*\) Ta .*/\1/p" "$page" | sort; }
	cd "$BATS_TEST_TMPDIR"
	est csr --key-out k --subject CN=x -o csr
	openssl req -x509 -key k -subj /CN=x -out crt
	printf '[ca]\ndefault_ca=c\n[c]\ndatabase=db\ndefault_md=sha256\n' >conf
	: >db
	openssl ca -config conf -gencrl -cert crt -keyfile k -crldays 9 -out crl
	printf '%s\n' '-----BEGIN CERTIFICATE-----' MAA= '-----END CERTIFICATE-----' >broken
	run -3 --separate-stderr est inspect --json -v csr crt crl k broken
	diff -u <({ names 'The object has'; printf '%s\n' applet deviations error ok version; } | sort) \
		<(jq -r 'keys[]' <<<"$output" | sort)
	diff -u <({ names 'A request'; names 'Every element'; } | sort) <(jq -r '.requests[0] | del(.details) | keys[]' <<<"$output" | sort)
	diff -u <({ names 'A CRL'; names 'Every element'; } | sort) <(jq -r '.crls[0] | del(.details) | keys[]' <<<"$output" | sort)
	diff -u <({ printf '%s\n' kind label; names 'Every element'; } | sort) <(jq -r '.keys[0] | keys[]' <<<"$output" | sort)
	diff -u <({ echo message; names 'Every element'; } | sort) <(jq -r '.broken[0] | keys[]' <<<"$output" | sort)
}

@test "bash: applets and what stands in their place" {
	applets_complete bash
}

@test "bash: the options of every applet, and of a link" {
	options_complete bash
}

@test "bash: files where a file is due, and nowhere else" {
	mapfile -t options < <(options_of enroll)
	files_complete bash "${options[@]}"
}

@test "bash: the values that est takes" {
	values_complete bash
}

@test "zsh: applets and what stands in their place" {
	applets_complete zsh
}

@test "zsh: the options of every applet, and of a link" {
	options_complete zsh
}

@test "zsh: the values that est takes" {
	values_complete zsh
}

@test "zsh: files where a file is due, and nowhere else" {
	files_complete zsh --cacert --csr --password-file --label --max-size
}

@test "fish: applets and what stands in their place" {
	applets_complete fish
}

@test "fish: the options of every applet, and of a link" {
	mapfile -t letters < <(est help --options cacerts | cut -f 2)
	options_complete fish
	run -0 complete_in fish "est cacerts -"
	for letter in "${letters[@]}"; do
		[[ -z "$letter" || " ${lines[*]} " == *" $letter "* ]]
	done
}

@test "fish: files where a file is due, and nowhere else" {
	mapfile -t options < <(options_of enroll)
	files_complete fish "${options[@]}"
}

@test "fish: the values that est takes" {
	values_complete fish
}

@test "completion: a file is offered as the operand of an applet that takes files" {
	est --list | grep -qx inspect || skip "built without inspect"
	: >"$BATS_TEST_TMPDIR/only-one"
	for shell in bash fish; do
		completes "$shell" "est inspect $BATS_TEST_TMPDIR/only-" "$BATS_TEST_TMPDIR/only-one"
		completes "$shell" "est cacerts $BATS_TEST_TMPDIR/only-" ""
	done
	completes zsh "est inspect $BATS_TEST_TMPDIR/only-" only-one
}

@test "README: the exit codes are those of est help exit-codes" {
	diff -u <(est help exit-codes | sed -E 's/^ +//; s/ +/ /g') \
		<(sed -n 's/^| \([0-9]\{1,3\}\) | \([a-z]*\) | \(.*\) |$/\1 \2 \3/p' README.md)
}

@test "README: the applets are those of est --list" {
	diff -u <(est --list) <(sed -n 's/^| `est \([a-z]*\)` | .*/\1/p' README.md)
}

@test "README: the commands of the first enrolment work" {
	sed -n '/^## A first enrolment/,/^## /p' README.md | sed -n '/^```sh$/,/^```$/p' | grep -v '^```' \
		>"$BATS_TEST_TMPDIR/script"
	grep -q '^est reenroll' "$BATS_TEST_TMPDIR/script"
	cd "$BATS_TEST_TMPDIR"
	printf 'pass-Do-17\n' >password
	server_start --user fleet --password-file password
	cp "$EST_TEST_DIR/root.pem" root.pem
	sed -i "s|^export EST_SERVER=https://ca.example.com$|export EST_SERVER=$EST_TEST_URL|" script
	grep -qF "$EST_TEST_URL" script
	run -0 bash -eu script
	openssl verify -CAfile ca.pem device.crt
	diff <(openssl x509 -in device.crt -noout -pubkey) <(openssl pkey -in device.key -pubout)
	[ "$(server_count '.operation == "simpleenroll" and .status == 200')" = 1 ]
	[ "$(server_count '.operation == "simplereenroll"')" = 0 ] # it is not due
	(
		eval "$(grep '^export EST_' script)"
		run -0 bash -eu <(sed -n '/^est reenroll/s/$/ --force/p' script)
	)
	[ "$(server_count '.operation == "simplereenroll" and .status == 200')" = 1 ]
}

@test "README: the examples of renewal from cron and a timer work" {
	cd "$BATS_TEST_TMPDIR"
	printf 'pass-Do-17\n' >password
	server_start --user fleet --password-file password
	mkdir etc
	cp "$EST_TEST_DIR/root.pem" etc/ca.pem
	sed -n '/^## Renewal from cron/,/^## Applets/p' "$BATS_TEST_DIRNAME/../README.md" |
		sed "s|/etc/est/|$PWD/etc/|g; s|/etc/est |$PWD/etc |g; s|/etc/est$|$PWD/etc|; s|https://ca.example.com|$EST_TEST_URL|
			s|systemctl reload nginx|echo \$EST_ACTION >>$PWD/reloaded|
			s|--jitter 3600|--jitter 0.1|; s|/usr/bin/est|est|" >text
	sed -n "/^# .*device.conf$/,/^\`\`\`/p" text | grep -v '^```' >etc/device.conf
	first=$(sed -n '/^est enroll/p' text)
	cron=$(sed -n 's/^[0-9]* [0-9]* \* \* \* root //p' text)
	timer=$(sed -n 's/^ExecStart=//p' text)
	show=$(sed -n 's/^`\(est reenroll .* --status\)` .*/\1/p' text)
	[[ "$first" && "$cron" && "$timer" && "$show" ]]
	run -0 sh -c "$first"
	grep -qx enrolled reloaded
	key=$(sha256sum etc/device/current/key.pem)
	run -0 --separate-stderr sh -c "$cron"
	[ -z "$output$stderr" ]
	run -0 --separate-stderr sh -c "$timer"
	[[ "$stderr" == "est: reenroll: device: skipped: "* ]]
	run -0 sh -c "$show"
	[[ "$output" == "device: CN=device7: "*" days left, nothing pending, next: skip; "* ]]
	[ "$(server_count '.operation == "simplereenroll"')" = 0 ]
	run -0 sh -c "$cron --force"
	run -0 sh -c "$timer --renew-before 100%"
	[ "$(cat reloaded)" = $'enrolled\nrekeyed\nrekeyed' ]
	[ "$(server_count '.operation == "simplereenroll" and .status == 200')" = 2 ]
	[ "$(sha256sum etc/device/current/key.pem)" != "$key" ]
	openssl verify -CAfile etc/ca.pem -untrusted etc/device/current/chain.pem etc/device/current/cert.pem
}

@test "README: the folders and make targets that it names exist" {
	for folder in $(sed -n '/^## Where things are/,/^## /s/^| `\([a-z-]*\)\/`.*/\1/p' README.md); do
		[ -d "$folder" ] || { echo "$folder"; return 1; }
	done
	targets=$(make -pRrq : 2>/dev/null) || true
	for target in $(grep -oE '(^    |`)make [a-z-]+' README.md | sed 's/.* //' | sort -u); do
		grep -q "^$target:" <<<"$targets" || { echo "make $target"; return 1; }
	done
}
