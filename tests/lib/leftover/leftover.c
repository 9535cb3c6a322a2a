/* SPDX-License-Identifier: MIT */
/*
 * For LD_PRELOAD: when the program ends, its memory that can be written is searched for a secret.
 * LEFTOVER_MARK is the secret in hexadecimal, each byte exclusive-or 0x55, so that the search does
 * not find itself; where it was found is appended to the file LEFTOVER_OUT, else "clean".
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK_MAX 64

/* Not memmem(): what is looked for must not stand anywhere. */
static bool holds(const volatile uint8_t *p, size_t n, const uint8_t *mark, size_t mark_n)
{
	size_t k;

	for (size_t i = 0; i + mark_n <= n; i++) {
		for (k = 0; k < mark_n && (p[i + k] ^ 0x55) == mark[k]; k++)
			;
		if (k == mark_n)
			return true;
	}
	return false;
}

__attribute__((destructor)) static void search(void)
{
	const char *hex = getenv("LEFTOVER_MARK"), *out = getenv("LEFTOVER_OUT");
	FILE *maps = fopen("/proc/self/maps", "r"), *report = out ? fopen(out, "a") : NULL;
	char line[512], byte[3] = "", *end;
	uint8_t mark[MARK_MAX];
	bool clean = true;
	size_t n = 0;

	if (!hex || !maps || !report)
		abort();
	for (; hex[2 * n] && n < MARK_MAX; n++) {
		memcpy(byte, hex + 2 * n, 2);
		mark[n] = (uint8_t)strtoul(byte, NULL, 16);
	}
	while (fgets(line, sizeof(line), maps)) {
		uintptr_t from = strtoul(line, &end, 16), to = strtoul(end + 1, &end, 16);

		if (strncmp(end, " rw", 3) != 0 || strstr(end, "[v"))
			continue;
		if (!holds((const uint8_t *)from, to - from, mark, n))
			continue;
		fprintf(report, "found in %s", line);
		clean = false;
	}
	if (clean)
		fprintf(report, "clean\n");
	(void)fclose(report);
	(void)fclose(maps);
}
