/*
 * The parts of rr-ls: which sessions there are (list.c), what the index says
 * of them (index.c) and what they say themselves (summary.c), which of them
 * are wanted (where.c), and how it looks (show.c).
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
	bool whole;		/* read the index up to its tail */
	struct s2 *s2;
};

enum session_state {
	SESSION_UNKNOWN,	/* it could not be read: see error */
	SESSION_LIVE,
	SESSION_STOPPED,
	SESSION_ENDED,		/* its lease ran out */
};

/* What is counted of a session, by the names in ls_counts. */
enum ls_count {
	LS_EVENTS,
	LS_BYTES,
	LS_PAGES,
	LS_ERRORS,
	LS_RAGE,
	LS_DEAD,
	LS_ACTIVE,		/* ms */
	LS_COUNTS,
};

extern const char *const ls_counts[LS_COUNTS];

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
	bool import;		/* it is read from a file, by its first fence */
	/* from the index: */
	bool opened;		/* it told the metadata */
	bool doubtful;		/* what it told is not all */
	bool told;		/* it told all */
	bool counted;
	double counts[LS_COUNTS];
	bool later;		/* has records of a later version */
};

/* True if it need not be read. */
static inline bool
session_is_known(const struct session *s)
{
	return s->opened && s->stopped && !s->doubtful;
}

/*
 * How long it is, ms: by the visitor's clock, else by what the recorder said
 * at the end, else by ours and S2's.
 */
double session_duration(const struct session *s);

/* One of its counts: said at the end, or counted; 0 if neither. */
double session_count(const struct session *s, enum ls_count which);

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
 * The place in the list before all that began before 'time' (ms), as an
 * 'after' of list_page().  0, or -1 if it does not fit.
 */
int list_place(struct ls *ls, uint64_t time, char *out, size_t size);

/*
 * Go through all sessions, newest first, and call each() with every stream
 * and id, until it returns false.  0, or -1 with *error.
 */
int list_each(struct ls *ls, bool (*each)(void *arg, const char *stream,
    const char *id), void *arg, struct s2_error *error);

/*
 * Take from the index what it says of the sessions list->v[from] and behind,
 * newest first; 'newest' if nothing is newer.  True if there is an index; then
 * *next is where it goes on (for the newest: its tail).
 */
bool index_read(struct ls *ls, struct sessions *list, size_t from,
    bool newest, uint64_t *next);

/*
 * Read what is not known of the sessions list->v[from] and behind, all at
 * once.  What fails is said in each of them.  0, or -1 with errno if it could
 * not be begun.
 */
int summary_read(struct ls *ls, struct sessions *list, size_t from);

/* ---- which are wanted ---- */

#define LS_TEXT_MAX	200	/* bytes of a text to be found */

enum where_state {
	WHERE_ANY,
	WHERE_LIVE,
	WHERE_PAST,
	WHERE_STOPPED,
	WHERE_ENDED,
};

/* Zeroed: all are. */
struct where {
	bool any;		/* there is a condition */
	bool inside;		/* ... other than when a session began */
	const char *text, *url, *user, *source;	/* NULL: any */
	uint64_t since, until;	/* ms; 0: ever */
	double min, max;	/* ms */
	double counts[LS_COUNTS];	/* at least so many */
	enum where_state state;
};

/*
 * Add the condition KEY=VALUE, whose text must stay.  NULL, or what is wrong
 * with it.
 */
const char *where_add(struct where *w, const char *text, uint64_t now);

/* True if all hold; of one that could not be read only when it began counts. */
bool where_fits(const struct where *w, const struct session *s);

/* True if that it could not be read leaves this open. */
bool where_is_open(const struct where *w, const struct session *s);

/* The JSON object of a session; the HTTP interface passes it on. */
jv show_object(const struct session *s);

/* What the index should say of a session that is stopped. */
jv show_entry(const struct session *s);

/* A line of text; the heading of such lines. */
void show_text(const struct session *s, FILE *out);
void show_heading(FILE *out);

#endif
