/*
 * Lines in, records out: gathers events into batches, and turns batches and
 * directives into the fields of an AppendInput (rr-lines(5), rr-records(5)).
 */
#ifndef FRAMER_H
#define FRAMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jqprog.h"
#include "lines.h"
#include "pack.h"
#include "record.h"
#include "scan.h"
#include "sink.h"

#define FRAMER_TABS_MAX	64	/* tabs whose last snapshot is remembered */
#define FRAMER_WHY_MAX	160
#define FRAMER_CAUSE_MAX	32	/* bytes of a gap's cause */

struct framer_options {
	uint32_t tab;		/* of events outside of a :batch */
	uint32_t first;		/* the number of their first batch */
	uint64_t seq;		/* the number of the first record */
	size_t size;		/* bytes at which such a batch is cut */
	unsigned count;		/* events at which it is */
	bool many;		/* several streams: no such events */
	bool import;		/* leave out what steers a stream */
	bool verbose;		/* say what the program said */
	int level;		/* of zstd; 0: do not compress */
	struct jqprog *program;	/* over each event, or NULL; borrowed */
};

struct batch {
	bool given;		/* between :batch and :end */
	uint32_t tab;
	uint32_t number;
	bool has_snap;
	uint32_t snap;
	unsigned count;
	unsigned failed;	/* events left out as the program failed */
	int last_type;		/* of the last event */
	bool full;
	bool error;
	bool has_time;
	int64_t first;
	int64_t last;
	int64_t offset;		/* of its tab's clock, ms */
	int64_t since;		/* when its first event came: CLOCK_MONOTONIC */
};

/*
 * Records go to 'sink', which the caller flushes after framer_settle().
 * Batches may be packed in the background while the next one is gathered;
 * they are added in order, and before anything else is.  The functions return
 * 0, or -1: with 'why' not empty what was put in is wrong at 'column', and
 * nothing of it was taken; else errno says why going on is impossible.
 */
struct framer {
	struct framer_options o;
	struct sink sink;
	struct batch batch;	/* which is being gathered */
	struct buf text;	/* its events, each ended by LF */
	struct packer *packer;
	struct batch queue[PACKER_JOBS_MAX];	/* which are being packed */
	uint64_t queued;	/* batches that ever were; the last ones are */
	unsigned packing;	/* so many of them */
	struct buf scratch;	/* scratch: what the program made, or a head */
	struct buf said;	/* scratch: why the program failed */
	uint32_t next;		/* number of the next batch not given */
	bool counted;		/* 'seq' is the number of the next record */
	uint64_t seq;
	unsigned snaps;		/* snapshots seen, for replacing the oldest */
	struct {
		uint32_t tab;
		uint32_t seq;
	} snap[FRAMER_TABS_MAX];
	bool open_unit;		/* records stand behind the last token */
	size_t column;
	char why[FRAMER_WHY_MAX];
};

/* Records are written to fd. */
int framer_init(struct framer *, const struct framer_options *, int fd);
void framer_release(struct framer *);

/* A line, without its LF. */
int framer_line(struct framer *, const char *line, size_t len);

/* An event that was found good, and holds no LF. */
int framer_event(struct framer *, const char *event, size_t len,
    const struct scan *);

/* Add the batches that are being packed to 'sink'. */
int framer_settle(struct framer *);

/* True if events wait that may be cut off here. */
bool framer_waits(const struct framer *);

/* End the batch that events outside of a :batch are gathered in. */
int framer_cut(struct framer *);

/* The end of the input.  Wrong within a :batch, which is not taken. */
int framer_end(struct framer *);

/* ---- Between framer.c and directives.c ---- */

/* A line that starts with ':'. */
int framer_directive(struct framer *, const char *line, size_t len);

/* What was put in is wrong: keep why, and return -1. */
int framer_wrong(struct framer *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Add a record with this body, in parts if it must be. */
int framer_add(struct framer *, struct record_head *, const void *body,
    size_t n);

/* Add the record of a gap; has_events: 'events' is how many are missing. */
int framer_add_gap(struct framer *, struct record_head *, const char *cause,
    bool has_events, uint64_t events);

/* Add a field of bytes behind all that came before it. */
int framer_add_field(struct framer *, uint32_t no, const void *, size_t n);

/*
 * Have a record say where the last snapshot is: as we counted, or, where we
 * cannot, as the line says.
 */
void framer_add_snap(struct framer *, struct record_head *, bool given,
    uint32_t snap);

/* The batch is complete, and has this number; and start anew. */
int framer_finish_batch(struct framer *, uint32_t number);
void framer_clear_batch(struct framer *);

#endif
