/*
 * Many streams: the input, and whose turn it is.
 */
#include "exits.h"
#include "log.h"
#include "many.h"
#include "tally.h"

#define PIECES_MAX	8192	/* queued, of all streams */
#define TOTAL_MAX	(64u << 20)	/* bytes of them: no input is read */
#define CROWD		128	/* pieces; see crowded() */
#define TICK		20	/* ms between looks at what may be overdue */
#define UNREAD		2000	/* ms to finish what nobody will hear of */

struct many many;

void *
many_alloc(size_t n)
{
	void *p = calloc(1, n);

	if (p == NULL)
		log_die(EXIT_OTHER, "out of memory");
	return p;
}

/* ---- What to do next ---- */

/* See to a stream that is READY. */
static void
see_to(struct stream *st)
{
	struct piece *p;

	while ((p = TAILQ_FIRST(&st->queue)) != NULL) {
		if (p->unit->failed && p->doubtful) {
			send_probe(st);
			return;
		} else if (p->unit->failed) {
			piece_drop(p);
		} else if (p->create) {
			send_create(st);
			return;
		} else if (p->probe) {
			send_probe(st);
			return;
		} else if (p->run.records > 0) {
			send_append(st);
			return;
		} else {
			piece_drop(p);	/* a token alone */
		}
	}
	stream_set_state(st, IDLE);
	if (st->slot == NULL)
		stream_forget(st);
}

/* Its time is up.  What is under way for it is broken off. */
static void
expire(struct piece *p)
{
	struct stream *st = p->stream;

	if (p == TAILQ_FIRST(&st->queue))
		send_break_off(st);
	unit_fail(p->unit, "unavailable", NULL);
	if (p->doubtful)
		p->unit->reason = "unavailable";
	piece_drop(p);
	if (st->pieces == 0 && (st->state == BACKOFF || st->state == WAITING))
		stream_set_state(st, READY);
}

static void
look_for_overdue(int64_t now)
{
	struct stream *st, *next;
	unsigned i;

	many.tick = now + TICK;
	for (st = TAILQ_FIRST(&many.backoff); st != NULL; st = next) {
		next = TAILQ_NEXT(st, entry);
		if (st->due <= now)
			stream_set_state(st, READY);
	}
	for (i = 0; i < many.opt->conns; i++) {
		send_check(&many.conns[i], now);
		send_close_idle(&many.conns[i], now);
	}
}

static void
many_run(void)
{
	int64_t now = s2_now();
	struct stream *st;
	struct piece *p;
	unsigned i;

	while ((p = TAILQ_FIRST(&many.ages)) != NULL && p->deadline <= now)
		expire(p);
	if (now >= many.tick)
		look_for_overdue(now);
	for (i = 0; i < many.opt->conns; i++) {
		if (TAILQ_EMPTY(&many.conns[i].waiting))
			continue;
		send_close_idle(&many.conns[i], now);
		while (!TAILQ_EMPTY(&many.conns[i].free) &&
		    (st = TAILQ_FIRST(&many.conns[i].waiting)) != NULL) {
			stream_set_state(st, READY);
			see_to(st);
		}
	}
	/* With much to be written nothing new is begun. */
	while (buf_size(&out) < OUT_ENOUGH &&
	    (st = TAILQ_FIRST(&many.ready)) != NULL)
		see_to(st);
	tally_tell(now, many.ended && many.pieces == 0);
}

static unsigned
sessions(void)
{
	unsigned i, n = 0;

	for (i = 0; i < many.opt->conns; i++)
		n += many.conns[i].sessions;
	return n;
}

static int
many_timeout(void)
{
	int64_t left, now = s2_now();

	if (!TAILQ_EMPTY(&many.ready) && buf_size(&out) < OUT_ENOUGH)
		return 0;
	if (many.pieces == 0)
		return sessions() > 0 ? IDLE_MAX / 4 : tally_tell(now, false);
	left = many.tick - now;
	return left < 0 ? 0 : (int)left;
}

static bool
many_hungry(void)
{
	return many.pieces < PIECES_MAX && many.bytes < TOTAL_MAX;
}

static bool
many_finished(int *status)
{
	*status = many.status;
	return many.ended && many.pieces == 0;
}

/* ---- The input ---- */

static struct unit *
open_unit(void)
{
	if (many.unit == NULL)
		many.unit = many_alloc(sizeof *many.unit);
	return many.unit;
}

static struct piece *
new_piece(void)
{
	struct piece *p = many_alloc(sizeof *p);

	p->unit = open_unit();
	p->create = many.create;
	p->config = many.config;
	many.create = false;
	many.config = NULL;
	p->has_match = many.has_match;
	p->match = many.match;
	p->has_fence = many.has_fence;
	p->fence_len = many.fence_len;
	memcpy(p->fence, many.fence, many.fence_len);
	return p;
}

/* Queue what was read of the open unit; it ends here or goes on. */
static void
cut(bool last)
{
	struct piece *p = many.current;

	many.current = NULL;
	if (p == NULL && (!last || many.unit == NULL))
		return;
	if (p == NULL)
		p = new_piece();
	if (last)
		many.unit = NULL;
	many.match += p->run.records;
	piece_queue(p, many.name, many.name_len, last);
}

static void
forget_create(void)
{
	many.create = false;
	free(many.config);
	many.config = NULL;
}

static int
take_stream(const struct pb_field *f, const char **why)
{
	cut(true);
	if (!s2_stream_is_valid((const char *)f->bytes, f->len)) {
		*why = "a stream's name is not 1 to 512 bytes of UTF-8, or is "
		    "'.' or '..'";
		return -1;
	}
	many.name_len = f->len;
	memcpy(many.name, f->bytes, f->len);
	many.has_match = many.has_fence = false;
	forget_create();
	return 0;
}

static int
take_record(const struct pb_field *f, size_t size, const char **why)
{
	struct weight w;

	if (run_weigh(f, size, &w, why) == -1)
		return -1;
	if (many.current != NULL && !run_fits(&many.current->run, &w))
		cut(false);
	if (many.current == NULL)
		many.current = new_piece();
	if (run_add(&many.current->run, f, &w) == -1)
		log_die(EXIT_OTHER, "out of memory");
	return 0;
}

static int
take_token(const struct pb_field *f, bool probe, const char **why)
{
	struct unit *u;

	if (f->len < 1 || f->len > RECORD_TOKEN_MAX) {
		*why = "a token is not 1 to 64 bytes long";
		return -1;
	}
	if (probe)
		cut(true);	/* what has no token of its own */
	u = open_unit();
	u->has_token = true;
	u->len = f->len;
	memcpy(u->token, f->bytes, f->len);
	if (probe) {
		many.current = new_piece();
		many.current->probe = true;
	}
	cut(true);
	return 0;
}

static int
take_create(const struct pb_field *f, const char **why)
{
	cut(false);
	if (f->len > RECORD_JSON_MAX) {
		*why = "a stream's configuration is too long";
		return -1;
	}
	forget_create();
	many.create = true;
	if (f->len > 0) {
		many.config = many_alloc(f->len + 1);
		memcpy(many.config, f->bytes, f->len);
	}
	return 0;
}

static int
take_fence(const struct pb_field *f, const char **why)
{
	cut(false);
	if (f->len > S2_FENCE_MAX) {
		*why = "a fencing token is longer than 36 bytes";
		return -1;
	}
	many.has_fence = true;
	many.fence_len = f->len;
	memcpy(many.fence, f->bytes, f->len);
	return 0;
}

static int
many_field(const struct pb_field *f, size_t size, const char **why)
{
	bool ours = f->no <= PIPE_FENCE ||
	    (f->no >= PIPE_STREAM && f->no <= PIPE_PROBE);

	if (!ours)
		return 0;
	if (f->wire != (f->no == PIPE_MATCH ? PB_VARINT : PB_LEN)) {
		*why = "a field is not of its type; is this input from "
		    "s2-tail? To copy, use rr-reassemble -d and rr-frame";
		return -1;
	}
	if (f->no == PIPE_STREAM)
		return take_stream(f, why);
	if (many.name_len == 0) {
		*why = "no stream is named yet; without -m give "
		    "s2://BASIN/STREAM";
		return -1;
	}
	switch (f->no) {
	case PIPE_RECORD:
		return take_record(f, size, why);
	case PIPE_MATCH:
		cut(false);
		many.has_match = true;
		many.match = f->num;
		return 0;
	case PIPE_FENCE:
		return take_fence(f, why);
	case PIPE_TOKEN:
		return take_token(f, false, why);
	case PIPE_CREATE:
		return take_create(f, why);
	case PIPE_PROBE:
		return take_token(f, true, why);
	}
	return 0;
}

static void
many_drained(bool end)
{
	if (!end)
		return;
	cut(true);
	many.ended = true;
}

/* Once: who sent it will send again what he does not hear of. */
static void
many_unread(void)
{
	int64_t until = s2_now() + UNREAD;
	struct piece *p;

	if (many.unread)
		return;
	many.unread = true;
	/* The oldest first, as before. */
	TAILQ_FOREACH(p, &many.ages, age)
		if (p->deadline > until)
			p->deadline = until;
}

void
many_init(const struct options *opt, struct s2 *s2)
{
	unsigned i;

	many.opt = opt;
	many.s2 = s2;
	TAILQ_INIT(&many.ages);
	TAILQ_INIT(&many.ready);
	TAILQ_INIT(&many.backoff);
	for (i = 0; i < opt->conns; i++) {
		many.conns[i].index = i;
		TAILQ_INIT(&many.conns[i].free);
		TAILQ_INIT(&many.conns[i].busy);
		TAILQ_INIT(&many.conns[i].idle);
		TAILQ_INIT(&many.conns[i].waiting);
	}
}

static bool
many_crowded(void)
{
	return many.pieces > CROWD;
}

const struct mode many_mode = {
	.field = many_field,
	.drained = many_drained,
	.unread = many_unread,
	.hungry = many_hungry,
	.crowded = many_crowded,
	.timeout = many_timeout,
	.run = many_run,
	.finished = many_finished,
};
