/* SPDX-License-Identifier: MIT */
/* The generations of a key in a PKCS #11 token, by their labels. */
#include "token_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>

#define NAMES 4

/* Mechanisms of PKCS #11 that make pairs of keys, and with which GnuTLS has them sign. */
#define CKM_RSA_PKCS_KEY_PAIR_GEN   0x0000ul
#define CKM_RSA_PKCS                0x0001ul
#define CKM_EC_KEY_PAIR_GEN         0x1040ul
#define CKM_ECDSA                   0x1041ul
#define CKM_EC_EDWARDS_KEY_PAIR_GEN 0x1055ul
#define CKM_EDDSA                   0x1057ul

static const char *const suffixes[NAMES] = { "", ".est-new", ".est-old", ".prev" };

struct token_place {
	struct token_pin *pin;
	char *url[NAMES];
	char *label[NAMES]; /* decoded */
	char shown[TOKEN_SHOWN];
};

static enum est_code no_memory(struct est_error *err)
{
	return est_fail(err, EST_E_INTERNAL, "out of memory");
}

/* The value of an attribute of the path (RFC 7512 section 2.3), as it stands there; p is NULL when
 * it is not there. */
static struct est_span attribute(const char *url, const char *name)
{
	const size_t n = strlen(name);
	const char *end = strchr(url, '?');

	end = end ? end : url + strlen(url);
	for (const char *p = strchr(url, ':') + 1; p < end; p += strcspn(p, ";?") + 1) {
		if (strncmp(p, name, n) == 0 && p[n] == '=')
			return (struct est_span){ (const uint8_t *)p + n + 1,
				strcspn(p + n + 1, ";?") };
	}
	return (struct est_span){ 0 };
}

static enum est_code check_name(const char *url, const char *shown, struct est_error *err)
{
	const char *const fixed[] = { "id", "type" };

	if (attribute(url, "object").n == 0)
		return est_fail(err, EST_E_INPUT,
			"%s: a new key takes over the label, and object= does not name any", shown);
	for (size_t i = 0; i < 2; i++) {
		if (attribute(url, fixed[i]).p)
			return est_fail(err, EST_E_INPUT,
				"%s: a new key is found by the label that object= names, not by %s=",
				shown, fixed[i]);
	}
	return EST_OK;
}

static bool has_mechanism(const char *url, unsigned long mechanism)
{
	return gnutls_pkcs11_token_check_mechanism(url, mechanism, NULL, 0, 0) == 1;
}

enum est_code token_place_check(const char *url, gnutls_pk_algorithm_t pk, struct est_error *err)
{
	unsigned long make = CKM_EC_EDWARDS_KEY_PAIR_GEN, sign = CKM_EDDSA;
	char shown[TOKEN_SHOWN];
	enum est_code rc;

	if (pk == GNUTLS_PK_RSA) {
		make = CKM_RSA_PKCS_KEY_PAIR_GEN;
		sign = CKM_RSA_PKCS;
	} else if (pk == GNUTLS_PK_EC) {
		make = CKM_EC_KEY_PAIR_GEN;
		sign = CKM_ECDSA;
	}
	rc = token_check_url(url, shown, err);
	if (rc == EST_OK)
		rc = check_name(url, shown, err);
	if (rc != EST_OK || (has_mechanism(url, make) && has_mechanism(url, sign)))
		return rc;
	est_fail(err, EST_E_INPUT, "%s: the token does not make %s keys that sign", shown,
		gnutls_pk_get_name(pk));
	return est_hint(err, "without --rekey the certificate is renewed for the key it has");
}

/* %XX; what is malformed stays, and names nothing. */
static char *decode(struct est_span in, const char *suffix)
{
	char *out = malloc(in.n + strlen(suffix) + 1), hex[3] = "", *end;
	size_t n = 0;

	for (size_t i = 0; out && i < in.n; i++) {
		out[n] = (char)in.p[i];
		if (in.p[i] == '%' && i + 2 < in.n) {
			memcpy(hex, in.p + i + 1, 2);
			out[n] = (char)strtoul(hex, &end, 16);
			i += 2;
		}
		n++;
	}
	if (out)
		memcpy(out + n, suffix, strlen(suffix) + 1);
	return out;
}

static bool name_all(struct token_place *place, const char *url)
{
	const struct est_span label = attribute(url, "object");
	const char *rest = (const char *)label.p + label.n;
	int before = (int)(rest - url);

	for (size_t i = 0; i < NAMES; i++) {
		if (asprintf(&place->url[i], "%.*s%s%s", before, url, suffixes[i], rest) < 0)
			place->url[i] = NULL;
		place->label[i] = decode(label, suffixes[i]);
		if (!place->url[i] || !place->label[i])
			return false;
	}
	return true;
}

enum est_code token_place_open(const char *url, est_secret_fn *ask, void *ctx,
	struct token_place **out, struct est_error *err)
{
	struct token_place *place = calloc(1, sizeof(*place));
	enum est_code rc;

	if (!place)
		return no_memory(err);
	rc = token_check_url(url, place->shown, err);
	if (rc == EST_OK)
		rc = check_name(url, place->shown, err);
	if (rc == EST_OK)
		rc = token_pin_new(url, ask, ctx, &place->pin, err);
	if (rc == EST_OK && !name_all(place, url))
		rc = no_memory(err);
	if (rc == EST_OK)
		*out = place;
	else
		token_place_free(place);
	return rc;
}

const char *token_place_url(const struct token_place *place, enum token_name name)
{
	return place->url[name];
}

/* The URL of one half of a key; without pin-source, which is this side's business.  free() */
static char *half(const struct token_place *place, enum token_name name, const char *type)
{
	const char *url = place->pin->url;
	const struct est_span label = attribute(url, "object");
	const char *rest = (const char *)label.p + label.n;
	int path = (int)strcspn(rest, "?");
	char *out;

	if (asprintf(&out, "%.*s%s%.*s;type=%s%s", (int)(rest - url), url, suffixes[name], path,
		    rest, type, rest + path) < 0)
		return NULL;
	return out;
}

enum half_does { HALF_COUNT, HALF_RELABEL, HALF_REMOVE };

/* Relabels, when there is a label; *found counts. */
static int relabel(const char *url, const char *label, unsigned *found)
{
	gnutls_pkcs11_obj_t *list = NULL;
	unsigned n = 0;
	int ret = gnutls_pkcs11_obj_list_import_url4(&list, &n, url, GNUTLS_PKCS11_OBJ_FLAG_LOGIN);

	for (unsigned i = 0; i < n; i++) {
		if (ret >= 0 && label)
			ret = gnutls_pkcs11_obj_set_info(list[i], GNUTLS_PKCS11_OBJ_LABEL, label,
				strlen(label), GNUTLS_PKCS11_OBJ_FLAG_LOGIN);
		gnutls_pkcs11_obj_deinit(list[i]);
	}
	gnutls_free(list);
	*found = n;
	return ret;
}

/* The private half of a key says where the key is.  A kill may come between the halves: what is on
 * its way to be the old key, or to KEY, takes the private one along last, what comes back from
 * there or goes, first.  So it is never unclear whose the public half is that has been left behind.
 */
static enum est_code halves(const struct token_place *place, enum token_name name,
	enum half_does what, const char *label, unsigned *found, struct est_error *err)
{
	const bool private_first = what != HALF_RELABEL || name == TOKEN_OLD;
	char *url = NULL;
	int ret = 0;

	gnutls_pkcs11_set_pin_function(token_pin_ask, place->pin);
	for (int i = 0; ret >= 0 && i < (what == HALF_COUNT ? 1 : 2); i++) {
		free(url);
		url = half(place, name, (i == 0) == private_first ? "private" : "public");
		if (!url)
			ret = GNUTLS_E_MEMORY_ERROR;
		else if (what == HALF_REMOVE)
			ret = gnutls_pkcs11_delete_url(url, GNUTLS_PKCS11_OBJ_FLAG_LOGIN);
		else
			ret = relabel(url, label, found);
		if (ret == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			ret = 0;
	}
	gnutls_pkcs11_set_pin_function(NULL, NULL);
	free(url);
	if (ret >= 0)
		return EST_OK;
	token_fail(place->shown, "access to the private keys", place->pin, ret, err);
	return what == HALF_COUNT ? err->code : (err->code = EST_E_OUTPUT);
}

enum est_code token_place_has(const struct token_place *place, enum token_name name, bool *has,
	struct est_error *err)
{
	unsigned found = 0;
	enum est_code rc = halves(place, name, HALF_COUNT, NULL, &found, err);

	if (rc == EST_OK)
		*has = found > 0;
	return rc;
}

enum est_code token_place_remove(const struct token_place *place, enum token_name name,
	struct est_error *err)
{
	return halves(place, name, HALF_REMOVE, NULL, NULL, err);
}

enum est_code token_place_rename(const struct token_place *place, enum token_name from,
	enum token_name to, struct est_error *err)
{
	unsigned ignored;

	return halves(place, from, HALF_RELABEL, place->label[to], &ignored, err);
}

enum est_code token_place_generate(const struct token_place *place, gnutls_pk_algorithm_t pk,
	unsigned bits, struct est_error *err)
{
	int ret;

	gnutls_pkcs11_set_pin_function(token_pin_ask, place->pin);
	ret = gnutls_pkcs11_privkey_generate3(place->pin->url, pk, bits, place->label[TOKEN_NEW],
		NULL, GNUTLS_X509_FMT_DER, NULL, 0,
		GNUTLS_PKCS11_OBJ_FLAG_LOGIN | GNUTLS_PKCS11_OBJ_FLAG_MARK_SENSITIVE |
			GNUTLS_PKCS11_OBJ_FLAG_MARK_PRIVATE);
	gnutls_pkcs11_set_pin_function(NULL, NULL);
	return ret < 0 ? token_fail(place->shown, "new key in this token", place->pin, ret, err)
		       : EST_OK;
}

void token_place_free(struct token_place *place)
{
	if (!place)
		return;
	for (size_t i = 0; i < NAMES; i++) {
		free(place->url[i]);
		free(place->label[i]);
	}
	token_pin_free(place->pin);
	free(place);
}
