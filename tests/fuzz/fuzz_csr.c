/* SPDX-License-Identifier: MIT */
/* The input as a request, as the text of a name, and as an OID: what is taken of it stays inside
 * it, and what is made of it is a request that another implementation reads and verifies. */
#include "csr.h"

#include <stdlib.h>
#include <string.h>

#include <gnutls/x509.h>

#include "cert.h"
#include "key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_message(const struct est_error *err)
{
	check(err->msg[0] != '\0');
	for (const char *p = err->msg; *p; p++)
		check((unsigned char)*p >= ' ' && *p != 0x7f);
}

static void as_request(struct est_span in)
{
	struct csr_view view = { 0 };
	struct est_error err;
	enum est_code rc = csr_view(in, "input", &view, &err);

	if (rc != EST_OK) {
		check(rc == EST_E_INPUT && !view.subject.p);
		check_message(&err);
		return;
	}
	check(view.subject.p > in.p && view.subject.p + view.subject.n == view.spki.p);
	check(view.spki.p + view.spki.n <= in.p + in.n);
	check(view.subject.p[0] == DER_SEQUENCE && view.spki.p[0] == DER_SEQUENCE);
}

/* One attribute more: in DER's order, and the rest as it was. */
static void linked(struct est_span in, const struct est_key *key)
{
	struct csr_view before, after;
	struct est_buf der = { 0 };
	struct est_error err;

	if (csr_view(in, "input", &before, &err) != EST_OK)
		return;
	if (csr_link(in, key, CSR_OID_IDENTITY_LINKING, est_span_str("bGluaw=="), &der, &err) !=
		EST_OK) {
		check(der.n == 0);
		check_message(&err);
		return;
	}
	check(csr_view(est_buf_span(&der), "linked", &after, &err) == EST_OK);
	check(est_span_eq(before.subject, after.subject) && est_span_eq(before.spki, after.spki));
	check(csr_attribute(after.attributes, CSR_OID_IDENTITY_LINKING));
	check(after.attributes.n > before.attributes.n);
	est_buf_free(&der);
}

static void as_oid(const char *text)
{
	struct csr_oid oid = { .n = 1000 };
	char again[DER_OID_TEXT_MAX];

	if (!csr_oid(text, &oid)) {
		check(oid.n == 1000);
		return;
	}
	check(oid.n > 0 && oid.n <= sizeof(oid.der));
	if (der_oid_text((struct est_span){ oid.der, oid.n }, again))
		check(strcmp(again, text) == 0);
}

static void as_subject(const char *text, const struct est_key *key)
{
	struct est_buf subject = { 0 }, der = { 0 };
	struct csr_view view;
	struct est_error err;
	gnutls_datum_t datum;
	gnutls_x509_crq_t crq;
	enum est_code rc;

	rc = csr_subject(text, &subject, &err);
	if (rc != EST_OK) {
		check(rc == EST_E_USAGE && subject.n == 0);
		check_message(&err);
		return;
	}
	check(der_walk(est_buf_span(&subject), false, "subject", NULL, &err) == EST_OK);
	rc = est_csr_build(&(struct est_csr_spec){ .subject = text }, key, &der, &err);
	check(rc == EST_OK);
	check(csr_view(est_buf_span(&der), "built", &view, &err) == EST_OK);
	check(est_span_eq(view.subject, est_buf_span(&subject)));
	datum = (gnutls_datum_t){ der.p, (unsigned)der.n };
	check(gnutls_x509_crq_init(&crq) >= 0);
	if (gnutls_x509_crq_import(crq, &datum, GNUTLS_X509_FMT_DER) >= 0)
		check(gnutls_x509_crq_verify(crq, 0) >= 0);
	else
		check(strchr(text, '#') != NULL); /* a value given in hexadecimal may be anything */
	gnutls_x509_crq_deinit(crq);
	est_buf_free(&der);
	est_buf_free(&subject);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct est_key *key;
	struct est_span in = { data, size };
	char *text = malloc(size + 1);
	struct est_error err;

	if (!text)
		return 0;
	if (!key)
		check(est_key_generate("ed25519", &key, &err) == EST_OK);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	as_request(in);
	linked(in, key);
	(void)key_signs(in);
	as_subject(text, key);
	as_oid(text);
	free(text);
	return 0;
}
