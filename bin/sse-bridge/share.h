/*
 * Links: what somebody without a login shows to watch one session, or a part
 * of it.  Nothing is kept of them: a link is what it permits, signed together
 * with the session's id, and ends by itself or with the secret.
 */
#ifndef SHARE_H
#define SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http.h"
#include "session.h"
#include "signer.h"

#define SHARE_SECONDS_MAX	31622400	/* that a link is good for */
#define SHARE_TABS_MAX		16		/* that a part begins in */
#define SHARE_TIME_MAX		((1ll << 47) - 1)	/* ms */

/* Version, 4 of expiry; of a part 20 more and 8 a tab; 16 of MAC. */
#define SHARE_HEAD		5
#define SHARE_PART		20
#define SHARE_TAB		8
#define SHARE_BYTES_MAX		(SHARE_HEAD + SHARE_PART + \
				    SHARE_TAB * SHARE_TABS_MAX + MAC_BYTES)
#define SHARE_LEN_MAX		BASE64URL_LEN(SHARE_BYTES_MAX)

/*
 * A part of a session: the events from 'from' on and before 'to' (ms, rrweb's
 * times), all of which stand in the records [start, end); and where the tabs
 * that it begins in have the snapshots that it needs, rr-clip(1).
 */
struct share_part {
	uint64_t from, to;
	uint32_t start, end;
	unsigned ntabs;
	struct {
		uint32_t tab, seq;
	} tabs[SHARE_TABS_MAX];
};

/*
 * The text of a link to the session, good until 'expires' (s since 1970); part
 * NULL: to all of it.
 */
void share_put(struct signer *, const char *id, uint32_t expires,
    const struct share_part *part, char text[SHARE_LEN_MAX + 1]);

/*
 * Read one that is for this session.  0 with *is_part, and if so *part; -1: it
 * is none, is another's, or had expired by 'now' (s since 1970).
 */
int share_get(struct signer *, const char *id, const char *text,
    uint64_t now, bool *is_part, struct share_part *part);

/*
 * Read what rr-clip -p printed, "start=SEQ end=SEQ tabs=TAB@SEQ,...", which is
 * changed; 'from' and 'to' stay as they are.  0, or -1: it is something else,
 * or the numbers are too large.
 */
int share_place(struct share_part *part, char *text);

/* POST /api/sessions/ID/share; share_serve.c. */
void share_serve(struct http_request *r, const char *id);

#endif
