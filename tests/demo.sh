#!/bin/bash
# demo.sh BUILD: the main job, in front of the reader: trust a server, get a certificate, renew it,
# look at it.  `make demo` builds what this needs.  The files stay in BUILD/demo.
set -eu
build=$(cd "${1:-build}" && pwd)
rm -rf "$build/demo"
mkdir -p "$build/demo/server"
cd "$build/demo"
PATH=$build:$PATH
unset https_proxy HTTPS_PROXY # the server is on this machine

say() { printf '\n# %s\n' "$*"; }
run() {
	printf '$ %s\n' "$(printf '%q ' "$@" | sed 's/ $//')"
	"$@"
}

server=
stop() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	[ -z "$server" ] || wait "$server" 2>/dev/null || true
}
trap stop EXIT
trap 'exit 130' INT TERM

printf 'demo-password\n' >password
chmod 600 password

say "A test server on this machine, with a CA of its own. The account that may enrol is demo."
printf '$ est-testserver --dir server --user demo --password-file password &\n'
est-testserver --dir server --user demo --password-file password >server.out 2>server.log &
server=$!
for _ in $(seq 100); do
	[ -s server.out ] && break
	kill -0 "$server" 2>/dev/null || { cat server.log >&2; exit 1; }
	sleep 0.1
done
cat server.out
url=$(grep -om 1 'https://[^ ",]*' server.out)

say "The CA certificates. We trust the server because we were given its root."
run est cacerts -s "$url" --cacert server/root.pem -o ca.pem

say "What is in that file."
run est inspect ca.pem

say "What the CA wants to see in a request."
run est csrattrs -s "$url" -l csrattrs-rfc --cacert ca.pem

say "A new key, and a certificate for it."
run est enroll -s "$url" --cacert ca.pem --user demo --password-file password --new-key ec:p256 \
	--key-out device.key --subject "CN=demo" --dns demo.example -o device.crt
run est inspect device.crt

say "What cron runs each day: nothing, until a third of the certificate's lifetime is left."
run est reenroll -s "$url" --cacert ca.pem --cert device.crt --key device.key

say "The certificate is renewed now, in its place, and its key with it. The old pair is the credential."
run est reenroll -s "$url" --cacert ca.pem --cert device.crt --key device.key --force

say "Another program agrees that the result is good."
run openssl verify -CAfile ca.pem device.crt

say "The files are in $build/demo."
