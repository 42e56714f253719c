/*
 * The hub: one live pipeline a watched session, and any number of viewers.
 *
 * A channel is a watched session: the pipeline 'ROUTES/live ID from=SEQ', and
 * a ring of the messages made of what it wrote.  A message is made once; a
 * viewer is a place in the ring.
 *
 * A position is a record's sequence number.  To a viewer who joins at S a
 * channel owes the messages whose first record is S or later (a batch in parts
 * starts where its first part stands; rr-reassemble(1) names as the place to
 * go on only such S that nothing before it is owed any more).  It has them if
 * S is at least 'base'; else the viewer is told to resync, that is to fetch
 * what it lacks by a read of its own and to join again.  A viewer that falls
 * out of the ring is told so too.  So bytes kept do not depend on viewers.
 * 'base' begins a few records before what the first viewer asks for: all that
 * lost a bridge come back to the next one, and not all had as much.
 *
 * The ring drops its oldest message while those behind it are 'ring' bytes or
 * more; all rings together are kept within 'total' bytes.  A message of more
 * than HUB_MESSAGE_MAX bytes is not kept at all: viewers resync.
 *
 * A pipeline that fails is started again where it was, and the reader rule
 * drops what is then read twice; viewers notice nothing.  One that does not
 * reach the tail within a ring's bytes is given up: its viewers are too far
 * behind for it, and resync.
 */
#ifndef HUB_H
#define HUB_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "reaper.h"
#include "session.h"
#include "sse.h"

#define HUB_NOTE_MAX		160	/* bytes that a viewer is told */
#define HUB_MESSAGE_MAX		(24u << 20)	/* bytes of one message */
#define HUB_TABS_MAX		256	/* of a session, for the reader rule */
#define HUB_START_MS		3000	/* a start without a word is one */
#define HUB_PING_MS		15000	/* without a byte: a comment is sent */
#define HUB_RESTART_MS		250	/* the first wait after a failure */
#define HUB_RESTART_MAX_MS	10000	/* the longest */
#define HUB_TOUCH_MS		10000	/* how often files are touched */

struct hub_limits {
	size_t ring;		/* bytes */
	size_t total;		/* bytes */
	unsigned channels;
	unsigned viewers;
	unsigned linger;	/* ms that a channel without viewers is kept */
};

struct channel;
struct message;

/* One viewer.  The owner sets the last three and no others. */
struct viewer {
	TAILQ_ENTRY(viewer) link;
	struct channel *channel;
	struct message *at;	/* the message to send; NULL: none is here */
	size_t off;		/* bytes of it that were sent */
	uint64_t from;		/* older messages are not for it */
	char note[HUB_NOTE_MAX];	/* to send before 'at' */
	size_t note_len, note_off;
	uint64_t sent;		/* when bytes were last sent, ms */
	bool begun;
	bool told_tail;
	bool last;		/* nothing comes after the note */
	bool cut;		/* in the middle of a message */

	/*
	 * Called once, maybe from hub_join(): with 0, watching begins and
	 * viewer_fill() may be called; else it cannot, with the exit status of
	 * the pipeline (or EXIT_OTHER), and the viewer has left already.
	 */
	void (*begin)(void *arg, int status);
	void (*wake)(void *arg);	/* viewer_fill() has something */
	void *arg;
};

struct hub;

/*
 * NULL with errno.  routes is the directory of commands; borrowed.  In the
 * directory watched (-1: none), there is a file for each session that has
 * viewers, touched while it has; so the collector can tell its recorder.
 */
struct hub *hub_new(struct loop *loop, struct reaper *reaper,
    const char *routes, int watched, const struct hub_limits *limits);
void hub_free(struct hub *h);

/*
 * Add a viewer, whose memory stays the caller's, of a valid id.  0; or -1:
 * too many viewers or watched sessions (EBUSY), it was just deleted (EIDRM),
 * or the pipeline cannot be started (any other errno), and the viewer is not
 * added.
 */
int hub_join(struct hub *h, struct viewer *v, const char *id, uint64_t from);

/* It leaves; nothing if it is not there. */
void hub_leave(struct viewer *v);

/*
 * The next bytes for a viewer that has begun: how many of at most max, or 0
 * (none now; wake is called), -1 (that was all), -2 (it was cut).
 */
ssize_t viewer_fill(struct viewer *v, char *p, size_t max);

/* How much there is of each, just now. */
struct hub_figures {
	unsigned viewers;
	unsigned watched;	/* sessions that have viewers */
	unsigned pipelines;	/* that run */
	size_t bytes;		/* of messages */
};
void hub_figures(const struct hub *h, struct hub_figures *f);

/* In how many ms hub_tick() is due, or -1. */
int hub_timeout(const struct hub *h, uint64_t now);
void hub_tick(struct hub *h, uint64_t now);

#endif
