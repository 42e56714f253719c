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

#include "buf.h"

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
 * The length of the event at the start of p[0..len), which is an element of
 * an array and may be followed by anything; *s as above.  0 if it is not
 * complete, -1 if it is wrong.
 */
ssize_t scan_value(const char *p, size_t len, struct scan *s);

/*
 * The value of a key of an object that scan_event() or scan_value() found
 * good (of a key given twice, the last): 0 with *value and *value_len, the
 * value's own text; -1 if p is no object or has no such key.  The key is
 * given without escapes.
 */
int scan_member(const char *p, size_t len, const char *key,
    const char **value, size_t *value_len);

/* True if a value is the string s, which has no byte that JSON escapes. */
bool scan_is_string(const char *value, size_t len, const char *s);

/* True if p[0..len) is UTF-8 as Unicode defines it. */
bool scan_is_utf8(const char *p, size_t len);

/*
 * Add a good value to b as one line: an LF, which can only stand between its
 * tokens, is left out with the blanks behind it.  0, or -1 as buf_reserve().
 */
int scan_add_line(struct buf *b, const char *p, size_t len);

#endif
