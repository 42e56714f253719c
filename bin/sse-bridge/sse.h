/*
 * Lines to server-sent events.
 *
 * A message is one SSE event in its final bytes, blank line and all: a batch
 * (event "batch": its directive and then its events, a data line each), any
 * other directive (an event of its name, the line as data), or a run of
 * events that stand in no batch (event "events").  Where the line says at
 * which record to go on after it, that is the message's id.
 *
 * A CR ends a line in SSE; in an event it can only be blank between two JSON
 * tokens, so it is written as a space.
 */
#ifndef SSE_H
#define SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

enum sse_kind {
	SSE_EVENTS,		/* events without a batch */
	SSE_BATCH,
	SSE_GAP,
	SSE_FENCE,
	SSE_STOP,
	SSE_TAIL,
	SSE_NEXT,		/* the input ended: go on there */
	SSE_OTHER,		/* any other directive */
};

/* What a message is about, as far as its directive says. */
struct sse_message {
	enum sse_kind kind;
	const void *data;	/* NULL: it was over the limit */
	size_t len;
	bool has_seq;
	uint64_t seq;		/* its first record */
	bool has_next;
	uint64_t next;		/* record to go on at */
	uint64_t time;		/* S2's, ms; 0: not given */
	bool numbered;		/* a batch, or a gap of whole batches: */
	uint32_t tab;
	uint32_t first, last;	/* numbers */
	bool stopped;		/* a fence that stops the session */
};

/*
 * The translator.  'emit' is called for each message as soon as it is
 * complete; what *m points to is good until emit returns.
 */
struct sse {
	struct buf text;	/* the message in the making */
	struct sse_message now;	/* and what is known of it */
	bool open;		/* there is one */
	bool over;		/* it is over the limit */
	void (*emit)(void *arg, const struct sse_message *m);
	void *arg;
};

#define SSE_INIT(limit, function, argument) {				\
	.text = BUF_INIT(limit), .emit = (function), .arg = (argument)	\
}

/*
 * Take one line, without its LF.  0, or -1 with *why a constant text: a line
 * that is neither event nor directive, or out of place.
 */
int sse_line(struct sse *s, const char *line, size_t len, const char **why);

/*
 * There is nothing more to read for now: a run of events ends here.  A batch
 * that is not complete stays.
 */
void sse_pause(struct sse *s);

/* True if a batch has begun and not ended. */
bool sse_in_batch(const struct sse *s);

/* Forget the message in the making. */
void sse_reset(struct sse *s);

/* Free its memory. */
void sse_release(struct sse *s);

#endif
