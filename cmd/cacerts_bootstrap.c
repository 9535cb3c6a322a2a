/* SPDX-License-Identifier: MIT */
/* The first trust anchors (RFC 7030 section 4.1.1): a fingerprint decides, or a human. */
#include "cacerts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#define ANSWER_MAX 80 /* characters that are read of what is typed */

struct asking {
	struct cmd *cmd;
	int terminal; /* -1: there is none */
};

static enum est_code say(int fd, struct est_span text, struct est_error *err)
{
	ssize_t n;

	while (text.n > 0) {
		n = write(fd, text.p, text.n);
		if (n < 0 && errno == EINTR && !cmd_stop)
			continue;
		if (n < 0)
			return est_fail(err, EST_E_UNTRUSTED, "cannot write to the terminal: %s",
				strerror(errno));
		text.p += n;
		text.n -= (size_t)n;
	}
	return EST_OK;
}

/* Everything but the whole word is a no. */
static enum est_code read_yes(int fd, bool *yes, struct est_error *err)
{
	char line[ANSWER_MAX + 1];
	size_t len = 0;
	ssize_t n;
	char c;

	for (;;) {
		n = read(fd, &c, 1);
		if (n < 0 && errno == EINTR && !cmd_stop)
			continue;
		if (cmd_stop)
			return est_fail(err, EST_E_INTERRUPTED, "interrupted");
		if (n <= 0 || c == '\n')
			break;
		if (len < ANSWER_MAX)
			line[len++] = c;
	}
	line[len] = '\0';
	*yes = strcmp(line, "yes") == 0;
	return EST_OK;
}

static enum est_code describe(const struct cmd *cmd, struct est_span root, struct est_buf *out,
	struct est_error *err)
{
	struct est_cert_info info;
	uint8_t digest[64];
	char from[40], until[40];
	enum est_code rc;

	if (gnutls_hash_fast(GNUTLS_DIG_SHA512, root.p, root.n, digest) < 0)
		return est_fail(err, EST_E_INTERNAL, "cannot make a fingerprint");
	rc = est_cert_info(root, &info, err);
	if (rc != EST_OK)
		return rc;
	(void)cmd_time_text(info.not_before, from, sizeof(from));
	(void)cmd_time_text(info.not_after, until, sizeof(until));
	rc = est_buf_printf(out, err,
		"%s sent this root certificate, and nothing proves it but you:\n"
		"  subject: %s\n"
		"  key:     %s\n"
		"  valid:   %s to %s\n"
		"  sha256:%s\n"
		"  sha512:",
		cmd->v.server, info.subject[0] ? info.subject : "(empty)", info.key, from, until,
		info.sha256);
	for (size_t i = 0; rc == EST_OK && i < sizeof(digest); i++)
		rc = est_buf_printf(out, err, "%02x", digest[i]);
	est_cert_info_wipe(&info);
	return rc == EST_OK ? est_buf_printf(out, err,
				      "\nCompare a fingerprint with one that came another way.\n"
				      "Trust this CA from now on? Type yes or no: ")
			    : rc;
}

static enum est_code ask(void *ctx, struct est_span root, struct est_error *err)
{
	const struct asking *asking = ctx;
	struct est_buf text = { 0 };
	bool yes = false;
	enum est_code rc;

	rc = describe(asking->cmd, root, &text, err);
	if (rc == EST_OK)
		rc = say(asking->terminal, est_buf_span(&text), err);
	est_buf_free(&text);
	if (rc == EST_OK)
		rc = read_yes(asking->terminal, &yes, err);
	if (rc != EST_OK || yes)
		return rc;
	est_fail(err, EST_E_UNTRUSTED, "the root certificate was not accepted");
	return est_reason(err, "declined");
}

static enum est_code report(struct cmd *cmd, const struct est_anchors *certs, bool on_stdout)
{
	enum est_code rc;

	rc = cmd_json_certs(cmd, certs->anchors, on_stdout);
	if (rc == EST_OK)
		rc = cmd_json_cert_list(cmd, "intermediates", certs->intermediates,
			!cmd->v.chain_out);
	return rc == EST_OK ? cmd_json_cert_list(cmd, "strays", certs->strays, false) : rc;
}

enum est_code cacerts_bootstrap(struct cmd *cmd)
{
	const bool by_fingerprint = cmd->v.ca_fingerprint.n > 0;
	struct asking asking = { cmd, -1 };
	struct cacerts_files files = { 0 };
	struct est_client *client = NULL;
	struct est_anchors certs = { 0 };
	enum est_code rc;

	rc = cmd_client(cmd, &client);
	if (rc == EST_OK)
		rc = cacerts_open(cmd, cmd->v.output, &files);
	if (rc == EST_OK && cmd->v.dry_run)
		cmd_json_string(cmd, "action", "dry-run");
	if (rc != EST_OK || cmd->v.dry_run)
		goto out;
	if (!by_fingerprint)
		asking.terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	rc = est_bootstrap(client, cmd->v.ca_fingerprint.v, asking.terminal >= 0 ? ask : NULL,
		&asking, &certs, &cmd->err);
	cmd_report_session(cmd, client);
	if (rc == EST_OK)
		rc = report(cmd, &certs, !files.anchors);
	if (rc == EST_OK)
		rc = cacerts_deliver(cmd, &files, &certs);
	if (rc == EST_OK) {
		cmd_json_string(cmd, "action", "bootstrapped");
		cmd_json_string(cmd, "accepted_by", by_fingerprint ? "fingerprint" : "terminal");
	}
out:
	if (asking.terminal >= 0)
		(void)close(asking.terminal);
	est_anchors_wipe(&certs);
	cacerts_close(&files);
	est_client_free(client);
	return rc;
}
