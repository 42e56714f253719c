/*
 * Starts a command in a process group of its own, so that the command and
 * whatever it started end together.
 *
 * Invariant: while 'pid' is not 0 the process has not been reaped, so its
 * number is nobody else's and child_kill() can hit no stranger.
 *
 * The child gets default signal actions, an empty signal mask, and no
 * descriptor but 0, 1 and 2 (all others of the caller must be close-on-exec).
 * Its stderr is the caller's.
 */
#ifndef CHILD_H
#define CHILD_H

#include <sys/types.h>

enum child_flag {
	CHILD_IN = 0x1,		/* stdin is a pipe from us, else /dev/null */
	CHILD_OUT = 0x2,	/* stdout is a pipe to us, else ours */
};

struct child {
	pid_t pid;	/* of the command and its group; 0: none */
	int pidfd;	/* readable once the command has exited */
	int in;		/* our end of its stdin, or -1; blocking */
	int out;	/* our end of its stdout, or -1; non-blocking */
};

#define CHILD_INIT	{ .pidfd = -1, .in = -1, .out = -1 }

/*
 * Start argv[0] (looked up in PATH if it has no slash).  0, or -1 with errno
 * and *s unchanged.
 */
int child_start(struct child *s, char *const argv[], unsigned flags);

/* Signal its whole group.  Nothing to signal is no error. */
void child_kill(const struct child *s, int sig);

/*
 * Without waiting: 1 if the command has exited, with *status as a shell says
 * it (the exit status, or 128 + the signal); what is left of its group is
 * killed, and pid and pidfd are given up (in and out are the caller's to
 * close).  0 if it runs, -1 with errno.
 */
int child_reap(struct child *s, int *status);

/* Close in and out, those that are open. */
void child_close(struct child *s);

#endif
