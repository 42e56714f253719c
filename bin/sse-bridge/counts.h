/*
 * What the server tells of itself: sse-bridge(1), METRICS, has the list.
 */
#ifndef COUNTS_H
#define COUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "metrics.h"

enum count {
	COUNT_JOINED,		/* viewers */
	COUNT_CUT,		/* in the middle of a message */
	COUNT_RESYNC,		/* told to, between two */
	COUNT_MADE,		/* messages */
	COUNT_SENT,
	COUNT_SENT_BYTES,
	COUNT_STARTS,		/* of pipelines */
	COUNT_RESTARTS,
	COUNT_VIEWERS,		/* gauges from here on, set at each request */
	COUNT_WATCHED,
	COUNT_PIPELINES,
	COUNT_RING,
	COUNT_CONNECTIONS,
	COUNT_RUNNING,
	COUNT_WAITING,
	COUNT_READY,
	COUNTS,
};

/* Add to one; set one. */
void count_add(enum count, uint64_t n);
void count_set(enum count, uint64_t n);

/* The command of this route has ended, well or not. */
void count_command(const char *route, bool ok);

/* A request was refused with this status. */
void count_refused(unsigned status);

/* Append all of it.  0, or -1 as buf_reserve(). */
int counts_write(struct buf *);

#endif
