/*
 * The parts of rr-ls: which sessions there are (list.c), what is known of
 * them (summary.c), and how it looks (show.c).
 *
 * A session's metadata are whatever a visitor's page sent: they are kept as
 * JSON values, and shown on a terminal without control characters.
 */
#ifndef LS_H
#define LS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jv.h>

#include "s2.h"
#include "session.h"

#define LS_PATIENCE	5000	/* ms for one call, with its retries */
#define LS_TRY_MAX	4000	/* ms, one try */

struct ls {
	struct s2_conf conf;
	const char *basin;
	const char *prefix;
	int64_t lease;		/* ms without a record until it has ended */
	struct s2 *s2;
};

enum session_state {
	SESSION_UNKNOWN,	/* it could not be read: see error */
	SESSION_LIVE,
	SESSION_STOPPED,
	SESSION_ENDED,		/* its lease ran out */
};

struct session {
	char stream[SESSION_STREAM_MAX + 1];
	char id[SESSION_ID_LEN + 1];
	enum session_state state;
	char *error;		/* NULL: none; owned */
	int exit;		/* with error: the status that goes with it */
	bool gone;		/* with error: it was deleted */
	uint64_t created;	/* ms */
	uint64_t records;	/* ever written */
	uint64_t seen;		/* S2's time of the last one, ms */
	bool has_first;
	bool has_last;
	int64_t first;		/* rrweb's times, ms */
	int64_t last;
	jv meta;		/* an object; owned */
	jv late;		/* what is to be merged over it; owned */
	jv stop;		/* an object, or null; owned */
	bool stopped;
};

/* A growing array of sessions. */
struct sessions {
	struct session *v;
	size_t n;
	size_t cap;
};

/* Add one by its stream and id.  NULL if there is no memory. */
struct session *sessions_add(struct sessions *list, const char *stream,
    const char *id);
void sessions_release(struct sessions *list);

/*
 * Add the newest 'count' sessions behind the stream 'after' (NULL: of all),
 * newest first, and say if there are more.  0, or -1 with *error.
 */
int list_page(struct ls *ls, const char *after, size_t count,
    struct sessions *list, bool *more, struct s2_error *error);

/*
 * Go through all sessions, newest first, and call each() with every stream
 * and id, until it returns false.  0, or -1 with *error.
 */
int list_each(struct ls *ls, bool (*each)(void *arg, const char *stream,
    const char *id), void *arg, struct s2_error *error);

/*
 * Read what is known of the sessions, all at once.  What fails is said in
 * each of them.  0, or -1 with errno if it could not be begun.
 */
int summary_read(struct ls *ls, struct sessions *list);

/* The JSON object of a session; the HTTP interface passes it on. */
jv show_object(const struct session *s);

/* A line of text; the heading of such lines. */
void show_text(const struct session *s, FILE *out);
void show_heading(FILE *out);

#endif
