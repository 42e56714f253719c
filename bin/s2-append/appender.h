/*
 * An append session: appends of one stream out, their acknowledgements in, by
 * S2's framing, on one call of the engine.
 *
 * libcurl 7.88 throws away what comes together with the end of a session that
 * S2 ends before us, which is the reason of a refusal, and says nothing while
 * there is nothing to send.  So a session that is silent for longer than acks
 * take as a rule is closed from our side (appender_check()), which settles
 * it: the acks come, or the call ends without them.  In the latter case the
 * next append is to go by a request of its own ('once'), which either succeeds
 * or brings the reason.
 *
 * Appends are pulled: next() is asked for one whenever the connection takes
 * more, and what it gives stays the owner's and must stay where it is until
 * it is acknowledged or the session is over.  Acknowledgements come in the
 * order of the appends.
 */
#ifndef APPENDER_H
#define APPENDER_H

#include <sys/queue.h>

#include "s2.h"
#include "s2_frame.h"

/* One append.  Its records are fields 1 of an AppendInput. */
struct append {
	const unsigned char *records;
	size_t size;
	size_t count;
	bool has_match;
	uint64_t match;
	const char *fence;	/* NULL: appended without a fencing token */
	size_t fence_len;
};

/* Bytes beside the records: two fields. */
#define APPEND_TAIL_MAX	(2 * (1 + PB_VARINT_MAX) + S2_FENCE_MAX)

struct ack {
	uint64_t seq;		/* of the first record */
	uint64_t count;
	uint64_t time;		/* of the last, ms */
};

struct appender {
	struct s2_call *call;
	const char *what;	/* begins error texts */
	/* True with *a set, or false if there is nothing to append now. */
	bool (*next)(void *arg, struct append *a);
	/* One append is durable.  Called from data(), see s2.h. */
	void (*acked)(void *arg, const struct ack *ack);
	/*
	 * The session is over; e is NULL if it ended because we closed it,
	 * with all acknowledged.  What is not acknowledged was not applied if
	 * e->no_side_effect, else it may have been.  With e->status 0 it is
	 * not known why it ended: make the next one with 'once'.
	 */
	void (*ended)(void *arg, const struct s2_error *e);
	void *arg;
	/* The rest is appender.c's. */
	struct append now;	/* being sent */
	unsigned char head[S2_FRAME_HEAD];
	unsigned char tail[APPEND_TAIL_MAX];
	size_t tail_len;
	size_t sent;		/* bytes of it that are on their way */
	bool sending;
	bool closing;
	int64_t since;		/* when it was last heard of, or first asked */
	bool broken;		/* error is set */
	unsigned unacked;	/* appends */
	struct buf in;		/* a frame that has not come whole */
	struct buf body;	/* of a single append */
	struct s2_error error;
};

/*
 * Prepare s, whose first group the caller has set with a call that is not
 * running; it can be opened any number of times.
 */
void appender_init(struct appender *s);
void appender_release(struct appender *s);	/* not the call */

/*
 * Open it on 'path' of a basin (both copied).  With 'once' it is not a session
 * but one append, which next() must have.
 */
void appender_open(struct appender *s, const char *basin, const char *path,
    bool once);

/*
 * Close it if it has been silent for too long.  ms until this is to be called
 * again, -1 if nothing is in flight.
 */
int appender_check(struct appender *s, int64_t now);

/* next() would give something now. */
void appender_wake(struct appender *s);

/* Append no more; end when all that was begun is acknowledged. */
void appender_close(struct appender *s);

/* End it now, without ended(). */
void appender_abort(struct appender *s);

#endif
