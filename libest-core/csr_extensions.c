/* SPDX-License-Identifier: MIT */
/* The extensions that a certification request asks for (RFC 5280 section 4.2). */
#include "csr.h"

#include <arpa/inet.h>
#include <string.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509-ext.h>
#include <gnutls/x509.h>

#include "cert.h"

#define DNS_MAX_BYTES 253
#define SAN_MAX_BYTES 1024 /* one name */

static const struct {
	const char *name;
	unsigned bit;
} key_usages[] = {
	{ "digitalSignature", GNUTLS_KEY_DIGITAL_SIGNATURE },
	{ "nonRepudiation", GNUTLS_KEY_NON_REPUDIATION },
	{ "keyEncipherment", GNUTLS_KEY_KEY_ENCIPHERMENT },
	{ "dataEncipherment", GNUTLS_KEY_DATA_ENCIPHERMENT },
	{ "keyAgreement", GNUTLS_KEY_KEY_AGREEMENT },
};

static const struct {
	const char *name, *oid;
} purposes[] = {
	{ "serverAuth", GNUTLS_KP_TLS_WWW_SERVER },
	{ "clientAuth", GNUTLS_KP_TLS_WWW_CLIENT },
	{ "codeSigning", GNUTLS_KP_CODE_SIGNING },
	{ "emailProtection", GNUTLS_KP_EMAIL_PROTECTION },
	{ "timeStamping", GNUTLS_KP_TIME_STAMPING },
	{ "OCSPSigning", GNUTLS_KP_OCSP_SIGNING },
};

static enum est_code fail_gnutls(int ret, const char *doing, struct est_error *err)
{
	return est_fail(err, ret == GNUTLS_E_MEMORY_ERROR ? EST_E_INTERNAL : EST_E_USAGE, "%s: %s",
		doing, gnutls_strerror(ret));
}

/* Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } */
enum est_code csr_put_extension(struct est_buf *out, struct est_span oid, bool critical,
	struct est_span value, struct est_error *err)
{
	static const uint8_t yes[] = { 0xff };
	struct est_buf body = { 0 };
	enum est_code rc;

	rc = der_put(&body, DER_OID, oid, err);
	if (rc == EST_OK && critical)
		rc = der_put(&body, DER_BOOLEAN, (struct est_span){ yes, 1 }, err);
	if (rc == EST_OK)
		rc = der_put(&body, DER_OCTET_STRING, value, err);
	if (rc == EST_OK)
		rc = der_put(out, DER_SEQUENCE, est_buf_span(&body), err);
	est_buf_free(&body);
	return rc;
}

static enum est_code put_datum(struct est_buf *out, struct est_span oid, bool critical,
	gnutls_datum_t *der, struct est_error *err)
{
	enum est_code rc;

	rc = csr_put_extension(out, oid, critical, (struct est_span){ der->data, der->size }, err);
	gnutls_free(der->data);
	der->data = NULL;
	return rc;
}

/* Letters, digits, "-" and "_" in labels of 1 to 63; "*" may be the first one (RFC 5280 section
 * 4.2.1.6, RFC 9525 section 2). */
static bool is_dns_name(const char *text)
{
	size_t n;

	if (strlen(text) > DNS_MAX_BYTES)
		return false;
	if (strncmp(text, "*.", 2) == 0)
		text += 2;
	for (;; text += n + 1) {
		n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789-_");
		if (n == 0 || n > 63 || (text[n] && text[n] != '.'))
			return false;
		if (!text[n])
			return true;
	}
}

/* Printable ASCII, and for what cannot do without (RFC 5280 section 4.2.1.6) something before the
 * separator of mailbox or scheme. */
static bool is_name(const char *text, gnutls_x509_subject_alt_name_t type)
{
	const char *mark = strchr(text, type == GNUTLS_SAN_URI ? ':' : '@');

	if (type == GNUTLS_SAN_DNSNAME)
		return is_dns_name(text);
	if (!*text || strlen(text) > SAN_MAX_BYTES)
		return false;
	if (!mark || mark == text || !mark[1])
		return false;
	for (; *text; text++) {
		if (*text <= ' ' || *text > '~')
			return false;
	}
	return true;
}

static enum est_code add_names(gnutls_subject_alt_names_t sans, const char *const *names,
	gnutls_x509_subject_alt_name_t type, const char *option, size_t *count,
	struct est_error *err)
{
	unsigned char address[16];
	gnutls_datum_t value;
	char shown[120];
	int ret;

	for (; names && *names; names++, (*count)++) {
		est_escape(shown, sizeof(shown), est_span_str(*names));
		value = (gnutls_datum_t){ (unsigned char *)*names, (unsigned)strlen(*names) };
		if (type == GNUTLS_SAN_IPADDRESS) {
			value.data = address;
			if (inet_pton(AF_INET, *names, address) == 1)
				value.size = 4;
			else if (inet_pton(AF_INET6, *names, address) == 1)
				value.size = 16;
			else
				return est_fail(err, EST_E_USAGE,
					"--ip %s: not an IPv4 or IPv6 address", shown);
		} else if (!is_name(*names, type)) {
			est_fail(err, EST_E_USAGE,
				"--%s %s: not such a name in printable ASCII of at most %d "
				"characters",
				option, shown, SAN_MAX_BYTES);
			return est_hint(err, "an international name is given as its A-label "
					     "(xn--...)");
		}
		ret = gnutls_subject_alt_names_set(sans, type, &value, NULL);
		if (ret < 0)
			return fail_gnutls(ret, "subjectAltName", err);
	}
	return EST_OK;
}

static enum est_code put_sans(const struct est_csr_spec *spec, bool critical, struct est_buf *out,
	struct est_error *err)
{
	gnutls_subject_alt_names_t sans;
	gnutls_datum_t der = { 0 };
	enum est_code rc;
	size_t n = 0;
	int ret;

	if (gnutls_subject_alt_names_init(&sans) < 0)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	rc = add_names(sans, spec->dns, GNUTLS_SAN_DNSNAME, "dns", &n, err);
	if (rc == EST_OK)
		rc = add_names(sans, spec->ip, GNUTLS_SAN_IPADDRESS, "ip", &n, err);
	if (rc == EST_OK)
		rc = add_names(sans, spec->email, GNUTLS_SAN_RFC822NAME, "email", &n, err);
	if (rc == EST_OK)
		rc = add_names(sans, spec->uri, GNUTLS_SAN_URI, "uri", &n, err);
	if (rc == EST_OK && n > EST_SANS_MAX)
		rc = est_fail(err, EST_E_USAGE, "more than %d alternative names", EST_SANS_MAX);
	if (rc == EST_OK && n > 0) {
		ret = gnutls_x509_ext_export_subject_alt_names(sans, &der);
		rc = ret < 0 ? fail_gnutls(ret, "subjectAltName", err)
			     : put_datum(out, CERT_OID_SAN, critical, &der, err);
	}
	gnutls_subject_alt_names_deinit(sans);
	return rc;
}

static enum est_code put_key_usage(const char *const *names, struct est_buf *out,
	struct est_error *err)
{
	gnutls_datum_t der = { 0 };
	unsigned bits = 0;
	char shown[80];
	int ret;

	if (!names || !*names)
		return EST_OK;
	for (; *names; names++) {
		unsigned bit = 0;

		for (size_t i = 0; i < sizeof(key_usages) / sizeof(key_usages[0]); i++) {
			if (strcmp(*names, key_usages[i].name) == 0)
				bit = key_usages[i].bit;
		}
		if (!bit)
			return est_fail(err, EST_E_USAGE,
				"--key-usage %s: not one of digitalSignature, nonRepudiation, "
				"keyEncipherment, dataEncipherment, keyAgreement",
				est_escape(shown, sizeof(shown), est_span_str(*names)));
		bits |= bit;
	}
	ret = gnutls_x509_ext_export_key_usage(bits, &der);
	if (ret < 0)
		return fail_gnutls(ret, "keyUsage", err);
	return put_datum(out, CERT_OID_KEY_USAGE, true, &der, err); /* RFC 5280 section 4.2.1.3 */
}

static const char *purpose_oid(const char *name)
{
	for (size_t i = 0; i < sizeof(purposes) / sizeof(purposes[0]); i++) {
		if (strcmp(name, purposes[i].name) == 0)
			return purposes[i].oid;
	}
	return name;
}

/* By hand: GnuTLS writes an OID for any text of digits and dots, or none. */
static enum est_code put_ext_key_usage(const char *const *names, struct est_buf *out,
	struct est_error *err)
{
	struct est_buf list = { 0 }, value = { 0 };
	enum est_code rc = EST_OK;
	struct csr_oid oid;
	char shown[80];

	if (!names || !*names)
		return EST_OK;
	for (; rc == EST_OK && *names; names++) {
		if (csr_oid(purpose_oid(*names), &oid))
			rc = der_put(&list, DER_OID, (struct est_span){ oid.der, oid.n }, err);
		else
			rc = est_fail(err, EST_E_USAGE,
				"--ext-key-usage %s: not serverAuth, clientAuth, codeSigning, "
				"emailProtection, timeStamping, OCSPSigning or a dotted OID",
				est_escape(shown, sizeof(shown), est_span_str(*names)));
	}
	if (rc == EST_OK)
		rc = der_put(&value, DER_SEQUENCE, est_buf_span(&list), err);
	if (rc == EST_OK)
		rc = csr_put_extension(out, CERT_OID_EXT_KEY_USAGE, false, est_buf_span(&value),
			err);
	est_buf_free(&list);
	est_buf_free(&value);
	return rc;
}

/* RFC 7030 section 4.2.2: the subjectAltName of the certificate that is renewed, as it is. */
static enum est_code copy_san(struct est_span cert, struct est_buf *out, struct est_error *err)
{
	struct cert_view view;
	struct est_span value;
	bool critical;
	enum est_code rc;

	rc = cert_view(cert, "the certificate to renew", &view, err);
	if (rc != EST_OK || !cert_extension(&view, CERT_OID_SAN, &critical, &value))
		return rc;
	return csr_put_extension(out, CERT_OID_SAN, critical, value, err);
}

enum est_code csr_extensions(const struct est_csr_spec *spec, bool subject_empty,
	struct est_buf *out, struct est_error *err)
{
	struct est_buf list = { 0 };
	enum est_code rc;

	if (spec->renew.n)
		rc = copy_san(spec->renew, &list, err);
	else /* RFC 5280 section 4.2.1.6: critical when the subject is empty */
		rc = put_sans(spec, subject_empty, &list, err);
	if (rc == EST_OK)
		rc = put_key_usage(spec->key_usage, &list, err);
	if (rc == EST_OK)
		rc = put_ext_key_usage(spec->ext_key_usage, &list, err);
	if (rc == EST_OK && list.n > 0)
		rc = der_put(out, DER_SEQUENCE, est_buf_span(&list), err);
	est_buf_free(&list);
	return rc;
}
