/* SPDX-License-Identifier: MIT */
/*
 * usage FILE COMMAND...: runs the command and writes to FILE what it and its children used:
 * microseconds of CPU, microseconds of wall time, KiB of the largest of them, exit status.
 *
 * A small program of its own, because Linux counts the memory of whoever calls exec() into the
 * peak of the program that is started.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

int main(int argc, char **argv)
{
	struct timespec begin, end;
	struct rusage use;
	long cpu, wall;
	int status;
	pid_t pid;
	FILE *file;

	if (argc < 3) {
		fprintf(stderr, "usage: usage FILE COMMAND...\n");
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* whoever loses patience kills us */
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &use) != pid)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &end);
	cpu = (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000 + use.ru_utime.tv_usec +
	      use.ru_stime.tv_usec;
	wall = (end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000;
	file = fopen(argv[1], "w");
	if (!file)
		return 1;
	fprintf(file, "%ld %ld %ld %d\n", cpu, wall, use.ru_maxrss,
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return fclose(file) != 0;
}
