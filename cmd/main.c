/* SPDX-License-Identifier: MIT */
/* The multi-call binary: `est APPLET` or a link named est-APPLET. */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

const struct cmd_entry cmd_applets[] = {
#define APPLET(name, help) { #name, help, &name##_applet },
#include "applets.h" /* the lines of applets.def that are built */
#undef APPLET
	{ 0 },
};

static const char usage[] = "usage: est APPLET [OPTIONS]      est-APPLET [OPTIONS]\n"
			    "       est --list | --version | --install DIR\n"
			    "       est help [APPLET | exit-codes]\n";

static bool is_link(const char *path)
{
	struct stat st;
	int error = errno;
	bool link = lstat(path, &st) == 0 && S_ISLNK(st.st_mode);

	errno = error;
	return link;
}

/* Makes DIR/est-APPLET for every applet: relative when DIR is where the binary is. */
static int install_links(const char *dir)
{
	char self[4096], path[4096];
	const char *target, *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0) {
		fprintf(stderr, "est: --install: cannot find my own binary: %s\n", strerror(errno));
		return EST_E_OUTPUT;
	}
	self[n] = '\0';
	slash = strrchr(self, '/');
	target = self;
	if (slash && strlen(dir) == (size_t)(slash - self) && !strncmp(dir, self, strlen(dir)))
		target = slash + 1;
	for (const struct cmd_entry *e = cmd_applets; e->name; e++) {
		if ((size_t)snprintf(path, sizeof(path), "%s/est-%s", dir, e->name) >=
			sizeof(path)) {
			fprintf(stderr, "est: --install: the folder's name is too long\n");
			return EST_E_USAGE;
		}
		if (symlink(target, path) != 0 && (errno != EEXIST || !is_link(path))) {
			fprintf(stderr, "est: --install: %s: %s\n", path, strerror(errno));
			return EST_E_OUTPUT;
		}
	}
	return 0;
}

static int finish_stdout(int code)
{
	struct est_error err;

	if (code != 0 || cmd_flush(&err) == EST_OK)
		return code;
	fprintf(stderr, "est: %s\n", err.msg);
	return EST_E_OUTPUT;
}

static int list_applets(void)
{
	for (const struct cmd_entry *e = cmd_applets; e->name; e++)
		printf("%s\n", e->name);
	return 0;
}

/* A file opened as descriptor 2 would get the messages.  What was closed is held so that reading
 * it finds the end and writing it fails. */
static void hold_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		(void)close(fd);
}

int main(int argc, char **argv)
{
	const struct cmd_entry *entry;
	const char *name;

	hold_descriptors();
	if (argc < 1)
		return EST_E_USAGE;
	name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	if (strncmp(name, "est-", 4) == 0) {
		entry = cmd_find(name + 4);
		if (entry)
			return cmd_main(entry, argc, argv);
		fprintf(stderr, "est: no such applet: %s\n%s", name + 4, usage);
		return EST_E_USAGE;
	}
	if (argc < 2) {
		fputs(usage, stderr);
		return EST_E_USAGE;
	}
	entry = cmd_find(argv[1]);
	if (entry)
		return cmd_main(entry, argc - 1, argv + 1);
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
		strcmp(argv[1], "-h") == 0)
		return finish_stdout(cmd_help(argc - 1, argv + 1));
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("est %s (GnuTLS %s)\n", EST_VERSION, gnutls_check_version(NULL));
		return finish_stdout(0);
	}
	if (strcmp(argv[1], "--list") == 0)
		return finish_stdout(list_applets());
	if (strcmp(argv[1], "--install") == 0 && argc == 3)
		return install_links(argv[2]);
	if (strcmp(argv[1], "--install") == 0)
		fprintf(stderr, "est: --install needs one folder for the links\n%s", usage);
	else
		fprintf(stderr, "est: no such applet: %s\n%s", argv[1], usage);
	return EST_E_USAGE;
}
