/*
 * The ring: units of lines go out on one pipe, and what came of each comes
 * back on another (rr-lines(5)).
 *
 * A unit is written with ring_start(), buf_add() and the like to ring->queue,
 * and ring_end(); or dropped again with ring_drop().  Its bytes wait in the
 * queue until ring_write().  Of each unit that was ended, settled() is called
 * once, from ring_read().
 */
#ifndef RING_H
#define RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "lines.h"
#include "record.h"

#define RING_QUEUE_MAX	(64u << 20)	/* bytes waiting for the pipe */
#define RING_QUEUE_HIGH	(32u << 20)	/* above that, take nothing new */
#define RING_PIPE	(1u << 20)	/* bytes asked of the pipe itself */
#define RING_UNIT_EXTRA	2048		/* bytes of a unit beside its body */

enum ring_result {
	RING_ACK,
	RING_FENCED,
	RING_MISMATCH,
	RING_MISSING,
	RING_REFUSED,
	RING_DENIED,
	RING_UNAVAILABLE,
	RING_FULL,
};

struct ring_answer {
	enum ring_result result;
	uint64_t seq;		/* of RING_ACK */
	uint64_t count;
	uint64_t time;		/* S2's, ms */
};

/*
 * A record that a probe saw: its head, or what the fence was set to, or one
 * that a later version wrote.
 */
struct ring_record {
	uint64_t seq;
	const struct record_head *head;	/* or NULL: one of the others */
	const char *fence;
	bool later;
};

struct ring_program {
	void (*seen)(void *unit, const struct ring_record *);
	void (*settled)(void *unit, const struct ring_answer *);
};

struct ring_slot {
	void *unit;
	uint32_t generation;
	uint32_t next;		/* free one */
};

struct ring {
	int in, out;
	struct buf queue;
	size_t start;		/* where the unit being written begins */
	struct lines acks;
	struct ring_program program;
	struct ring_slot *slots;
	uint32_t nslots;
	uint32_t free;
	uint32_t waiting;	/* units that are not settled */
};

/* With room for max units that are not settled.  0 or -1 with errno. */
int ring_init(struct ring *, int in, int out, uint32_t max,
    const struct ring_program *program);

/* Free it all; forget() is called for each unit that is not settled. */
void ring_release(struct ring *, void (*forget)(void *unit));

/*
 * Begin a unit for this stream whose lines take n bytes at most.  0, or -1
 * if there is no room in the queue or too many are not settled.
 */
int ring_start(struct ring *, const char *stream, size_t n);

/* End it, or drop it. */
void ring_end(struct ring *, void *unit);
void ring_drop(struct ring *);

/*
 * Ask for the last records of a stream: seen() is called for some, then
 * settled() with the tail as seq.  0, or -1 as above.
 */
int ring_probe(struct ring *, const char *stream, void *unit);

/*
 * Write what the pipe takes.  0, or -1 with errno: it is broken.  *more tells
 * whether something is left.
 */
int ring_write(struct ring *, bool *more);

/*
 * Read once and tell what came.  1, 0 at the end, or -1 with errno; EPROTO: it
 * sent something that is no answer.
 */
int ring_read(struct ring *);

#endif
