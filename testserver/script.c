/* SPDX-License-Identifier: MIT */
/* Scripts of the raw listener: byte-exact answers, one directive a line. */
#include "rawconn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_MAX      (4u << 20)
#define SCRIPT_FILE_MAX (64u << 20)
#define STEPS_MAX       100000

enum verb {
	SEND,
	LINE,
	FILE_BYTES,
	INSERT,
	LENGTH,
	REPEAT,
	SLEEP,
	DRIP,
	DRIP_INSERT,
	NEXT,
	ASK,
	SWITCH,
	CLOSE,
	DROP,
	RESET
};

static const struct {
	const char *word;
	bool number, text, name; /* the operands, in this order */
} verbs[] = {
	[SEND] = { "send", false, true, false },
	[LINE] = { "line", false, true, false },
	[FILE_BYTES] = { "file", false, false, true },
	[INSERT] = { "insert", false, false, true },
	[LENGTH] = { "length", false, false, true },
	[REPEAT] = { "repeat", true, true, false },
	[SLEEP] = { "sleep", true, false, false },
	[DRIP] = { "drip", true, true, false },
	[DRIP_INSERT] = { "drip-insert", true, false, true },
	[ASK] = { "ask", false, false, false },
	[SWITCH] = { "switch", false, false, true },
	[NEXT] = { "next", false, false, false },
	[CLOSE] = { "close", false, false, false },
	[DROP] = { "drop", false, false, false },
	[RESET] = { "reset", false, false, false },
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

struct step {
	enum verb verb;
	long number;
	struct est_buf text;
	char name[65];
};

struct script {
	struct step *step;
	size_t n, cap;
};

static void script_wipe(struct script *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		est_buf_free(&s->step[i].text);
	free(s->step);
	*s = (struct script){ 0 };
}

static int hex_digit(int c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* One escape after the backslash at p; *used characters of it. */
static bool unescape(const char *p, uint8_t *out, size_t *used)
{
	*used = 1;
	switch (*p) {
	case 'r':
		*out = '\r';
		return true;
	case 'n':
		*out = '\n';
		return true;
	case 't':
		*out = '\t';
		return true;
	case '\\':
		*out = '\\';
		return true;
	case 'x':
		if (hex_digit(p[1]) < 0 || hex_digit(p[2]) < 0)
			return false;
		*out = (uint8_t)(hex_digit(p[1]) << 4 | hex_digit(p[2]));
		*used = 3;
		return true;
	default:
		return false;
	}
}

static enum est_code text_parse(const char *p, struct est_buf *out, struct est_error *err)
{
	enum est_code rc = EST_OK;
	size_t used;
	uint8_t c;

	for (; *p && rc == EST_OK; p += used) {
		used = 1;
		c = (uint8_t)*p;
		if (c == '\\') {
			if (!unescape(p + 1, &c, &used))
				return est_fail(err, EST_E_INPUT, "unknown escape at %.10s", p);
			used++;
		}
		rc = est_buf_append(out, (struct est_span){ &c, 1 }, err);
	}
	return rc;
}

/* Cuts the first word off; what follows one space is the rest. */
static char *next_word(char **line)
{
	char *word = *line, *end = word + strcspn(word, " \t");

	*line = end;
	if (*end) {
		*end = '\0';
		*line = end + 1;
	}
	return word;
}

static enum est_code step_parse(char *line, struct step *step, struct est_error *err)
{
	char *word = next_word(&line), *operand;
	enum est_code rc = EST_OK;
	size_t i;

	for (i = 0; i < N_VERBS && strcmp(word, verbs[i].word) != 0; i++)
		;
	if (i == N_VERBS)
		return est_fail(err, EST_E_INPUT, "unknown directive %.40s", word);
	step->verb = (enum verb)i;
	if (verbs[i].number) {
		operand = next_word(&line);
		if (!number_parse(operand, 0, 1000L * 1000 * 1000, &step->number))
			return est_fail(err, EST_E_INPUT, "%s: %.40s is not a number", word,
				operand);
	}
	if (verbs[i].name) {
		operand = next_word(&line);
		if (!name_is_plain(operand))
			return est_fail(err, EST_E_INPUT, "%s: %.40s is not a plain name", word,
				operand);
		(void)snprintf(step->name, sizeof(step->name), "%s", operand);
	}
	if (verbs[i].text)
		rc = text_parse(line, &step->text, err);
	else if (line[strspn(line, " \t\r")])
		return est_fail(err, EST_E_INPUT, "%s: more operands than it takes", word);
	if (rc == EST_OK && step->verb == LINE)
		rc = est_buf_append(&step->text, est_span_str("\r\n"), err);
	return rc;
}

static enum est_code script_add(struct script *s, char *line, struct est_error *err)
{
	struct step *grown;
	size_t cap;

	if (s->n == s->cap) {
		cap = s->cap ? 2 * s->cap : 16;
		if (cap > 2 * STEPS_MAX)
			return est_fail(err, EST_E_INPUT, "more than %d directives", STEPS_MAX);
		grown = realloc(s->step, cap * sizeof(*grown));
		if (!grown)
			return est_fail(err, EST_E_INTERNAL, "out of memory");
		s->step = grown;
		s->cap = cap;
	}
	s->step[s->n] = (struct step){ 0 };
	return step_parse(line, &s->step[s->n++], err);
}

static enum est_code script_parse(struct est_span text, struct script *out, struct est_error *err)
{
	char *copy = strndup((const char *)text.p, text.n), *line, *rest = copy;
	enum est_code rc = EST_OK;
	struct est_error why;
	unsigned number = 0;

	if (!copy)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	while (rc == EST_OK && (line = strsep(&rest, "\n"))) {
		number++;
		line += strspn(line, " \t");
		if (*line == '\0' || *line == '#')
			continue;
		rc = script_add(out, line, &why);
		if (rc != EST_OK)
			rc = est_fail(err, rc, "line %u: %.400s", number, why.msg);
	}
	free(copy);
	return rc;
}

/* The bytes an insert stands for. */
static enum est_code insert_get(struct raw_conn *c, const struct issued *issued, const char *name,
	struct est_buf *out, struct est_error *err)
{
	struct est_span certs[2] = { est_buf_span(&c->srv->ca.root.der),
		est_buf_span(&c->srv->ca.issuing.der) };
	bool b64 = strcmp(name, "cacerts-b64") == 0 || strcmp(name, "issued-b64") == 0;
	struct est_buf der = { 0 };
	enum est_code rc;
	size_t n = 2;

	if (strncmp(name, "issued-", 7) == 0) {
		certs[0] = est_buf_span(&issued->der);
		n = 1;
		if (issued->der.n == 0)
			return est_fail(err, EST_E_INPUT, "%s: nothing was issued", name);
	}
	if (!b64 && strcmp(name, "cacerts-der") != 0 && strcmp(name, "issued-der") != 0)
		return est_fail(err, EST_E_INPUT, "unknown insert %s", name);
	rc = bag_encode(certs, n, true, &der, err);
	if (rc == EST_OK && b64)
		rc = b64_encode(est_buf_span(&der), (unsigned)c->srv->opt.wrap, out, err);
	else if (rc == EST_OK)
		rc = est_buf_append(out, est_buf_span(&der), err);
	est_buf_free(&der);
	return rc;
}

static bool drip(struct raw_conn *c, struct est_span text, long ms)
{
	size_t i;

	for (i = 0; i < text.n; i++)
		if (!conn_send(c, (struct est_span){ text.p + i, 1 }) || !conn_sleep(c, ms))
			return false;
	return true;
}

/* In blocks, so that a long repetition costs neither memory nor a record each. */
static enum est_code repeat(struct raw_conn *c, struct est_span text, long times,
	struct est_error *err)
{
	size_t per = text.n ? 16384 / text.n + 1 : 0, i;
	struct est_buf block = { 0 };
	enum est_code rc = EST_OK;

	for (i = 0; i < per && i < (size_t)times && rc == EST_OK; i++)
		rc = est_buf_append(&block, text, err);
	for (; times > 0 && per && rc == EST_OK && !c->ended; times -= (long)per) {
		if ((size_t)times < per)
			block.n = (size_t)times * text.n;
		(void)conn_send(c, est_buf_span(&block));
	}
	est_buf_free(&block);
	return rc;
}

/* One step that sends something. */
static enum est_code step_send(struct raw_conn *c, const struct step *step,
	const struct issued *issued, struct est_error *err)
{
	struct est_buf bytes = { 0 };
	enum est_code rc = EST_OK;
	char number[24];

	switch (step->verb) {
	case SEND:
	case LINE:
		(void)conn_send(c, est_buf_span(&step->text));
		break;
	case REPEAT:
		rc = repeat(c, est_buf_span(&step->text), step->number, err);
		break;
	case DRIP:
		(void)drip(c, est_buf_span(&step->text), step->number);
		break;
	case FILE_BYTES:
		rc = file_read(c->srv->opt.scripts, step->name, SCRIPT_FILE_MAX, &bytes, err);
		if (rc == EST_OK)
			(void)conn_send(c, est_buf_span(&bytes));
		break;
	default:
		rc = insert_get(c, issued, step->name, &bytes, err);
		if (rc != EST_OK)
			break;
		(void)snprintf(number, sizeof(number), "%zu", bytes.n);
		if (step->verb == LENGTH)
			(void)conn_send(c, est_span_str(number));
		else if (step->verb == DRIP_INSERT)
			(void)drip(c, est_buf_span(&bytes), step->number);
		else
			(void)conn_send(c, est_buf_span(&bytes));
	}
	est_buf_free(&bytes);
	return rc;
}

/* Whether the steps from here to the next request want a certificate. */
static bool wants_issued(const struct script *s, size_t i)
{
	for (; i < s->n && s->step[i].verb != NEXT; i++)
		if (strncmp(s->step[i].name, "issued-", 7) == 0)
			return true;
	return false;
}

/* Stores and logs a request; issues when the steps that follow need it. */
static enum est_code request_take(struct raw_conn *c, struct request *rq, bool issue,
	struct issued *issued, struct est_error *err)
{
	enum est_code rc = EST_OK;

	est_buf_free(&issued->der);
	if (strcmp(rq->method, "POST") == 0)
		rc = request_store(c->srv, rq, err);
	if (rc == EST_OK && issue && rq->csr.n)
		rc = request_issue(c->srv, rq, issued, err);
	log_request(c->srv, rq, 0);
	return rc;
}

static void script_play(struct raw_conn *c, struct request **rq, const struct script *s)
{
	struct issued issued = { 0 };
	struct est_error err = { 0 };
	enum est_code rc;
	size_t i;

	rc = request_take(c, *rq, wants_issued(s, 0), &issued, &err);
	for (i = 0; i < s->n && rc == EST_OK && !c->ended; i++) {
		switch (s->step[i].verb) {
		case ASK:
			conn_ask(c, *rq);
			break;
		case SWITCH:
			rc = conn_switch(c, s->step[i].name, &err);
			break;
		case SLEEP:
			(void)conn_sleep(c, s->step[i].number);
			break;
		case CLOSE:
			conn_finish(c, CONN_CLOSE);
			break;
		case DROP:
			conn_finish(c, CONN_DROP);
			break;
		case RESET:
			conn_finish(c, CONN_RESET);
			break;
		case NEXT:
			request_free(*rq);
			*rq = conn_request(c, &err);
			rc = *rq ? request_take(c, *rq, wants_issued(s, i + 1), &issued, &err)
				 : err.code;
			break;
		default:
			rc = step_send(c, &s->step[i], &issued, &err);
		}
	}
	if (rc != EST_OK)
		raw_event(c, "script", err.msg);
	est_buf_free(&issued.der);
}

void script_serve(struct raw_conn *c, struct request *rq)
{
	static const char missing[] =
		"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n"
		"Content-Length: 15\r\nConnection: close\r\n\r\nno such script\n";
	const char *dir = c->srv->opt.scripts;
	struct script script = { 0 };
	struct est_buf text = { 0 };
	struct est_error err;
	char name[80];

	(void)snprintf(name, sizeof(name), "%.64s.script", rq->label);
	if (!dir || !name_is_plain(rq->label) || !file_exists(dir, name)) {
		log_request(c->srv, rq, 404);
		(void)conn_send(c, est_span_str(missing));
	} else if (file_read(dir, name, SCRIPT_MAX, &text, &err) != EST_OK ||
		   script_parse(est_buf_span(&text), &script, &err) != EST_OK) {
		log_request(c->srv, rq, 0);
		raw_event(c, "script", err.msg);
		conn_finish(c, CONN_DROP);
	} else {
		script_play(c, &rq, &script);
	}
	request_free(rq);
	est_buf_free(&text);
	script_wipe(&script);
}
