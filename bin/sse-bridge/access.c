/*
 * Who may ask for what.
 *
 * A page of some other site that is open in the same browser can send
 * requests here, but cannot read the answers, since no CORS header allows it;
 * nor can it set X-RR, so it cannot stop or delete.  It could read if its own
 * name resolved to our address (DNS rebinding), so names that are not ours
 * are refused; an address cannot be rebound.  Cross-site requests to the API
 * are refused as well, where the browser marks them.
 *
 * Pages and scripts are for everybody; what they ask for is for those who are
 * let in, by login.c.  Without users whoever reaches the socket may read, stop
 * and delete: main() then binds to this machine only, unless told not to.
 */
#include <arpa/inet.h>

#include "log.h"
#include "server.h"

#define HOST_MAX	262	/* bytes of "name:port", with NUL */

/* Cut the port off "name:port" or "[v6]:port", and the brackets. */
static const char *
host_only(char *host)
{
	char *end;

	if (host[0] == '[' && (end = strchr(host, ']')) != NULL) {
		*end = '\0';
		return host + 1;
	}
	if ((end = strchr(host, ':')) != NULL)
		*end = '\0';
	return host;
}

static bool
host_is_ours(const struct server *s, const char *header)
{
	char copy[HOST_MAX];
	struct in6_addr address;
	const char *host;
	int i;

	if (header == NULL || strlcpy(copy, header, sizeof copy) >= sizeof copy)
		return false;
	host = host_only(copy);
	if (inet_pton(AF_INET, host, &address) == 1 ||
	    inet_pton(AF_INET6, host, &address) == 1 ||
	    strcasecmp(host, "localhost") == 0)
		return true;
	for (i = 0; i < s->nhosts; i++)
		if (strcasecmp(host, s->hosts[i]) == 0)
			return true;
	return false;
}

/* An Origin is a scheme, "://", and what the Host header says as well. */
static bool
origin_is_ours(const char *origin, const char *host)
{
	const char *p;

	if (origin == NULL)
		return true;
	p = strstr(origin, "://");
	return p != NULL && host != NULL &&
	    strcasecmp(p + strlen("://"), host) == 0;
}

static bool
site_is_ours(const char *site)
{
	return site == NULL || strcmp(site, "same-origin") == 0 ||
	    strcmp(site, "none") == 0;
}

bool
access_check(const struct server *s, struct http_request *r)
{
	const char *host = http_header(r, "Host"), *mark;

	if ((s->check_host || s->nhosts > 0) && !host_is_ours(s, host)) {
		server_error(r, 421, "this server does not go by the name in "
		    "the Host header; sse-bridge -H adds one");
		return false;
	}
	if (!http_segment_is(r, 0, "api"))
		return true;
	if (!site_is_ours(http_header(r, "Sec-Fetch-Site"))) {
		server_error(r, 403, "not for pages of other sites");
		return false;
	}
	if (r->method == HTTP_GET || r->method == HTTP_HEAD)
		return true;
	mark = http_header(r, "X-RR");
	if (mark == NULL || strcmp(mark, "1") != 0 ||
	    !origin_is_ours(http_header(r, "Origin"), host)) {
		server_error(r, 403, "this takes the header 'X-RR: 1' and no "
		    "other site's Origin");
		return false;
	}
	return true;
}

/* ---- who ---- */

/* What was done, or was not permitted: a line that is always logged. */
static void
audit(const struct server *s, const char *what, const char *id,
    const char *how, const struct person *p)
{
	log_about(login_is_needed(s->login) ? LOG_LEVEL_NOTICE :
	    LOG_LEVEL_INFO, id, NULL, "audit: %s%s%s %s %s from %s", what,
	    id == NULL ? "" : " ", id == NULL ? "" : id, how,
	    p->name[0] == '\0' ? "-" : p->name, p->address);
}

/* Views that were told of, the latest ones: who, from where, of what. */
#define VIEWS_MAX	1024
static struct view {
	uint64_t what;		/* a hash with a key that nobody knows */
	uint64_t at;		/* ms */
} views[VIEWS_MAX];

static uint64_t
view_hash(const char *id, const struct person *p)
{
	static uint64_t key;
	const char *const parts[] = { id, p->name, p->address };
	uint64_t h;

	if (key == 0)
		arc4random_buf(&key, sizeof key);
	h = key;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		for (const char *c = parts[i]; *c != '\0'; c++)
			h = (h ^ (unsigned char)*c) * 0x100000001b3u;
		h = (h ^ 0x100) * 0x100000001b3u;
	}
	return h ^ h >> 32;
}

/* True if this view is one that goes on. */
static bool
was_told(const char *id, const struct person *p)
{
	uint64_t h = view_hash(id, p), now = loop_now();
	struct view *v = &views[h % VIEWS_MAX];

	if (v->what == h && v->at != 0 && now - v->at < ACCESS_VIEW_MS)
		return true;
	*v = (struct view){ h, now };
	return false;
}

static void
refuse_unknown(struct http_request *r, const char *text)
{
	server_error_with(r, 401, text, "WWW-Authenticate", "Bearer");
}

/* Answers all but LOGIN_KNOWN. */
static bool
is_known(struct http_request *r, const char *id, enum login_result result,
    const struct person *p)
{
	const struct server *s = r->arg;

	switch (result) {
	case LOGIN_KNOWN:
		return true;
	case LOGIN_NONE:
		refuse_unknown(r, "log in first");
		break;
	case LOGIN_WRONG:
		if (id == NULL || http_query(r, "share") == NULL) {
			audit(s, "login", NULL, "refused to", p);
			refuse_unknown(r, "nobody has this token");
		} else {
			audit(s, "link", id, "refused to", p);
			server_error(r, 403, "this link has expired, or was "
			    "withdrawn");
		}
		break;
	case LOGIN_SLOW:
		server_error(r, 429, "too many wrong tokens or links; wait "
		    "a minute");
		break;
	}
	return false;
}

bool
access_permit(struct http_request *r, const char *id, enum role least,
    enum by_link link, const char *what, struct person *p)
{
	const struct server *s = r->arg;

	if (!is_known(r, id, login_identify(s->login, r, id, p), p))
		return false;
	/* Without login all is permitted, but there is nothing to share. */
	if (login_is_needed(s->login) &&
	    (p->role < least || (p->by_link &&
	    link < (p->is_part ? LINK_PART : LINK_WHOLE)))) {
		audit(s, what == NULL ? "read" : what, id, "refused to", p);
		server_error(r, 403, !p->by_link ? "your role does not permit "
		    "this" : p->is_part ? "this link is for watching a part "
		    "of one session" : "this link is for watching one "
		    "session");
		return false;
	}
	if (what != NULL && (strcmp(what, "view") != 0 || !was_told(id, p)))
		audit(s, what, id, "by", p);
	return true;
}

bool
access_log_in(struct http_request *r, struct person *p,
    char cookie[COOKIE_MAX])
{
	const struct server *s = r->arg;

	if (!login_is_needed(s->login)) {
		server_error(r, 404, "there is no login");
		return false;
	}
	if (!is_known(r, NULL, login_cookie(s->login, r, p, cookie), p))
		return false;
	audit(s, "login", NULL, "by", p);
	return true;
}

void
access_log_out(struct http_request *r)
{
	const struct server *s = r->arg;
	struct person p;

	if (login_is_needed(s->login) &&
	    login_identify(s->login, r, NULL, &p) == LOGIN_KNOWN)
		audit(s, "logout", NULL, "by", &p);
}
