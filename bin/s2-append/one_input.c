/*
 * One stream: the input, cut into batches, and what it asks to be acknowledged.
 */
#include <jv.h>

#include "log.h"
#include "one.h"

#define IN_FLIGHT_FEW	4	/* with fewer batches, a short one is sent */

/* ---- Acknowledging ---- */

static void
batch_free(struct batch *b)
{
	one.bytes -= b->run.metered;
	run_release(&b->run);
	free(b);
}

void
units_acknowledge(void)
{
	struct unit *u;
	uint64_t count;

	while (one.looked && (u = TAILQ_FIRST(&one.units)) != NULL &&
	    u->end <= one.acked) {
		count = u->end - u->first;
		out_ack(u->token, u->len, count > 0 ? u->seq : one.from, count,
		    one.time);
		TAILQ_REMOVE(&one.units, u, entry);
		one.nunits--;
		free(u);
	}
}

void
batch_acknowledge(uint64_t seq, size_t n, uint64_t time)
{
	struct batch *b = TAILQ_FIRST(&one.batches);
	uint64_t end = b->first + n;
	struct unit *u;

	TAILQ_FOREACH(u, &one.units, entry) {
		if (u->first >= end)
			break;
		if (u->first >= b->first)
			u->seq = seq + (u->first - b->first);
	}
	if (one.unit_first >= b->first && one.unit_first < end)
		one.unit_seq = seq + (one.unit_first - b->first);
	one.acked = end;
	one.from = seq + n;
	if (one.tail < one.from)
		one.tail = one.from;
	one.time = time;
	one.failed = 0;
	one.progress = s2_now();
	units_acknowledge();
	if (one.opt->verbose && !one.tokens)
		out_ack("-", 1, seq, n, time);
}

void
batch_drop_first(void)
{
	struct batch *b = TAILQ_FIRST(&one.batches);

	TAILQ_REMOVE(&one.batches, b, entry);
	if (b->sent)
		one.in_flight--;
	batch_free(b);
}

void
batch_drop_records(struct batch *b, size_t n)
{
	const char *why;
	struct pb_field f;
	struct weight w;
	ssize_t size;

	for (; n > 0; n--) {
		size = pb_next(buf_bytes(&b->run.bytes),
		    buf_size(&b->run.bytes), &f, NULL);
		run_weigh(&f, size, &w, &why);
		buf_take(&b->run.bytes, size);
		b->run.records--;
		b->run.metered -= w.metered;
		one.bytes -= w.metered;
		b->first++;
		b->place++;
	}
}

/* ---- The input ---- */

static struct batch *
new_batch(void)
{
	struct batch *b = calloc(1, sizeof *b);

	if (b == NULL)
		log_die(EXIT_OTHER, "out of memory");
	b->has_fence = one.has_fence;
	b->fence_len = one.fence_len;
	memcpy(b->fence, one.fence, one.fence_len);
	return b;
}

/* Hand a batch over to be appended. */
static void
add_batch(struct batch *b)
{
	b->first = one.closed;
	one.closed += b->run.records;
	if (one.placed) {
		b->placed = true;
		b->place = one.place;
		one.place += b->run.records;
	}
	if (TAILQ_EMPTY(&one.batches) &&
	    (one.phase == READY || one.phase == OPEN))
		one.progress = s2_now();
	TAILQ_INSERT_TAIL(&one.batches, b, entry);
	if (one.phase == OPEN)
		appender_wake(&one.session);
}

/* What stands behind the last end of a unit in b, as a batch of its own. */
static struct batch *
split_batch(struct batch *b)
{
	struct batch *rest = new_batch();
	struct buf *bytes = &b->run.bytes;

	rest->run.bytes.max = bytes->max;
	if (buf_add(&rest->run.bytes, buf_bytes(bytes) + b->mark,
	    buf_size(bytes) - b->mark) == -1)
		log_die(EXIT_OTHER, "out of memory");
	rest->run.records = b->run.records - b->mark_records;
	rest->run.metered = b->run.metered - b->mark_metered;
	bytes->len = bytes->off + b->mark;
	b->run.records = b->mark_records;
	b->run.metered = b->mark_metered;
	return rest;
}

/* Close the current batch, with an open unit in it or, if it can, without. */
static void
cut(bool with_open_unit)
{
	struct batch *b = one.current;
	bool open = one.tokens && one.taken > one.unit_first;

	if (b == NULL)
		return;
	if (open && b->mark_records > 0) {
		one.current = split_batch(b);
		add_batch(b);
		if (!with_open_unit)
			return;
		b = one.current;
	} else if (open && !with_open_unit) {
		return;
	}
	one.current = NULL;
	add_batch(b);
}

void
batch_close_current(void)
{
	struct batch *b;
	int n = 0;

	TAILQ_FOREACH(b, &one.batches, entry)
		if (++n == IN_FLIGHT_FEW)
			return;
	cut(one.ended);
}

static int
take_record(const struct pb_field *f, size_t size, const char **why)
{
	struct weight w;

	if (run_weigh(f, size, &w, why) == -1)
		return -1;
	if (one.current != NULL && !run_fits(&one.current->run, &w)) {
		cut(false);
		/* A unit too large for one append is cut where it must be. */
		if (one.current != NULL && !run_fits(&one.current->run, &w))
			cut(true);
	}
	if (one.current == NULL)
		one.current = new_batch();
	if (run_add(&one.current->run, f, &w) == -1)
		log_die(EXIT_OTHER, "out of memory");
	one.bytes += w.metered;
	one.taken++;
	return 0;
}

static int
take_token(const struct pb_field *f, const char **why)
{
	struct unit *u;

	if (f->wire != PB_LEN || f->len < 1 || f->len > RECORD_TOKEN_MAX) {
		*why = "a token is not 1 to 64 bytes long";
		return -1;
	}
	if ((u = calloc(1, sizeof *u)) == NULL)
		log_die(EXIT_OTHER, "out of memory");
	one.tokens = true;
	u->first = one.unit_first;
	u->end = one.taken;
	u->seq = one.unit_seq;
	u->len = f->len;
	memcpy(u->token, f->bytes, f->len);
	TAILQ_INSERT_TAIL(&one.units, u, entry);
	one.nunits++;
	one.unit_first = one.taken;
	if (one.current != NULL) {
		one.current->mark = buf_size(&one.current->run.bytes);
		one.current->mark_records = one.current->run.records;
		one.current->mark_metered = one.current->run.metered;
		/* What follows a fence is to be judged by it. */
		if (one.current->run.has_fence)
			cut(true);
	}
	units_acknowledge();
	return 0;
}

static int
take_fence(const struct pb_field *f, const char **why)
{
	if (f->wire != PB_LEN || f->len > S2_FENCE_MAX) {
		*why = "a fencing token is longer than 36 bytes";
		return -1;
	}
	if (one.has_fence && one.fence_len == f->len &&
	    memcmp(one.fence, f->bytes, f->len) == 0)
		return 0;
	cut(true);
	one.has_fence = true;
	one.fence_len = f->len;
	memcpy(one.fence, f->bytes, f->len);
	return 0;
}

int
one_set_create(const void *config, size_t n)
{
	jv name = jv_dump_string(jv_string(one.opt->uri.stream), 0);
	int result;

	buf_clear(&one.create);
	result = buf_addf(&one.create, "{\"stream\":%s",
	    jv_string_value(name));
	jv_free(name);
	if (n > 0 && (buf_addf(&one.create, ",\"config\":") == -1 ||
	    buf_add(&one.create, config, n) == -1))
		result = -1;
	if (buf_add(&one.create, "}", 1) == -1)
		result = -1;
	one.create_wanted = true;
	return result;
}

int
one_take_field(const struct pb_field *f, size_t size, const char **why)
{
	switch (f->no) {
	case PIPE_RECORD:
		return take_record(f, size, why);
	case PIPE_MATCH:
		*why = "this has been read from S2; to copy a recording, use "
		    "rr-reassemble -d and rr-frame";
		if (f->wire != PB_VARINT)
			return -1;
		cut(true);
		one.placed = true;
		one.place = f->num;
		return 0;
	case PIPE_FENCE:
		return take_fence(f, why);
	case PIPE_TOKEN:
		return take_token(f, why);
	case PIPE_CREATE:
		/* Later on the stream is there, or was deleted on purpose. */
		*why = "a stream's configuration is too long";
		return one.phase == START && f->wire == PB_LEN ?
		    one_set_create(f->bytes, f->len) : 0;
	case PIPE_STREAM:
	case PIPE_PROBE:
		*why = "the input is for many streams; use s2-append -m "
		    "s2://BASIN";
		return -1;
	}
	return 0;
}

void
batch_close_all(void)
{
	cut(true);
}

void
batch_place_all(uint64_t place)
{
	struct batch *b;

	TAILQ_FOREACH(b, &one.batches, entry) {
		if (b->placed)		/* by the input itself */
			return;
		b->placed = true;
		b->place = place;
		place += b->run.records;
	}
	if (!one.placed) {
		one.placed = true;
		one.place = place;
	}
}
