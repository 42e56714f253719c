/*
 * The routes of RePlaya, whose recorder can be pointed here:
 *
 *	POST /api/sessions
 *	POST /api/sessions/ID/events
 *	POST /api/sessions/ID/heartbeat
 *	POST /api/sessions/ID/stop
 *
 * Bodies are JSON objects, keys and tokens are in a header or in the body, and
 * batches have no numbers: what it sends again is recognised by its events.
 */
#ifndef REPLAYA_H
#define REPLAYA_H

#include <stdint.h>

#include "body.h"
#include "buf.h"
#include "http.h"
#include "post.h"

#define REPLAYA_SECRET_MAX	128	/* bytes of a key or token */

/* Names and values of the answer to a preflight. */
#define REPLAYA_HEADERS	"content-type,last-event-id," \
	"x-replaya-project-key,x-replaya-session-token"

/*
 * The kind of the post, from the words of the path behind /api/sessions: -1 if
 * there is no such route.
 */
int replaya_kind(const struct http_request *r);

/* The file that a path is: its recorder asks for rrweb below /vendor. */
const char *replaya_file(const struct http_request *r);

/*
 * Take a body apart: the key or token in it goes to secret (empty if there is
 * none), and p's body becomes what is stored, one object or lines.  0, or -1
 * with *j.
 */
int replaya_take(struct post *p, char secret[REPLAYA_SECRET_MAX + 1],
    struct judgement *j);

/* Sum up the lines of p's body, by which they are known again.  0 or -1. */
int replaya_mark(struct post *p);

/*
 * Write the answer to a post that was not refused.  'now' is ms since 1970,
 * token that of VERDICT_OPEN.  Returns its status.
 */
unsigned replaya_answer(struct buf *b, const struct post *p,
    const struct verdict *v, uint64_t now, const char *token,
    uint64_t expires);

#endif
