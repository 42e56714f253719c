/*
 * Exit statuses: one table for every program (rr(7) repeats it).
 */
#ifndef EXITS_H
#define EXITS_H

enum exits {
	EXIT_OK = 0,		/* done */
	EXIT_OTHER = 1,		/* anything not below */
	EXIT_GAPS = 3,		/* done, but something is missing: see stderr */
	EXIT_FENCED = 4,	/* the stream was stopped or taken over */
	EXIT_USAGE = 64,	/* wrong use */
	EXIT_INPUT = 65,	/* bad input, named with its place */
	EXIT_MISSING = 66,	/* no such file, stream or basin */
	EXIT_TRYAGAIN = 75,	/* S2 is away or busy: try again later */
	EXIT_DENIED = 77,	/* access refused */
	EXIT_CONFIG = 78,	/* a setting is missing or wrong */
};

#endif
