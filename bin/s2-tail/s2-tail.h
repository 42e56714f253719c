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
};

struct place {
	enum place_kind kind;
	uint64_t value;
};

/*
 * Read SEQ, -N, @MS, an RFC 3339 time, "start" or "snapshot".  0, or -1 if it
 * is none of them.
 */
int place_parse(const char *text, struct place *place);

/*
 * Find the last snapshot of a stream, by the pointers of its last records and,
 * where they fail, by looking backwards: the number of the record to start
 * reading from so that all tabs of the last SNAPSHOT_WINDOW records can be
 * played.  It is 0 if there is no such snapshot.  Each of its reads fails after
 * 'timeout' ms.  0, or -1 with *error.
 */
#define SNAPSHOT_WINDOW	64

int snapshot_find(const struct s2_conf *conf, const char *basin,
    const char *stream, unsigned timeout, uint64_t *seq,
    struct s2_error *error);

#endif
