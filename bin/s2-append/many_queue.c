/* Many streams: which there are, and the units queued for each. */
#include "log.h"
#include "many.h"

#define STREAM_BYTES	(8u << 20)	/* queued of one stream: it is full */
#define STREAM_PIECES	1024
#define PIECE_COST	sizeof(struct piece)	/* beside its bytes */

/* ---- Streams ---- */

/* FNV-1a. */
static uint32_t
hash_name(const char *s, size_t n)
{
	uint32_t h = 2166136261u;
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 16777619u;
	return h ^ h >> 15;
}

struct stream *
stream_get(const char *name, size_t n)
{
	uint32_t h = hash_name(name, n);
	struct stream **bucket = &many.table[h % BUCKETS], *st;

	for (st = *bucket; st != NULL; st = st->next)
		if (st->hash == h && st->len == n &&
		    memcmp(st->name, name, n) == 0)
			return st;
	st = many_alloc(sizeof *st + n + 1);
	st->hash = h;
	st->conn = &many.conns[h / BUCKETS % many.opt->conns];
	st->len = n;
	memcpy(st->name, name, n);
	TAILQ_INIT(&st->queue);
	st->next = *bucket;
	*bucket = st;
	return st;
}

void
stream_forget(struct stream *st)
{
	struct stream **p = &many.table[st->hash % BUCKETS];

	while (*p != st)
		p = &(*p)->next;
	*p = st->next;
	free(st);
}

void
stream_set_state(struct stream *st, enum state state)
{
	switch (st->state) {
	case READY:
		TAILQ_REMOVE(&many.ready, st, entry);
		break;
	case WAITING:
		TAILQ_REMOVE(&st->conn->waiting, st, entry);
		break;
	case BACKOFF:
		TAILQ_REMOVE(&many.backoff, st, entry);
		break;
	case IDLE:
	case BUSY:
	case CREATING:
	case PROBING:
		break;
	}
	st->state = state;
	switch (state) {
	case READY:
		TAILQ_INSERT_TAIL(&many.ready, st, entry);
		break;
	case WAITING:
		TAILQ_INSERT_TAIL(&st->conn->waiting, st, entry);
		break;
	case BACKOFF:
		TAILQ_INSERT_TAIL(&many.backoff, st, entry);
		break;
	case IDLE:
	case BUSY:
	case CREATING:
	case PROBING:
		break;
	}
}

/* ---- Units and pieces ---- */

/* Its last piece is done with: say what came of it. */
static void
unit_end(struct unit *u)
{
	const char *token = u->has_token ? u->token : "-";
	size_t len = u->has_token ? u->len : 1;

	if (u->failed) {
		out_nak(token, len, u->reason, u->status, u->extra);
		if (!u->has_token && many.status == EXIT_OK)
			many.status = u->exit;
	} else if (u->has_token || many.opt->verbose) {
		out_ack(token, len, u->seq, u->count, u->time);
	}
	free(u);
}

void
unit_fail(struct unit *u, const char *reason, const struct s2_error *e)
{
	if (u->failed)
		return;
	u->failed = true;
	u->reason = reason;
	u->exit = EXIT_TRYAGAIN;
	if (e != NULL) {
		u->status = e->status;
		u->exit = nak_exit(e);
		nak_extra(e, u->extra, sizeof u->extra);
		log_info("%s", e->text);
	}
}

static void
piece_free(struct piece *p)
{
	run_release(&p->run);
	free(p->config);
	free(p);
}

void
piece_drop(struct piece *p)
{
	struct stream *st = p->stream;
	size_t cost = p->run.bytes.cap + PIECE_COST;

	TAILQ_REMOVE(&st->queue, p, queue);
	TAILQ_REMOVE(&many.ages, p, age);
	st->pieces--;
	st->bytes -= cost;
	many.pieces--;
	many.bytes -= cost;
	if (p->last)
		unit_end(p->unit);
	piece_free(p);
}

void
piece_queue(struct piece *p, const char *name, size_t name_len, bool last)
{
	size_t cost = p->run.bytes.cap + PIECE_COST;
	struct unit *u = p->unit;
	struct stream *st = NULL;

	p->last = last;
	if (!u->failed) {
		st = stream_get(name, name_len);
		/* What has begun goes on: else none could be larger. */
		if (!u->begun && (st->bytes + cost > STREAM_BYTES ||
		    st->pieces >= STREAM_PIECES))
			unit_fail(u, "full", NULL);
	}
	u->begun = true;
	if (u->failed) {
		if (last)
			unit_end(u);
		piece_free(p);
		return;
	}
	p->stream = st;
	p->deadline = s2_now() + many.opt->patience;
	TAILQ_INSERT_TAIL(&st->queue, p, queue);
	TAILQ_INSERT_TAIL(&many.ages, p, age);
	st->pieces++;
	st->bytes += cost;
	many.pieces++;
	many.bytes += cost;
	if (st->state == IDLE)
		stream_set_state(st, READY);
}
