# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For bats: est.bash for a file whose tests share one test server, and each a folder of its own.
# A file that needs more has a function of the same name behind `load lib/served'.

# shellcheck disable=SC1091
source "${BASH_SOURCE[0]%/*}/est.bash"

setup_file() {
	est_setup_file
}

teardown_file() {
	server_stop
}

setup() {
	est_setup
}

teardown() {
	est_teardown
}
