/*
 * Judges and reads one event without building it: checks that it is one
 * complete JSON value of the grammar of rr-lines(5) (an object or a string),
 * and finds its type and time at the top level.
 */
#ifndef SCAN_H
#define SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SCAN_DEPTH_MAX	512	/* levels of nesting */

/* rrweb's event types that matter here. */
enum event_type {
	EVENT_NONE = -1,	/* a string, or no usable type */
	EVENT_FULL_SNAPSHOT = 2,
	EVENT_INCREMENTAL = 3,
	EVENT_META = 4,
	EVENT_CUSTOM = 5,
	EVENT_PLUGIN = 6,
};

struct scan {
	int type;		/* 0 to 255, or EVENT_NONE */
	bool has_time;
	int64_t time;		/* ms, rounded down; |time| < 2^47 */
	bool error;		/* a console error, or a custom rr.error */
	/* on failure: */
	size_t column;		/* of the offending byte, from 1 */
	const char *why;	/* a constant text */
};

/* Judge p[0..len), a line without its LF.  0 or -1. */
int scan_event(const char *p, size_t len, struct scan *s);

/*
 * The length of the JSON value at the start of p[0..len), which is an element
 * of an array and may be followed by anything; *s as above.  0 if it is not
 * complete, -1 if it is wrong.
 */
ssize_t scan_value(const char *p, size_t len, struct scan *s);

#endif
