/*
 * What the collector tells of itself: rr-collect(1), METRICS, has the list.
 */
#ifndef COUNTS_H
#define COUNTS_H

#include <stdint.h>

#include "lines.h"
#include "metrics.h"

/* Why something was refused: the label 'reason' beside the verdict. */
enum reason {
	REASON_OTHER,
	REASON_ROUTE,		/* no such route or method */
	REASON_QUERY,		/* the query's values */
	REASON_KEY,		/* unknown, or withdrawn */
	REASON_TOKEN,		/* not of this session */
	REASON_EXPIRED,		/* the token */
	REASON_ORIGIN,		/* the page's, or another machine's */
	REASON_BOT,		/* the key refuses those */
	REASON_ADDRESS_RATE,
	REASON_KEY_RATE,
	REASON_LENGTH,		/* of the body */
	REASON_GZIP,
	REASON_BODY,		/* not what rr-lines(5) or JSON allow */
	REASON_MEMORY,
	REASON_FULL,		/* too much waits */
	REASON_FILTER,		/* too much for the key's program, or that */
				/* it cannot be run */
	REASON_EARLY,		/* batches before it are missing */
	REASON_FENCED,		/* the session was stopped */
	REASON_DELETED,
	REASON_STORAGE,		/* S2 is away, or does not take it */
	REASONS,
};

enum count {
	COUNT_OPENED,
	COUNT_UNSAMPLED,	/* not opened: not in the key's share */
	COUNT_STOPPED,
	COUNT_ACCEPTED,		/* batches, durable */
	COUNT_REPEATED,
	COUNT_EVENTS,		/* in those accepted */
	COUNT_GAP_LOST,
	COUNT_GAP_OVERFLOW,
	COUNT_GAP_PRIVACY,
	COUNT_GAP_FILTER,
	COUNT_WIRE,		/* bytes of bodies */
	COUNT_UNPACKED,
	COUNT_KNOWN,		/* gauges from here on, set at each request */
	COUNT_LIVE,
	COUNT_CONNECTIONS,
	COUNT_REQUESTS,
	COUNT_UNITS,
	COUNT_QUEUE,
	COUNT_BODIES,
	COUNT_READY,
	COUNTS,
};

/* Add to one; set one. */
void count_add(enum count, uint64_t n);
void count_set(enum count, uint64_t n);

/* A refusal.  'verdict' is an enum verdict_code. */
void count_refused(int verdict, enum reason);

/* A gap told with this cause. */
void count_gap(const char *cause);

/* A batch is durable, ms after it went into the ring. */
void count_ack(uint64_t ms);

/* What s2-append says in a :stat; what is not known is skipped. */
void count_stat(const struct directive *);

/* Why S2 is not ready, in words for everybody, by what it said last. */
const char *count_trouble(void);

/* Append all of it.  0, or -1 as buf_reserve(). */
int counts_write(struct buf *);

#endif
