/*
 * GET /health/ready: whether S2 answers, as ROUTES/ready says, which takes no
 * longer than 2 seconds.  One command runs at a time, for all who ask, and
 * that S2 was there in the last 2 seconds will do.
 */
#include <sys/epoll.h>

#include <errno.h>
#include <unistd.h>

#include "counts.h"
#include "exits.h"
#include "log.h"
#include "server.h"

#define PROOF_MS	2000
#define RETRY_AFTER	"2"	/* s */

struct waiter {
	struct patron patron;
	TAILQ_ENTRY(waiter) link;
	bool answered;
};

struct health {
	const struct server *server;
	struct child child;
	struct watch exit;
	bool running;
	bool failed;		/* the last one */
	uint64_t proof;		/* ms: when S2 answered last; 0: never */
	TAILQ_HEAD(, waiter) waiting;
};

/* NULL, or why S2 is not ready, good until the next call. */
static const char *
reason(int status)
{
	static char text[64];

	switch (status) {
	case EXIT_OK:
		return NULL;
	case EXIT_MISSING:
		return "the basin is missing";
	case EXIT_DENIED:
		return "S2 denies us";
	case EXIT_TRYAGAIN:
		return "S2 does not answer";
	default:
		snprintf(text, sizeof text, "the command 'ready' ended with "
		    "status %d", status);
		return text;
	}
}

static void
reply(struct http_request *r, const char *why)
{
	const struct http_header headers[] = {
		server_api_headers[0],
		{ why == NULL ? NULL : "Retry-After", RETRY_AFTER },
		{ NULL, NULL },
	};
	char body[128];
	int n = why == NULL ? snprintf(body, sizeof body,
	    "{\"ready\":true}\n") : snprintf(body, sizeof body,
	    "{\"ready\":false,\"reason\":\"%s\"}\n", why);

	http_reply(r, why == NULL ? 200 : 503, "application/json", body,
	    (size_t)n, headers);
}

/* Tell all who wait. */
static void
settle(struct health *h, int status)
{
	struct waiter *w;

	h->failed = status != EXIT_OK;
	if (!h->failed)
		h->proof = loop_now();
	while ((w = TAILQ_FIRST(&h->waiting)) != NULL) {
		TAILQ_REMOVE(&h->waiting, w, link);
		w->answered = true;
		reply(w->patron.request, reason(status));
	}
}

static void
exit_ready(void *arg, uint32_t events)
{
	struct health *h = arg;
	int status;

	(void)events;
	loop_unwatch(h->server->loop, &h->exit);
	if (child_reap(&h->child, &status) != 1)
		status = EXIT_OTHER;
	h->running = false;
	count_command("ready", status == EXIT_OK);
	settle(h, status);
}

void
health_ask(struct health *h)
{
	char path[1024];
	char *const argv[] = { path, NULL };

	if (h->running || h->server->routes == NULL)
		return;
	snprintf(path, sizeof path, "%s/ready", h->server->routes);
	if (child_start(&h->child, argv, 0) == -1 || loop_watch(
	    h->server->loop, &h->exit, h->child.pidfd, EPOLLIN) == -1) {
		log_err("cannot start '%s': %s", path, strerror(errno));
		reaper_take(h->server->reaper, &h->child);
		settle(h, EXIT_OTHER);
		return;
	}
	h->running = true;
}

static void
waiter_left(struct patron *p)
{
	struct waiter *w = (struct waiter *)p;
	struct health *h = ((struct server *)p->request->arg)->health;

	if (w->answered)
		return;
	TAILQ_REMOVE(&h->waiting, w, link);
	w->answered = true;
	server_busy(p->request, "you left");
}

static void
waiter_done(struct patron *p)
{
	struct waiter *w = (struct waiter *)p;
	struct health *h = ((struct server *)p->request->arg)->health;

	if (!w->answered)
		TAILQ_REMOVE(&h->waiting, w, link);
	free(w);
}

static bool
has_proof(const struct health *h)
{
	return h->proof != 0 && loop_now() - h->proof <= PROOF_MS;
}

void
health_start(struct http_request *r)
{
	static const char live[] = "live\n";
	struct health *h = ((struct server *)r->arg)->health;
	struct waiter *w;

	if (r->nsegments == 2 && http_segment_is(r, 1, "live")) {
		http_reply(r, 200, "text/plain; charset=utf-8", live,
		    sizeof live - 1, server_api_headers);
		return;
	}
	if (r->nsegments != 2 || !http_segment_is(r, 1, "ready")) {
		server_error(r, 404, "no such route");
		return;
	}
	if (h->server->routes == NULL || has_proof(h)) {
		reply(r, NULL);
		return;
	}
	if ((w = calloc(1, sizeof *w)) == NULL) {
		server_busy(r, "no memory");
		return;
	}
	TAILQ_INSERT_TAIL(&h->waiting, w, link);
	patron_init(&w->patron, r, waiter_left, waiter_done);
	health_ask(h);
}

bool
health_is_good(const struct health *h)
{
	return !h->failed;
}

struct health *
health_new(const struct server *s)
{
	struct health *h;

	if ((h = calloc(1, sizeof *h)) == NULL)
		return NULL;
	h->server = s;
	h->child = (struct child)CHILD_INIT;
	h->exit = (struct watch)WATCH_INIT(exit_ready, h);
	TAILQ_INIT(&h->waiting);
	return h;
}

void
health_free(struct health *h)
{
	loop_unwatch(h->server->loop, &h->exit);
	reaper_take(h->server->reaper, &h->child);
	free(h);
}
