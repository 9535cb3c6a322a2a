/* SPDX-License-Identifier: MIT */
/* RFC 3986 section 5.2, as far as an https URL needs it. */
#include "redirect.h"

#include <stdlib.h>
#include <string.h>

#include "http_lex.h"
#include "span.h"

enum est_code redirect_fail(struct est_span where, const char *why, struct est_error *err)
{
	char shown[300];

	est_escape(shown, sizeof(shown), where);
	est_fail(err, EST_E_REFUSED, "the server redirects to \"%s\": %s", shown, why);
	return est_reason(err, "redirect");
}

/* A URI has printable ASCII only, and some of it never as itself (RFC 3986 section 2). */
static bool is_clean(struct est_span in)
{
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] <= ' ' || in.p[i] > '~' || strchr("\"<>\\^`{|}", in.p[i]))
			return false;
	}
	return true;
}

static bool has_scheme(struct est_span in, struct est_span *scheme)
{
	*scheme = span_until(in, ":/?#");
	return scheme->n > 0 && scheme->n < in.n && in.p[scheme->n] == ':';
}

/* RFC 3986 section 5.2.4: "." and ".." segments go, never above the root. */
static enum est_code append_path(struct est_buf *out, struct est_span path, struct est_error *err)
{
	size_t start = out->n;
	enum est_code rc = EST_OK;

	while (rc == EST_OK && path.n > 0) { /* each round begins at a slash */
		struct est_span segment = span_until(span_after(path, 1), "/");
		bool last = segment.n + 1 == path.n;
		bool dot = segment.n == 1 && segment.p[0] == '.';
		bool dots = segment.n == 2 && memcmp(segment.p, "..", 2) == 0;

		while (dots && out->n > start && out->p[--out->n] != '/')
			;
		if (!dot && !dots)
			rc = est_buf_append(out, (struct est_span){ path.p, segment.n + 1 }, err);
		else if (last)
			rc = est_buf_append(out, est_span_str("/"), err);
		path = span_after(path, segment.n + 1);
	}
	return rc;
}

/* Path and query of the reference, merged with those of the base. */
static enum est_code make_target(const char *base, struct est_span ref, bool own_authority,
	struct est_buf *out, struct est_error *err)
{
	struct est_span old = est_span_str(base), old_path = span_until(old, "?");
	struct est_span path = span_until(ref, "?"), query = span_after(ref, path.n);
	struct est_buf merged = { 0 };
	enum est_code rc = EST_OK;

	if (path.n == 0 && !own_authority && query.n == 0)
		query = span_after(old, old_path.n);
	if (path.n == 0 && own_authority)
		path = est_span_str("/");
	else if (path.n == 0)
		path = old_path;
	if (path.p[0] != '/') { /* relative to the last folder of the base */
		while (old_path.n > 0 && old_path.p[old_path.n - 1] != '/')
			old_path.n--;
		rc = est_buf_append(&merged, old_path, err);
		if (rc == EST_OK)
			rc = est_buf_append(&merged, path, err);
		path = est_buf_span(&merged);
	}
	if (rc == EST_OK)
		rc = append_path(out, path, err);
	if (rc == EST_OK)
		rc = est_buf_append(out, query, err);
	est_buf_free(&merged);
	return rc;
}

static enum est_code take_authority(const struct url *base, struct est_span *ref, bool own,
	struct est_span location, struct url *out, struct est_error *err)
{
	struct est_span authority = est_span_str(base->authority);
	struct est_error why = { 0 };
	enum est_code rc;

	if (own) {
		authority = span_until(span_after(*ref, 2), "/?");
		*ref = span_after(*ref, 2 + authority.n);
		if (memchr(authority.p, '@', authority.n))
			return redirect_fail(location, "it holds user information", err);
	}
	rc = url_authority(authority, out, &why);
	return rc == EST_E_USAGE ? redirect_fail(location, why.msg, err) : rc;
}

/* Takes "https:" off; another scheme is never followed. */
static enum est_code take_scheme(struct est_span *ref, struct est_span location,
	struct est_error *err)
{
	struct est_span scheme;

	if (!has_scheme(*ref, &scheme))
		return EST_OK;
	if (!http_is(scheme, "https"))
		return redirect_fail(location, "only https is ever followed (RFC 7030 section 3.3)",
			err);
	*ref = span_after(*ref, scheme.n + 1);
	if (ref->n < 2 || ref->p[0] != '/' || ref->p[1] != '/')
		return redirect_fail(location, "an https URL without a host", err);
	return EST_OK;
}

enum est_code redirect_resolve(const struct place *base, struct est_span location,
	struct place *out, struct est_error *err)
{
	struct est_span ref = span_until(location, "#");
	struct est_buf target = { 0 };
	struct place place = { 0 };
	enum est_code rc;
	bool own;

	if (!is_clean(location) || location.n > REDIRECT_TARGET_MAX)
		return redirect_fail(location, "not a URI reference (RFC 3986)", err);
	rc = take_scheme(&ref, location, err);
	if (rc != EST_OK)
		return rc;
	own = ref.n >= 2 && ref.p[0] == '/' && ref.p[1] == '/';
	rc = take_authority(&base->url, &ref, own, location, &place.url, err);
	if (rc == EST_OK)
		rc = make_target(base->target, ref, own, &target, err);
	if (rc == EST_OK)
		rc = span_string(est_buf_span(&target), &place.target, err);
	est_buf_free(&target);
	if (rc == EST_OK)
		*out = place;
	else
		place_wipe(&place);
	return rc;
}

void place_wipe(struct place *place)
{
	url_wipe(&place->url);
	free(place->target);
	*place = (struct place){ 0 };
}

enum est_code place_copy(const struct place *from, struct place *out, struct est_error *err)
{
	struct place copy = { 0 };
	enum est_code rc;

	rc = url_authority(est_span_str(from->url.authority), &copy.url, err);
	if (rc == EST_OK) {
		copy.target = strdup(from->target);
		if (!copy.target)
			rc = est_fail(err, EST_E_INTERNAL, "out of memory");
	}
	if (rc == EST_OK)
		*out = copy;
	else
		place_wipe(&copy);
	return rc;
}

bool place_same_origin(const struct url *a, const struct url *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}
