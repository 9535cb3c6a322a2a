/* SPDX-License-Identifier: MIT */
/* Options from argv, the environment and a config file. */
#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "testca.h"

#define ARGS_MAX 24

static const struct cmd_option own[] = {
	{ "output", 'o', CMD_STRING, CMD_AT(output), "FILE", NULL, "where it goes" },
	{ "force", 0, CMD_FLAG, CMD_AT(force), NULL, NULL, "replace" },
	{ 0 },
};

static const struct cmd_option *const groups[] = { own, cmd_options_network, cmd_options_common,
	NULL };

/* One run: name=value pairs are the environment, config is a file's text. */
static struct run {
	char *config_path;
	const char *const *env;
	struct cmd_parsed parsed;
	struct est_error err;
	char *argv[ARGS_MAX + 1];
	int argc;
	char *words; /* argv's storage */
} run;

static char *env_get(const char *name)
{
	size_t n = strlen(name);

	for (const char *const *e = run.env; e && *e; e++) {
		if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
			return (char *)*e + n + 1;
	}
	return NULL;
}

static bool known(const char *name)
{
	return strcmp(name, "renew-before") == 0;
}

/* args: words with a blank between; "''" is the empty word, %C the config file. */
static enum est_code parse_bytes(const char *args, const char *const *env, struct est_span config)
{
	char *word, *rest;

	cmd_parsed_wipe(groups, &run.parsed);
	free(run.words);
	run = (struct run){ .env = env, .words = strdup(args) };
	run.config_path = (char *)testca_path(testca_tmp, "config");
	testca_write(run.config_path, config);
	run.argv[run.argc++] = (char *)"est";
	for (word = strtok_r(run.words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		assert_true(run.argc < ARGS_MAX);
		run.argv[run.argc++] = strcmp(word, "''") == 0   ? (char *)""
				       : strcmp(word, "%C") == 0 ? run.config_path
								 : word;
	}
	return cmd_parse(groups, run.argc, run.argv, env_get, known, &run.parsed, &run.err);
}

static enum est_code parse(const char *args, const char *const *env, const char *config)
{
	return parse_bytes(args, env, est_span_str(config));
}

static void expect_ok(const char *args, const char *const *env, const char *config)
{
	if (parse(args, env, config) != EST_OK)
		fail_msg("%s: %s", args, run.err.msg);
}

static void expect_usage(const char *args, const char *config, const char *why)
{
	enum est_code rc = parse(args, NULL, config);

	if (rc != EST_E_USAGE)
		fail_msg("%s: %s, %s", args, est_code_name(rc), run.err.msg);
	if (!strstr(run.err.msg, why))
		fail_msg("%s: '%s' does not say '%s'", args, run.err.msg, why);
}

static void done(void)
{
	cmd_parsed_wipe(groups, &run.parsed);
	free(run.words);
	run = (struct run){ 0 };
}

#define V (&run.parsed.v)

static void every_kind_is_taken_in_every_spelling(void **state)
{
	(void)state;
	expect_ok("--server a --label=b -o c --cacert=d --cacert e -m 7 --connect-timeout=0.25 "
		  "--max-size 64K --force -4 -vv",
		NULL, "");
	assert_string_equal(V->server, "a");
	assert_string_equal(V->label, "b");
	assert_string_equal(V->output, "c");
	assert_int_equal(V->cacert.n, 2);
	assert_string_equal(V->cacert.v[0], "d");
	assert_string_equal(V->cacert.v[1], "e");
	assert_null(V->cacert.v[2]);
	assert_int_equal(V->max_time_ms, 7000);
	assert_int_equal(V->connect_timeout_ms, 250);
	assert_int_equal(V->max_size, 65536);
	assert_true(V->force && V->ipv4);
	assert_false(V->ipv6 || V->json);
	assert_int_equal(V->verbose, 2);
	assert_int_equal(run.parsed.n_operands, 0);
	expect_ok("-oc -sx=y -4v", NULL, "");
	assert_string_equal(V->output, "c");
	assert_string_equal(V->server, "x=y");
	assert_int_equal(V->verbose, 1);
	done();
}

static void what_is_no_option_is_an_operand(void **state)
{
	(void)state;
	expect_ok("one -v two - -- --json", NULL, "");
	assert_int_equal(run.parsed.n_operands, 4);
	assert_string_equal(run.parsed.operands[0], "one");
	assert_string_equal(run.parsed.operands[1], "two");
	assert_string_equal(run.parsed.operands[2], "-");
	assert_string_equal(run.parsed.operands[3], "--json");
	assert_false(V->json);
	assert_int_equal(V->verbose, 1);
	done();
}

static void a_later_string_replaces_an_earlier_one(void **state)
{
	(void)state;
	expect_ok("--server a --server=b -s c", NULL, "");
	assert_string_equal(V->server, "c");
	done();
}

static void abbreviations_are_refused(void **state)
{
	(void)state;
	expect_usage("--serv a", "", "no such option: --serv");
	expect_usage("--serv=a", "", "no such option: --serv");
	expect_usage("--jso", "", "no such option: --jso");
	expect_usage("--conf %C", "", "no such option: --conf");
	expect_usage("--max 1", "", "no such option: --max"); /* ambiguous besides */
	expect_usage("--force --out x", "", "no such option: --out");
	expect_usage("--out --output", "", "no such option: --out");
	done();
}

static void unknown_options_and_those_of_other_applets_are_refused(void **state)
{
	(void)state;
	expect_usage("--nonsense", "", "no such option: --nonsense");
	expect_usage("--nonsense=secret", "", "no such option: --nonsense");
	assert_null(strstr(run.err.msg, "secret"));
	expect_usage("--renew-before 3d", "", "no such option: --renew-before");
	expect_usage("-x", "", "no such option: -x");
	expect_usage("-vx", "", "no such option: -x");
	expect_usage("-\x1b", "", "no such option: -");
	assert_null(strchr(run.err.msg, '\x1b'));
	expect_usage("--=x", "", "no such option");
	done();
}

static void a_refused_cluster_does_not_leak_into_the_next_parse(void **state)
{
	(void)state;
	expect_usage("-xv", "", "no such option: -x");
	expect_ok("-4", NULL, "");
	assert_int_equal(V->verbose, 0);
	assert_true(V->ipv4);
	done();
}

static void a_missing_or_unwanted_value_is_said(void **state)
{
	(void)state;
	expect_usage("--server", "", "--server: needs a value");
	expect_usage("-s", "", "needs a value");
	expect_usage("--server=", "", "--server: needs a value");
	expect_usage("--server ''", "", "--server: needs a value");
	expect_usage("--cacert ''", "", "--cacert: needs a value");
	expect_usage("--json=yes", "", "--json: takes no value");
	expect_usage("--verbose=2", "", "--verbose: takes no value");
	done();
}

static void only_a_user_name_may_be_empty(void **state)
{
	(void)state;
	expect_ok("--user ''", NULL, "");
	assert_string_equal(V->user, "");
	expect_ok("--user=", NULL, "");
	assert_string_equal(V->user, "");
	expect_ok("", NULL, "");
	assert_null(V->user);
	expect_ok("--config %C", NULL, "user =\n");
	assert_string_equal(V->user, "");
	expect_usage("--password-file ''", "", "needs a value");
	done();
}

static void argv_beats_the_environment_beats_the_config_file(void **state)
{
	static const char *const env[] = { "EST_SERVER=env", "EST_MAX_TIME=2",
		"EST_LABEL=", "EST_CERT=cert-env", NULL };
	const char *config = "server = file\nlabel = file\nmax-time = 1\ncert=cert-file\n"
			     "key = key-file\n";

	(void)state;
	expect_ok("--config %C -m 3 --cert cert-argv", env, config);
	assert_string_equal(V->server, "env");
	assert_string_equal(V->label, "file"); /* an empty variable is none */
	assert_int_equal(V->max_time_ms, 3000);
	assert_string_equal(V->cert, "cert-argv");
	assert_string_equal(V->key, "key-file");
	done();
}

static void a_list_is_replaced_by_the_next_place_and_not_appended_to(void **state)
{
	static const char *const env[] = { "EST_CACERT=e", NULL };
	const char *config = "cacert = a\ncacert = b\nresolve = x:1:127.0.0.1\n";

	(void)state;
	expect_ok("--config %C", NULL, config);
	assert_int_equal(V->cacert.n, 2);
	assert_string_equal(V->cacert.v[1], "b");
	expect_ok("--config %C", env, config);
	assert_int_equal(V->cacert.n, 1);
	assert_string_equal(V->cacert.v[0], "e");
	expect_ok("--cacert c --config %C --cacert d", env, config);
	assert_int_equal(V->cacert.n, 2);
	assert_string_equal(V->cacert.v[0], "c");
	assert_string_equal(V->cacert.v[1], "d");
	assert_null(V->cacert.v[2]);
	assert_int_equal(V->resolve.n, 1);
	done();
}

static void a_count_of_argv_replaces_that_of_the_config_file(void **state)
{
	(void)state;
	expect_ok("--config %C", NULL, "verbose = yes\nverbose = yes\n");
	assert_int_equal(V->verbose, 2);
	expect_ok("-v --config %C", NULL, "verbose = yes\nverbose = yes\n");
	assert_int_equal(V->verbose, 1);
	expect_ok("-v -v --verbose", NULL, "");
	assert_int_equal(V->verbose, 3);
	done();
}

static void an_error_of_the_environment_names_the_variable(void **state)
{
	static const char *const env[] = { "EST_MAX_TIME=soon", NULL };

	(void)state;
	assert_int_equal(parse("", env, ""), EST_E_USAGE);
	assert_non_null(strstr(run.err.msg, "EST_MAX_TIME"));
	assert_non_null(strstr(run.err.msg, "--max-time"));
	done();
}

static void a_config_file_has_comments_blanks_and_any_line_end(void **state)
{
	(void)state;
	expect_ok("--config %C", NULL,
		"# comment\n\n  \t\n\tserver\t=  a b  \r\nlabel=x=y\n#label = z\nforce = yes\n"
		"strict = no\nrenew-before = 3d\nkey=last");
	assert_string_equal(V->server, "a b");
	assert_string_equal(V->label, "x=y");
	assert_string_equal(V->key, "last");
	assert_true(V->force);
	assert_false(V->strict);
	expect_ok("--config %C", NULL, "");
	expect_ok("--config %C", NULL, "\n\n\n");
	done();
}

static void the_last_config_file_and_line_counts(void **state)
{
	(void)state;
	expect_ok("--config /nonexistent --config %C", NULL, "server = a\nserver = b\n");
	assert_string_equal(V->server, "b");
	expect_ok("--config %C", NULL, "strict = yes\nstrict = no\nverbose=true\nverbose=no\n");
	assert_false(V->strict);
	assert_int_equal(V->verbose, 0);
	done();
}

static void an_error_in_a_config_file_names_the_line(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "\n# x\nnonsense = 1\n", "config:3: no such option: 'nonsense'" },
		{ "server\n", "config:1: not 'long-option = value'" },
		{ "server a\n", "config:1: not 'long-option = value'" },
		{ "server =\n", "config:1: --server: needs a value" },
		{ "= x\n", "config:1: no such option: ''" },
		{ "--server = x\n", "config:1: no such option: '--server'" },
		{ "Server = x\n", "config:1: no such option" },
		{ "s = x\n", "config:1: no such option: 's'" },
		{ "serv = x\n", "config:1: no such option: 'serv'" },
		{ "force = maybe\n", "config:1: force is yes or no, not 'maybe'" },
		{ "force =\n", "config:1: force is yes or no, not ''" },
		{ "force = YES\n", "config:1: force is yes or no" },
		{ "force\n", "config:1: not 'long-option = value'" },
		{ "verbose = 2\n", "config:1: verbose is yes or no" },
		{ "max-time = x\n", "config:1: --max-time" },
		{ "max-size = x\n", "config:1: --max-size" },
		{ "config = x\n", "config:1: 'config' cannot stand in a config file" },
		{ "help = yes\n", "config:1: 'help' cannot stand in a config file" },
		{ "version = yes\n", "config:1: 'version' cannot stand in a config file" },
		{ "server = a\r\nserver\r\n", "config:2: not" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_usage("--config %C", rows[i].text, rows[i].why);
	done();
}

static void no_byte_of_a_config_file_is_shown_as_it_is(void **state)
{
	(void)state;
	expect_usage("--config %C", "\x1b[2J\xff = 1\n", "\\x1b");
	assert_null(strchr(run.err.msg, '\x1b'));
	assert_null(strchr(run.err.msg, 0xff));
	expect_usage("--config %C", "force = \x1b]0;x\x07\n", "\\x1b");
	assert_null(strchr(run.err.msg, '\x1b'));
	expect_usage("--config %C", "max-time = \x1b\n", "\\x1b");
	expect_usage("--config %C", "max-size = \x1b\n", "\\x1b");
	assert_null(strchr(run.err.msg, '\x1b'));
	done();
}

static void a_config_file_that_cannot_be_read_is_an_input_error(void **state)
{
	(void)state;
	assert_int_equal(parse("--config /nonexistent/x", NULL, ""), EST_E_INPUT);
	assert_int_equal(parse("--config /", NULL, ""), EST_E_INPUT);
	assert_int_equal(parse_bytes("--config %C", NULL,
				 (struct est_span){ (const uint8_t *)"server = a\0b\n", 13 }),
		EST_E_USAGE);
	assert_non_null(strstr(run.err.msg, "NUL"));
	done();
}

static void a_config_file_of_64_KiB_is_read_and_no_more(void **state)
{
	char *big = malloc((64u << 10) + 2);

	(void)state;
	assert_non_null(big);
	memset(big, '\n', (64u << 10) + 1);
	big[64u << 10] = '\0';
	memcpy(big, "server = a", 10);
	expect_ok("--config %C", NULL, big);
	assert_string_equal(V->server, "a");
	big[64u << 10] = '\n';
	big[(64u << 10) + 1] = '\0';
	assert_int_equal(parse("--config %C", NULL, big), EST_E_INPUT);
	assert_non_null(strstr(run.err.msg, "65536"));
	free(big);
	done();
}

static void seconds_have_a_range_and_three_decimals(void **state)
{
	static const struct {
		const char *text;
		unsigned ms;
	} good[] = { { "1", 1000 }, { "0.001", 1 }, { "0.5", 500 }, { "1.25", 1250 },
		{ "86400", 86400000 }, { "86400.000", 86400000 }, { "0010", 10000 },
		{ "59.999", 59999 } };
	static const char *const bad[] = { "0", "0.0", "0.000", "-1", "+1", "1s", "1e3", ".5", "1.",
		"1.2345", "1.2.3", "86400.001", "86401", "99999999999999999999", "0x10", "1,5",
		"inf", "nan", "1_" };
	char args[64];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)snprintf(args, sizeof(args), "--max-time=%s", good[i].text);
		expect_ok(args, NULL, "");
		assert_int_equal(V->max_time_ms, good[i].ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(args, sizeof(args), "--max-time=%s", bad[i]);
		expect_usage(args, "", "--max-time: '");
		assert_int_equal(V->max_time_ms, 0);
	}
	done();
}

static void bytes_have_a_range_and_a_unit(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} good[] = { { "1", 1 }, { "65536", 65536 }, { "64K", 65536 }, { "64k", 65536 },
		{ "4M", 4u << 20 }, { "4m", 4u << 20 }, { "2147483647", 2147483647 },
		{ "2047M", 2047u << 20 }, { "01", 1 } };
	static const char *const bad[] = { "0", "0K", "-1", "+1", "K", "M", "4MB", "4G", "4KK",
		"2147483648", "2048M", "2097152K", "99999999999999999999", "1.5M", "1 ", "0x10" };
	char args[64];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)snprintf(args, sizeof(args), "--max-size=%s", good[i].text);
		expect_ok(args, NULL, "");
		assert_int_equal(V->max_size, good[i].n);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char word[64];

		(void)snprintf(word, sizeof(word), "--max-size=%s", bad[i]);
		if (strchr(word, ' '))
			continue; /* words are split at blanks here; the next test has it */
		expect_usage(word, "", "--max-size: '");
	}
	expect_usage("--config %C", "max-size = 1 K\n", "--max-size: '");
	done();
}

static void a_list_has_1024_values_and_no_more(void **state)
{
	struct est_buf text = { 0 };
	struct est_error err;

	(void)state;
	for (int i = 0; i < 1024; i++)
		assert_int_equal(est_buf_printf(&text, &err, "cacert = f%d\n", i), EST_OK);
	expect_ok("--config %C", NULL, (char *)text.p);
	assert_int_equal(V->cacert.n, 1024);
	assert_string_equal(V->cacert.v[1023], "f1023");
	assert_int_equal(est_buf_printf(&text, &err, "cacert = g\n"), EST_OK);
	expect_usage("--config %C", (char *)text.p, "config:1025: --cacert: given more than 1024");
	est_buf_free(&text);
	done();
}

static void json_is_known_even_when_the_rest_is_wrong(void **state)
{
	(void)state;
	expect_usage("--nonsense --json", "", "no such option");
	assert_true(V->json);
	expect_usage("--config %C --json", "x\n", "config:1");
	assert_true(V->json);
	expect_usage("--nonsense -- --json", "", "no such option");
	assert_false(V->json);
	done();
}

static void every_option_fits_its_table(void **state)
{
	static const struct cmd_option *const all[] = { cmd_options_network, cmd_options_request,
		cmd_options_common, NULL };
	bool letters[256] = { false };

	(void)state;
	for (const struct cmd_option *const *g = all; *g; g++) {
		for (const struct cmd_option *o = *g; o->name; o++) {
			assert_ptr_equal(cmd_option_find(all, o->name), o); /* no name twice */
			assert_true(o->at < sizeof(struct cmd_values));
			assert_true(o->help && *o->help);
			assert_true(
				(o->arg == NULL) == (o->kind == CMD_FLAG || o->kind == CMD_COUNT));
			assert_true(!o->env || o->arg); /* a variable "no" would turn a flag on */
			if (o->letter)
				assert_false(letters[(unsigned char)o->letter]);
			letters[(unsigned char)o->letter] = true;
		}
	}
	assert_null(cmd_option_find(all, "serve"));
	assert_null(cmd_option_find(all, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_taken_in_every_spelling),
		cmocka_unit_test(what_is_no_option_is_an_operand),
		cmocka_unit_test(a_later_string_replaces_an_earlier_one),
		cmocka_unit_test(abbreviations_are_refused),
		cmocka_unit_test(unknown_options_and_those_of_other_applets_are_refused),
		cmocka_unit_test(a_refused_cluster_does_not_leak_into_the_next_parse),
		cmocka_unit_test(a_missing_or_unwanted_value_is_said),
		cmocka_unit_test(only_a_user_name_may_be_empty),
		cmocka_unit_test(argv_beats_the_environment_beats_the_config_file),
		cmocka_unit_test(a_list_is_replaced_by_the_next_place_and_not_appended_to),
		cmocka_unit_test(a_count_of_argv_replaces_that_of_the_config_file),
		cmocka_unit_test(an_error_of_the_environment_names_the_variable),
		cmocka_unit_test(a_config_file_has_comments_blanks_and_any_line_end),
		cmocka_unit_test(the_last_config_file_and_line_counts),
		cmocka_unit_test(an_error_in_a_config_file_names_the_line),
		cmocka_unit_test(no_byte_of_a_config_file_is_shown_as_it_is),
		cmocka_unit_test(a_config_file_that_cannot_be_read_is_an_input_error),
		cmocka_unit_test(a_config_file_of_64_KiB_is_read_and_no_more),
		cmocka_unit_test(seconds_have_a_range_and_three_decimals),
		cmocka_unit_test(bytes_have_a_range_and_a_unit),
		cmocka_unit_test(a_list_has_1024_values_and_no_more),
		cmocka_unit_test(json_is_known_even_when_the_rest_is_wrong),
		cmocka_unit_test(every_option_fits_its_table),
	};

	return cmocka_run_group_tests(tests, testca_tmp_make, testca_tmp_remove);
}
