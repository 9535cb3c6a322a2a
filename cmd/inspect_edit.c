/* SPDX-License-Identifier: MIT */
/* est inspect for surgery on a bag: some of its certificates, in another order or form, each byte
 * for byte. */
#include "inspect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "jsonc.h"

#define NAME_MAX_CHARS 40 /* of a subject in a file name */

struct edit {
	struct inspect *in;
	struct est_node *node;
	size_t *pick; /* what goes out, in this order */
	size_t n;
	struct est_span *crls; /* behind it, unless certificates are picked */
};

enum est_code edit_check(struct cmd *cmd)
{
	const struct cmd_values *v = &cmd->v;
	const char *form = v->outform;
	bool picture = v->dot || v->svg;

	if (v->dot + v->svg + v->diff + v->tree + edit_asked(cmd) > 1 && picture)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--dot and --svg draw, and go with no other way to show or write");
	if (picture && cmd->json && !v->output)
		return est_fail(&cmd->err, EST_E_USAGE, "--json with a picture needs -o FILE");
	if (form && strcmp(form, "pem") && strcmp(form, "der") && strcmp(form, "p7"))
		return est_fail(&cmd->err, EST_E_USAGE, "--outform is pem, der or p7");
	if (v->split && form && strcmp(form, "p7") == 0)
		return est_fail(&cmd->err, EST_E_USAGE, "--outform with --split is pem or der");
	if (v->split && v->output)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--split DIR and -o FILE exclude each other");
	if (v->output && !edit_asked(cmd) && !picture)
		return est_fail(&cmd->err, EST_E_USAGE,
			"-o is for --extract, --outform, --sort, --dedup, --dot and --svg");
	if (edit_asked(cmd) && (v->tree || v->diff))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--%s shows certificates, and the other options write them",
			v->tree ? "tree" : "diff");
	if (edit_asked(cmd) && cmd->json && !v->output && !v->split)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--json with certificates to write needs -o FILE");
	return cmd_check_stdout(cmd, v->output);
}

bool edit_asked(const struct cmd *cmd)
{
	const struct cmd_values *v = &cmd->v;

	return v->extract.n > 0 || v->outform || v->sort || v->dedup || v->split;
}

static bool is_number(const char *text, size_t *out)
{
	char *end;

	if (*text < '1' || *text > '9' || strlen(text) > 9)
		return false;
	*out = strtoul(text, &end, 10);
	return *end == '\0';
}

/* One --extract marks what it names; *n counts. */
static enum est_code mark(struct edit *e, const char *what, bool *wanted, size_t *n)
{
	struct est_error *err = &e->in->cmd->err;
	const struct bag *bag = &e->in->bag;
	bool root = strcmp(what, "root") == 0, leaf = strcmp(what, "leaf") == 0;
	char sha256[EST_SHA256_HEX] = "", shown[80];
	size_t number = 0;

	*n = 0;
	if (!root && !leaf && !is_number(what, &number) && !sha256_parse(what, sha256))
		return est_fail(err, EST_E_USAGE,
			"--extract: '%s' is not a number, root, leaf or a SHA-256 fingerprint",
			est_escape(shown, sizeof(shown), est_span_str(what)));
	for (size_t i = 0; i < bag->n; i++) {
		if ((root && e->node[i].self_signed) || (leaf && !bag->cert[i].ca) ||
			number == i + 1 || (*sha256 && !strcmp(sha256, bag->cert[i].sha256))) {
			wanted[i] = true;
			++*n;
		}
	}
	return EST_OK;
}

static enum est_code choose(struct edit *e, bool *wanted)
{
	const struct cmd_list *list = &e->in->cmd->v.extract;
	struct est_error *err = &e->in->cmd->err;
	enum est_code rc = EST_OK;
	char shown[80];
	size_t n;

	if (list->n == 0)
		memset(wanted, true, e->in->bag.n);
	for (size_t i = 0; rc == EST_OK && i < list->n; i++) {
		rc = mark(e, list->v[i], wanted, &n);
		if (rc != EST_OK || n > 0)
			continue;
		rc = est_fail(err, EST_E_CONDITION, "--extract %s: none of %zu certificates is it",
			est_escape(shown, sizeof(shown), est_span_str(list->v[i])), e->in->bag.n);
		est_reason(err, "nothing");
	}
	return rc;
}

static void pick(struct edit *e, bool *wanted, size_t i)
{
	if (wanted[i])
		e->pick[e->n++] = i;
	wanted[i] = false;
}

/* As a TLS server sends them: each end entity's, then those above it; then what is left. */
static void pick_all(struct edit *e, bool *wanted)
{
	const struct cmd_values *v = &e->in->cmd->v;
	const struct bag *bag = &e->in->bag;
	size_t at;

	for (size_t i = 0; v->dedup && i < bag->n; i++)
		wanted[i] = wanted[i] && e->node[i].role != EST_ROLE_DUPLICATE;
	for (int ca = 0; v->sort && ca < 2; ca++) {
		for (size_t i = 0; i < bag->n; i++) {
			if (!wanted[i] || bag->cert[i].ca != ca || e->node[i].self_signed)
				continue;
			for (at = i; at != EST_NO_ISSUER && (at == i || wanted[at]);
				at = e->node[at].issuer)
				pick(e, wanted, at);
		}
	}
	for (size_t i = 0; i < bag->n; i++)
		pick(e, wanted, i);
}

static enum est_code render(struct edit *e, struct est_buf *out)
{
	const struct cmd_values *v = &e->in->cmd->v;
	const struct bag *bag = &e->in->bag;
	struct est_error *err = &e->in->cmd->err;
	const char *form = v->outform ? v->outform : "pem";
	struct est_span *spans;
	struct est_buf der = { 0 };
	enum est_code rc = EST_OK;

	if (strcmp(form, "pem") == 0) {
		for (size_t i = 0; rc == EST_OK && i < e->n; i++)
			rc = est_pem_append(out, "CERTIFICATE", bag->cert[e->pick[i]].der, err);
		for (size_t i = 0; rc == EST_OK && i < bag->n_crls; i++)
			rc = est_pem_append(out, "X509 CRL", e->crls[i], err);
		return rc;
	}
	if (strcmp(form, "der") == 0 && v->extract.n > 0 && e->n == 1)
		return est_buf_append(out, bag->cert[e->pick[0]].der, err);
	spans = calloc(e->n + 1, sizeof(*spans));
	if (!spans)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	for (size_t i = 0; i < e->n; i++)
		spans[i] = bag->cert[e->pick[i]].der;
	rc = est_bag_encode(spans, e->n, e->crls, bag->n_crls, &der, err);
	if (rc == EST_OK)
		rc = strcmp(form, "der") == 0
			     ? est_buf_append(out, est_buf_span(&der), err)
			     : est_pem_append(out, "PKCS7", est_buf_span(&der), err);
	free(spans);
	est_buf_free(&der);
	return rc;
}

/* Nothing of a subject that a file system or a shell would understand gets into a name. */
static void safe_name(const char *subject, char out[NAME_MAX_CHARS + 1])
{
	const char *cn = strstr(subject, "CN=");
	size_t n = 0;

	for (cn = cn ? cn + 3 : subject; *cn && *cn != ',' && n < NAME_MAX_CHARS; cn++) {
		bool plain = (*cn >= 'a' && *cn <= 'z') || (*cn >= 'A' && *cn <= 'Z') ||
			     (*cn >= '0' && *cn <= '9') ||
			     (n > 0 && (*cn == '-' || (*cn == '.' && out[n - 1] != '.')));

		if (plain)
			out[n++] = *cn;
		else if (n > 0 && out[n - 1] != '_')
			out[n++] = '_';
	}
	out[n] = '\0';
}

static enum est_code split_one(struct edit *e, size_t number, const char *label, const char *name,
	const char *sha256, struct est_span der)
{
	const char *form = e->in->cmd->v.outform, *dir = e->in->cmd->v.split;
	bool raw = form && strcmp(form, "der") == 0;
	struct est_error *err = &e->in->cmd->err;
	struct est_output *out = NULL;
	struct est_buf text = { 0 };
	struct stat st;
	char path[4096];
	enum est_code rc;

	if (snprintf(path, sizeof(path), "%s/%0*zu-%s%s%.8s.%s", dir,
		    snprintf(NULL, 0, "%zu", e->n + e->in->bag.n_crls), number, name,
		    *name ? "-" : "", sha256, raw ? "der" : "pem") >= (int)sizeof(path))
		return est_fail(err, EST_E_USAGE, "--split: the name of the folder is too long");
	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		return est_fail(err, EST_E_OUTPUT, "%s: a symbolic link, which is not followed",
			path);
	rc = raw ? est_buf_append(&text, der, err) : est_pem_append(&text, label, der, err);
	if (rc == EST_OK)
		rc = est_output_open(path, 0, &out, err);
	if (rc == EST_OK)
		rc = est_output_write(out, est_buf_span(&text), err);
	if (rc == EST_OK)
		rc = est_output_commit(out, NULL, err);
	est_output_free(out);
	est_buf_free(&text);
	return rc;
}

static enum est_code split_cert(struct edit *e, size_t i)
{
	const struct bag_cert *cert = &e->in->bag.cert[e->pick[i]];
	struct est_error *err = &e->in->cmd->err;
	struct est_cert_info info = { 0 };
	char name[NAME_MAX_CHARS + 1];
	enum est_code rc = est_cert_words(cert->der, &info, err);

	if (rc != EST_OK)
		return rc;
	safe_name(info.subject, name);
	est_cert_info_wipe(&info);
	return split_one(e, i + 1, "CERTIFICATE", name, cert->sha256, cert->der);
}

static enum est_code split_crl(struct edit *e, size_t i)
{
	struct est_error *err = &e->in->cmd->err;
	struct est_crl_info info = { 0 };
	enum est_code rc = est_crl_info(e->crls[i], &info, err);

	if (rc == EST_OK)
		rc = split_one(e, e->n + i + 1, "X509 CRL", "crl", info.sha256, e->crls[i]);
	est_crl_info_wipe(&info);
	return rc;
}

static enum est_code split(struct edit *e)
{
	const char *dir = e->in->cmd->v.split;
	enum est_code rc = EST_OK;

	if (mkdir(dir, 0777) != 0 && errno != EEXIST)
		return est_fail(&e->in->cmd->err, EST_E_OUTPUT, "%s: %s", dir, strerror(errno));
	for (size_t i = 0; rc == EST_OK && i < e->n + e->in->bag.n_crls; i++)
		rc = cmd_stop   ? est_fail(&e->in->cmd->err, EST_E_INTERRUPTED, "interrupted")
		     : i < e->n ? split_cert(e, i)
				: split_crl(e, i - e->n);
	return rc;
}

static enum est_code deliver(struct edit *e)
{
	struct cmd *cmd = e->in->cmd;
	struct est_output *out = NULL;
	struct est_buf text = { 0 };
	enum est_code rc;

	rc = cmd_output(cmd, cmd->v.output, 0, &out);
	if (rc == EST_OK)
		rc = render(e, &text);
	if (rc == EST_OK)
		rc = cmd_deliver(cmd, out, est_buf_span(&text));
	est_output_free(out);
	est_buf_free(&text);
	return rc;
}

enum est_code edit_run(struct inspect *in)
{
	struct edit e = { .in = in };
	struct est_error *err = &in->cmd->err;
	size_t others = in->n_objects - in->bag.n - in->bag.n_crls;
	size_t trusted = 0;
	bool *wanted = calloc(in->bag.n + 1, sizeof(*wanted));
	struct est_span *spans = NULL;
	enum est_code rc;

	e.pick = calloc(in->bag.n + 1, sizeof(*e.pick));
	if (!wanted || !e.pick)
		rc = est_fail(err, EST_E_INTERNAL, "out of memory");
	else
		rc = bag_spans(&in->bag, &spans, err);
	if (rc == EST_OK)
		rc = est_graph(spans, in->bag.n, in->at, &e.node, err);
	if (rc == EST_OK)
		rc = choose(&e, wanted);
	if (rc == EST_OK) {
		pick_all(&e, wanted);
		rc = e.n + in->bag.n_crls == 0
			     ? est_fail(err, EST_E_INPUT, "no certificate to write")
			     : crl_spans(&in->bag, &e.crls, err);
	}
	if (rc == EST_OK)
		rc = in->cmd->v.split ? split(&e) : deliver(&e);
	if (rc == EST_OK && others > 0)
		cmd_notice(in->cmd, "certificates %salone were written, not %zu other object%s",
			in->bag.n_crls ? "and CRLs " : "", others, others == 1 ? "" : "s");
	for (size_t i = 0; rc == EST_OK && i < e.n; i++)
		trusted += in->bag.cert[e.pick[i]].trusted;
	if (trusted > 0)
		cmd_notice(in->cmd,
			"%zu TRUSTED CERTIFICATE%s written without OpenSSL's trust "
			"settings",
			trusted, trusted == 1 ? " was" : "s were");
	free(spans);
	free(e.crls);
	free(e.node);
	free(e.pick);
	free(wanted);
	return rc;
}
