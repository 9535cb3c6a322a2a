/* SPDX-License-Identifier: MIT */
/* What a path is held against besides GnuTLS: first byte 0, name constraints and a
 * subjectAltName, with the length of the first in the next two bytes; else a file of CRLs. */
#include <time.h>

#include "crl.h"
#include "fuzzing.h"
#include "name_constraints.h"
#include "revocation.h"

#define OID_NC  0x06, 0x03, 0x55, 0x1d, 0x1e
#define OID_SAN 0x06, 0x03, 0x55, 0x1d, 0x11

static void expect(enum est_code rc, const struct est_error *err)
{
	FUZZ_ASSERT(rc == EST_OK || (rc == EST_E_UNTRUSTED && err->reason));
}

static void put(struct est_buf *out, struct est_span oid, struct est_span value)
{
	struct est_buf body = { 0 };
	struct est_error err;

	FUZZ_ASSERT(est_buf_append(&body, oid, &err) == EST_OK);
	FUZZ_ASSERT(der_put(&body, DER_OCTET_STRING, value, &err) == EST_OK);
	FUZZ_ASSERT(der_put(out, DER_SEQUENCE, est_buf_span(&body), &err) == EST_OK);
	est_buf_free(&body);
}

static void fuzz_names(struct est_span in)
{
	static const uint8_t no_names[] = { 0x30, 0 };
	struct cert_view ca = { 0 }, cert = { 0 };
	struct est_buf constraints = { 0 }, names = { 0 };
	struct est_error err = { 0 };
	size_t n;

	if (in.n < 2)
		return;
	n = (size_t)in.p[0] << 8 | in.p[1];
	in = (struct est_span){ in.p + 2, in.n - 2 };
	n = n < in.n ? n : in.n;
	put(&constraints, CERT_OID(OID_NC), (struct est_span){ in.p, n });
	put(&names, CERT_OID(OID_SAN), (struct est_span){ in.p + n, in.n - n });
	ca.extensions = est_buf_span(&constraints);
	cert.extensions = est_buf_span(&names);
	/* cert_view() lets no other names through. */
	cert.subject = (struct est_span){ in.p + n, in.n - n };
	if (cert_check_name(cert.subject, "", &err) != EST_OK)
		cert.subject = (struct est_span){ no_names, sizeof(no_names) };
	expect(name_constraints_check(&ca, &cert, true, "it", &err), &err);
	/* Without constraints everything may be certified. */
	ca.extensions = est_buf_span(&names);
	FUZZ_ASSERT(name_constraints_check(&ca, &cert, true, "it", &err) == EST_OK);
	est_buf_free(&constraints);
	est_buf_free(&names);
}

static void fuzz_lists(struct est_span in)
{
	static const uint8_t ec_key[] = { 0x30, 0 };
	struct cert_view cert = { 0 }, issuer = { 0 };
	struct est_error err = { 0 };
	struct crls *crls = NULL;
	struct crl_view view;
	enum est_code rc = crls_add(&crls, in, &err);

	if (rc != EST_OK) {
		fuzz_assert_failed(rc, &err);
		crls_free(crls);
		return;
	}
	/* A certificate of the issuer of the first, when the file is one. */
	if (crl_view(in, &view, &err) == EST_OK) {
		cert.issuer = issuer.subject = view.issuer;
		cert.extensions = view.extensions;
	}
	issuer.spki = (struct est_span){ ec_key, sizeof(ec_key) };
	/* No key signs here, so no list is one of the issuer. */
	rc = crls_check(crls, &cert, &issuer, time(NULL), true, "it", &err);
	FUZZ_ASSERT(rc == EST_E_UNTRUSTED && strcmp(err.reason, "no-crl") == 0);
	FUZZ_ASSERT(crls_check(crls, &cert, &issuer, time(NULL), false, "it", &err) == EST_OK);
	crls_free(crls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct est_span in = { data + 1, size ? size - 1 : 0 };

	if (size == 0)
		return 0;
	if (data[0] == 0)
		fuzz_names(in);
	else
		fuzz_lists(in);
	return 0;
}
