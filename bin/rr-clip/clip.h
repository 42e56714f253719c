/*
 * What of a recording belongs to a span of time.
 *
 * In the span [from, to) is an event whose time is; one without a time goes
 * with the one before it in its batch.  For a tab that is being recorded when
 * the span begins there is a start: the record of its last snapshot until
 * then.  Of what stands from there to the span only that is kept which the
 * page is made of: the snapshot, and changes to the page.
 */
#ifndef CLIP_H
#define CLIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "lines.h"
#include "record.h"

#define CLIP_STARTS_MAX	16	/* tabs that a span begins in */
#define CLIP_TABS_MAX	4096	/* of a recording */

struct start {
	uint32_t tab;
	uint64_t seq;
};

struct span {
	int64_t from, to;	/* ms */
	unsigned nstarts;
	struct start starts[CLIP_STARTS_MAX];
};

/* An event of a batch: where it stands in the text, and when. */
struct event {
	size_t off, len;
	int64_t time;
	int type;
	bool has_time;
	bool kept;
};

/* A batch, from its directive to its end. */
struct batch {
	bool open;
	bool bare;		/* events that stand in no batch */
	uint32_t tab;
	bool has_seq;
	uint64_t seq, seqs;
	bool has_time;		/* first and last are set */
	int64_t first, last;
	int64_t offset;		/* of its tab's clock: in both of them */
	bool full;		/* it is flagged so */
	struct buf head;	/* the directive */
	struct buf text;	/* the events, each with its LF */
	size_t n;
	struct event *events;	/* RECORD_COUNT_MAX of them */
};

/* 0, or -1 with errno. */
int batch_init(struct batch *);
void batch_release(struct batch *);

/*
 * Begin with a :batch directive, or NULL for events in none; add an event.  0,
 * or -1 with *why.
 */
int batch_begin(struct batch *, const struct directive *, const char *line,
    size_t len, const char **why);
int batch_add(struct batch *, const char *line, size_t len,
    const char **why);

/*
 * Which event the tab can be drawn from, if that is at 'at' or before: its
 * number, or -1.  The last snapshot, and the meta event before it.
 */
ssize_t batch_snapshot(struct batch *, int64_t at);

enum clip {
	CLIP_NONE,		/* nothing of it */
	CLIP_BEFORE,		/* some, all of it before the span */
	CLIP_SOME,
	CLIP_ALL,
};

/* Set 'kept' of each event, unless it is none or all. */
enum clip clip_batch(const struct span *, struct batch *);

#endif
