/*
 * GET /api/sessions/ID/live: a viewer of the hub's.
 */
#include <sys/socket.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "exits.h"
#include "log.h"
#include "server.h"

#define ACK_MS	60000	/* a client that acknowledges nothing is dead */
#define UNSENT_MAX	(128 << 10)	/* bytes the kernel keeps for one */

struct live {
	struct patron patron;
	struct viewer viewer;
};

static ssize_t
live_fill(struct http_request *r, char *p, size_t max)
{
	struct live *l = r->state;
	ssize_t n;

	if (l->viewer.channel == NULL)
		return HTTP_ABORT;
	n = viewer_fill(&l->viewer, p, max);
	return n == 0 ? HTTP_SLEEP : n == -1 ? HTTP_END :
	    n == -2 ? HTTP_ABORT : n;
}

static void
live_begin(void *arg, int status)
{
	static const struct http_header headers[] = {
		{ "Cache-Control", "no-store" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
		{ "X-Accel-Buffering", "no" },	/* nginx: pass it on at once */
		{ NULL, NULL },
	};
	struct live *l = arg;

	if (status == EXIT_OK)
		http_reply_stream(l->patron.request, 200,
		    "text/event-stream; charset=utf-8", headers, live_fill);
	else
		server_command_error(l->patron.request, status);
}

static void
live_wake(void *arg)
{
	struct live *l = arg;

	/* It does not read, so it would not be asked for more either. */
	if (l->viewer.cut)
		shutdown(http_socket(l->patron.request), SHUT_RDWR);
	http_wake(l->patron.request);
}

static void
live_left(struct patron *p)
{
	struct live *l = (struct live *)p;

	hub_leave(&l->viewer);
	if (l->viewer.begun)
		http_wake(p->request);
	else
		server_busy(p->request, "you left");
}

static void
live_done(struct patron *p)
{
	struct live *l = (struct live *)p;

	hub_leave(&l->viewer);
	free(l);
}

void
live_start(struct http_request *r, const char *id, uint64_t from)
{
	static const unsigned ack = ACK_MS, unsent = UNSENT_MAX;
	struct server *s = r->arg;
	struct live *l;

	if ((l = calloc(1, sizeof *l)) == NULL) {
		server_busy(r, "no memory");
		return;
	}
	l->viewer.begin = live_begin;
	l->viewer.wake = live_wake;
	l->viewer.arg = l;
	patron_init(&l->patron, r, live_left, live_done);
	/* Not on a socket file, where none is needed. */
	setsockopt(http_socket(r), IPPROTO_TCP, TCP_USER_TIMEOUT, &ack,
	    sizeof ack);
	setsockopt(http_socket(r), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent,
	    sizeof unsent);
	if (hub_join(s->hub, &l->viewer, id, from) == 0)
		return;
	if (errno == EBUSY) {
		server_busy(r, "too many viewers or watched sessions");
		return;
	}
	if (errno == EIDRM) {
		server_command_error(r, EXIT_MISSING);
		return;
	}
	log_err("cannot start '%s/live': %s", s->routes, strerror(errno));
	server_error(r, 500, "the live pipeline cannot be started; see the "
	    "log");
}
