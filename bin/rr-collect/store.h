/*
 * Brings posts into S2 in their order, and each batch once.
 *
 * The rules, for each tab of a session: one batch at a time is on its way; a
 * batch goes when the one before it is stored (or told to be missing), so a
 * number up to the last one stored is a repeat; one that comes too early waits
 * a little, and is then sent away with the number that is wanted first.  What
 * is not remembered of a session is asked of its stream by a probe: also when
 * a number is too high, since another collector may have taken those before.
 *
 * A batch without a number gets the next one, and is stored only if nothing
 * else was meanwhile (a match), so that two collectors cannot give one number
 * to two.  It and the end of a session go alone: they wait until all that is
 * on its way has arrived, and let nothing pass.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "health.h"
#include "post.h"
#include "ring.h"
#include "sessions.h"

#define STORE_TAIL_MS	5000	/* a batch waits for those before it */
#define STORE_PROBE_MS	10000	/* or for what a probe says */
#define STORE_MS	30000	/* or for the ack */
#define STORE_READY_MS	2000	/* an answer to whether S2 is there */
#define STORE_PROOF_MS	2000	/* that it was there lately will do */
#define STORE_ASK_MS	1000	/* until it is asked again */
#define STORE_IDLE_MS	900000	/* until a session is forgotten */
#define STORE_QUIET_MS	100000	/* until what was counted is told */
#define STORE_TRIES	4	/* of a batch without a number */
#define STORE_TICK_MS	250	/* store_expire() is to be called as often */

struct store {
	struct ring ring;
	struct sessions sessions;
	const char *prefix;	/* of stream names */
	struct post_list posts;	/* all of them, oldest first */
	uint64_t now;		/* ms, kept by the program */
	uint64_t proof;		/* when S2 last answered */
	uint64_t asked;		/* when it was last asked whether it does */
	uint64_t doubt;		/* when first, without an answer since; or 0 */
	unsigned asks;		/* so many times, */
	unsigned asking;	/* and so many are not answered */
	struct health health;	/* of what is appended */
};

/* 0 or -1 with errno.  'prefix' stays the caller's. */
int store_init(struct store *, int in, int out, const char *prefix,
    uint32_t sessions, uint32_t units);
void store_release(struct store *);

/*
 * Take a post: post_answer() is called for it, now or later.  Its body is
 * judged and not looked at after that.
 */
void store_submit(struct store *, struct post *);

/* The post is going away unanswered. */
void store_forget(struct store *, struct post *);

/* Answer what has waited too long; forget what is old. */
void store_expire(struct store *);

/* Answer all that waits: come again. */
void store_refuse_all(struct store *);

/*
 * Ask S2 for a sign, if there was none lately.  Then, or a little later,
 * store_trouble() tells why what is appended does not get there, in words for
 * everybody: S2 gave no sign, or takes no appends.  NULL: it does.
 */
void store_ask(struct store *);
const char *store_trouble(const struct store *);

/* Sessions heard of since 'before' (ms) that have not ended. */
uint32_t store_live(const struct store *, uint64_t before);

/* True if so much waits that nothing new should be begun. */
bool store_is_full(const struct store *);

#endif
