/*
 * Many streams: each stream has a queue of pieces (a unit, or part of one that
 * is too large for one append), and at most one append in flight.  What has
 * arrived meanwhile goes into the next append together, and each unit still
 * learns its own place.
 *
 * A stream that is appended to again and again has an append session: there an
 * append costs half of what one by a request of its own does, here and in S2.
 * As many sessions as a connection may have are given to those that come
 * first and taken back when not used for a while; the other streams use
 * requests.
 *
 * A stream stays on one connection, so that its appends keep their order and
 * S2 counts few operations.  It is known here only while it has something to
 * do or a session.
 *
 * An append whose fate is not known is repeated: readers drop repeats.  If the
 * repeat is refused by a condition, the first may have been applied before
 * that held: then the last records of the stream are compared with it.
 */
#ifndef MANY_H
#define MANY_H

#include <sys/queue.h>

#include "appender.h"
#include "s2-append.h"

#define BUCKETS		4096	/* of the table of streams; a power of two */
#define IDLE_MAX	2000	/* ms until an idle session is closed */

TAILQ_HEAD(pieces, piece);
TAILQ_HEAD(streams, stream);
TAILQ_HEAD(slots, slot);

/* What one token acknowledges. */
struct unit {
	bool has_token;
	bool begun;		/* its first piece was queued */
	bool failed;		/* nak it as soon as its last piece is here */
	const char *reason;
	int status;
	int exit;
	char extra[320];
	uint64_t seq;
	uint64_t count;
	uint64_t time;
	size_t len;
	char token[RECORD_TOKEN_MAX];
};

struct piece {
	struct unit *unit;
	struct stream *stream;
	struct run run;
	bool last;		/* of its unit */
	bool alone;		/* S2 refused it with others: who is it? */
	bool doubtful;		/* sent, and may have been applied */
	bool probe;
	bool create;		/* the stream first */
	char *config;		/* for that; NULL: the default */
	bool has_match;
	uint64_t match;
	bool has_fence;
	size_t fence_len;
	char fence[S2_FENCE_MAX];
	int64_t deadline;
	TAILQ_ENTRY(piece) queue;
	TAILQ_ENTRY(piece) age;
};

enum state {
	IDLE,		/* nothing to do */
	READY,		/* in the list of those to be looked at */
	WAITING,	/* for a slot */
	BUSY,		/* an append is in flight, or about to be */
	CREATING,
	PROBING,	/* or looking for a doubtful piece */
	BACKOFF,	/* until 'due' */
};

struct stream {
	struct stream *next;	/* in its bucket */
	uint32_t hash;
	struct conn *conn;
	enum state state;
	struct pieces queue;
	unsigned pieces;
	unsigned in_flight;	/* of them, the first so many */
	size_t bytes;
	struct slot *slot;	/* its session, or NULL */
	struct slot *unary;	/* its other request, or NULL */
	unsigned failed;	/* tries since something went well */
	int64_t due;
	bool once;		/* no session: the last one ended strangely */
	uint64_t tail, time, at;	/* of a probe */
	size_t same;		/* records before 'at' that are the piece's */
	TAILQ_ENTRY(stream) entry;	/* in the list of its state */
	size_t len;
	char name[];
};

/* A call on a connection: an append session, or one request. */
struct slot {
	struct conn *conn;
	struct stream *stream;	/* NULL: free */
	struct appender session;
	struct buf joined;	/* pieces that are appended together */
	struct buf body;	/* of a request that creates */
	bool is_session;	/* and counts as such */
	bool closing;
	int64_t used;		/* when its session was last busy */
	TAILQ_ENTRY(slot) entry;	/* of free, busy or idle ones */
};

struct conn {
	unsigned index;
	unsigned slots;		/* there are */
	unsigned sessions;
	struct slots free;
	struct slots busy;	/* also closing ones, and requests */
	struct slots idle;	/* sessions, the longest unused first */
	struct streams waiting;
};

struct many {
	const struct options *opt;
	struct s2 *s2;
	struct conn conns[S2_CONNS_MAX];
	struct stream *table[BUCKETS];
	struct pieces ages;	/* all pieces, the oldest first */
	unsigned pieces;
	size_t bytes;
	struct streams ready;
	struct streams backoff;
	int64_t tick;		/* when to look for what is overdue */
	int status;
	bool ended;
	bool unread;		/* nobody reads what is told any more */
	/* The input. */
	struct piece *current;	/* with records, not yet queued */
	struct unit *unit;	/* open */
	size_t name_len;
	char name[S2_STREAM_MAX];
	bool create;
	char *config;
	bool has_match;
	uint64_t match;
	bool has_fence;
	size_t fence_len;
	char fence[S2_FENCE_MAX];
};

extern struct many many;

/* Zeroed memory, or the end of the program. */
void *many_alloc(size_t n);

/* ---- many_queue.c: streams, and what is queued for them ---- */

/* The stream of this name, which is made known if it is not. */
struct stream *stream_get(const char *name, size_t n);

/* It has nothing to do and no session. */
void stream_forget(struct stream *st);

/* Also moves it from the list of its old state to that of the new one. */
void stream_set_state(struct stream *st, enum state state);

/*
 * Queue p, which is taken, for a stream; it is the last piece of its unit or
 * not.  If the stream is full or the unit has failed, the unit is refused.
 */
void piece_queue(struct piece *p, const char *name, size_t name_len,
    bool last);

/*
 * Take a piece that is done with from its stream and free it; with the last
 * of a unit this says what came of the unit.
 */
void piece_drop(struct piece *p);

/* The unit will be refused for this reason, unless it has failed already. */
void unit_fail(struct unit *u, const char *reason, const struct s2_error *e);

/* ---- many_send.c: what is under way to S2 ---- */

/*
 * Start what the first piece of a stream asks for: to append it, to create the
 * stream, to look at its last records.  The stream's state tells what came of
 * it: if there is no slot it is WAITING, and READY when this is over.
 */
void send_append(struct stream *st);
void send_create(struct stream *st);
void send_probe(struct stream *st);

/* End what is under way for the first piece; the stream is READY then. */
void send_break_off(struct stream *st);

/* Close sessions of a connection that are silent for too long ... */
void send_check(struct conn *conn, int64_t now);

/* ... and those that nobody has used for a while or that are in the way. */
void send_close_idle(struct conn *conn, int64_t now);

#endif
