#include <sys/epoll.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>

#include "reaper.h"

struct ending {
	TAILQ_ENTRY(ending) link;
	struct reaper *reaper;
	struct child child;
	struct watch exit;
	uint64_t deadline;
};

static void
child_exited(void *arg, uint32_t events)
{
	struct ending *e = arg;
	int status;

	(void)events;
	loop_unwatch(e->reaper->loop, &e->exit);
	child_reap(&e->child, &status);
	TAILQ_REMOVE(&e->reaper->endings, e, link);
	free(e);
}

void
reaper_init(struct reaper *r, struct loop *loop)
{
	r->loop = loop;
	TAILQ_INIT(&r->endings);
}

/* Without the means to wait for it: end it the hard way. */
static void
end_now(struct child *c)
{
	int status;

	child_kill(c, SIGKILL);
	while (waitid(P_PID, c->pid, NULL, WEXITED | WNOWAIT) == -1 &&
	    errno == EINTR)
		;
	child_reap(c, &status);
}

void
reaper_take(struct reaper *r, struct child *c)
{
	struct ending *e;

	child_close(c);
	if (c->pid == 0)
		return;
	child_kill(c, SIGTERM);
	e = calloc(1, sizeof *e);
	if (e == NULL) {
		end_now(c);
		return;
	}
	e->exit = (struct watch)WATCH_INIT(child_exited, e);
	if (loop_watch(r->loop, &e->exit, c->pidfd, EPOLLIN) == -1) {
		free(e);
		end_now(c);
		return;
	}
	e->reaper = r;
	e->child = *c;
	e->deadline = loop_now() + REAPER_PATIENCE_MS;
	TAILQ_INSERT_TAIL(&r->endings, e, link);
	*c = (struct child)CHILD_INIT;
}

int
reaper_timeout(const struct reaper *r, uint64_t now)
{
	const struct ending *e = TAILQ_FIRST(&r->endings);

	if (e == NULL)
		return -1;
	return e->deadline <= now ? 0 : (int)(e->deadline - now);
}

void
reaper_tick(struct reaper *r, uint64_t now)
{
	struct ending *e;

	while ((e = TAILQ_FIRST(&r->endings)) != NULL && e->deadline <= now) {
		child_kill(&e->child, SIGKILL);
		/* Once more later, for one that the kernel holds. */
		e->deadline = now + REAPER_PATIENCE_MS;
		TAILQ_REMOVE(&r->endings, e, link);
		TAILQ_INSERT_TAIL(&r->endings, e, link);
	}
}

bool
reaper_is_idle(const struct reaper *r)
{
	return TAILQ_EMPTY(&r->endings);
}
