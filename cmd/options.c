/* SPDX-License-Identifier: MIT */
/* Options from argv, the environment and a config file into one struct. */
#include "options.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_MAX  (64u << 10) /* bytes of a config file */
#define SECONDS_MAX 86400u
#define OPTIONS_MAX 96
#define NUMBER_MAX  1000u
#define LIST_MAX    1024 /* values of one repeated option */
#define LONG_BASE   256  /* getopt values above every letter */
#define SHOWN_MAX   80   /* of a word that may come from a file, escaped */

static const struct cmd_option *option_at(const struct cmd_option *const *groups, size_t index)
{
	for (; *groups; groups++) {
		for (const struct cmd_option *o = *groups; o->name; o++) {
			if (index-- == 0)
				return o;
		}
	}
	return NULL;
}

const struct cmd_option *cmd_option_find(const struct cmd_option *const *groups, const char *name)
{
	const struct cmd_option *o;

	for (size_t i = 0; (o = option_at(groups, i)); i++) {
		if (strcmp(o->name, name) == 0)
			return o;
	}
	return NULL;
}

static void *value_at(struct cmd_values *v, const struct cmd_option *o)
{
	return (char *)v + o->at;
}

/* Digits and up to three decimals, as milliseconds. */
static enum est_code parse_seconds(const char *name, const char *text, bool zero, unsigned *out,
	struct est_error *err)
{
	unsigned long ms, scale = 1000;
	char shown[SHOWN_MAX];
	const char *p = text;

	for (ms = 0; *p >= '0' && *p <= '9' && ms <= SECONDS_MAX; p++)
		ms = ms * 10 + (unsigned long)(*p - '0');
	if (p == text || ms > SECONDS_MAX)
		goto bad;
	ms *= 1000;
	if (*p == '.' && p[1]) {
		for (p++; *p >= '0' && *p <= '9' && scale > 1; p++) {
			scale /= 10;
			ms += (unsigned long)(*p - '0') * scale;
		}
	}
	if (*p || (ms == 0 && !zero) || ms > SECONDS_MAX * 1000ul)
		goto bad;
	*out = (unsigned)ms;
	return EST_OK;
bad:
	return est_fail(err, EST_E_USAGE, "--%s: '%s' is not a number of seconds from %s to %u",
		name, est_escape(shown, sizeof(shown), est_span_str(text)), zero ? "0" : "0.001",
		SECONDS_MAX);
}

static enum est_code parse_number(const char *name, const char *text, unsigned *out,
	struct est_error *err)
{
	char shown[SHOWN_MAX];
	const char *p = text;
	unsigned n = 0;

	for (; *p >= '0' && *p <= '9' && n <= NUMBER_MAX; p++)
		n = n * 10 + (unsigned)(*p - '0');
	if (p == text || *p || n > NUMBER_MAX)
		return est_fail(err, EST_E_USAGE, "--%s: '%s' is not a number from 0 to %u", name,
			est_escape(shown, sizeof(shown), est_span_str(text)), NUMBER_MAX);
	*out = n;
	return EST_OK;
}

static enum est_code parse_bytes(const char *name, const char *text, size_t *out,
	struct est_error *err)
{
	unsigned long long n = 0;
	char shown[SHOWN_MAX];
	const char *p = text;
	unsigned shift = 0;

	for (; *p >= '0' && *p <= '9' && n <= INT_MAX; p++)
		n = n * 10 + (unsigned)(*p - '0');
	if (p != text && (*p == 'K' || *p == 'k'))
		shift = 10;
	else if (p != text && (*p == 'M' || *p == 'm'))
		shift = 20;
	n <<= shift;
	if (p == text || p[shift ? 1 : 0] || n == 0 || n > INT_MAX)
		return est_fail(err, EST_E_USAGE,
			"--%s: '%s' is not a number of bytes from 1 to %d (K and M may follow)",
			name, est_escape(shown, sizeof(shown), est_span_str(text)), INT_MAX);
	*out = (size_t)n;
	return EST_OK;
}

bool cmd_duration(const char *text, int64_t *out)
{
	static const char units[] = "smhdw";
	static const int64_t seconds[] = { 1, 60, 3600, 86400, 604800 };
	const char *unit;
	int64_t n = 0;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9' && n < 1000000; text++)
		n = n * 10 + (*text - '0');
	unit = *text ? strchr(units, *text) : NULL;
	if (!unit || text[1])
		return false;
	*out = n * seconds[unit - units];
	return true;
}

static enum est_code list_add(const char *name, struct cmd_list *list, const char *text,
	struct est_error *err)
{
	const char **v;

	if (list->n == LIST_MAX)
		return est_fail(err, EST_E_USAGE, "--%s: given more than %d times", name, LIST_MAX);
	v = realloc(list->v, (list->n + 2) * sizeof(*v));
	if (!v)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	v[list->n++] = text;
	v[list->n] = NULL;
	list->v = v;
	return EST_OK;
}

/* One value from any of the three places; text is NULL for a flag given on the command line. */
static enum est_code option_set(const struct cmd_option *o, const char *text, struct cmd_values *v,
	struct est_error *err)
{
	if (o->kind == CMD_WAIT && !text) {
		*(unsigned *)value_at(v, o) = CMD_WAIT_DEFAULT_S * 1000;
		return EST_OK;
	}
	if (o->arg && (!text || !*text) && strcmp(o->name, "user") != 0)
		return est_fail(err, EST_E_USAGE, "--%s: needs a value", o->name);
	switch (o->kind) {
	case CMD_FLAG:
		*(bool *)value_at(v, o) = true;
		return EST_OK;
	case CMD_COUNT:
		(*(unsigned *)value_at(v, o))++;
		return EST_OK;
	case CMD_STRING:
		*(const char **)value_at(v, o) = text;
		return EST_OK;
	case CMD_LIST:
		return list_add(o->name, value_at(v, o), text, err);
	case CMD_SECONDS:
	case CMD_PAUSE:
	case CMD_WAIT:
		return parse_seconds(o->name, text, o->kind != CMD_SECONDS, value_at(v, o), err);
	case CMD_NUMBER:
		return parse_number(o->name, text, value_at(v, o), err);
	case CMD_BYTES:
		return parse_bytes(o->name, text, value_at(v, o), err);
	}
	return est_fail(err, EST_E_INTERNAL, "--%s: no such kind", o->name);
}

static void list_clear(struct cmd_list *list)
{
	free(list->v);
	*list = (struct cmd_list){ 0 };
}

static char *trim(char *s)
{
	char *end;

	s += strspn(s, " \t\r");
	end = s + strlen(s);
	while (end > s && strchr(" \t\r", end[-1]))
		*--end = '\0';
	return s;
}

/* A flag or a count; "no" takes back what an earlier line has said. */
static enum est_code config_flag(const struct cmd_option *o, const char *value,
	struct cmd_values *out, struct est_error *err)
{
	char shown[SHOWN_MAX];

	if (strcmp(value, "yes") == 0 || strcmp(value, "true") == 0)
		return option_set(o, NULL, out, err);
	if (strcmp(value, "no") != 0 && strcmp(value, "false") != 0)
		return est_fail(err, EST_E_USAGE, "%s is yes or no, not '%s'", o->name,
			est_escape(shown, sizeof(shown), est_span_str(value)));
	if (o->kind == CMD_COUNT)
		*(unsigned *)value_at(out, o) = 0;
	else
		*(bool *)value_at(out, o) = false;
	return EST_OK;
}

static enum est_code config_line(const struct cmd_option *const *groups, char *line,
	bool (*known)(const char *), struct cmd_values *out, struct est_error *err)
{
	const struct cmd_option *o;
	char *name, *value, *eq, shown[SHOWN_MAX];

	name = trim(line);
	if (!*name || *name == '#')
		return EST_OK;
	eq = strchr(name, '=');
	if (!eq)
		return est_fail(err, EST_E_USAGE, "not 'long-option = value'");
	*eq = '\0';
	value = trim(eq + 1);
	name = trim(name);
	o = cmd_option_find(groups, name);
	if (!o && known && known(name))
		return EST_OK; /* for another applet that shares the file */
	if (!o)
		return est_fail(err, EST_E_USAGE, "no such option: '%s'",
			est_escape(shown, sizeof(shown), est_span_str(name)));
	if (strcmp(name, "config") == 0 || strcmp(name, "config-dir") == 0 ||
		strcmp(name, "help") == 0 || strcmp(name, "version") == 0)
		return est_fail(err, EST_E_USAGE, "'%s' cannot stand in a config file", name);
	return o->arg ? option_set(o, value, out, err) : config_flag(o, value, out, err);
}

enum est_code cmd_parse_config(const struct cmd_option *const *groups, const char *path,
	struct est_buf *text, bool (*known)(const char *name), struct cmd_values *out,
	struct est_error *err)
{
	struct est_error why = { 0 };
	char *line, *next, *end;
	unsigned number = 0;
	enum est_code rc;

	if (memchr(text->p ? text->p : (uint8_t *)"", 0, text->n))
		return est_fail(err, EST_E_USAGE, "%s: holds a NUL byte", path);
	rc = est_buf_append(text, (struct est_span){ (const uint8_t *)"", 1 }, err);
	if (rc != EST_OK)
		return rc;
	line = (char *)text->p;
	end = line + text->n - 1;
	for (; line < end; line = next) {
		number++;
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		else
			next = end;
		rc = config_line(groups, line, known, out, &why);
		if (rc != EST_OK)
			return est_fail(err, rc, "%s:%u: %s", path, number, why.msg);
	}
	return EST_OK;
}

static enum est_code parse_environment(const struct cmd_option *const *groups,
	char *(*getenv_fn)(const char *), struct cmd_values *v, struct est_error *err)
{
	const struct cmd_option *o;
	enum est_code rc;
	char *text;

	for (size_t i = 0; (o = option_at(groups, i)); i++) {
		text = o->env ? getenv_fn(o->env) : NULL;
		if (!text || !*text)
			continue;
		if (o->kind == CMD_LIST)
			list_clear(value_at(v, o));
		rc = option_set(o, text, v, err);
		if (rc != EST_OK) {
			struct est_error why = *err;

			return est_fail(err, rc, "%s in the environment: %s", o->env, why.msg);
		}
	}
	return EST_OK;
}

struct tables {
	struct option longopts[OPTIONS_MAX + 1];
	char shortopts[3 + 2 * OPTIONS_MAX];
};

static void tables_make(const struct cmd_option *const *groups, struct tables *t)
{
	const struct cmd_option *o;
	size_t i, n = 0;

	*t = (struct tables){ 0 };
	t->shortopts[n++] = ':'; /* a missing argument is ':' and not '?' */
	for (i = 0; i < OPTIONS_MAX && (o = option_at(groups, i)); i++) {
		t->longopts[i] = (struct option){ o->name,
			o->kind == CMD_WAIT ? optional_argument
			: o->arg            ? required_argument
					    : no_argument,
			NULL, LONG_BASE + (int)i };
		if (!o->letter)
			continue;
		t->shortopts[n++] = o->letter;
		if (o->arg)
			t->shortopts[n++] = ':';
	}
}

/* The word of argv that getopt_long() has just taken, for messages and to refuse abbreviations. */
static const char *taken_word(char **argv)
{
	if (optind >= 2 && optarg == argv[optind - 1])
		return argv[optind - 2];
	return argv[optind - 1];
}

/* The option behind a getopt value, or NULL for what is not an option here. */
static const struct cmd_option *option_by_value(const struct cmd_option *const *groups, int value,
	char **argv)
{
	const struct cmd_option *o;
	const char *word;
	size_t n;

	if (value >= LONG_BASE) {
		o = option_at(groups, (size_t)value - LONG_BASE);
		word = taken_word(argv) + 2;
		n = strcspn(word, "=");
		/* getopt_long() takes any unique prefix; a later option would change its meaning.
		 */
		return strlen(o->name) == n && strncmp(o->name, word, n) == 0 ? o : NULL;
	}
	for (size_t i = 0; (o = option_at(groups, i)); i++) {
		if (o->letter == value)
			return o;
	}
	return NULL;
}

/* getopt_long() has refused something, or taken an abbreviation. */
static enum est_code fail_word(const struct cmd_option *const *groups, int value, char **argv,
	struct est_error *err)
{
	const struct cmd_option *o;
	struct est_span word;
	char shown[SHOWN_MAX];
	uint8_t letter;

	if (value == '?' && optopt >= LONG_BASE) {
		o = option_at(groups, (size_t)optopt - LONG_BASE);
		return est_fail(err, EST_E_USAGE, "--%s: takes no value", o ? o->name : "");
	}
	if (value == '?' && optopt) {
		letter = (uint8_t)optopt;
		est_escape(shown, sizeof(shown), (struct est_span){ &letter, 1 });
		return est_fail(err, EST_E_USAGE, "no such option: -%s", shown);
	}
	word = est_span_str(value == ':' ? argv[optind - 1] : taken_word(argv));
	word.n = strcspn((const char *)word.p, "="); /* the value may be a secret */
	est_escape(shown, sizeof(shown), word);
	if (value == ':')
		return est_fail(err, EST_E_USAGE, "%s: needs a value", shown);
	est_fail(err, EST_E_USAGE, "no such option: %s", shown);
	for (size_t i = 0; word.n > 4 && (o = option_at(groups, i)); i++) {
		if (strncmp(o->name, (const char *)word.p + 2, word.n - 2) == 0)
			return est_hint(err, "options are spelt out: --%s", o->name);
	}
	return err->code;
}

static enum est_code parse_argv(const struct cmd_option *const *groups, int argc, char **argv,
	struct cmd_parsed *out, struct est_error *err)
{
	bool replaced[OPTIONS_MAX] = { false };
	const struct cmd_option *o;
	struct tables tables;
	enum est_code rc;
	size_t index;
	int value;

	tables_make(groups, &tables);
	optind = 0; /* not 1: a cluster of letters left by a refusal is forgotten too */
	opterr = 0;
	while ((value = getopt_long(argc, argv, tables.shortopts, tables.longopts, NULL)) != -1) {
		o = value == '?' || value == ':' ? NULL : option_by_value(groups, value, argv);
		if (!o)
			return fail_word(groups, value, argv, err);
		for (index = 0; option_at(groups, index) != o; index++)
			;
		if (o->kind == CMD_LIST && !replaced[index])
			list_clear(value_at(&out->v, o)); /* argv beats what came before */
		if (o->kind == CMD_COUNT && !replaced[index])
			*(unsigned *)value_at(&out->v, o) = 0;
		replaced[index] = true;
		rc = option_set(o, o->arg ? optarg : NULL, &out->v, err);
		if (rc != EST_OK)
			return rc;
	}
	out->operands = argv + optind;
	out->n_operands = argc - optind;
	return EST_OK;
}

/* The last --config of argv and --json, found before the rest is parsed: an error of the config
 * file has to be said in JSON too.  A value that happens to be spelt like an option is not one:
 * the full parse that follows tells. */
static enum est_code look_ahead(const struct cmd_option *const *groups, int argc, char **argv,
	const char **config, bool *json, struct est_error *err)
{
	const struct cmd_option *o;
	struct tables tables;
	char **copy;
	int value;

	copy = calloc((size_t)argc + 1, sizeof(*copy));
	if (!copy)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	memcpy(copy, argv, (size_t)argc * sizeof(*copy)); /* getopt_long() reorders it */
	tables_make(groups, &tables);
	optind = 0;
	opterr = 0;
	while ((value = getopt_long(argc, copy, tables.shortopts, tables.longopts, NULL)) != -1) {
		o = value >= LONG_BASE ? option_by_value(groups, value, copy) : NULL;
		if (o && o->at == CMD_AT(config))
			*config = optarg;
		if (o && o->at == CMD_AT(json))
			*json = true;
	}
	free(copy);
	return EST_OK;
}

enum est_code cmd_parse(const struct cmd_option *const *groups, int argc, char **argv,
	char *(*getenv_fn)(const char *), bool (*known)(const char *name), struct cmd_parsed *out,
	struct est_error *err)
{
	const char *config = NULL;
	enum est_code rc;

	out->v.keep = CMD_KEEP_DEFAULT;
	rc = look_ahead(groups, argc, argv, &config, &out->v.json, err);
	if (rc == EST_OK && config) {
		rc = est_read_file(config, CONFIG_MAX, &out->config, err);
		if (rc == EST_OK)
			rc = cmd_parse_config(groups, config, &out->config, known, &out->v, err);
	}
	if (rc == EST_OK)
		rc = parse_environment(groups, getenv_fn, &out->v, err);
	if (rc == EST_OK)
		rc = parse_argv(groups, argc, argv, out, err);
	return rc;
}

void cmd_parsed_wipe(const struct cmd_option *const *groups, struct cmd_parsed *parsed)
{
	const struct cmd_option *o;

	for (size_t i = 0; (o = option_at(groups, i)); i++) {
		if (o->kind == CMD_LIST)
			list_clear(value_at(&parsed->v, o));
	}
	est_buf_free(&parsed->config);
	*parsed = (struct cmd_parsed){ 0 };
}
