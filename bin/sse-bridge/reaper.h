/*
 * Ends commands that are not wanted any more: SIGTERM to the whole group at
 * once, SIGKILL to what is left when the command itself has exited, or after
 * a while.
 */
#ifndef REAPER_H
#define REAPER_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include "child.h"
#include "loop.h"

#define REAPER_PATIENCE_MS	2000	/* from SIGTERM to SIGKILL */

struct ending;

struct reaper {
	struct loop *loop;
	TAILQ_HEAD(, ending) endings;
};

void reaper_init(struct reaper *r, struct loop *loop);

/*
 * Take a child that nothing watches any more: its descriptors are closed, and
 * it is ended.  *c is empty afterwards.  Nothing if it is.
 */
void reaper_take(struct reaper *r, struct child *c);

/* In how many ms reaper_tick() is due, or -1. */
int reaper_timeout(const struct reaper *r, uint64_t now);
void reaper_tick(struct reaper *r, uint64_t now);

/* True if nothing is left to end. */
bool reaper_is_idle(const struct reaper *r);

#endif
