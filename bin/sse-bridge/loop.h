/*
 * Waiting for descriptors: epoll with a call for each.
 *
 * A watch belongs to its owner, who removes it before closing its descriptor
 * or freeing it.  It may be removed (and its memory freed) from any ready(),
 * its own too.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

#define LOOP_EVENTS	64	/* taken from the kernel at once */

struct watch {
	void (*ready)(void *arg, uint32_t events);	/* EPOLLIN ... */
	void *arg;
	int fd;			/* -1: not watched */
};

#define WATCH_INIT(function, argument) {				\
	.ready = (function), .arg = (argument), .fd = -1		\
}

struct loop {
	int epoll;
	int npending;
	struct watch *pending[LOOP_EVENTS];
};

/* 0, or -1 with errno. */
int loop_init(struct loop *l);

/*
 * Watch fd for events (epoll's, EPOLLONESHOT too), or change for which.  0,
 * or -1 with errno.
 */
int loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events);

/* Watch it no more; nothing if it is not watched. */
void loop_unwatch(struct loop *l, struct watch *w);

/* Wait at most ms (-1: for ever) and make the calls.  0, or -1 with errno. */
int loop_run(struct loop *l, int ms);

/* Milliseconds on a clock that never goes back. */
uint64_t loop_now(void);

#endif
