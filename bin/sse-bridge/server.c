#include <sys/epoll.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "counts.h"
#include "exits.h"
#include "log.h"
#include "server.h"
#include "session.h"

#define BODY_MAX	4096	/* bytes of a body, which nobody wants */
#define LIST_MAX	1000	/* sessions a page */
#define TEXT_MAX	200	/* bytes of a text that is looked for */
#define RETRY_AFTER	"2"	/* s, when there is too much to do, or no S2 */

#define JSON_TYPE	"application/json"
#define TEXT_TYPE	"text/plain; charset=utf-8"
#define FILE_TYPE	"application/octet-stream"

static const char default_csp[] = "default-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

const struct http_header server_api_headers[] = {
	{ "Cache-Control", "no-store" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
	{ NULL, NULL },
};

/* ---- answers ---- */

void
server_error_with(struct http_request *r, unsigned status, const char *text,
    const char *name, const char *value)
{
	struct http_header headers[] = {
		server_api_headers[0], server_api_headers[1],
		{ name, value },
		{ NULL, NULL },
	};
	char body[256];
	int n = snprintf(body, sizeof body, "{\"error\":\"%s\"}\n", text);

	count_refused(status);
	http_reply(r, status, JSON_TYPE, body, (size_t)n, headers);
}

void
server_error(struct http_request *r, unsigned status, const char *text)
{
	server_error_with(r, status, text, NULL, NULL);
}

void
server_busy(struct http_request *r, const char *text)
{
	server_error_with(r, 503, text, "Retry-After", RETRY_AFTER);
}

void
server_command_error(struct http_request *r, int status)
{
	char text[96];

	switch (status) {
	case EXIT_MISSING:
		server_error(r, 404, "no such session");
		break;
	case EXIT_TRYAGAIN:
		server_busy(r, "S2 is away; try again later");
		break;
	case EXIT_USAGE:
		server_error(r, 400, "a value of the query is wrong");
		break;
	default:
		snprintf(text, sizeof text, "the command failed with status "
		    "%d; see the log", status);
		server_error(r, 500, text);
	}
}

/* ---- patrons ---- */

static void
socket_ready(void *arg, uint32_t events)
{
	struct patron *p = arg;
	struct server *s = p->request->arg;

	(void)events;
	loop_unwatch(s->loop, &p->socket);
	p->left(p);
}

void
patron_init(struct patron *p, struct http_request *r,
    void (*left)(struct patron *), void (*done)(struct patron *))
{
	struct server *s = r->arg;

	p->request = r;
	p->left = left;
	p->done = done;
	p->socket = (struct watch)WATCH_INIT(socket_ready, p);
	r->state = p;
	/* Without it a client that leaves is noticed at the next write. */
	if (loop_watch(s->loop, &p->socket, http_socket(r), EPOLLRDHUP) == -1)
		log_warn("cannot watch a client: %s", strerror(errno));
}

/* ---- routes ---- */

/* "key=value" in a command's argument. */
struct argument {
	char text[SERVER_ARG_MAX];
};

static bool
is_number(const char *s, long long least, long long most)
{
	const char *bad;

	if (*s < '0' || *s > '9')
		return false;
	strtonum(s, least, most, &bad);
	return bad == NULL;
}

static bool
is_limit(const char *s)
{
	return is_number(s, 1, LIST_MAX);
}

static bool
is_count(const char *s)
{
	return is_number(s, 1, INT32_MAX);
}

static bool
is_position(const char *s)
{
	return is_number(s, 0, INT64_MAX);
}

static bool
is_place(const char *s)
{
	return strcmp(s, "start") == 0 || strcmp(s, "snapshot") == 0 ||
	    is_position(s);
}

static bool
is_stream(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= SESSION_STREAM_MAX && strspn(s,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "._-/") == n;
}

/*
 * Write "key=value" of the query to a, or the default, or nothing.  False if
 * the value is wrong: then the request was answered.
 */
static bool
query_argument(struct http_request *r, const char *key, const char *otherwise,
    bool (*is_good)(const char *), struct argument *a)
{
	const char *value = http_query(r, key);
	char text[96];

	a->text[0] = '\0';
	if (value == NULL && (value = otherwise) == NULL)
		return true;
	if (!is_good(value)) {
		snprintf(text, sizeof text, "'%s' has a wrong value", key);
		server_error(r, 400, text);
		return false;
	}
	snprintf(a->text, sizeof a->text, "%s=%s", key, value);
	return true;
}

/* Some text of one line, as long as an argument may be. */
static bool
is_text(const char *s)
{
	size_t i;

	for (i = 0; s[i] != '\0'; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return false;
	return i > 0 && i <= TEXT_MAX;
}

/* What rr-ls(1) takes for -w is for it to judge. */
static void
serve_list(struct http_request *r, const char *id)
{
	static const struct {
		const char *key, *otherwise;
		bool (*is_good)(const char *);
	} keys[] = {
		{ "limit", "50", is_limit }, { "after", NULL, is_stream },
		{ "since", NULL, is_text }, { "until", NULL, is_text },
		{ "state", NULL, is_text }, { "user", NULL, is_text },
		{ "source", NULL, is_text }, { "url", NULL, is_text },
		{ "text", NULL, is_text }, { "min", NULL, is_count },
		{ "max", NULL, is_count }, { "active", NULL, is_count },
		{ "events", NULL, is_count }, { "pages", NULL, is_count },
		{ "errors", NULL, is_count }, { "rage", NULL, is_count },
		{ "dead", NULL, is_count },
	};
	struct argument list[sizeof keys / sizeof *keys];
	const char *args[sizeof keys / sizeof *keys + 1] = { NULL };
	size_t i;
	int n = 0;

	for (i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (!query_argument(r, keys[i].key, keys[i].otherwise,
		    keys[i].is_good, &list[i]))
			return;
		if (list[i].text[0] != '\0')
			args[n++] = list[i].text;
	}
	(void)id;
	route_start(r, "list", args, JSON_TYPE, ROUTE_SHORT);
}

/* As s2-tail(1) takes it: '+' says that it counts from the first event. */
static bool
is_moment(const char *s)
{
	return is_position(*s == '-' || *s == '+' ? s + 1 : s);
}

static bool
is_tab(const char *s)
{
	uint32_t tab;

	return session_tab_parse(s, strlen(s), &tab);
}

/* Of a part: keep the place or the moment to it, say what may be seen. */
static int
part_arguments(const struct share_part *p, struct argument *from,
    struct argument *at, struct argument a[3])
{
	int64_t v = strtoll(at->text[0] != '\0' ? at->text + strlen("at=") :
	    from->text[0] != '\0' ? from->text + strlen("from=") : "", NULL,
	    10);
	int n = 0;

	if (at->text[0] != '\0')
		snprintf(at->text, sizeof at->text, "at=%lld", (long long)
		    (v < (int64_t)p->from ? (int64_t)p->from :
		    v >= (int64_t)p->to ? (int64_t)p->to - 1 : v));
	else
		snprintf(from->text, sizeof from->text, "from=%lld",
		    (long long)(v < p->start ? p->start :
		    v > p->end ? p->end : v));
	snprintf(a[n++].text, sizeof a->text, "end=%u", p->end);
	snprintf(a[n++].text, sizeof a->text, "span=%llu-%llu",
	    (unsigned long long)p->from, (unsigned long long)p->to);
	if (p->ntabs == 0)
		return n;
	strlcpy(a[n].text, "tabs=", sizeof a->text);
	for (unsigned i = 0; i < p->ntabs; i++)
		snprintf(a[n].text + strlen(a[n].text), sizeof a->text -
		    strlen(a[n].text), "%s%x@%u", i == 0 ? "" : ",",
		    p->tabs[i].tab, p->tabs[i].seq);
	return n + 1;
}

static void
serve_lines(struct http_request *r, const char *id)
{
	const struct server *s = r->arg;
	struct argument from, at, tab, count, part[3];
	struct share_part p;
	const char *args[9] = { id };
	int n = 1, i, parts = 0;

	if (!query_argument(r, "from", NULL, is_place, &from) ||
	    !query_argument(r, "at", NULL, is_moment, &at) ||
	    !query_argument(r, "tab", NULL, is_tab, &tab) ||
	    !query_argument(r, "count", NULL, is_count, &count))
		return;
	if (login_part(s->login, r, id, &p))
		parts = part_arguments(&p, &from, &at, part);
	if (at.text[0] == '\0')
		args[n++] = from.text[0] == '\0' ? "from=start" : from.text;
	else
		args[n++] = at.text;
	if (at.text[0] != '\0' && tab.text[0] != '\0')
		args[n++] = tab.text;
	if (count.text[0] != '\0')
		args[n++] = count.text;
	for (i = 0; i < parts; i++)
		args[n++] = part[i].text;
	route_start(r, "lines", args, TEXT_TYPE, ROUTE_BULK);
}

static void
serve_outline(struct http_request *r, const char *id)
{
	const char *const args[] = { id, NULL };

	route_start(r, "outline", args, TEXT_TYPE, ROUTE_ALONE);
}

static bool
is_format(const char *s)
{
	return strcmp(s, "ndjson") == 0 || strcmp(s, "html") == 0;
}

/* It is no page of ours, so it is not shown as one, whatever is in it. */
static void
serve_export(struct http_request *r, const char *id)
{
	struct argument format;
	const char *args[] = { id, format.text, NULL };
	char file[SESSION_ID_LEN + sizeof ".ndjson"];

	if (!query_argument(r, "format", "ndjson", is_format, &format))
		return;
	snprintf(file, sizeof file, "%s.%s", id,
	    strcmp(format.text, "format=html") == 0 ? "html" : "ndjson");
	route_download(r, "export", args, FILE_TYPE, file);
}

static void
serve_live(struct http_request *r, const char *id)
{
	const char *from = http_header(r, "Last-Event-ID");

	if (from == NULL)
		from = http_query(r, "from");
	if (from == NULL || !is_position(from)) {
		server_error(r, 400, "'from' (or Last-Event-ID) must be the "
		    "number of a record");
		return;
	}
	live_start(r, id, (uint64_t)strtoll(from, NULL, 10));
}

static void
serve_changes(struct http_request *r, const char *id)
{
	(void)id;
	serve_live(r, "index");
}

static void
serve_command(struct http_request *r, const char *name, const char *id)
{
	const char *const args[] = { id, NULL };

	route_start(r, name, args, JSON_TYPE, ROUTE_SHORT);
}

/* Of a part no more is told than that. */
static void
serve_show(struct http_request *r, const char *id)
{
	const struct server *s = r->arg;
	struct argument end, span;
	const char *const args[] = { id, end.text, span.text, NULL };
	struct share_part p;

	if (!login_part(s->login, r, id, &p)) {
		serve_command(r, "show", id);
		return;
	}
	snprintf(end.text, sizeof end.text, "end=%u", p.end);
	snprintf(span.text, sizeof span.text, "span=%llu-%llu",
	    (unsigned long long)p.from, (unsigned long long)p.to);
	route_start(r, "show", args, JSON_TYPE, ROUTE_SHORT);
}

static void
serve_stop(struct http_request *r, const char *id)
{
	serve_command(r, "stop", id);
}

static void
serve_delete(struct http_request *r, const char *id)
{
	serve_command(r, "delete", id);
}

static void
reply_person(struct http_request *r, const struct person *p,
    const char *cookie)
{
	const struct server *s = r->arg;
	const struct http_header headers[] = {
		server_api_headers[0], server_api_headers[1],
		{ cookie == NULL ? NULL : "Set-Cookie", cookie },
		{ NULL, NULL },
	};
	char body[192];
	int n = snprintf(body, sizeof body,
	    "{\"login\":%s,\"name\":\"%s\",\"role\":\"%s\"}\n",
	    login_is_needed(s->login) ? "true" : "false", p->name,
	    role_name(p->role));

	http_reply(r, 200, JSON_TYPE, body, (size_t)n, headers);
}

static void
serve_me(struct http_request *r, const char *id)
{
	struct person p;

	(void)id;
	if (access_permit(r, NULL, ROLE_VIEW, LINK_NO, NULL, &p))
		reply_person(r, &p, NULL);
}

static void
serve_login(struct http_request *r, const char *id)
{
	struct person p;
	char cookie[COOKIE_MAX];

	(void)id;
	if (access_log_in(r, &p, cookie))
		reply_person(r, &p, cookie);
}

static void
serve_logout(struct http_request *r, const char *id)
{
	static const struct person nobody;
	char cookie[COOKIE_MAX];

	(void)id;
	access_log_out(r);
	logout_cookie(cookie);
	reply_person(r, &nobody, cookie);
}

/* Who may do what; sse-bridge(1) has the table for people. */
static const struct api_route {
	const char *where;	/* below /api; ID stands for a session's */
	enum http_method method;
	enum role role;		/* at least; none: it sees to that itself */
	enum by_link link;	/* that is enough */
	const char *audit;	/* what is said of it in the log, or NULL */
	void (*serve)(struct http_request *, const char *id);
} api_routes[] = {
	{ "me", HTTP_GET, ROLE_NONE, LINK_NO, NULL, serve_me },
	{ "login", HTTP_POST, ROLE_NONE, LINK_NO, NULL, serve_login },
	{ "logout", HTTP_POST, ROLE_NONE, LINK_NO, NULL, serve_logout },
	{ "sessions", HTTP_GET, ROLE_VIEW, LINK_NO, NULL, serve_list },
	{ "sessions/changes", HTTP_GET, ROLE_VIEW, LINK_NO, NULL,
	    serve_changes },
	{ "sessions/ID", HTTP_GET, ROLE_VIEW, LINK_PART, "view", serve_show },
	{ "sessions/ID", HTTP_DELETE, ROLE_DELETE, LINK_NO, "delete",
	    serve_delete },
	{ "sessions/ID/lines", HTTP_GET, ROLE_VIEW, LINK_PART, "view",
	    serve_lines },
	{ "sessions/ID/outline", HTTP_GET, ROLE_VIEW, LINK_WHOLE, "view",
	    serve_outline },
	{ "sessions/ID/live", HTTP_GET, ROLE_VIEW, LINK_WHOLE, "view",
	    serve_live },
	{ "sessions/ID/export", HTTP_GET, ROLE_VIEW, LINK_NO, "export",
	    serve_export },
	{ "sessions/ID/stop", HTTP_POST, ROLE_DELETE, LINK_NO, "stop",
	    serve_stop },
	{ "sessions/ID/share", HTTP_POST, ROLE_ADMIN, LINK_NO, "share",
	    share_serve },
};
#define API_ROUTES	(sizeof api_routes / sizeof api_routes[0])

static void
refuse_method(struct http_request *r, const char *allow)
{
	server_error_with(r, 405, "wrong method", "Allow", allow);
}

/* The path below /api, with ID in the place of one; true if there is one. */
static bool
take_id(const struct http_request *r, char *where, size_t size,
    char id[SESSION_ID_LEN + 1])
{
	const struct http_slice *s = &r->segments[2];
	bool is_id = r->nsegments > 2 && http_segment_is(r, 1, "sessions") &&
	    session_id_is_valid(s->p, s->len);

	if (!is_id) {
		strlcpy(where, r->path + strlen("/api"), size);
	} else {
		memcpy(id, s->p, SESSION_ID_LEN);
		id[SESSION_ID_LEN] = '\0';
		snprintf(where, size, "/sessions/ID%s",
		    s->p + SESSION_ID_LEN);
	}
	return is_id;
}

static void
serve_api(struct http_request *r)
{
	char id[SESSION_ID_LEN + 1] = "", where[64], allow[16] = "";
	const struct api_route *a;
	struct person p;
	bool has_id = take_id(r, where, sizeof where, id);

	for (a = api_routes; a < api_routes + API_ROUTES; a++) {
		if (where[0] != '/' || strcmp(where + 1, a->where) != 0)
			continue;
		if (a->method == r->method)
			break;
		if (allow[0] != '\0')
			strlcat(allow, ", ", sizeof allow);
		strlcat(allow, a->method == HTTP_GET ? "GET" :
		    a->method == HTTP_POST ? "POST" : "DELETE", sizeof allow);
	}
	if (a == api_routes + API_ROUTES) {
		if (allow[0] != '\0')
			refuse_method(r, allow);
		else
			server_error(r, 404, !has_id && r->nsegments > 2 ?
			    "no such session" : "no such route");
		return;
	}
	if (a->role == ROLE_NONE || access_permit(r, has_id ? id : NULL,
	    a->role, a->link, a->audit, &p))
		a->serve(r, id);
}

/* ---- files ---- */

/* Read a policy into csp, as one line.  1, 0 if there is no such file, or -1. */
static int
read_csp(int webdir, const char *name, char csp[SERVER_CSP_MAX])
{
	struct buf b = BUF_INIT(SERVER_CSP_MAX - 1);
	size_t i;
	ssize_t n;
	int fd;

	fd = openat(webdir, name, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT || errno == ENAMETOOLONG ? 0 : -1;
	n = buf_read(&b, fd, SERVER_CSP_MAX - 1);
	close(fd);
	if (n == -1)
		return -1;
	for (i = 0; i < (size_t)n; i++)
		csp[i] = b.data[i] < ' ' || b.data[i] > '~' ? ' ' :
		    (char)b.data[i];
	while (i > 0 && csp[i - 1] == ' ')
		i--;
	csp[i] = '\0';
	buf_release(&b);
	return 1;
}

int
server_read_csp(struct server *s)
{
	/* Pages that share their origin with recordings have one. */
	strlcpy(s->csp, s->routes == NULL ? "" : default_csp, sizeof s->csp);
	return read_csp(s->webdir, "csp.txt", s->csp) == -1 ? -1 : 0;
}

/* The policy of a page is in PAGE.csp, or it is that of all.  0 or -1. */
static int
page_csp(const struct server *s, const char *name, char csp[SERVER_CSP_MAX])
{
	char beside[NAME_MAX + 1];
	size_t n = strlen(name);

	strlcpy(csp, s->csp, SERVER_CSP_MAX);
	if (s->webdir == -1 || strchr(name, '/') != NULL || n < 5 ||
	    strcmp(name + n - 5, ".html") != 0 ||
	    (size_t)snprintf(beside, sizeof beside, "%s.csp", name) >=
	    sizeof beside)
		return 0;
	return read_csp(s->webdir, beside, csp) == -1 ? -1 : 0;
}

static void
serve_file(struct http_request *r)
{
	struct server *s = r->arg;
	char csp[SERVER_CSP_MAX];
	struct http_header headers[] = {
		{ "Cross-Origin-Opener-Policy", "same-origin" },
		{ NULL, csp },
		{ NULL, NULL },
	};
	const char *name = r->path + 1;

	if (r->method != HTTP_GET && r->method != HTTP_HEAD) {
		refuse_method(r, "GET, HEAD");
		return;
	}
	if (*name == '\0')
		name = "index.html";
	if (page_csp(s, name, csp) == -1) {
		server_error(r, 500, "cannot read that page's policy");
		return;
	}
	if (csp[0] != '\0')
		headers[1].name = "Content-Security-Policy";
	if (s->webdir == -1 || !http_reply_file(r, s->webdir, name,
	    "no-cache", headers))
		server_error(r, 404, "no such page");
}

/* ---- http_program ---- */

void
server_begin(struct http_request *r)
{
	if (!access_check(r->arg, r))
		return;
	if (http_is_crowded(r)) {
		server_error_with(r, 429, "too many requests at a time from "
		    "this address", "Retry-After", RETRY_AFTER);
		return;
	}
	if (r->length > BODY_MAX)
		server_error(r, 413, "no body is wanted");
}

void
server_body(struct http_request *r, const void *bytes, size_t n)
{
	(void)r;
	(void)bytes;
	(void)n;
}

void
server_end(struct http_request *r)
{
	struct server *s = r->arg;

	if (r->path[0] != '/')
		server_error(r, 400, "no such path");
	else if (http_segment_is(r, 0, "health"))
		health_start(r);
	else if (!http_segment_is(r, 0, "api"))
		serve_file(r);
	else if (s->routes == NULL)
		server_error(r, 404, "this server has no routes");
	else
		serve_api(r);
}

void
server_done(struct http_request *r)
{
	struct server *s = r->arg;
	struct patron *p = r->state;

	if (p == NULL)
		return;
	loop_unwatch(s->loop, &p->socket);
	p->done(p);
}
