/*
 * The body of a request: received, unpacked and judged.
 *
 * All bodies together stay below a budget: what does not fit is refused.
 */
#ifndef BODY_H
#define BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "index.h"

struct budget {
	size_t used;
	size_t max;
};

enum body_state {
	BODY_GOOD,
	BODY_BIG,		/* longer than allowed, once unpacked */
	BODY_BAD_GZIP,		/* not what gz=1 promised */
	BODY_NO_ROOM,		/* too much waits already */
};

struct body {
	struct buf text;
	struct budget *budget;
	size_t charged;
	struct z_stream_s *gzip;
	bool gzip_ended;
	enum body_state state;
};

/*
 * Begin: at most max bytes (unpacked); 'expected' is how many are announced,
 * or 0.
 */
void body_start(struct body *, struct budget *, size_t max, bool gzip,
    size_t expected);
void body_release(struct body *);

/* Take some of it.  Does nothing once the state is not BODY_GOOD. */
void body_add(struct body *, const void *, size_t n);

/* That was all of it: the state is final. */
void body_end(struct body *);

/*
 * Its text is this from now on: 'text' is taken over.  0, or -1 if there is no
 * room for it.
 */
int body_replace(struct body *, struct buf *text);

/* What judging found. */
struct judgement {
	uint32_t events;
	bool full;		/* Meta directly followed by FullSnapshot */
	bool packed;		/* a string: what it holds is not seen */
	bool too_many;		/* more events than a batch may hold */
	struct tally tally;
	/* if it is bad: */
	const char *why;
	uint64_t line, column;
};

/*
 * Judge lines of events by rr-lines(5), without any directive.  0 or -1.  The
 * last line gains its LF.
 */
int body_judge_lines(struct body *, struct judgement *);

/*
 * Judge one JSON object of at most max bytes, or nothing, which becomes {};
 * it is then on one line, without LF.  0 or -1.
 */
int body_judge_object(struct body *, size_t max, struct judgement *);

#endif
