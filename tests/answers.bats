#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # lib/est.bash sets and reads them
# What a server says when it refuses: shown as it is, escaped, cut, never interpreted.

bats_require_minimum_version 1.5.0

load lib/served

setup() {
	est_setup
	me=("${account[@]}" "${new[@]}" --csrattrs ignore)
}

# answers STATUS TYPE FILE: the script `odd` answers so; TYPE "" is no Content-Type.
answers() {
	local length
	length=$(stat -c %s "$3")
	cp "$3" "$EST_TEST_SCRIPTS/body"
	plays odd "line HTTP/1.1 $1 x" ${2:+"line Content-Type: $2"} "line Content-Length: $length" \
		'line ' 'file body'
}

@test "answers: text without a Content-Type, as text/plain, in UTF-8 (R7030-4.2.3-04)" {
	printf 'the request is not wanted, désolé\n' >body
	for type in '' text/plain 'text/plain; charset=utf-8' TEXT/Plain; do
		answers 400 "$type" body
		refused 10 'the server says: the request is not wanted, d' enroll "${raw[@]}" -l odd "${me[@]}"
	done
}

@test "answers: JSON is shown as it is, problem+json too" {
	refused 10 '400; the server says: \{"errors":\["the CSR is not wanted"\]\}' enroll "${trust[@]}" \
		-l error-json "${me[@]}"
	printf '{"title":"no","detail":"too early \\u001b[2J"}' >body
	answers 403 application/problem+json body
	refused 9 'the server says: \{"title":"no","detail":"too early' enroll "${raw[@]}" -l odd "${me[@]}"
}

@test "answers: tags of HTML are text" {
	refused 10 '400; the server says: <html><head><title>400 Bad Request</title>' enroll \
		"${trust[@]}" -l error-html "${me[@]}"
}

@test "answers: a body for nobody to read is not shown" {
	head -c 400 /dev/urandom >body
	for type in application/octet-stream application/pdf application/x-jsonnet; do
		answers 500 $type body
		LEAVES=key.pem.est-new refused 11 'the server answered 500$' enroll "${raw[@]}" -l odd "${me[@]}"
	done
}

@test "answers: a PKI Response with a refusal is named: simple, full, broken" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -subj /CN=ra \
		-out c 2>/dev/null
	printf '\x30\x06\x30\x00\x30\x00\x30\x00' >pki
	openssl cms -sign -binary -nodetach -econtent_type 1.3.6.1.5.5.7.12.3 -signer c -inkey k \
		-in pki -outform DER | base64 >body
	answers 400 'application/pkcs7-mime; smime-type=CMC-response' body
	refused 10 '400; the body is a Full PKI Response .CMC.' enroll "${raw[@]}" -l odd "${me[@]}"
	# CMCStatusInfoV2: failed, popFailed, with the CA's words (RFC 5272 section 6.1).
	cat >response.cnf <<-'EOF'
		asn1 = SEQUENCE:response
		[response]
		controls = SEQUENCE:controls
		cms = SEQUENCE:none
		other = SEQUENCE:none
		[none]
		[controls]
		one = SEQUENCE:control
		[control]
		id = INTEGER:1
		type = OID:1.3.6.1.5.5.7.7.25
		values = SET:values
		[values]
		one = SEQUENCE:status
		[status]
		status = INTEGER:2
		list = SEQUENCE:list
		words = UTF8String:the link is missing
		why = INTEGER:9
		[list]
		one = INTEGER:1
	EOF
	openssl asn1parse -genconf response.cnf -noout -out pki
	openssl cms -sign -binary -nodetach -econtent_type 1.3.6.1.5.5.7.12.3 -signer c -inkey k \
		-in pki -outform DER | base64 >body
	answers 400 'application/pkcs7-mime; smime-type=CMC-response' body
	refused 10 '.CMC.: failed, popFailed: the link is missing' enroll "${raw[@]}" -l odd "${me[@]}"
	openssl crl2pkcs7 -nocrl -certfile c -outform DER | base64 >body
	answers 400 'application/pkcs7-mime; smime-type=certs-only' body
	refused 10 '400; the body is a Simple PKI Response' enroll "${raw[@]}" -l odd "${me[@]}"
	for rest in 'echo MAA=' 'echo ==' 'echo x' 'head -c 60 body.der'; do
		base64 -d body >body.der
		$rest >broken
		answers 400 application/pkcs7-mime broken
		refused 10 'the body is something that is no CMS message' enroll "${raw[@]}" \
			-l odd "${me[@]}"
	done
}
