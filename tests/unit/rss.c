/*
 * rss: runs a command, and writes its greatest resident size, in KiB, to FILE.
 *
 * usage: rss FILE COMMAND...
 */
#include <err.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(int argc, char *argv[])
{
	struct rusage usage;
	int status;
	pid_t pid;
	FILE *f;

	if (argc < 3)
		errx(64, "usage: rss FILE COMMAND...");
	if ((pid = fork()) == -1)
		err(1, "fork");
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		err(127, "%s", argv[2]);
	}
	if (wait4(pid, &status, 0, &usage) == -1)
		err(1, "wait4");
	if ((f = fopen(argv[1], "w")) == NULL ||
	    fprintf(f, "%ld\n", usage.ru_maxrss) < 0 || fclose(f) == EOF)
		err(1, "%s", argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
