/*
 * The parts of s2-tail: where to start, and where a place is on the command
 * line.
 */
#ifndef S2_TAIL_H
#define S2_TAIL_H

#include <stdint.h>

#include "s2.h"
#include "s2_read.h"

enum place_kind {
	PLACE_SEQ,		/* a sequence number */
	PLACE_TIME,		/* ms */
	PLACE_LAST,		/* the last so many records */
	PLACE_SNAPSHOT,
	PLACE_MOMENT,		/* ms, of the recording */
};

struct place {
	enum place_kind kind;
	uint64_t value;
	int64_t moment;		/* with PLACE_MOMENT: ... */
	bool past_start;	/* ... counted from the first event */
	bool has_tab;
	uint32_t tab;
};

/*
 * Read SEQ, -N, @MS, an RFC 3339 time, "start", "snapshot" or
 * "at=[+]MS[,TAB]".  0, or -1 if it is none of them.
 */
int place_parse(const char *text, struct place *place);

/* ---- Small reads of a stream, to find a place in it ---- */

struct look {
	const char *basin;	/* borrowed */
	const char *stream;
	unsigned timeout;	/* ms, of each read */
	struct s2_error error;	/* why one failed */

	bool at_tail;		/* what was read reaches to the tail */

	/* private */
	const struct s2_conf *conf;
	struct s2 *s2;
	struct s2_call *call;
	struct buf body;
	const unsigned char *p;	/* what is left of the answer */
	size_t n;
	char what[S2_TEXT_MAX];	/* for errors */
};

/* Set up by zeroing and setting the first group.  0, or -1 with look->error. */
int look_open(struct look *look, const struct s2_conf *conf);
void look_close(struct look *look);

/*
 * One unary read, of at most 'count' records and 1 MiB (0: 1 MiB).  1; 0 if
 * nothing is there, with the tail in look->error.seq; -1 with look->error.
 */
int look_read(struct look *look, enum s2_from from, uint64_t start,
    uint64_t count);

/*
 * One read of the last 'count' records, up to the tail or of 1 MiB and a frame
 * more; at_tail then tells which.  As above.
 */
int look_tail(struct look *look, uint64_t count);

/* The next record of what was read.  1 with *r, 0 at the end, or -1. */
int look_next(struct look *look, struct record *r);

/* True if such a record holds a snapshot of the tab, or its first part. */
bool is_snapshot(const struct record *r, uint32_t tab);

/* True if the header is cut short, as it is in all parts but the first. */
bool is_part_but_first(const struct record_head *h);

/*
 * The last snapshot of a stream, by the pointers of its last records and, where
 * they fail, by looking backwards: the record to start reading from so that all
 * tabs of the last SNAPSHOT_WINDOW records can be played.
 */
#define SNAPSHOT_WINDOW	64

struct snapshot {
	/*
	 * Believe the pointers.  If the first record read then is no snapshot
	 * of the tab, find once more without them.
	 */
	bool hints;

	uint64_t start;		/* 0 if there is no such snapshot */
	uint32_t tab;		/* that starts there */
	bool sure;		/* the snapshot was seen, or there is none */
};

/* 0, or -1 with look->error. */
int snapshot_find(struct look *look, struct snapshot *found);

/*
 * Where to start to show what a tab was like at a time of the recording: at
 * its last snapshot before.
 */
struct moment {
	int64_t ms;		/* rrweb's; or, if that is set, ... */
	bool past_start;	/* ... from the recording's first event on */
	bool has_tab;		/* of this tab, else of any: */
	uint32_t tab;		/* ... moment_find() says which */
	/*
	 * Believe the pointer of the record of that time.  moment_is_start()
	 * then tells whether that was right, of the first record read; if not,
	 * find once more without it.
	 */
	bool hints;

	uint64_t start;		/* the record to start at */
	uint64_t reach;		/* the first record that is late enough */
	bool sure;		/* the snapshot was seen, or there is none */
};

/* 0, or -1 with look->error. */
int moment_find(struct look *look, struct moment *m);

bool moment_is_start(const struct moment *m, const struct record *r);

#endif
