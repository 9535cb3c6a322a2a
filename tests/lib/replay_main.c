/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over the files of a corpus, once each, without a fuzzer: with any compiler
 * and under any sanitizer.  Prints TAP.  The name is printed before the target runs, so that a
 * crash, which ends the process, shows the file that caused it.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <sys/stat.h>

#define FILE_MAX (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The exact size on the heap, so that the sanitizer sees a read one byte past the end. */
static uint8_t *slurp(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	struct stat st;

	if (!file)
		return NULL;
	if (fstat(fileno(file), &st) == 0 && st.st_size <= FILE_MAX) {
		*size = (size_t)st.st_size;
		data = malloc(*size ? *size : 1);
		if (data && fread(data, 1, *size, file) != *size) {
			free(data);
			data = NULL;
		}
	}
	fclose(file);
	return data;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	struct dirent **entries = NULL;
	char path[4096];
	uint8_t *data;
	size_t size;
	int i, n, failed = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
		return 2;
	}
	n = scandir(argv[1], &entries, visible, alphasort);
	if (n <= 0) {
		fprintf(stderr, "%s: no files to run\n", argv[1]);
		free(entries);
		return 1;
	}
	printf("1..%d\n", n);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", argv[1], entries[i]->d_name);
		printf("# %s\n", path);
		fflush(stdout);
		data = slurp(path, &size);
		if (data)
			LLVMFuzzerTestOneInput(data, size);
		else
			failed = 1;
		printf("%s %d - %s\n", data ? "ok" : "not ok", i + 1, entries[i]->d_name);
		free(data);
		free(entries[i]);
	}
	free(entries);
	return failed;
}
