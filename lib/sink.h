/*
 * Output: gathers small pieces and writes them in large ones, and large ones
 * from where they are.  What was added is written in order.  To a terminal it
 * is written as visible.h has it; everywhere else, each byte as it is.
 */
#ifndef SINK_H
#define SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "visible.h"

#define SINK_DIRECT	(64u << 10)	/* a piece of so many bytes is large */
#define SINK_MAX	(4u << 20)	/* bytes gathered between two writes */

/* 'buf' is what is not written yet; small things may be added to it. */
struct sink {
	int fd;			/* if it does not block, we wait for it */
	struct buf buf;
	bool failed;		/* a write did, with errno */
	bool known;		/* it is, or not: */
	bool terminal;
	struct visible seen;	/* with a terminal */
	struct buf shown;	/* what to write to it */
};

#define SINK_INIT(descriptor)	{ .fd = (descriptor),			\
	.buf = BUF_INIT(SINK_MAX), .shown = BUF_INIT(SINK_MAX) }

/*
 * Add n bytes: to 'buf', or, if they are many, written at once.  0, or -1
 * with errno as write() or buf_reserve().
 */
int sink_add(struct sink *, const void *, size_t n);

/* Write what is there.  0, or -1 with errno as write(). */
int sink_flush(struct sink *);

#endif
