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
 * There is no login yet: whoever reaches the socket may read, stop and
 * delete.  main() therefore binds to this machine only, unless told not to.
 */
#include <arpa/inet.h>

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
