/* SPDX-License-Identifier: MIT */
/* LD_PRELOAD: lets the FAILALLOC_AT-th allocation since main() fail, once, and writes what came of
 * it to the file FAILALLOC_REPORT: "count N failed N leaked N", leaked being what the program, and
 * not a library, has allocated and not released when main() returns; or "crashed" and the objects
 * that were on the stack, innermost first.  Processes that it forks count with it, and a crash
 * of theirs is its own. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define OWNED_MAX (1u << 20) /* power of two */
#define FRAMES    48

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);
void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t n);
void free(void *p);
char *strdup(const char *s);
char *strndup(const char *s, size_t max);
int __asprintf_chk(char **out, int flag, const char *fmt, ...);
int __vasprintf_chk(char **out, int flag, const char *fmt, va_list args);
int vasprintf(char **out, const char *fmt, va_list args);
int asprintf(char **out, const char *fmt, ...);
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv,
	int (*init)(int, char **, char **), void (*fini)(void), void (*rtld_fini)(void),
	void *stack);

struct tally {
	unsigned long count, failed;
	bool crashed;
};

static bool counting;
static unsigned long fail_at, leaked;
static struct tally *tally; /* of all processes */
static uintptr_t program_from, program_to;
static void *owned[OWNED_MAX];
static const void *owners[OWNED_MAX];
static int (*real_main)(int, char **, char **);

static bool by_program(const void *caller)
{
	return (uintptr_t)caller >= program_from && (uintptr_t)caller < program_to;
}

static size_t slot_of(const void *p)
{
	return ((uintptr_t)p >> 4) * 2654435761u & (OWNED_MAX - 1);
}

static void own(void *p, const void *caller)
{
	size_t i = slot_of(p);

	while (owned[i] && owned[i] != (void *)1)
		i = (i + 1) & (OWNED_MAX - 1);
	owned[i] = p;
	owners[i] = caller;
	leaked++;
}

static void disown(const void *p)
{
	for (size_t i = slot_of(p); leaked > 0 && owned[i]; i = (i + 1) & (OWNED_MAX - 1)) {
		if (owned[i] == p) {
			owned[i] = (void *)1;
			leaked--;
			return;
		}
	}
}

static bool fails(void)
{
	if (!counting || ++tally->count != fail_at)
		return false;
	tally->failed++;
	errno = ENOMEM;
	return true;
}

static void *got(void *p, const void *caller)
{
	if (p && counting && by_program(caller))
		own(p, caller);
	return p;
}

void *malloc(size_t n)
{
	return fails() ? NULL : got(__libc_malloc(n), __builtin_return_address(0));
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : got(__libc_calloc(n, size), __builtin_return_address(0));
}

void *realloc(void *p, size_t n)
{
	if (fails())
		return NULL;
	if (p)
		disown(p);
	return got(__libc_realloc(p, n), __builtin_return_address(0));
}

void free(void *p)
{
	if (p)
		disown(p);
	__libc_free(p);
}

char *strndup(const char *s, size_t max)
{
	size_t n = strnlen(s, max);
	char *p = fails() ? NULL : got(__libc_malloc(n + 1), __builtin_return_address(0));

	if (p) {
		memcpy(p, s, n);
		p[n] = '\0';
	}
	return p;
}

char *strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = fails() ? NULL : got(__libc_malloc(n), __builtin_return_address(0));

	return p ? memcpy(p, s, n) : NULL;
}

static int print(char **out, const char *fmt, va_list args, const void *caller)
{
	va_list again;
	char *p;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	p = n < 0 || fails() ? NULL : got(__libc_malloc((size_t)n + 1), caller);
	if (!p)
		return -1;
	*out = p;
	return vsnprintf(p, (size_t)n + 1, fmt, args);
}

int vasprintf(char **out, const char *fmt, va_list args)
{
	return print(out, fmt, args, __builtin_return_address(0));
}

int __vasprintf_chk(char **out, int flag, const char *fmt, va_list args)
{
	(void)flag;
	return print(out, fmt, args, __builtin_return_address(0));
}

int asprintf(char **out, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = print(out, fmt, args, __builtin_return_address(0));
	va_end(args);
	return n;
}

int __asprintf_chk(char **out, int flag, const char *fmt, ...)
{
	va_list args;
	int n;

	(void)flag;
	va_start(args, fmt);
	n = print(out, fmt, args, __builtin_return_address(0));
	va_end(args);
	return n;
}

static int report_open(void)
{
	const char *path = getenv("FAILALLOC_REPORT");

	return path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
}

static void crashed(int signal)
{
	void *frames[FRAMES] = { 0 };
	int fd = report_open();

	counting = false;
	tally->crashed = true;
	dprintf(fd, "crashed %d count %lu\n", signal, tally->count);
	backtrace_symbols_fd(frames, backtrace(frames, FRAMES), fd);
	_exit(128 + signal);
}

static int find_program(struct dl_phdr_info *info, size_t size, void *ctx)
{
	(void)size;
	(void)ctx;
	program_from = UINTPTR_MAX; /* the first object is the program */
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uintptr_t from = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type != PT_LOAD)
			continue;
		if (from < program_from)
			program_from = from;
		if (from + ph->p_memsz > program_to)
			program_to = from + ph->p_memsz;
	}
	return 1;
}

static int counted_main(int argc, char **argv, char **envp)
{
	static const int signals[] = { SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL };
	const char *at = getenv("FAILALLOC_AT");
	void *frame;
	int rc, fd;

	(void)dl_iterate_phdr(find_program, NULL);
	(void)backtrace(&frame, 1); /* it loads a library the first time */
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)signal(signals[i], crashed);
	fail_at = at ? strtoul(at, NULL, 10) : 0;
	fd = memfd_create("tally", MFD_CLOEXEC);
	(void)!ftruncate(fd, sizeof(*tally));
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	counting = true;
	rc = real_main(argc, argv, envp);
	counting = false;
	if (tally->crashed)
		return rc;
	fd = report_open();
	dprintf(fd, "count %lu failed %lu leaked %lu\n", tally->count, tally->failed, leaked);
	for (size_t i = 0; leaked > 0 && i < OWNED_MAX; i++) {
		if ((uintptr_t)owned[i] > 1)
			dprintf(fd, "by +0x%zx\n", (size_t)((uintptr_t)owners[i] - program_from));
	}
	(void)close(fd);
	return rc;
}

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv,
	int (*init)(int, char **, char **), void (*fini)(void), void (*rtld_fini)(void),
	void *stack)
{
	int (*next)(int (*)(int, char **, char **), int, char **, int (*)(int, char **, char **),
		void (*)(void), void (*)(void), void *);

	*(void **)&next = dlsym(RTLD_NEXT, "__libc_start_main");
	real_main = main;
	return next(counted_main, argc, argv, init, fini, rtld_fini, stack);
}
