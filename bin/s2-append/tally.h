/*
 * Many streams: what is counted, told as :stat lines (rr-lines(5)) once a
 * second while something changes, if asked for.
 */
#ifndef TALLY_H
#define TALLY_H

#include <stdint.h>

#include "s2.h"

enum tally_call {
	TALLY_APPEND,
	TALLY_CREATE,
	TALLY_TAIL,
	TALLY_READ,
	TALLY_CALLS,
};

/* A call was answered: e is NULL if it succeeded. */
void tally_call(enum tally_call, const struct s2_error *e);

/* It is to be made again. */
void tally_retry(void);

/* So much was acknowledged; metered bytes. */
void tally_stored(uint64_t records, uint64_t bytes);

/*
 * Write to 'out' what has changed, if the last time is a second ago; with
 * 'end', if anything has.  ms until there will be something to write, or -1.
 */
int tally_tell(int64_t now, bool end);

#endif
