#include <sys/pidfd.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include "child.h"

extern char **environ;

static void
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static int
set_attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int e;

	sigemptyset(&none);
	sigfillset(&all);
	if ((e = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP |
	    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)) != 0)
		return e;
	if ((e = posix_spawnattr_setpgroup(attr, 0)) != 0)
		return e;
	if ((e = posix_spawnattr_setsigmask(attr, &none)) != 0)
		return e;
	return posix_spawnattr_setsigdefault(attr, &all);
}

/* 0 or an error number, as all of posix_spawn. */
static int
start(pid_t *pid, char *const argv[], int child_in, int child_out)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int e;

	if ((e = posix_spawn_file_actions_init(&actions)) != 0)
		return e;
	if ((e = posix_spawnattr_init(&attr)) != 0)
		goto free_actions;
	if ((e = set_attributes(&attr)) != 0)
		goto free_attr;
	if (child_in != -1)
		e = posix_spawn_file_actions_adddup2(&actions, child_in, 0);
	else
		e = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null",
		    O_RDONLY, 0);
	if (e == 0 && child_out != -1)
		e = posix_spawn_file_actions_adddup2(&actions, child_out, 1);
	if (e == 0)
		e = posix_spawnp(pid, argv[0], &actions, &attr, argv, environ);
free_attr:
	posix_spawnattr_destroy(&attr);
free_actions:
	posix_spawn_file_actions_destroy(&actions);
	return e;
}

int
child_start(struct child *s, char *const argv[], unsigned flags)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, pidfd = -1, e;
	pid_t pid;

	if (((flags & CHILD_IN) != 0 && pipe2(in, O_CLOEXEC) == -1) ||
	    ((flags & CHILD_OUT) != 0 && pipe2(out, O_CLOEXEC) == -1)) {
		e = errno;
		goto fail;
	}
	if (out[0] != -1 && fcntl(out[0], F_SETFL, O_NONBLOCK) == -1) {
		e = errno;
		goto fail;
	}
	if ((e = start(&pid, argv, in[0], out[1])) != 0)
		goto fail;
	if ((pidfd = pidfd_open(pid, 0)) == -1) {
		e = errno;
		kill(-pid, SIGKILL);
		waitpid(pid, NULL, 0);
		goto fail;
	}
	close_fd(&in[0]);
	close_fd(&out[1]);
	s->pid = pid;
	s->pidfd = pidfd;
	s->in = in[1];
	s->out = out[0];
	return 0;
fail:
	close_fd(&in[0]);
	close_fd(&in[1]);
	close_fd(&out[0]);
	close_fd(&out[1]);
	errno = e;
	return -1;
}

void
child_kill(const struct child *s, int sig)
{
	if (s->pid != 0)
		kill(-s->pid, sig);
}

int
child_reap(struct child *s, int *status)
{
	siginfo_t info = { .si_pid = 0 };

	if (s->pid == 0) {
		errno = ECHILD;
		return -1;
	}
	if (waitid(P_PID, s->pid, &info, WEXITED | WNOHANG | WNOWAIT) == -1)
		return -1;
	if (info.si_pid == 0)
		return 0;
	/* Its number is still taken, so the group is surely ours. */
	kill(-s->pid, SIGKILL);
	if (waitpid(s->pid, NULL, 0) == -1)
		return -1;
	*status = info.si_code == CLD_EXITED ? info.si_status :
	    128 + info.si_status;
	s->pid = 0;
	close_fd(&s->pidfd);
	return 1;
}

void
child_close(struct child *s)
{
	close_fd(&s->in);
	close_fd(&s->out);
}
