/* SPDX-License-Identifier: MIT */
/* From the network options to a client, and what is said of the connection afterwards. */
#include "cmd.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "jsonc.h"

static void log_line(void *ctx, enum est_log_level level, const char *line)
{
	const struct cmd *cmd = ctx;

	if (level == EST_LOG_NOTICE)
		cmd_notice(cmd, "%s", line);
	else if (cmd->v.verbose >= (unsigned)level)
		cmd_verbose(cmd, "%s", line);
}

/* A way to authenticate without its secret, and a secret without its way, are mistakes.  --user and
 * EST_TOKEN may stand in an environment that other runs share. */
static enum est_code check_auth(struct cmd *cmd, enum est_auth *out)
{
	const struct cmd_values *v = &cmd->v;
	unsigned auth; /* an enum est_auth: the words have its order */
	enum est_code rc = cmd_choice(cmd, "auth", v->auth, "auto, basic, digest, bearer, none",
		&auth);

	if (rc != EST_OK)
		return rc;
	*out = (enum est_auth)auth;
	if (v->srp_user && ((v->auth && auth != EST_AUTH_NONE) || v->token_file))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--srp-user and --%s contradict each other: no HTTP credentials go to a server "
			"without a certificate (RFC 7030 section 4.1.1)",
			v->token_file ? "token-file" : "auth");
	if ((auth == EST_AUTH_BASIC || auth == EST_AUTH_DIGEST) && !v->user)
		return est_fail(&cmd->err, EST_E_USAGE, "--auth %s needs --user", v->auth);
	if (auth == EST_AUTH_BEARER && !cmd_has_token(cmd))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--auth bearer needs --token-file or EST_TOKEN");
	if (v->token_file && auth != EST_AUTH_AUTO && auth != EST_AUTH_BEARER)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--token-file and --auth %s contradict each other", v->auth);
	if (v->password_file && !v->srp_user && (auth == EST_AUTH_BEARER || auth == EST_AUTH_NONE))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--password-file and --auth %s contradict each other", v->auth);
	if (v->password_file && !v->user && !v->srp_user)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--password-file needs --user or --srp-user");
	return cmd_check_stdin(cmd);
}

enum est_code cmd_pop(struct cmd *cmd, enum est_pop *out)
{
	static const enum est_pop ways[] = { EST_POP_AUTO, EST_POP_OFF, EST_POP_REQUIRE,
		EST_POP_REQUIRE, EST_POP_TLS_EXPORTER };
	unsigned i;
	enum est_code rc = cmd_choice(cmd, "pop", cmd->v.pop,
		"auto, off, require, tls-unique, tls-exporter", &i);

	if (rc == EST_OK)
		*out = ways[i];
	return rc;
}

static enum est_code parse_compat(struct cmd *cmd, unsigned *out)
{
	static const struct {
		const char *name;
		unsigned bit;
	} ways[] = { { "cte", EST_COMPAT_CTE }, { "pem", EST_COMPAT_PEM },
		{ "oneline", EST_COMPAT_ONELINE } };
	const size_t n_ways = sizeof(ways) / sizeof(ways[0]);
	const char *p = cmd->v.compat;
	char shown[80];
	size_t n, i;

	for (; p; p = p[n] ? p + n + 1 : NULL) {
		n = strcspn(p, ",");
		for (i = 0; i < n_ways &&
			    (strlen(ways[i].name) != n || strncmp(ways[i].name, p, n) != 0);
			i++)
			;
		if (i == n_ways)
			return est_fail(&cmd->err, EST_E_USAGE,
				"--compat is cte, pem or oneline, not '%s'",
				est_escape(shown, sizeof(shown),
					(struct est_span){ (const uint8_t *)p, n }));
		*out |= ways[i].bit;
	}
	if ((*out & EST_COMPAT_PEM) && (*out & EST_COMPAT_ONELINE))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--compat: PEM has lines, pem and oneline exclude each other");
	return EST_OK;
}

static const char *environment(const char *name, const char *same)
{
	const char *value = getenv(name);

	return value && *value ? value : getenv(same);
}

/* A password may stand in the environment, as EST_PASSWORD does, and on no command line. */
static enum est_code check_proxy(struct cmd *cmd)
{
	const char *env = environment("https_proxy", "HTTPS_PROXY"), *url, *start, *at;
	const char *full = (const char *)cmd->secrets[CMD_PROXY_URL].p;

	if ((!cmd->v.proxy && env && *env) || (cmd->v.proxy && cmd->v.proxy == env))
		cmd->v.proxy = full ? full : env;
	url = cmd->v.proxy;
	at = url ? strrchr(url, '@') : NULL;
	if (cmd->v.proxy_password_file && !at)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--proxy-password-file needs a user: --proxy http://USER@HOST:PORT");
	if (!at || url == env || url == full)
		return EST_OK;
	start = strstr(url, "://");
	start = start ? start + 3 : url;
	if (start > at || !memchr(start, ':', (size_t)(at - start)))
		return EST_OK;
	est_fail(&cmd->err, EST_E_USAGE, "--proxy: a password does not belong there");
	return est_hint(&cmd->err,
		"every user of this machine can read command lines: --proxy-password-file FILE or "
		"EST_PROXY_PASSWORD");
}

/* A second name for the same thing would hide which one counted. */
static enum est_code check_network_options(struct cmd *cmd)
{
	const struct cmd_values *v = &cmd->v;
	enum est_code rc;
	unsigned ignored;

	if (!v->server) {
		est_fail(&cmd->err, EST_E_USAGE, "no server given");
		return est_hint(&cmd->err, "name it with --server URL or EST_SERVER");
	}
	rc = cmd_choice(cmd, "tls-min", v->tls_min, "1.2, 1.3", &ignored);
	if (rc != EST_OK)
		return rc;
	if (v->ipv4 && v->ipv6)
		return est_fail(&cmd->err, EST_E_USAGE, "-4 and -6 exclude each other");
	if ((v->key || v->send_chain) && !v->cert)
		return est_fail(&cmd->err, EST_E_USAGE, "--%s of --cert, which is missing",
			v->key ? "key is the key" : "send-chain sends the chain");
	if (v->user && strchr(v->user, ':')) {
		est_fail(&cmd->err, EST_E_USAGE,
			"--user: a user name cannot hold a colon (RFC 7617 section 2)");
		return est_hint(&cmd->err,
			"a password never goes on the command line, where every user of this "
			"machine can read it: --password-file FILE or EST_PASSWORD");
	}
	return EST_OK;
}

/* Without a battery a device wakes up in 1970, and every certificate is not valid yet. */
static enum est_code check_clock(struct cmd *cmd)
{
	time_t now = time(NULL), built = (time_t)EST_BUILD_TIME;
	char clock[40], build[40];
	unsigned off = 0;
	enum est_code rc = cmd_choice(cmd, "clock-floor", cmd->v.clock_floor, "on, off", &off);

	if (rc != EST_OK || now >= built || off)
		return rc;
	cmd_time_text(now, clock, sizeof(clock));
	cmd_time_text(built, build, sizeof(build));
	est_fail(&cmd->err, EST_E_CLOCK, "the clock says %s, which is before est was built (%s)",
		clock, build);
	return est_hint(&cmd->err, "set the clock, and run it again");
}

enum est_code cmd_check_network(struct cmd *cmd)
{
	enum est_code rc = check_network_options(cmd);
	unsigned compat = 0;
	enum est_auth auth;

	if (rc == EST_OK)
		rc = check_clock(cmd);
	if (rc == EST_OK)
		rc = check_proxy(cmd);
	if (rc == EST_OK)
		rc = check_auth(cmd, &auth);
	return rc == EST_OK ? parse_compat(cmd, &compat) : rc;
}

enum est_code cmd_client(struct cmd *cmd, struct est_client **out)
{
	const struct cmd_values *v = &cmd->v;
	struct est_config config = {
		.server = v->server,
		.label = v->label,
		.cacert = v->cacert.v,
		.crl = v->crl.v,
		.system_trust = v->system_trust,
		.bootstrap = v->bootstrap,
		.system_trust_file = getenv("SSL_CERT_FILE"),
		.cert_file = v->cert,
		.key_file = v->key,
		.send_chain = v->send_chain,
		.key_password = cmd_key_secret,
		.user = v->user,
		.srp_user = v->srp_user,
		.password = cmd_secret,
		.token = cmd_has_token(cmd) ? cmd_token : NULL,
		.secret_ctx = cmd,
		.redirect_to = v->redirect_to.v,
		.consent = cmd_consent,
		.resolve = v->resolve.v,
		.no_proxy = environment("no_proxy", "NO_PROXY"),
		.proxy_password = cmd_proxy_secret,
		.family = v->ipv4   ? AF_INET
			  : v->ipv6 ? AF_INET6
				    : AF_UNSPEC,
		.connect_timeout_ms = v->connect_timeout_ms,
		.max_time_ms = v->max_time_ms,
		.max_size = v->max_size,
		.wait_ms = v->wait_ms,
		.retries = v->retry,
		.retry_delay_ms = v->retry_delay_ms,
		.waiting = cmd_may_count_down(cmd) ? cmd_count_down : NULL,
		.waiting_ctx = cmd,
		.strict = v->strict,
		.ca_indication = v->ca_indication,
		.no_cmc_ra = v->no_cmc_ra,
		.tls13_only = v->tls_min && strcmp(v->tls_min, "1.3") == 0,
		.priority = v->priority,
		.session_cache = v->session_cache,
		.log = log_line,
		.log_ctx = cmd,
		.stop = &cmd_stop,
	};
	enum est_code rc = check_network_options(cmd);

	if (rc == EST_OK)
		rc = check_clock(cmd);
	if (rc == EST_OK)
		rc = check_auth(cmd, &config.auth);
	if (rc == EST_OK)
		rc = parse_compat(cmd, &config.compat);
	if (rc == EST_OK)
		rc = check_proxy(cmd);
	if (rc == EST_OK)
		rc = cmd_pop(cmd, &config.pop);
	if (rc == EST_OK)
		rc = cmd_check_secret_files(cmd);
	config.proxy = v->proxy;
	return rc == EST_OK ? est_client_new(&config, out, &cmd->err) : rc;
}

void cmd_report_session(struct cmd *cmd, const struct est_client *client)
{
	const struct est_session_info *s = est_client_session(client);
	const struct est_quirks *quirks = est_client_quirks(client);
	struct json_object *o;

	for (int q = 0; q < EST_QUIRKS; q++) {
		if (quirks->seen & 1u << q)
			cmd_verbose(cmd, "deviation %s: %s", est_quirk_id(q), est_quirk_text(q));
	}
	cmd_json_quirks(cmd, quirks);
	if (!cmd->json || !s->tls_version)
		return;
	o = json_object_new_object();
	jsonc_string(o, "address", s->address);
	jsonc_string(o, "proxy", s->proxy);
	jsonc_string(o, "tls", s->tls_version);
	jsonc_string(o, "cipher", s->cipher);
	jsonc_string(o, "vouched_by", s->vouched_by);
	jsonc_string(o, "identity", s->identity);
	jsonc_bool(o, "cmc_ra", s->cmc_ra);
	jsonc_string(o, "binding", s->binding);
	jsonc_bool(o, "client_certificate", s->client_cert_sent);
	jsonc_bool(o, "resumed", s->resumed);
	jsonc_number(o, "connections", s->connections);
	json_object_object_add(cmd->json, "server", o);
}
