/* SPDX-License-Identifier: MIT */
/* What a file looks like, and what is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "certmake.h"
#include "forge.h"
#include "vectors.h"

static void the_vectors_look_like_what_they_are(void **state)
{
	static const struct {
		const char *name;
		enum est_file_kind kind;
	} vectors[] = {
		{ "rfc7030-a1-cacerts-response", EST_FILE_SIGNED_DATA },
		{ "rfc7030-a2-csrattrs", EST_FILE_CSRATTRS },
		{ "rfc7030-4.5.2-csrattrs", EST_FILE_CSRATTRS },
		{ "rfc7030-4.5.2-empty", EST_FILE_CSRATTRS },
		{ "rfc7030-a3-simpleenroll-request", EST_FILE_CSR },
		{ "rfc7030-a4-serverkeygen-key", EST_FILE_PRIVATE_KEY },
		{ "rfc9908-3.2-ec-any-curve", EST_FILE_CSRATTRS },
		{ "rfc9908-3.4-template", EST_FILE_CSRATTRS },
	};
	enum est_encoding encoding;
	struct est_buf data = { 0 };
	char name[96];

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		(void)snprintf(name, sizeof(name), "%s.der", vectors[i].name);
		read_vector(name, &data);
		assert_int_equal(est_file_kind(est_buf_span(&data), &encoding), vectors[i].kind);
		assert_int_equal(encoding, EST_ENCODING_RAW);
		est_buf_free(&data);
		(void)snprintf(name, sizeof(name), "%s.b64", vectors[i].name);
		read_vector(name, &data);
		assert_int_equal(est_file_kind(est_buf_span(&data), &encoding), vectors[i].kind);
		assert_int_equal(encoding, EST_ENCODING_BASE64);
		est_buf_free(&data);
	}
}

static void other_files_are_named(void **state)
{
	static const struct {
		const char *text;
		enum est_file_kind kind;
	} files[] = {
		{ "", EST_FILE_EMPTY },
		{ " \r\n", EST_FILE_EMPTY },
		{ "hello world\n", EST_FILE_TEXT },
		{ "0 hello", EST_FILE_TEXT },
		{ "\xef\xbb\xbf<!DOCTYPE HTML>", EST_FILE_HTML },
		{ "<?xml version='1.0'?>", EST_FILE_HTML },
		{ "{\"errors\":[]}", EST_FILE_JSON },
		{ "\x1f\x8b\x08", EST_FILE_GZIP },
		{ "\x01\x02\x03", EST_FILE_UNKNOWN },
		{ "\xff\xfe-", EST_FILE_UTF16 },
		{ "PK\x03\x04", EST_FILE_ARCHIVE },
		{ "\xfe\xed\xfe\xed", EST_FILE_KEYSTORE },
		/* OpenPGP: keys with lengths of one and two octets, a new header, a signature,
		 * messages for a key and for a password; no version, no algorithm. */
		{ "\x99\x01\x02\x04TIME\x01modulus...", EST_FILE_PGP },
		{ "\x98\x33\x04TIME\x16\x09oid......", EST_FILE_PGP },
		{ "\xc6\x33\x04TIME\x16\x09oid......", EST_FILE_PGP },
		{ "\x88\x5d\x04\x01\x16\x08signature.", EST_FILE_PGP },
		{ "\x85\x01\x0c\x03KEY-ID..\x01message", EST_FILE_PGP },
		{ "\x8c\x0d\x04\x09\x03salt........", EST_FILE_PGP },
		{ "\x98\x33\x05TIME\x16\x09oid......", EST_FILE_UNKNOWN },
		{ "\x98\x33\x04TIME\x7f\x09oid......", EST_FILE_UNKNOWN },
		{ "\x98\x33\x04TIME\x16\x09", EST_FILE_UNKNOWN },
		{ "sk-ssh-ed25519@openssh.com AAAA", EST_FILE_OPENSSH_PUBLIC_KEY },
		{ "HTTP/1.1 404 Not Found\r\n\r\n", EST_FILE_WRAPPED },
		{ "ssh-ed25519 AAAA root@host", EST_FILE_OPENSSH_PUBLIC_KEY },
		{ "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
			EST_FILE_OPENSSH_KEY },
		{ "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
			EST_FILE_PRIVATE_KEY },
		{ "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
			EST_FILE_ENCRYPTED_KEY },
		{ "-----BEGIN PGP MESSAGE-----\nAAAA\n-----END PGP MESSAGE-----\n", EST_FILE_PGP },
		{ "-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n",
			EST_FILE_OTHER_PEM },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		assert_int_equal(est_file_kind(est_span_str(files[i].text), NULL), files[i].kind);
		assert_non_null(est_file_kind_text(files[i].kind));
	}
	/* UTF-16 without a mark. */
	assert_int_equal(est_file_kind(BYTES('-', 0, '-', 0, '-', 0), NULL), EST_FILE_UTF16);
	assert_int_equal(est_file_kind(BYTES(0, '-', 0, '-', 0, '-'), NULL), EST_FILE_UTF16);
	assert_int_equal(est_file_kind(BYTES(0, '-', 0, 0), NULL), EST_FILE_UNKNOWN);
	assert_non_null(est_file_kind_text((enum est_file_kind)999));
}

/* RFC 7468 and what else is written: a label says something where the contents do not. */
static void labels_in_the_wild_are_known(void **state)
{
	static const struct {
		const char *label;
		enum est_file_kind kind;
	} labels[] = {
		{ "CERTIFICATE", EST_FILE_CERT },
		{ "X509 CERTIFICATE", EST_FILE_CERT },
		{ "X.509 CERTIFICATE", EST_FILE_CERT },
		{ "TRUSTED CERTIFICATE", EST_FILE_TRUSTED_CERT },
		{ "CERTIFICATE REQUEST", EST_FILE_CSR },
		{ "NEW CERTIFICATE REQUEST", EST_FILE_CSR },
		{ "X509 CRL", EST_FILE_CRL },
		{ "CRL", EST_FILE_CRL },
		{ "PKCS7", EST_FILE_SIGNED_DATA },
		{ "PKCS #7 SIGNED DATA", EST_FILE_SIGNED_DATA },
		{ "CMS", EST_FILE_SIGNED_DATA },
		{ "CERTIFICATE CHAIN", EST_FILE_SIGNED_DATA },
		{ "PKCS12", EST_FILE_PKCS12 },
		{ "PUBLIC KEY", EST_FILE_PUBLIC_KEY },
		{ "RSA PUBLIC KEY", EST_FILE_PUBLIC_KEY },
		{ "DSA PUBLIC KEY", EST_FILE_PUBLIC_KEY },
		{ "PRIVATE KEY", EST_FILE_PRIVATE_KEY },
		{ "RSA PRIVATE KEY", EST_FILE_PRIVATE_KEY },
		{ "DSA PRIVATE KEY", EST_FILE_PRIVATE_KEY },
		{ "ANY PRIVATE KEY", EST_FILE_PRIVATE_KEY },
		{ "TSS2 PRIVATE KEY", EST_FILE_PRIVATE_KEY },
		{ "ENCRYPTED PRIVATE KEY", EST_FILE_ENCRYPTED_KEY },
		{ "OPENSSH PRIVATE KEY", EST_FILE_OPENSSH_KEY },
		{ "PGP PUBLIC KEY BLOCK", EST_FILE_PGP },
		{ "PGP PRIVATE KEY BLOCK", EST_FILE_PGP },
		{ "PGP SIGNATURE", EST_FILE_PGP },
		{ "ATTRIBUTE CERTIFICATE", EST_FILE_OTHER_PEM },
		{ "X9.42 DH PARAMETERS", EST_FILE_OTHER_PEM },
		{ "DSA PARAMETERS", EST_FILE_OTHER_PEM },
		{ "EC PARAMETERS", EST_FILE_OTHER_PEM },
		{ "SSL SESSION PARAMETERS", EST_FILE_OTHER_PEM },
		{ "PRIVACY-ENHANCED MESSAGE", EST_FILE_OTHER_PEM },
		{ "certificate", EST_FILE_OTHER_PEM },
	};
	char pem[200];

	(void)state;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		(void)snprintf(pem, sizeof(pem), "-----BEGIN %s-----\nBQA=\n-----END %s-----\n",
			labels[i].label, labels[i].label);
		if (est_file_kind(est_span_str(pem), NULL) != labels[i].kind)
			fail_msg("%s", labels[i].label);
	}
}

static void der_of_each_kind_is_told_apart(void **state)
{
	struct est_buf der = { 0 };
	struct certmake ca;

	(void)state;
	certmake_make(&(struct certmake_spec){ .ca = true, .path_len = -1 }, NULL, &ca);
	assert_int_equal(est_file_kind(est_buf_span(&ca.der), NULL), EST_FILE_CERT);
	certmake_crl(&ca, 1, &der);
	assert_int_equal(est_file_kind(est_buf_span(&der), NULL), EST_FILE_CRL);
	est_buf_free(&der);
	certmake_csr(&(struct certmake_spec){ 0 }, NULL, &der);
	assert_int_equal(est_file_kind(est_buf_span(&der), NULL), EST_FILE_CSR);
	est_buf_free(&der);
	/* Version 1: no [0] in front of the serial number. */
	forge_cert(&(struct forge){ .version = NOTHING }, &der);
	assert_int_equal(est_file_kind(est_buf_span(&der), NULL), EST_FILE_CERT);
	est_buf_free(&der);
	certmake_wipe(&ca);
	/* EncryptedPrivateKeyInfo, SubjectPublicKeyInfo, PFX, RSAPublicKey, ECPrivateKey. */
	assert_int_equal(est_file_kind(BYTES(0x30, 7, 0x30, 3, 6, 1, 0x2a, 4, 0), NULL),
		EST_FILE_ENCRYPTED_KEY);
	assert_int_equal(est_file_kind(BYTES(0x30, 8, 0x30, 3, 6, 1, 0x2a, 3, 1, 0), NULL),
		EST_FILE_PUBLIC_KEY);
	assert_int_equal(est_file_kind(BYTES(0x30, 8, 2, 1, 3, 0x30, 3, 6, 1, 0x2a), NULL),
		EST_FILE_PKCS12);
	assert_int_equal(est_file_kind(BYTES(0x30, 6, 2, 1, 5, 2, 1, 3), NULL),
		EST_FILE_PUBLIC_KEY);
	assert_int_equal(est_file_kind(BYTES(0x30, 5, 2, 1, 1, 4, 0), NULL), EST_FILE_PRIVATE_KEY);
	assert_int_equal(est_file_kind(BYTES(0x30, 2, 5, 0), NULL), EST_FILE_UNKNOWN);
}

struct seen {
	enum est_file_kind kinds[16];
	size_t bytes[16];
	bool broken[16];
	size_t n;
	size_t stop_at; /* 0: never */
};

static enum est_code note(void *ctx, const struct est_object *object, struct est_error *err)
{
	struct seen *seen = ctx;

	if (seen->n < 16) {
		seen->kinds[seen->n] = object->kind;
		seen->bytes[seen->n] = object->der.n;
		seen->broken[seen->n] = object->broken != NULL;
	}
	assert_int_equal(object->index, ++seen->n);
	if (seen->n == seen->stop_at)
		return est_fail(err, EST_E_OUTPUT, "enough");
	return EST_OK;
}

static void a_broken_object_does_not_hide_the_others(void **state)
{
	struct est_quirks quirks = { 0 };
	struct seen seen = { 0 };
	struct est_buf set = { 0 }, der = { 0 };
	struct est_error err;

	(void)state;
	forge_numbered(1, &set);
	forge_append(&set, BYTES(0x30, 0, 0xa1, 0));
	forge_numbered(2, &set);
	forge_append(&set, BYTES(0x30, 9)); /* longer than the set */
	forge_bag(&(struct forge_bag){ .certs = est_buf_span(&set) }, &der);
	assert_int_equal(est_objects(est_buf_span(&der), &quirks, note, &seen, &err), EST_OK);
	assert_int_equal(seen.n, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(seen.kinds[i], EST_FILE_CERT);
		assert_int_equal(seen.broken[i], i == 3);
	}
	assert_int_equal(seen.bytes[1], 2);
	assert_int_equal(quirks.seen, 1u << EST_Q_OTHER_CERTS);
	est_buf_free(&der);
	est_buf_free(&set);
}

static void pem_of_all_kinds_is_taken_apart(void **state)
{
	static const enum est_file_kind kinds[] = { EST_FILE_CERT, EST_FILE_PRIVATE_KEY,
		EST_FILE_OTHER_PEM, EST_FILE_CERT, EST_FILE_CSR, EST_FILE_OTHER_PEM, EST_FILE_CRL,
		EST_FILE_CERT };
	struct est_buf text = { 0 }, cert = { 0 }, bag = { 0 };
	struct est_quirks quirks = { 0 };
	struct seen seen = { 0 };
	struct est_error err;

	(void)state;
	forge_numbered(1, &cert);
	forge_bag(&(struct forge_bag){ .certs = est_buf_span(&cert) }, &bag);
	assert_int_equal(est_pem_append(&text, "CERTIFICATE", est_buf_span(&cert), &err), EST_OK);
	assert_int_equal(est_pem_append(&text, "PRIVATE KEY", BYTES(1, 2, 3), &err), EST_OK);
	assert_int_equal(est_pem_append(&text, "DH PARAMETERS", BYTES(1), &err), EST_OK);
	assert_int_equal(est_pem_append(&text, "PKCS7", est_buf_span(&bag), &err), EST_OK);
	assert_int_equal(est_pem_append(&text, "CERTIFICATE REQUEST", BYTES(1), &err), EST_OK);
	forge_append(&text, est_span_str("-----BEGIN CERTIFICATE-----\nAAAA\n"));
	assert_int_equal(est_pem_append(&text, "X509 CRL", BYTES(1), &err), EST_OK);
	/* OpenSSL's trust settings behind the certificate are cut off. */
	forge_append(&cert, BYTES(0x30, 0));
	assert_int_equal(est_pem_append(&text, "TRUSTED CERTIFICATE", est_buf_span(&cert), &err),
		EST_OK);
	assert_int_equal(est_objects(est_buf_span(&text), &quirks, note, &seen, &err), EST_OK);
	assert_int_equal(seen.n, sizeof(kinds) / sizeof(kinds[0]));
	for (size_t i = 0; i < seen.n; i++) {
		assert_int_equal(seen.kinds[i], kinds[i]);
		assert_int_equal(seen.broken[i], i == 5);
	}
	assert_int_equal(seen.bytes[1], 0); /* a key's bytes are not handed out */
	assert_int_equal(seen.bytes[7], cert.n - 2);
	est_buf_free(&text);
	est_buf_free(&cert);
	est_buf_free(&bag);
}

/* What one text is taken apart into, or how it is refused. */
static enum est_code note_why(void *ctx, const struct est_object *object, struct est_error *err)
{
	(void)err;
	if (object->kind == EST_FILE_CSR && object->broken &&
		strstr(object->broken->msg, "(Q-PEM-LABEL), refused by --strict"))
		++*(unsigned *)ctx;
	return EST_OK;
}

static void a_wrong_label_is_refused_where_everything_is_strict(void **state)
{
	/* The shape of a request, which is all that tells it from a certificate. */
	const struct est_span csr = BYTES(0x30, 15, 0x30, 7, 2, 1, 0, 0x30, 0, 0x30, 0, 0x30, 0, 3,
		2, 0, 0);
	struct est_quirks quirks = { .strict = true };
	struct est_buf text = { 0 };
	struct est_error err;
	unsigned refused = 0;

	(void)state;
	assert_int_equal(est_pem_append(&text, "CERTIFICATE", csr, &err), EST_OK);
	assert_int_equal(est_objects(est_buf_span(&text), &quirks, note_why, &refused, &err),
		EST_OK);
	assert_int_equal(refused, 1);
	assert_int_equal(quirks.seen, 1u << EST_Q_PEM_LABEL);
	est_buf_free(&text);
}

static void messages_with_fields_are_opened(void **state)
{
	static const struct {
		const char *text;
		size_t n; /* objects; 0: refused */
		uint32_t quirks;
	} files[] = {
		/* MAA= is an empty list of CSR attributes. */
		{ "HTTP/1.1 200 OK\r\n\r\nMAA=\r\n", 1, 0 },
		{ "HTTP/1.1 200 OK\n\nMAA", 1, 1u << EST_Q_PADDING },
		{ "content-type: x\n\nMAA=", 1, 0 },
		{ "X: y\nContent-Type: a;\n b=c\n\nMAA=", 1, 0 },
		{ "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n4\r\nMAA=\r\n0\r\n\r\n", 1, 0 },
		{ "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nMA\n2;a\nA=\n0\n", 1, 0 },
		{ "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nMAA=", 1, 0 },
		{ "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0\nMAA=\n", 0, 0 },
		/* What is there of a chunk that is cut short, and that it is. */
		{ "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n9\r\nMAA=\r\n", 2, 0 },
		{ "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n4\nMAA=\nx\n", 2, 0 },
		{ "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n4\nMAA=", 2, 0 },
		{ "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nMAA=\n"
		  "--b\nContent-Type: text/plain\n\nhello\n--b\nX: y\n\nMAA=\n--b--\nMAA=\n",
			2, 0 },
		{ "Content-Type: multipart/mixed; boundary=\"b c\"\n\n--b c\n\nMAA=", 1, 0 },
		{ "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; "
		  "boundary=i\n\n--i\n\nMAA=\n--i--\n--b--",
			1, 0 },
		{ "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nMAA=\r\n--b--\r\n",
			1, 0 },
		{ "Content-Type: multipart/mixed; boundary=b\n\nMAA=\n--b\n--b\n\n--b\n\nMAA=\n--b--",
			1, 0 },
		{ "Content-Type: multipart/mixed; boundary=b\n\n--b", 0, 0 },
		{ "Content-Type: multipart/mixed; boundary=b\n\n--b\n", 0, 0 },
		{ "Content-Type: multipart/mixed; boundary=b\n\n --b\n\nMAA=", 0, 0 },
		{ "Content-Type: multipart/mixed; boundary=\n\n--\n\nMAA=", 0, 0 },
		{ "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b--", 0, 0 },
		{ "Content-Type: multipart/mixed\n\nMAA=", 1, 0 },
		{ "HTTP/1.1 200 OK\n\nHTTP/1.1 200 OK\n\nMAA=", 1, 0 },
		{ "HTTP/1.1 200 OK\r\n", 0, 0 },
		{ "Subject: x\n\nMAA=", 0, 0 }, /* nothing says that it is a message */
		{ "no field\nContent-Type: x\n\nMAA=", 0, 0 },
	};
	struct est_buf deep = { 0 };
	struct est_quirks quirks;
	struct est_error err;
	struct seen seen;

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		quirks = (struct est_quirks){ 0 };
		seen = (struct seen){ 0 };
		if (est_objects(est_span_str(files[i].text), &quirks, note, &seen, &err) !=
			(files[i].n ? EST_OK : EST_E_INPUT))
			fail_msg("%zu: %s", i, err.msg);
		assert_int_equal(seen.n, files[i].n);
		assert_int_equal(quirks.seen, files[i].quirks);
	}
	for (int i = 0; i < 9; i++)
		forge_append(&deep, est_span_str("HTTP/1.1 200 OK\n\n"));
	forge_append(&deep, est_span_str("MAA="));
	assert_int_equal(est_objects(est_buf_span(&deep), &quirks, note, &seen, &err), EST_E_INPUT);
	assert_non_null(strstr(err.msg, "more than 8 deep"));
	est_buf_free(&deep);
}

static void values_in_a_row_are_taken_one_by_one(void **state)
{
	struct est_quirks quirks = { 0 };
	struct seen seen = { 0 };
	struct est_buf der = { 0 };
	struct est_error err;

	(void)state;
	forge_numbered(1, &der);
	forge_append(&der, BYTES(0x30, 0));
	forge_numbered(2, &der);
	forge_append(&der, BYTES('\n', 0));
	assert_int_equal(est_objects(est_buf_span(&der), &quirks, note, &seen, &err), EST_OK);
	assert_int_equal(seen.n, 3);
	assert_int_equal(seen.kinds[1], EST_FILE_CSRATTRS);
	assert_int_equal(seen.kinds[2], EST_FILE_CERT);
	assert_int_equal(quirks.seen, 1u << EST_Q_TRAILING);
	/* Other bytes behind make the last one broken, and it alone. */
	forge_append(&der, BYTES(1));
	seen = (struct seen){ 0 };
	assert_int_equal(est_objects(est_buf_span(&der), &quirks, note, &seen, &err), EST_OK);
	assert_int_equal(seen.n, 3);
	assert_true(!seen.broken[0] && !seen.broken[1] && seen.broken[2]);
	est_buf_free(&der);
}

static void the_callback_ends_it(void **state)
{
	struct est_quirks quirks = { 0 };
	struct seen seen = { .stop_at = 2 };
	struct est_buf der = { 0 };
	struct est_error err = { 0 };

	(void)state;
	read_vector("rfc7030-a1-cacerts-response.der", &der);
	assert_int_equal(est_objects(est_buf_span(&der), &quirks, note, &seen, &err), EST_E_OUTPUT);
	assert_string_equal(err.msg, "enough");
	assert_int_equal(seen.n, 2);
	est_buf_free(&der);
}

static void files_of_another_kind_are_refused_by_name(void **state)
{
	static const char *const files[][2] = { { "", "an empty file" }, { "hello", "plain text" },
		{ "<html>", "HTML" }, { "{}", "JSON" }, { "\x1f\x8b", "gzip" } };
	struct est_quirks quirks = { 0 };
	struct seen seen = { 0 };
	struct est_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		assert_int_equal(est_objects(est_span_str(files[i][0]), &quirks, note, &seen, &err),
			EST_E_INPUT);
		assert_non_null(strstr(err.msg, files[i][1]));
	}
	assert_int_equal(seen.n, 0);
	/* PKCS #12 that is none is a broken object. */
	assert_int_equal(est_objects(BYTES(0x30, 8, 2, 1, 3, 0x30, 3, 6, 1, 0x2a), &quirks, note,
				 &seen, &err),
		EST_OK);
	assert_int_equal(seen.n, 1);
	assert_true(seen.broken[0] && seen.kinds[0] == EST_FILE_PKCS12);
}

static void a_hundred_thousand_certificates_take_linear_time(void **state)
{
	struct est_quirks quirks = { 0 };
	struct est_buf one = { 0 }, set = { 0 }, der = { 0 };
	struct seen seen = { 0 };
	struct est_error err;
	clock_t begin;

	(void)state;
	forge_numbered(1, &one);
	forge_repeat(&set, est_buf_span(&one), 100000);
	forge_bag(&(struct forge_bag){ .certs = est_buf_span(&set) }, &der);
	begin = clock();
	assert_int_equal(est_objects(est_buf_span(&der), &quirks, note, &seen, &err), EST_OK);
	assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 1);
	assert_int_equal(seen.n, 100000);
	est_buf_free(&one);
	est_buf_free(&set);
	est_buf_free(&der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_look_like_what_they_are),
		cmocka_unit_test(other_files_are_named),
		cmocka_unit_test(labels_in_the_wild_are_known),
		cmocka_unit_test(der_of_each_kind_is_told_apart),
		cmocka_unit_test(a_broken_object_does_not_hide_the_others),
		cmocka_unit_test(pem_of_all_kinds_is_taken_apart),
		cmocka_unit_test(a_wrong_label_is_refused_where_everything_is_strict),
		cmocka_unit_test(messages_with_fields_are_opened),
		cmocka_unit_test(values_in_a_row_are_taken_one_by_one),
		cmocka_unit_test(the_callback_ends_it),
		cmocka_unit_test(files_of_another_kind_are_refused_by_name),
		cmocka_unit_test(a_hundred_thousand_certificates_take_linear_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
