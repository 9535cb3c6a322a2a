/* SPDX-License-Identifier: MIT */
/* A small PKI, files of it, and what is said of a chain: for the tests of trust. */
#ifndef EST_TESTS_TRUST_RUN_H
#define EST_TESTS_TRUST_RUN_H

#include "trust.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "forge.h"
#include "testca.h"

#define CERT_SIGN GNUTLS_KEY_KEY_CERT_SIGN
#define MINUTES   60
#define CA        .ca = true, .no_path_len = true

static char *dir;
static struct testca root, inter, leaf, other_root;
static struct est_error err;

static int set_up(void **state)
{
	(void)state;
	dir = testca_dir();
	testca_root(&root);
	testca_inter(&root, &inter);
	testca_issue(&(struct testca_spec){ .subject = "CN=leaf",
			     .issuer = &inter,
			     .purpose = GNUTLS_KP_TLS_WWW_SERVER },
		&leaf);
	testca_issue(&(struct testca_spec){ .subject = "CN=other root",
			     .ca = true,
			     .no_path_len = true,
			     .usage = CERT_SIGN },
		&other_root);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	testca_wipe(&root);
	testca_wipe(&inter);
	testca_wipe(&leaf);
	testca_wipe(&other_root);
	testca_dir_remove(dir);
	return 0;
}

/* A file of these certificates, NULL-terminated. */
#define PEM(name, ...) pem_file(name, (const struct testca *const[]){ __VA_ARGS__, NULL })

static const char *pem_file(const char *name, const struct testca *const *certs)
{
	const char *path = testca_path(dir, name);
	size_t n = 0;

	while (certs[n])
		n++;
	testca_write_pem(path, certs, n);
	return path;
}

#define FILES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static struct trust *load(const char *const *files, bool system, const char *system_file)
{
	struct trust *trust = NULL;

	if (trust_load(files, system, system_file, &trust, &err) != EST_OK)
		fail_msg("%s", err.msg);
	return trust;
}

/* Verifies a chain as it would come from a server; certs[0] is in question. */
static enum est_code verify_for(struct trust *trust, const struct testca *const *certs, size_t n,
	const char *purpose, unsigned skew_s, struct trust_answer *answer)
{
	struct est_span list[8];
	const struct trust_query query = {
		.certs = list,
		.n = n,
		.purpose = purpose,
		.skew_s = skew_s,
		.what = "the certificate",
	};
	enum est_code rc;

	assert_true(n <= 8);
	for (size_t i = 0; i < n; i++)
		list[i] = est_buf_span(&certs[i]->der);
	*answer = (struct trust_answer){ 0 };
	err = (struct est_error){ 0 };
	rc = trust_verify(trust, &query, answer, &err);
	if (rc != EST_OK) {
		assert_int_equal(answer->db, TRUST_NONE); /* untouched */
		assert_int_equal(answer->n, 0);
		assert_int_equal(rc, EST_E_UNTRUSTED);
		assert_non_null(err.reason);
		assert_true(strncmp(err.msg, "the certificate", 15) == 0);
	}
	return rc;
}

#define CHAIN(...) ((const struct testca *const[]){ __VA_ARGS__ })
#define CHAIN_N(...)                                                                               \
	(sizeof((const struct testca *const[]){ __VA_ARGS__ }) / sizeof(const struct testca *))

#define VERIFY(trust, answer, ...)                                                                 \
	verify_for(trust, CHAIN(__VA_ARGS__), CHAIN_N(__VA_ARGS__), NULL, 0, answer)

#define EXPECT_TRUSTED(trust, from, ...)                                                           \
	do {                                                                                       \
		struct trust_answer answer_;                                                       \
		if (VERIFY(trust, &answer_, __VA_ARGS__) != EST_OK)                                \
			fail_msg("line %d: %s", __LINE__, err.msg);                                \
		assert_int_equal(answer_.db, from);                                                \
	} while (0)

#define EXPECT_REASON(trust, id, ...)                                                              \
	do {                                                                                       \
		struct trust_answer answer_;                                                       \
		if (VERIFY(trust, &answer_, __VA_ARGS__) != EST_E_UNTRUSTED)                       \
			fail_msg("line %d: trusted", __LINE__);                                    \
		if (strcmp(err.reason, id) != 0)                                                   \
			fail_msg("line %d: %s: %s", __LINE__, err.reason, err.msg);                \
	} while (0)

#endif
