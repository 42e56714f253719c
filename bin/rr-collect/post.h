/*
 * A post: one request on its way into S2, from its head to its answer.
 *
 * ingest.c makes it and answers it; in between it is with store.c, which
 * decides when it goes and what came of it.
 */
#ifndef POST_H
#define POST_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "body.h"
#include "counts.h"
#include "index.h"
#include "session.h"

enum post_kind {
	POST_OPEN,
	POST_LINES,
	POST_BEAT,
	POST_META,
	POST_GAP,
	POST_STOP,
	POST_READY,		/* a question whether S2 answers */
};

enum post_place {
	POST_NOWHERE,		/* not with store.c */
	POST_AT_SESSION,	/* waits until its session can go on */
	POST_AT_TAB,		/* waits for earlier batches of its tab */
	POST_AT_HEALTH,		/* waits for a sign of S2 */
	POST_STORING,		/* waits for what becomes of its unit */
};

/* What tells events that are sent again: a sum of each. */
struct marks {
	uint32_t n;
	uint32_t sum[];
};

struct post {
	enum post_kind kind;
	bool replaya;		/* by one of its routes: see replaya.h */
	struct http_request *request;
	struct key *key;
	struct filter *filter;	/* whose turn it waits for, or NULL */
	char id[SESSION_ID_LEN + 1];
	struct body body;
	/* what the request says */
	bool numbered;		/* tab and batch were given */
	bool full;		/* the body holds a snapshot */
	bool packed;		/* it holds packed events: nobody knows */
	bool has_snap;
	bool within;		/* a gap inside batch 'batch' */
	uint32_t tab;
	uint32_t batch;
	uint32_t last;		/* of the batches it stands for */
	uint32_t snap;
	int64_t offset;		/* of the clock of its tab, ms */
	uint32_t events;	/* of a gap, or in a batch */
	const char *cause;	/* of a gap */
	struct marks *marks;	/* of events without a number, or NULL */
	struct tally tally;	/* of its events */
	uint32_t failed;	/* events that the key's program failed on */
	uint32_t retention;	/* of what is opened, seconds; or 0 */
	bool renew;		/* its token is to be renewed */
	/* store.c's */
	enum post_place place;
	struct session *session;
	struct unit *unit;
	uint64_t until;		/* ms */
	unsigned tries;
	bool cut;		/* what was stored already was left out */
	bool asked;		/* the stream was probed for its sake */
	TAILQ_ENTRY(post) all;
	TAILQ_ENTRY(post) line;
};
TAILQ_HEAD(post_list, post);

enum verdict_code {
	VERDICT_OPEN,
	VERDICT_STORED,
	VERDICT_STOPPED,
	VERDICT_CLOSED,
	VERDICT_GONE,
	VERDICT_BIG,
	VERDICT_BAD,
	VERDICT_DENIED,
	VERDICT_SLOW,
	VERDICT_AWAY,
};

struct verdict {
	enum verdict_code code;
	enum reason reason;	/* of a refusal, for the metrics */
	unsigned status;	/* 0: the one that goes with the code */
	const char *error;	/* of a refusal */
	uint64_t retry;		/* ms, of a refusal that is not for good */
	/* of VERDICT_STORED */
	bool has_seq;
	bool repeat;
	bool snapshot;		/* one is needed */
	uint64_t seq;
	/* of others */
	uint32_t want;		/* the number that must come first; 0: none */
	uint64_t line, column;	/* of what is bad; 0: nowhere */
};

/*
 * Answer it; store.c is done with it.  Its session, if there is one, may be
 * looked at a last time.
 */
void post_answer(struct post *, const struct verdict *);

#endif
