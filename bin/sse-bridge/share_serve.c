/*
 * POST /api/sessions/ID/share: makes a link.  The page puts it together; this
 * is what it carries.
 *
 * Of a part the command 'span' says where in the stream it stands, so that no
 * read by the link has to look for that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exits.h"
#include "server.h"
#include "session.h"
#include "share.h"

static bool
get_number(const char *text, uint64_t least, uint64_t most, uint64_t *v)
{
	const char *bad;

	*v = (uint64_t)strtonum(text, (long long)least, (long long)most,
	    &bad);
	return bad == NULL && *text >= '0' && *text <= '9';
}

/* Of a key that may be missing.  False: the request was answered. */
static bool
query_time(struct http_request *r, const char *key, uint64_t otherwise,
    uint64_t *ms)
{
	const char *text = http_query(r, key);
	char why[96];

	*ms = otherwise;
	if (text == NULL || get_number(text, 0, SHARE_TIME_MAX, ms))
		return true;
	snprintf(why, sizeof why, "'%s' must be milliseconds since 1970", key);
	server_error(r, 400, why);
	return false;
}

static void
reply(struct http_request *r, const char *id, const struct share_part *part)
{
	const struct server *s = r->arg;
	char share[SHARE_LEN_MAX + 1], body[SHARE_LEN_MAX + 128];
	uint64_t seconds = 0, expires;
	int n;

	get_number(http_query(r, "seconds"), 1, SHARE_SECONDS_MAX, &seconds);
	expires = (uint64_t)time(NULL) + seconds;
	login_share(s->login, id, (uint32_t)expires, part, share);
	n = snprintf(body, sizeof body, "{\"share\":\"%s\",\"expires\":%llu}\n",
	    share, (unsigned long long)expires * 1000);
	http_reply(r, 200, "application/json", body, (size_t)n,
	    server_api_headers);
}

/* What 'span' said, or how it failed. */
static void
take_span(struct http_request *r, int status, char *text)
{
	struct share_part part;
	char id[SESSION_ID_LEN + 1];

	if (status == EXIT_INPUT) {
		server_error(r, 422, "nothing that tells its time was "
		    "recorded then");
	} else if (status != EXIT_OK && status != EXIT_GAPS) {
		server_command_error(r, status);
	} else if (share_place(&part, text) == -1) {
		server_error(r, 500, "the command 'span' did not say where "
		    "that stands");
	} else if (query_time(r, "from", 0, &part.from) &&
	    query_time(r, "to", SHARE_TIME_MAX, &part.to)) {
		memcpy(id, r->segments[2].p, SESSION_ID_LEN);
		id[SESSION_ID_LEN] = '\0';
		reply(r, id, &part);
	}
}

void
share_serve(struct http_request *r, const char *id)
{
	const struct server *s = r->arg;
	const char *seconds = http_query(r, "seconds");
	char from_text[40], to_text[40];
	const char *const args[] = { id, from_text, to_text, NULL };
	uint64_t n, from, to;

	if (!login_is_needed(s->login)) {
		server_error(r, 404, "there is no login, so no link is needed");
		return;
	}
	if (seconds == NULL || !get_number(seconds, 1, SHARE_SECONDS_MAX,
	    &n)) {
		server_error(r, 400, "'seconds' must be a number up to "
		    "31622400");
		return;
	}
	if (http_query(r, "from") == NULL && http_query(r, "to") == NULL) {
		reply(r, id, NULL);
		return;
	}
	if (!query_time(r, "from", 0, &from) ||
	    !query_time(r, "to", SHARE_TIME_MAX, &to))
		return;
	if (from >= to) {
		server_error(r, 400, "'from' must be before 'to'");
		return;
	}
	snprintf(from_text, sizeof from_text, "from=%llu",
	    (unsigned long long)from);
	snprintf(to_text, sizeof to_text, "to=%llu", (unsigned long long)to);
	route_ask(r, "span", args, take_span);
}
