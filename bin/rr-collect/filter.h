/*
 * A key's jq program over the events of a batch, before anything of them is
 * stored.
 *
 * Each program runs in a process of its own, which is started when the first
 * batch comes and goes on to the next ones: a program that loops, needs too
 * much memory or crashes jq ends that process, and the event that it was at is
 * left out.  Batches of a key are done one after the other; nobody else waits
 * for them.
 */
#ifndef FILTER_H
#define FILTER_H

#include <stdint.h>

#include "buf.h"
#include "child.h"
#include "post.h"

#define FILTER_CHILDREN	8	/* processes at once; other keys wait */
#define FILTER_WAITING	256	/* batches of a key that wait */
#define FILTER_CPU	1	/* seconds of processor time for an event, */
#define FILTER_CPU_MB	8	/* and so many more for each MB of it */
#define FILTER_MS	30000	/* for a batch, all in all, */
#define FILTER_MB_MS	16000	/* and for each MB of it */
#define FILTER_FAULTS	3	/* processes that a batch may end */
#define FILTER_MEMORY	(512u << 20)	/* bytes of address space of each */

enum filter_outcome {
	FILTER_DONE,		/* post.failed events were left out */
	FILTER_NO_MEMORY,	/* there is no room for what came out */
	FILTER_NO_CHILD,	/* the process could not be started */
	FILTER_STOPPED,		/* filters_refuse_all() */
};

struct filter;			/* a program, and what waits for it */

struct filter_child {
	struct child child;
	struct filter *filter;	/* or NULL: it is ending */
	struct buf say;		/* to it, before the batch's text */
	struct buf heard;	/* from it, not yet taken */
	bool ready;		/* it has compiled its program */
};

struct filters {
	struct filter_child children[FILTER_CHILDREN];
	TAILQ_HEAD(, filter) waiting;	/* for one of them, first come */
	int epoll;
	bool stopped;
	uint64_t now;		/* ms, kept by the program */
	/*
	 * What was taken is done, from within filters_run() or
	 * filter_take(); 'why' says what the program failed by, if not by an
	 * error of its own; else NULL.
	 */
	void (*done)(void *arg, struct post *, enum filter_outcome,
	    const char *why);
	void *arg;
};

/* 0, or -1 with errno.  Then 'done' and 'arg' are to be set. */
int filters_init(struct filters *);

/* End all processes, and wait until they are gone. */
void filters_free(struct filters *);

/*
 * filters_run() has work when 'epoll' is readable, and after 'timeout' ms; -1:
 * not by time.
 */
int filters_timeout(const struct filters *);
void filters_run(struct filters *);

/* All posts are done, from now on: FILTER_STOPPED. */
void filters_refuse_all(struct filters *);

/*
 * A program that compiles: 'text' is copied.  NULL with errno.  It is freed
 * by filter_retire(), once the posts that it has taken are done.
 */
struct filter *filter_new(const char *text);
void filter_retire(struct filter *);

/*
 * Run it over each line of a post's body that was judged: an event for which
 * it has no result is left out, one that it changes is replaced, and one on
 * which it fails, or that it makes too long for the body's limit, is left out
 * and counted in post.failed.  0, or -1 if too many wait.
 */
int filter_take(struct filters *, struct filter *, struct post *);

/* The post is going away before it is done.  Nothing if it is not here. */
void filter_forget(struct post *);

/* rr-collect --filter: be such a process. */
void filter_child_main(void) __attribute__((noreturn));

#endif
