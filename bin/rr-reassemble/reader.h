/*
 * Records in, lines out: the reader rule of rr-records(5), which emits each
 * batch once and in order and tells of what is missing; and the directives of
 * rr-lines(5) around it.
 */
#ifndef READER_H
#define READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "jqprog.h"
#include "pack.h"
#include "pb.h"
#include "record.h"
#include "sink.h"

#define READER_TABS_MAX		4096
#define READER_FIELD_MAX	(4u << 20)	/* bytes of a field */
#define GROUPS_MAX		64		/* that wait for parts */
#define GROUPS_BYTES_MAX	(128u << 20)	/* that they take */
#define GROUP_PARTS_MAX		(RECORD_TEXT_MAX / RECORD_PART_MAX + 1)
#define CHUNK_ID_MAX		64		/* bytes of a RePlaya chunkId */

struct reader_options {
	bool directives;
	bool one_tab;		/* only this one: */
	uint32_t tab;
	int64_t from, to;	/* only events that are not outside of these, ... */
	bool timed;		/* ... and tell their time; ms */
	struct jqprog *program;	/* over each event, or NULL; borrowed */
};

/* What has come of a tab. */
struct tab {
	uint32_t id;
	bool seen;		/* 'last' is set */
	uint32_t last;		/* the number last emitted or given up */
	uint32_t within;	/* the last number something is missing in */
	uint32_t spoilt;	/* the highest number that came damaged */
	uint64_t last_seq;	/* of the record with 'last' */
};

/* A batch in parts that is not complete.  'data' has room for all of them. */
struct group {
	struct record_head head;	/* of part 1, once it is there */
	uint64_t seq;			/* the lowest of its parts */
	uint64_t time;			/* of that record */
	unsigned have;			/* parts that are there */
	bool there[GROUP_PARTS_MAX];
	size_t last_size;		/* bytes of the last part */
	unsigned char *data;
};

/* An event of RePlaya's in chunks that is not complete. */
struct chunks {
	char id[CHUNK_ID_MAX + 1];
	uint64_t next;		/* the index that must come */
	uint64_t count;
	uint64_t seq;		/* of the first */
	struct buf data;
};

/*
 * Lines go to 'sink', which the caller flushes.  Groups and chunks stand in
 * the order in which they were begun.
 */
struct reader {
	struct reader_options o;
	struct sink sink;
	struct unpacker *unpacker;
	struct buf text;	/* scratch: an unpacked body */
	struct buf made;	/* scratch: what the program made */
	struct tab *tabs;	/* by id */
	size_t ntabs;
	struct group *groups[GROUPS_MAX];
	size_t ngroups;
	size_t group_bytes;
	struct chunks *chunks[GROUPS_MAX];
	size_t nchunks;
	size_t chunk_bytes;
	bool started;		/* a record has come */
	bool sequenced;		/* and it had a number */
	bool whole;		/* reading from the start of the stream */
	bool at_tail;		/* nothing has come since the tail */
	bool stopped;		/* nothing can come any more */
	uint64_t next_seq;
	char *stream;		/* the one that all records are for, if told */
	uint64_t skipped;	/* records of other kinds */
	uint64_t newer;		/* records of a later version */
	uint64_t failed;	/* events on which the program failed */
	bool missing;		/* there was a gap, or the like */
	const char *why;	/* what is wrong with the input */
};

/* Lines are written to fd.  0, or -1 with errno. */
int reader_init(struct reader *, const struct reader_options *, int fd);
void reader_release(struct reader *);

/*
 * Take the complete fields at the start of p[0..n).  How many bytes that was,
 * or -1: with 'why' not NULL the bytes are no records, and *bad of them were
 * good; else errno says why going on is impossible.
 */
ssize_t reader_take(struct reader *, const unsigned char *p, size_t n,
    size_t *bad);

/* The end of the input.  0, or -1 with errno. */
int reader_end(struct reader *);

/*
 * For replaya.c.  An event of a tab, which is good; and a record that cannot
 * be read, with the reason.  0, or -1 with errno.
 */
int reader_event(struct reader *, uint32_t tab, const char *event, size_t len);
int reader_line(struct reader *, const char *directive, const struct record *,
    const void *json, size_t len);
void reader_damaged(struct reader *, const struct record *, const char *why);

#endif
