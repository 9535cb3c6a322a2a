/* SPDX-License-Identifier: MIT */
/* Challenges taken apart without guessing: what is malformed is left out, the rest stands. */
#include "http_auth.h"

#include <string.h>

#include "base64.h"
#include "http_lex.h"
#include "span.h"

/* token68 = 1*( ALPHA / DIGIT / "-._~+/" ) *"=", and nothing after it in the list element. */
static bool take_token68(struct est_span *in, struct est_span *out)
{
	struct est_span rest = *in;
	size_t n = 0;

	while (n < rest.n && rest.p[n] != '=' &&
		(rest.p[n] == '/' ||
			(http_is_tchar(rest.p[n]) && !strchr("!#$%&'*^`|", rest.p[n]))))
		n++;
	if (n == 0)
		return false;
	while (n < rest.n && rest.p[n] == '=')
		n++;
	rest = span_after(rest, n);
	http_skip_blanks(&rest);
	if (rest.n > 0 && rest.p[0] != ',')
		return false;
	*out = (struct est_span){ in->p, n };
	*in = rest;
	return true;
}

/* name BWS "=" BWS ( token / quoted-string ), and nothing after it in the list element. */
static bool take_param(struct est_span *in, struct http_auth_param *out)
{
	struct http_auth_param param = { 0 };
	struct est_span rest = *in;

	if (!http_token(&rest, &param.name))
		return false;
	http_skip_blanks(&rest);
	if (!http_skip_char(&rest, '='))
		return false;
	http_skip_blanks(&rest);
	param.quoted = http_quoted(&rest, &param.value);
	if (!param.quoted && !http_token(&rest, &param.value))
		return false;
	http_skip_blanks(&rest);
	if (rest.n > 0 && rest.p[0] != ',')
		return false;
	*out = param;
	*in = rest;
	return true;
}

/* Up to the next comma outside a quoted string; a string that never ends takes all. */
static void skip_element(struct est_span *in)
{
	struct est_span ignored;

	while (in->n > 0 && in->p[0] != ',') {
		if (in->p[0] == '"' && !http_quoted(in, &ignored))
			in->n = 0;
		else if (in->n > 0 && in->p[0] != ',')
			*in = (struct est_span){ in->p + 1, in->n - 1 };
	}
}

/* Whether the element is a parameter ("realm=...") rather than a scheme ("Basic ..."). */
static bool looks_like_param(struct est_span in)
{
	struct est_span ignored;

	if (!http_token(&in, &ignored))
		return false;
	http_skip_blanks(&in);
	return in.n > 0 && in.p[0] == '=';
}

static bool add_param(struct http_challenge *challenge, const struct http_auth_param *param)
{
	for (size_t i = 0; i < challenge->n_params; i++)
		if (http_same(challenge->params[i].name, param->name))
			return false;
	if (challenge->token68.n > 0 || challenge->n_params == HTTP_AUTH_PARAMS_MAX)
		return false;
	challenge->params[challenge->n_params++] = *param;
	return true;
}

/* Takes one challenge with all its parameters off the front; false: malformed, and skipped. */
static bool take_challenge(struct est_span *in, struct http_challenge *out)
{
	struct http_auth_param param;
	struct est_span next;
	bool good, blank;

	*out = (struct http_challenge){ 0 };
	good = !looks_like_param(*in) && http_token(in, &out->scheme);
	blank = in->n > 0 && (in->p[0] == ' ' || in->p[0] == '\t');
	http_skip_blanks(in);
	if (in->n > 0 && in->p[0] != ',') {
		if (!good || !blank)
			good = false;
		else if (take_token68(in, &out->token68))
			;
		else
			good = take_param(in, &param) && add_param(out, &param);
		skip_element(in);
	}
	for (;;) { /* the elements that follow belong to it until one is a scheme */
		next = *in;
		while (next.n > 0 && (next.p[0] == ',' || next.p[0] == ' ' || next.p[0] == '\t'))
			next = span_after(next, 1);
		*in = next;
		if (next.n == 0 || !looks_like_param(next))
			return good;
		if (good)
			good = take_param(in, &param) && add_param(out, &param);
		skip_element(in);
	}
}

size_t http_challenges(const struct http_response *response, const char *field,
	struct http_challenge *out)
{
	struct est_span value;
	size_t n = 0;

	for (size_t i = 0; http_field(response, field, i, &value); i++) {
		while (value.n > 0 && n < HTTP_CHALLENGES_MAX) {
			if (value.p[0] == ',' || value.p[0] == ' ' || value.p[0] == '\t')
				value = span_after(value, 1);
			else if (take_challenge(&value, &out[n]))
				n++;
		}
	}
	return n;
}

bool http_challenge_is(const struct http_challenge *challenge, const char *scheme)
{
	return http_is(challenge->scheme, scheme);
}

const struct http_auth_param *http_auth_find(const struct http_challenge *challenge,
	const char *name)
{
	for (size_t i = 0; i < challenge->n_params; i++)
		if (http_is(challenge->params[i].name, name))
			return &challenge->params[i];
	return NULL;
}

bool http_auth_plain(const struct http_challenge *challenge, const char *name, struct est_span *out)
{
	const struct http_auth_param *param = http_auth_find(challenge, name);

	if (param)
		*out = param->quoted ? (struct est_span){ param->value.p + 1, param->value.n - 2 }
				     : param->value;
	return param != NULL;
}

bool http_auth_is(const struct http_challenge *challenge, const char *name, const char *word)
{
	struct est_span value;

	return http_auth_plain(challenge, name, &value) && http_is(value, word);
}

enum est_code http_auth_value(const struct http_challenge *challenge, const char *name,
	struct est_buf *out, struct est_error *err)
{
	enum est_code rc = EST_OK;
	struct est_span rest;
	size_t n;

	if (!http_auth_plain(challenge, name, &rest))
		return est_fail(err, EST_E_PROTOCOL, "no %s", name);
	while (rc == EST_OK && rest.n > 0) {
		if (rest.p[0] == '\\' && rest.n > 1)
			rest = span_after(rest, 1);
		for (n = 1; n < rest.n && rest.p[n] != '\\'; n++)
			;
		rc = est_buf_append(out, (struct est_span){ rest.p, n }, err);
		rest = span_after(rest, n);
	}
	return rc;
}

bool http_auth_info(const struct http_response *response, const char *field,
	struct http_challenge *out)
{
	struct http_auth_param param;
	struct est_span value;

	*out = (struct http_challenge){ 0 };
	for (size_t i = 0; http_field(response, field, i, &value); i++) {
		while (value.n > 0) {
			if (value.p[0] == ',' || value.p[0] == ' ' || value.p[0] == '\t')
				value = span_after(value, 1);
			else if (!take_param(&value, &param) || !add_param(out, &param))
				return false;
		}
	}
	return out->n_params > 0;
}

static bool has_control(struct est_span in)
{
	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] < ' ' || in.p[i] == 0x7f)
			return true;
	return false;
}

enum est_code http_check_credentials(const char *user, struct est_span password,
	struct est_error *err)
{
	if (strchr(user, ':'))
		return est_fail(err, EST_E_USAGE,
			"the user name has a colon, which HTTP authentication cannot express "
			"(RFC 7617 section 2)");
	if (has_control(est_span_str(user)))
		return est_fail(err, EST_E_USAGE,
			"the user name has a control character (RFC 7617 section 2)");
	if (has_control(password))
		return est_fail(err, EST_E_USAGE,
			"the password has a control character (RFC 7617 section 2)");
	return EST_OK;
}

enum est_code http_basic(const char *user, struct est_span password, struct est_buf *out,
	struct est_error *err)
{
	struct est_buf pair = { 0 }, text = { 0 };
	enum est_code rc;

	rc = http_check_credentials(user, password, err);
	if (rc == EST_OK)
		rc = est_buf_append(&pair, est_span_str(user), err);
	if (rc == EST_OK)
		rc = est_buf_append(&pair, est_span_str(":"), err);
	if (rc == EST_OK)
		rc = est_buf_append(&pair, password, err);
	if (rc == EST_OK)
		rc = est_buf_append(&text, est_span_str("Basic "), err);
	if (rc == EST_OK)
		rc = base64_encode(est_buf_span(&pair), 0, &text, err);
	if (rc == EST_OK)
		rc = est_buf_append(out, est_buf_span(&text), err);
	est_buf_free(&pair);
	est_buf_free(&text);
	return rc;
}

enum est_code http_bearer(struct est_span token, struct est_buf *out, struct est_error *err)
{
	struct est_buf text = { 0 };
	struct est_span rest = token, b68;
	enum est_code rc;

	if (!take_token68(&rest, &b68) || b68.n != token.n)
		return est_fail(err, EST_E_INPUT,
			"the token is empty or has a character that cannot be sent: letters, digits, "
			"-._~+/ and = at the end (RFC 6750 section 2.1)");
	rc = est_buf_append(&text, est_span_str("Bearer "), err);
	if (rc == EST_OK)
		rc = est_buf_append(&text, token, err);
	if (rc == EST_OK)
		rc = est_buf_append(out, est_buf_span(&text), err);
	est_buf_free(&text);
	return rc;
}
