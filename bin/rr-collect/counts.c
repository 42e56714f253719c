#include "counts.h"

#include <string.h>

#include "post.h"

#define C(i, n, l, h)	[i] = { "rrpipe_collect_" n, h, METRIC_COUNTER, l, 0 }
#define G(i, n, l, h)	[i] = { "rrpipe_collect_" n, h, METRIC_GAUGE, l, 0 }

static struct metric counts[COUNTS] = {
	C(COUNT_OPENED, "opened_total", NULL, "Sessions opened"),
	C(COUNT_UNSAMPLED, "unsampled_total", NULL,
	    "Sessions not opened, being outside of their key's share"),
	C(COUNT_STOPPED, "stopped_total", NULL,
	    "Sessions stopped by their recorder"),
	C(COUNT_ACCEPTED, "batches_total", "result=\"accepted\"",
	    "Batches that became durable, or were so already"),
	C(COUNT_REPEATED, "batches_total", "result=\"repeated\"", ""),
	C(COUNT_EVENTS, "events_total", NULL, "Events that became durable"),
	C(COUNT_GAP_LOST, "gaps_total", "cause=\"lost\"",
	    "Gaps that became durable"),
	C(COUNT_GAP_OVERFLOW, "gaps_total", "cause=\"overflow\"", ""),
	C(COUNT_GAP_PRIVACY, "gaps_total", "cause=\"privacy\"", ""),
	C(COUNT_GAP_FILTER, "gaps_total", "cause=\"filter\"", ""),
	C(COUNT_WIRE, "received_bytes_total", "form=\"wire\"",
	    "Bytes of bodies"),
	C(COUNT_UNPACKED, "received_bytes_total", "form=\"unpacked\"", ""),
	G(COUNT_KNOWN, "sessions", "state=\"known\"",
	    "Sessions remembered, and of them those heard of in the last "
	    "minute"),
	G(COUNT_LIVE, "sessions", "state=\"live\"", ""),
	G(COUNT_CONNECTIONS, "connections", NULL, "Connections"),
	G(COUNT_REQUESTS, "waiting_requests", NULL,
	    "Requests that are being received or answered"),
	G(COUNT_UNITS, "waiting_units", NULL,
	    "Units in the ring that S2 has not answered"),
	G(COUNT_QUEUE, "waiting_bytes", "where=\"pipe\"",
	    "Bytes that wait for the pipe, and of bodies being received"),
	G(COUNT_BODIES, "waiting_bytes", "where=\"bodies\"", ""),
	G(COUNT_READY, "ready", NULL,
	    "1 if S2 answers and takes what is appended"),
};

#undef C
#undef G

static struct histogram acks = {
	.name = "rrpipe_collect_ack_seconds",
	.help = "Time from a batch's going into the ring to its being durable",
};

#define R(v, r, l)							\
	{ VERDICT_##v, REASON_##r, { "rrpipe_collect_refused_total",	\
	    "Requests refused", METRIC_COUNTER, l, 0 } }

static struct refusal {
	enum verdict_code verdict;
	enum reason reason;
	struct metric metric;
} refusals[] = {
	R(CLOSED, EXPIRED, "verdict=\"closed\",reason=\"expired\""),
	R(CLOSED, FENCED, "verdict=\"closed\",reason=\"fenced\""),
	R(GONE, DELETED, "verdict=\"gone\",reason=\"deleted\""),
	R(BIG, LENGTH, "verdict=\"big\",reason=\"length\""),
	R(BIG, BODY, "verdict=\"big\",reason=\"body\""),
	R(BAD, ROUTE, "verdict=\"bad\",reason=\"route\""),
	R(BAD, QUERY, "verdict=\"bad\",reason=\"query\""),
	R(BAD, GZIP, "verdict=\"bad\",reason=\"gzip\""),
	R(BAD, BODY, "verdict=\"bad\",reason=\"body\""),
	R(BAD, STORAGE, "verdict=\"bad\",reason=\"storage\""),
	R(DENIED, KEY, "verdict=\"denied\",reason=\"key\""),
	R(DENIED, TOKEN, "verdict=\"denied\",reason=\"token\""),
	R(DENIED, ORIGIN, "verdict=\"denied\",reason=\"origin\""),
	R(DENIED, BOT, "verdict=\"denied\",reason=\"bot\""),
	R(SLOW, ADDRESS_RATE, "verdict=\"slow\",reason=\"address_rate\""),
	R(SLOW, KEY_RATE, "verdict=\"slow\",reason=\"key_rate\""),
	R(SLOW, FILTER, "verdict=\"slow\",reason=\"filter\""),
	R(AWAY, MEMORY, "verdict=\"away\",reason=\"memory\""),
	R(AWAY, FULL, "verdict=\"away\",reason=\"full\""),
	R(AWAY, FILTER, "verdict=\"away\",reason=\"filter\""),
	R(AWAY, EARLY, "verdict=\"away\",reason=\"early\""),
	R(AWAY, STORAGE, "verdict=\"away\",reason=\"storage\""),
	/* What is none of these. */
	R(AWAY, OTHER, "verdict=\"other\",reason=\"other\""),
};

#undef R

#define REFUSALS	(sizeof(refusals) / sizeof(refusals[0]))

/* ---- S2, as s2-append tells of it ---- */

#define S(k, s)	{ k, s, { "rrpipe_s2_calls_total",			\
	    "Answers of S2 by the kind of call and their status",	\
	    METRIC_COUNTER, "kind=\"" k "\",status=\"" s "\"", 0 } }
#define KIND(k)								\
	S(k, "200"), S(k, "401"), S(k, "403"), S(k, "404"),		\
	S(k, "409"), S(k, "412"), S(k, "416"), S(k, "429"),		\
	S(k, "4xx"), S(k, "5xx"), S(k, "none")
#define O(k, n, t, h)	{ k, NULL, { "rrpipe_s2_" n, h, t, NULL, 0 } }

static struct stat_metric {
	const char *key;	/* in the directive, or its call= */
	const char *status;	/* its status=; NULL: it is no call */
	struct metric metric;
} stats[] = {
	KIND("append"), KIND("create"), KIND("tail"), KIND("read"),
	O("retries", "retries_total", METRIC_COUNTER,
	    "Calls that failed and are made again"),
	O("records", "stored_records_total", METRIC_COUNTER,
	    "Records that S2 acknowledged"),
	O("bytes", "stored_bytes_total", METRIC_COUNTER,
	    "Metered bytes of those"),
	O("queued", "queued_pieces", METRIC_GAUGE,
	    "Appends and other calls that wait in s2-append"),
	O("queued-bytes", "queued_bytes", METRIC_GAUGE, "Bytes of those"),
};

#undef S
#undef KIND
#undef O

#define STATS	(sizeof(stats) / sizeof(stats[0]))

static const char *trouble = "S2 does not answer";

/* What the calls of a kind with a status came to. */
static void
take_calls(struct metric *m, const char *status, uint64_t n)
{
	if (n == m->value)
		return;
	m->value = n;
	if (strcmp(status, "none") == 0)
		trouble = "S2 does not answer";
	else if (strcmp(status, "5xx") == 0)
		trouble = "S2 answers with errors (5xx)";
	else if (strcmp(status, "429") == 0)
		trouble = "S2 asks for less (429)";
}

void
count_stat(const struct directive *d)
{
	char call[16], status[8];
	struct stat_metric *s;
	const char *why;
	uint64_t n;
	bool is_call = directive_value(d, "call", call, sizeof(call),
	    &why) > 0 && directive_value(d, "status", status, sizeof(status),
	    &why) > 0;

	for (s = stats; s < stats + STATS; s++) {
		if (!is_call && s->status == NULL && directive_number(d,
		    s->key, UINT64_MAX, &n, &why) == 1)
			s->metric.value = n;
		else if (is_call && s->status != NULL && strcmp(s->key,
		    call) == 0 && strcmp(s->status, status) == 0 &&
		    directive_number(d, "calls", UINT64_MAX, &n, &why) == 1)
			take_calls(&s->metric, status, n);
	}
}

const char *
count_trouble(void)
{
	return trouble;
}

/* ---- counting ---- */

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
count_refused(int verdict, enum reason reason)
{
	struct refusal *r = refusals;

	while (r < refusals + REFUSALS - 1 &&
	    ((int)r->verdict != verdict || r->reason != reason))
		r++;
	r->metric.value++;
}

void
count_gap(const char *cause)
{
	if (strcmp(cause, "overflow") == 0)
		counts[COUNT_GAP_OVERFLOW].value++;
	else if (strcmp(cause, "privacy") == 0)
		counts[COUNT_GAP_PRIVACY].value++;
	else if (strcmp(cause, "filter") == 0)
		counts[COUNT_GAP_FILTER].value++;
	else
		counts[COUNT_GAP_LOST].value++;
}

void
count_ack(uint64_t ms)
{
	histogram_add(&acks, ms);
}

int
counts_write(struct buf *b)
{
	if (metrics_write(b, counts, COUNTS, sizeof(counts[0])) == -1 ||
	    histogram_write(b, &acks) == -1 ||
	    metrics_write(b, &refusals[0].metric, REFUSALS,
	    sizeof(refusals[0])) == -1)
		return -1;
	return metrics_write(b, &stats[0].metric, STATS, sizeof(stats[0]));
}
