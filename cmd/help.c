/* SPDX-License-Identifier: MIT */
/* est help: made from the same tables that parse. */
#include "cmd.h"

#include <stdio.h>
#include <string.h>

#define HELP_COLUMN 34 /* where the explanations start */

static const struct {
	enum est_code code;
	const char *meaning;
} exit_codes[] = {
	{ EST_OK, "done, or nothing was due" },
	{ EST_E_INTERNAL, "a bug in est, or no memory" },
	{ EST_E_USAGE, "wrong options" },
	{ EST_E_INPUT, "a local file is missing or wrong" },
	{ EST_E_OUTPUT, "cannot write a file, or it is locked" },
	{ EST_E_NETWORK, "no connection, or it broke" },
	{ EST_E_TIMEOUT, "a time limit passed" },
	{ EST_E_UNTRUSTED, "the server is not one to believe" },
	{ EST_E_TLS, "TLS failed for another reason" },
	{ EST_E_AUTH, "the server refused our identity (401, 403)" },
	{ EST_E_REFUSED, "the server refused the request (other 3xx, 4xx, 501)" },
	{ EST_E_SERVER, "the server failed (5xx, 429)" },
	{ EST_E_PENDING, "accepted, not issued yet (202): run again later" },
	{ EST_E_PROTOCOL, "the answer is not valid HTTP, base64 or CMS, or too large" },
	{ EST_E_REJECTED, "the answer is valid but must not be installed" },
	{ EST_E_CONDITION, "inspect: the answer to the question is no" },
	{ EST_E_HOOK, "the hook failed, the files are installed" },
	{ EST_E_CLOCK, "the clock is before the build date" },
	{ EST_E_INTERRUPTED, "+N: ended by signal N" },
};

static void print_option(const struct cmd_option *o)
{
	char left[80];
	int n;

	n = snprintf(left, sizeof(left), "  %c%c%s --%s%s%s%s", o->letter ? '-' : ' ',
		o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
		o->kind == CMD_WAIT ? "[="
		: o->arg            ? " "
				    : "",
		o->arg ? o->arg : "", o->kind == CMD_WAIT ? "]" : "");
	if (n >= HELP_COLUMN)
		printf("%s\n%*s", left, HELP_COLUMN, "");
	else
		printf("%-*s", HELP_COLUMN, left);
	printf("%s%s%s%s\n", o->help, o->env ? " [" : "", o->env ? o->env : "", o->env ? "]" : "");
}

void cmd_help_applet(const struct cmd_entry *entry)
{
	const struct cmd_applet *a = entry->applet;

	printf("usage: est %s [OPTIONS]%s%s\n%s\n\n", entry->name, *a->operands ? " " : "",
		a->operands, entry->help);
	for (size_t g = 0; a->groups[g]; g++) {
		for (const struct cmd_option *o = a->groups[g]; o->name; o++)
			print_option(o);
	}
}

/* For completions and checks: one option a line, tab-separated name, letter, argument, help.  An
 * optional argument, which only = can give, is in brackets. */
static void list_options(const struct cmd_applet *a)
{
	for (size_t g = 0; a->groups[g]; g++) {
		for (const struct cmd_option *o = a->groups[g]; o->name; o++) {
			char letter[3] = { '-', o->letter, '\0' };

			printf(o->kind == CMD_WAIT ? "--%s\t%s\t[=%s]\t%s\n" : "--%s\t%s\t%s\t%s\n",
				o->name, o->letter ? letter : "", o->arg ? o->arg : "", o->help);
		}
	}
}

static void help_overview(void)
{
	printf("usage: est APPLET [OPTIONS]\n\n");
	for (const struct cmd_entry *e = cmd_applets; e->name; e++)
		printf("  %-14s%s\n", e->name, e->help);
	printf("  %-14s%s\n\n", "help", "this; help APPLET, help exit-codes");
	printf("est --list | --version | --install DIR\n");
}

static void help_exit_codes(void)
{
	for (size_t i = 0; i < sizeof(exit_codes) / sizeof(exit_codes[0]); i++)
		printf("%3d  %-12s %s\n", (int)exit_codes[i].code,
			est_code_name(exit_codes[i].code), exit_codes[i].meaning);
}

int cmd_help(int argc, char **argv)
{
	bool options = argc >= 2 && strcmp(argv[1], "--options") == 0;
	const struct cmd_entry *entry;

	if (argc == 1) {
		help_overview();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "exit-codes") == 0) {
		help_exit_codes();
		return 0;
	}
	if (argc != 2 + options) {
		fprintf(stderr, "usage: est help [APPLET | exit-codes | --options APPLET]\n");
		return EST_E_USAGE;
	}
	entry = cmd_find(argv[argc - 1]);
	if (!entry) {
		fprintf(stderr, "est: help: no such applet: %s\n", argv[argc - 1]);
		return EST_E_USAGE;
	}
	if (options)
		list_options(entry->applet);
	else
		cmd_help_applet(entry);
	return 0;
}
