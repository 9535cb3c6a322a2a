/* SPDX-License-Identifier: MIT */
/* A server and, after the first NUL, a label: what is accepted is safe on a request line, and means
 * the same when it is written as a full URL. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "url.h"

#define BASE "/.well-known/est"

static void check(bool good)
{
	if (!good)
		abort();
}

static bool only(const char *s, const char *allowed)
{
	return s[strspn(s, allowed)] == '\0';
}

#define ALNUM "abcdefghijklmnopqrstuvwxyz0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static void check_url(const struct url *url)
{
	size_t n = strlen(url->base);

	check(strlen(url->host) >= 1 && strlen(url->host) <= URL_HOST_MAX);
	check(only(url->host, ALNUM "-_.:"));
	check(url->is_ip || !strchr(url->host, ':'));
	check(url->port != 0);
	check(only(url->authority, ALNUM "-_.:[]"));
	check(strncmp(url->base, BASE, strlen(BASE)) == 0);
	check(url->base[strlen(BASE)] == '\0' || url->base[strlen(BASE)] == '/');
	check(url->base[n - 1] != '/' && !strstr(url->base, "//"));
	check(only(url->base, ALNUM UPPER "-._~%/"));
	check(!strstr(url->base, "/../") && !strstr(url->base, "/./"));
	check(!strstr(url->base, "/cacerts/") && !strstr(url->base, "%2F") &&
		!strstr(url->base, "%00"));
}

/* A string in storage of its own size, so that reading beyond it is seen. */
static char *string_of(const uint8_t *p, size_t n)
{
	char *s = malloc(n + 1);

	check(s != NULL);
	memcpy(s, p, n);
	s[n] = '\0';
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
	size_t n = nul ? (size_t)(nul - data) : size;
	char *server = string_of(data, n), *label = NULL, *full;
	struct est_error err = { 0 };
	struct url url = { 0 }, again = { 0 };
	enum est_code rc;

	if (nul) {
		const uint8_t *rest = nul + 1;
		size_t left = size - n - 1;
		const uint8_t *end = left > 0 ? memchr(rest, 0, left) : NULL;

		label = string_of(rest, end ? (size_t)(end - rest) : left);
	}
	rc = url_parse(server, label, &url, &err);
	check(rc == EST_OK || (rc == EST_E_USAGE && err.msg[0] != '\0'));
	check((rc == EST_OK) == (url.host != NULL));
	if (rc == EST_OK) {
		check_url(&url);
		check(asprintf(&full, "https://%s%s", url.authority, url.base) > 0);
		check(url_parse(full, NULL, &again, &err) == EST_OK);
		check(strcmp(url.host, again.host) == 0 && url.port == again.port);
		check(url.is_ip == again.is_ip);
		check(strcmp(url.authority, again.authority) == 0);
		check(strcmp(url.base, again.base) == 0);
		free(full);
		url_wipe(&again);
		url_wipe(&url);
	} else if (strchr(server, '@')) {
		/* What may be a password is not repeated. */
		check(strstr(err.msg, "command line") || strstr(err.msg, "control"));
	}
	free(server);
	free(label);
	return 0;
}
