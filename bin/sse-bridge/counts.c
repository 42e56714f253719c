#include "counts.h"

#include <string.h>

#define C(i, n, l, h)	[i] = { "rrpipe_view_" n, h, METRIC_COUNTER, l, 0 }
#define G(i, n, l, h)	[i] = { "rrpipe_view_" n, h, METRIC_GAUGE, l, 0 }

static struct metric counts[COUNTS] = {
	C(COUNT_JOINED, "joined_total", NULL, "Viewers that began to watch"),
	C(COUNT_CUT, "behind_total", "how=\"cut\"",
	    "Viewers that fell behind and are to fetch what they lack"),
	C(COUNT_RESYNC, "behind_total", "how=\"told\"", ""),
	C(COUNT_MADE, "messages_total", NULL, "Messages made of live lines"),
	C(COUNT_SENT, "sent_messages_total", NULL,
	    "Messages sent, to each viewer"),
	C(COUNT_SENT_BYTES, "sent_bytes_total", NULL,
	    "Bytes sent to viewers"),
	C(COUNT_STARTS, "pipeline_starts_total", NULL,
	    "Starts of live pipelines"),
	C(COUNT_RESTARTS, "pipeline_restarts_total", NULL,
	    "Of those, since one broke"),
	G(COUNT_VIEWERS, "viewers", NULL, "Viewers"),
	G(COUNT_WATCHED, "watched_sessions", NULL,
	    "Sessions that have viewers"),
	G(COUNT_PIPELINES, "pipelines", NULL, "Live pipelines that run"),
	G(COUNT_RING, "ring_bytes", NULL, "Bytes of messages kept"),
	G(COUNT_CONNECTIONS, "connections", NULL, "Connections"),
	G(COUNT_RUNNING, "commands_running", NULL,
	    "Commands of routes that run"),
	G(COUNT_WAITING, "commands_waiting", NULL,
	    "Requests that wait for theirs to start"),
	G(COUNT_READY, "ready", NULL,
	    "1 if S2 answered when it was asked last"),
};

#undef C
#undef G

#define R(r)								\
	{ r, true, { "rrpipe_view_commands_total",			\
	    "Commands of routes that have ended", METRIC_COUNTER,	\
	    "route=\"" r "\",result=\"ok\"", 0 } },			\
	{ r, false, { "rrpipe_view_commands_total", "", METRIC_COUNTER,	\
	    "route=\"" r "\",result=\"failed\"", 0 } }

static struct command {
	const char *route;
	bool ok;
	struct metric metric;
} commands[] = {
	R("list"), R("show"), R("lines"), R("live"), R("stop"), R("delete"),
	R("export"), R("ready"),
	R("other"),		/* the last */
};

#undef R

#define COMMANDS	(sizeof commands / sizeof commands[0])

#define S(s, l)								\
	{ s, { "rrpipe_view_refused_total",				\
	    "Requests refused, or failed, by status", METRIC_COUNTER,	\
	    "status=\"" l "\"", 0 } }

static struct refusal {
	unsigned status;
	struct metric metric;
} refusals[] = {
	S(400, "400"), S(401, "401"), S(403, "403"), S(404, "404"),
	S(405, "405"), S(413, "413"), S(421, "421"), S(429, "429"),
	S(500, "500"), S(503, "503"),
	S(0, "other"),		/* the last */
};

#undef S

#define REFUSALS	(sizeof refusals / sizeof refusals[0])

void
count_add(enum count i, uint64_t n)
{
	counts[i].value += n;
}

void
count_set(enum count i, uint64_t n)
{
	counts[i].value = n;
}

void
count_command(const char *route, bool ok)
{
	struct command *c = commands;

	while (c < commands + COMMANDS - 2 && strcmp(c->route, route) != 0)
		c += 2;
	c[ok ? 0 : 1].metric.value++;
}

void
count_refused(unsigned status)
{
	struct refusal *r = refusals;

	while (r < refusals + REFUSALS - 1 && r->status != status)
		r++;
	r->metric.value++;
}

int
counts_write(struct buf *b)
{
	if (metrics_write(b, counts, COUNTS, sizeof counts[0]) == -1 ||
	    metrics_write(b, &commands[0].metric, COMMANDS,
	    sizeof commands[0]) == -1)
		return -1;
	return metrics_write(b, &refusals[0].metric, REFUSALS,
	    sizeof refusals[0]);
}
