/*
 * Whether S2 takes what is appended.
 *
 * That it answers a question does not tell: with its disk full it does, and
 * lets appends wait.  So what becomes of the appends is followed here.  They
 * fail from the first that S2 did not take, or left waiting while it took none
 * of the others, until it takes one.
 *
 * Times are in ms, of a clock that begins after 0.
 */
#ifndef HEALTH_H
#define HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "ring.h"

#define HEALTH_WAIT_MS	5000	/* an append may wait that long */
#define HEALTH_TRY_MS	1000	/* between one try and the next */

struct health {
	unsigned appends;	/* that are on their way */
	uint64_t since;		/* they wait for one to be taken; or 0 */
	bool failed;		/* the last one, for good, */
	bool denied;		/* for want of the right to, */
	bool missing;		/* of the basin */
	bool unsure;		/* it did, and that may be over */
	uint64_t tried;
};

/*
 * An append is on its way; this came of one.  One that makes its stream has
 * everything it needs but the basin.
 */
void health_sent(struct health *, uint64_t now);
void health_settled(struct health *, enum ring_result, bool makes,
    uint64_t now);

/* S2, which was away, is back: failures before that tell little. */
void health_back(struct health *, uint64_t now);

/* Why appends fail, in words for everybody; NULL if they do not. */
const char *health_trouble(const struct health *, uint64_t now);

/* True if it is to be found out whether they still do. */
bool health_is_open(const struct health *);

/* The same, and now: none is on its way that would tell. */
bool health_try(struct health *, uint64_t now);

#endif
