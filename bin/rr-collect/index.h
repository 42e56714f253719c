/*
 * What the index is told of a session (rr-records(5), "The index"): its
 * metadata, how it ended, and what was counted of its events.
 *
 * Counts are increments: several collectors may each have seen a part of a
 * session, and a reader adds up what they tell.
 */
#ifndef INDEX_H
#define INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "scan.h"

#define INDEX_ENTRY_MAX	8192	/* bytes of an entry */
#define INDEX_JSON_MAX	4096	/* of what a page sent, in it */
#define INDEX_IDLE_MS	10000	/* between user events, still active */
#define INDEX_CONFIG	"{\"retention_policy\":{\"infinite\":{}}}"

struct tally {
	uint64_t events;
	uint64_t bytes;		/* of their lines */
	uint32_t pages;
	uint32_t errors;
	uint32_t rage;
	uint32_t dead;
	bool timed;		/* first and last are set */
	bool used;		/* since and user are */
	int64_t first, last;	/* rrweb's times, ms */
	int64_t since, user;	/* of the first and last a user did */
	uint64_t active;	/* ms */
};

/* Count an event, that scan_event() found good. */
void tally_event(struct tally *, const char *p, size_t len,
    const struct scan *);

/* Their clock is off by so many ms, which are added to its times. */
void tally_shift(struct tally *, int64_t offset);

/* Add b, which came behind a. */
void tally_add(struct tally *a, const struct tally *b);

/*
 * Begin an entry of this id with a member of that key, whose value is the JSON
 * object of n bytes; or without one (NULL).  If the value is long, it is only
 * told that there is one.  0, or -1 as buf_reserve(), with nothing in b.
 */
int index_begin(struct buf *b, const char *id, const char *key,
    const void *json, size_t n);

struct index_end {
	uint64_t records;	/* that the session has */
	uint64_t seen;		/* S2's time of the last one, ms */
};

/* End it with these, each of which may be NULL.  0, or -1 as above. */
int index_end(struct buf *b, const struct index_end *end,
    const struct tally *);

#endif
