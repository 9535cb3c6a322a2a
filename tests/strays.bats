#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# est cacerts without --bootstrap and --update: certificates that belong to no root.

bats_require_minimum_version 1.5.0

load lib/served

@test "strays: none in a good bag" {
	works cacerts "${trust[@]}" --json
	jq -e '.strays == []' "$OUT"
	works cacerts "${trust[@]}" -v
	run ! grep -q stray "$ERR"
}

@test "strays: foreign roots are named with -v and in JSON, and stay in the output (R7030-4.1.3-09)" {
	works cacerts "${trust[@]}" -l bag-3 --json
	jq -e '(.strays | length) == 3 and (.certificates | length) == 5' "$OUT"
	jq -e '[.strays[].subject] | index("CN=EST test root") == null' "$OUT"
	works cacerts "${trust[@]}" -l bag-3 -v -o ca.pem
	[ "$(grep -c 'stray: CN=' "$ERR")" = 3 ]
	[ "$(grep -c BEGIN ca.pem)" = 5 ]
	works cacerts "${trust[@]}" -l bag-3 -o ca.pem
	[ ! -s "$ERR" ]
}

@test "strays: a bag of a thousand is told in time, and in few lines" {
	works cacerts "${trust[@]}" -l bag-1000 -v -o ca.pem -m 20
	[ "$(grep -c 'stray: ' "$ERR")" = 17 ]
	stderr_has 'stray: 984 more'
}

@test "strays: certificates of a root change are none, old or new root in use (R7030-4.1.3-07)" {
	works cacerts "${trust[@]}" -l rollover-owo-own-nwo-nwn --json
	jq -e '.strays == []' "$OUT"
	works cacerts "${trust[@]}" -l rollover-owo-xwx-nwx --json
	jq -e '[.strays[].subject] == []' "$OUT"
	# n has no root here, and x is the current one.
	works cacerts "${trust[@]}" -l rollover-owo-xwx-own --json
	jq -e '[.strays[].subject] == ["CN=EST test root"]' "$OUT"
}
