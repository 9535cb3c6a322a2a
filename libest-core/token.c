/* SPDX-License-Identifier: MIT */
/* PKCS #11 through GnuTLS, which may have been built without it. */
#include "token_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <gnutls/gnutls.h>
#include "url.h"

bool est_is_token_url(const char *name)
{
	return name && strncasecmp(name, "pkcs11:", 7) == 0;
}

void token_pin_free(struct token_pin *pin)
{
	if (!pin)
		return;
	est_buf_free(&pin->pin);
	est_buf_free(&pin->source);
	free(pin->url);
	free(pin);
}

#define SOURCE "pin-source="

static enum est_code end_with_nul(struct est_buf *buf, struct est_error *err)
{
	return est_buf_append(buf, (struct est_span){ (const uint8_t *)"", 1 }, err);
}

/* Takes the attribute pin-source out of the URL (RFC 7512 section 2.4): GnuTLS takes the newline
 * at the end of the file for a part of the PIN. */
static enum est_code take_source(struct token_pin *p, struct est_error *err)
{
	char *at = strstr(p->url, SOURCE), *value = at ? at + strlen(SOURCE) : NULL;
	struct est_span name;
	enum est_code rc;

	if (!at)
		return EST_OK;
	name = (struct est_span){ (const uint8_t *)value, strcspn(value, "&") };
	if (strncmp(value, "file:", 5) == 0)
		name = (struct est_span){ name.p + 5, name.n - 5 };
	rc = url_percent_decode(name, &p->source, err);
	if (rc == EST_OK)
		rc = end_with_nul(&p->source, err);
	if (rc == EST_OK && strlen((const char *)p->source.p) + 1 != p->source.n)
		rc = est_fail(err, EST_E_USAGE, "pin-source: no file has %%00 in its name");
	if (name.p[name.n])
		memmove(at, name.p + name.n + 1, strlen((const char *)name.p + name.n + 1) + 1);
	else
		at[-1] = '\0';
	return rc;
}

enum est_code token_pin_new(const char *url, est_secret_fn *ask, void *ctx, struct token_pin **out,
	struct est_error *err)
{
	struct token_pin *p = calloc(1, sizeof(*p));
	enum est_code rc;

	if (p)
		p->url = strdup(url);
	if (!p || !p->url) {
		free(p);
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	}
	p->ask = ask;
	p->ctx = ctx;
	rc = take_source(p, err);
	if (rc == EST_OK)
		*out = p;
	else
		token_pin_free(p);
	return rc;
}

static enum est_code read_source(const char *file, struct est_buf *pin, struct est_error *err)
{
	enum est_code rc = est_read_file(file, EST_SECRET_MAX, pin, err);

	while (rc == EST_OK && pin->n > 0 &&
		(pin->p[pin->n - 1] == '\n' || pin->p[pin->n - 1] == '\r'))
		pin->n--;
	return rc;
}

enum est_code token_check_url(const char *url, char shown[TOKEN_SHOWN], struct est_error *err)
{
	const char *value = strstr(url, "pin-value=");
	struct est_span name = est_span_str(url);

	if (value) {
		name.n = (size_t)(value - url);
		est_escape(shown, TOKEN_SHOWN, name);
		est_fail(err, EST_E_USAGE, "%s: a PIN on the command line is for everybody to see",
			shown);
		return est_hint(err, "take pin-value out, and give the PIN with "
				     "--key-password-file, EST_KEY_PASSWORD or pin-source");
	}
	est_escape(shown, TOKEN_SHOWN, name);
	if (!strchr(url, '='))
		return est_fail(err, EST_E_INPUT, "%s: names no object (RFC 7512)", shown);
	if (!gnutls_url_is_supported(url) || !gnutls_pkcs11_obj_list_import_url4)
		return est_fail(err, EST_E_INPUT, "%s: the GnuTLS at hand has no PKCS #11", shown);
	return EST_OK;
}

/* The PIN for a token, as GnuTLS asks for it. */
int token_pin_ask(void *userdata, int attempt, const char *url, const char *label, unsigned flags,
	char *out, size_t size)
{
	struct token_pin *p = userdata;
	char what[160], shown[100];
	enum est_code rc = EST_OK;

	(void)url;
	est_escape(shown, sizeof(shown), est_span_str(label ? label : ""));
	if (p->why.code != EST_OK)
		return GNUTLS_E_PKCS11_PIN_ERROR;
	if (attempt > 0 || flags & GNUTLS_PIN_WRONG) {
		est_fail(&p->why, EST_E_INPUT, "wrong PIN for the token \"%s\"", shown);
		est_reason(&p->why, "wrong-passphrase");
		return GNUTLS_E_PKCS11_PIN_ERROR;
	}
	if (flags & GNUTLS_PIN_FINAL_TRY) {
		est_fail(&p->why, EST_E_INPUT,
			"the token \"%s\" locks itself after one more wrong PIN, and that one is "
			"left to you",
			shown);
		est_hint(&p->why, "`p11tool --login --list-all URL` with the right PIN resets it");
		return GNUTLS_E_PKCS11_PIN_ERROR;
	}
	(void)snprintf(what, sizeof(what), "PIN of the token %s", shown);
	if (p->pin.n == 0 && p->source.n > 0)
		rc = read_source((const char *)p->source.p, &p->pin, &p->why);
	else if (p->pin.n == 0 && p->ask)
		rc = p->ask(p->ctx, what, &p->pin, &p->why);
	else if (p->pin.n == 0)
		rc = est_fail(&p->why, EST_E_INPUT, "%s needed", what);
	if (rc == EST_OK && !p->known)
		rc = end_with_nul(&p->pin, &p->why);
	if (rc == EST_OK && (p->pin.n > size || memchr(p->pin.p, 0, p->pin.n - 1)))
		rc = est_fail(&p->why, EST_E_INPUT, "%s: not a PIN, or too long", what);
	if (rc != EST_OK)
		return GNUTLS_E_PKCS11_PIN_ERROR;
	p->known = true;
	memcpy(out, p->pin.p, p->pin.n);
	return 0;
}

enum est_code token_fail(const char *shown, const char *what, const struct token_pin *pin, int ret,
	struct est_error *err)
{
	if (pin && pin->why.code != EST_OK) {
		est_fail(err, pin->why.code, "%s: %s", shown, pin->why.msg);
		if (pin->why.hint[0])
			est_hint(err, "%s", pin->why.hint);
		return pin->why.reason ? est_reason(err, pin->why.reason) : err->code;
	}
	if (ret == GNUTLS_E_MEMORY_ERROR)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	est_fail(err, EST_E_INPUT, "%s: no %s: %s", shown, what, gnutls_strerror(ret));
	return est_hint(err, "`p11tool --list-all URL` shows what is in a token");
}

enum est_code token_key(const char *url, est_secret_fn *ask, void *ctx, gnutls_privkey_t *key,
	struct token_pin **pin, struct est_error *err)
{
	struct token_pin *p = NULL;
	gnutls_privkey_t priv = NULL;
	char shown[TOKEN_SHOWN];
	enum est_code rc;
	int ret;

	rc = token_check_url(url, shown, err);
	if (rc != EST_OK)
		return rc;
	rc = token_pin_new(url, ask, ctx, &p, err);
	if (rc != EST_OK)
		return rc;
	if (gnutls_privkey_init(&priv) < 0) {
		token_pin_free(p);
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	}
	gnutls_privkey_set_pin_function(priv, token_pin_ask, p);
	ret = gnutls_privkey_import_url(priv, p->url, 0);
	if (ret < 0) {
		rc = token_fail(shown, "private key", p, ret, err);
		gnutls_privkey_deinit(priv);
		token_pin_free(p);
		return rc;
	}
	*key = priv;
	*pin = p;
	return EST_OK;
}

enum est_code token_certs(const char *url, token_cert_fn *fn, void *ctx, struct est_error *err)
{
	gnutls_pkcs11_obj_t *list = NULL;
	unsigned n = 0;
	gnutls_datum_t der;
	char shown[TOKEN_SHOWN];
	enum est_code rc;
	int ret;

	rc = token_check_url(url, shown, err);
	if (rc != EST_OK)
		return rc;
	ret = gnutls_pkcs11_obj_list_import_url4(&list, &n, url, GNUTLS_PKCS11_OBJ_FLAG_CRT);
	if (ret < 0 || n == 0)
		rc = token_fail(shown, "certificate", NULL,
			ret < 0 ? ret : GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE, err);
	for (unsigned i = 0; i < n; i++) {
		ret = rc == EST_OK ? gnutls_pkcs11_obj_export2(list[i], &der) : -1;
		if (rc == EST_OK && ret < 0)
			rc = token_fail(shown, "certificate", NULL, ret, err);
		if (rc == EST_OK) {
			rc = fn(ctx, (struct est_span){ der.data, der.size }, err);
			gnutls_free(der.data);
		}
		gnutls_pkcs11_obj_deinit(list[i]);
	}
	gnutls_free(list);
	return rc;
}
