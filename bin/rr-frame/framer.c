#include <errno.h>
#include <stdarg.h>

#include "framer.h"
#include "lines.h"
#include "log.h"

int
framer_init(struct framer *f, const struct framer_options *o, int fd)
{
	*f = (struct framer){
		.o = *o,
		.sink = SINK_INIT(fd),
		.text = BUF_INIT(RECORD_TEXT_MAX),
		.scratch = BUF_INIT(2 * RECORD_TEXT_MAX),
		.said = BUF_INIT(2 * RECORD_TEXT_MAX),
		.next = o->first,
		.counted = !o->many,
		.seq = o->seq,
	};
	if (o->level > 0 && (f->packer = packer_new(o->level)) == NULL)
		return -1;
	return 0;
}

void
framer_release(struct framer *f)
{
	packer_free(f->packer);
	buf_release(&f->sink.buf);
	buf_release(&f->text);
	buf_release(&f->scratch);
	buf_release(&f->said);
}

/* What was put in is wrong: say why, and return -1. */
int
framer_wrong(struct framer *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->why, sizeof f->why, fmt, ap);
	va_end(ap);
	return -1;
}

/*
 * Empty a buffer.  One large batch should not leave its memory with a program
 * that runs for months.
 */
static void
empty(struct buf *b)
{
	if (b->cap > S2_METERED_MAX * 2)
		buf_release(b);
	else
		buf_clear(b);
}

static int
snap_find(const struct framer *f, uint32_t tab)
{
	unsigned i, n;

	n = f->snaps < FRAMER_TABS_MAX ? f->snaps : FRAMER_TABS_MAX;
	for (i = 0; i < n; i++)
		if (f->snap[i].tab == tab)
			return (int)i;
	return -1;
}

/* A batch with a snapshot starts at record seq. */
static void
snap_set(struct framer *f, uint32_t tab, uint64_t seq)
{
	int i = snap_find(f, tab);

	if (seq > RECORD_SNAP_MAX)
		return;
	if (i == -1)
		i = (int)(f->snaps++ % FRAMER_TABS_MAX);
	f->snap[i].tab = tab;
	f->snap[i].seq = (uint32_t)seq;
}

/*
 * Where the last snapshot is: what we counted, or, where we cannot, what the
 * line says.
 */
void
framer_add_snap(struct framer *f, struct record_head *h, bool given,
    uint32_t snap)
{
	int i;

	if (f->counted) {
		if ((i = snap_find(f, h->tab)) == -1)
			return;
		snap = f->snap[i].seq;
	} else if (!given) {
		return;
	}
	h->flags |= RECORD_SNAP;
	h->snap = snap;
}

/* Add a record, in parts if it must be. */
int
framer_add(struct framer *f, struct record_head *h, const void *body, size_t n)
{
	const unsigned char *p = body;
	size_t size;

	h->checksum = record_checksum(body, n);
	f->open_unit = true;
	if (n <= RECORD_PART_MAX) {
		f->seq++;
		if (record_add_head(&f->sink.buf, h, n) == -1)
			return -1;
		return sink_add(&f->sink, p, n);
	}
	h->flags |= RECORD_PART;
	h->parts = (uint32_t)((n + RECORD_PART_MAX - 1) / RECORD_PART_MAX);
	for (h->part = 1; h->part <= h->parts; h->part++) {
		size = n > RECORD_PART_MAX ? RECORD_PART_MAX : n;
		f->seq++;
		if (record_add_head(&f->sink.buf, h, size) == -1 ||
		    sink_add(&f->sink, p, size) == -1)
			return -1;
		p += size;
		n -= size;
	}
	return 0;
}

/* A gap's body: why, and how many events if that is known. */
int
framer_add_gap(struct framer *f, struct record_head *h, const char *cause,
    bool has_events, uint64_t events)
{
	char body[FRAMER_CAUSE_MAX + 64];
	int n;

	if (has_events)
		n = snprintf(body, sizeof body,
		    "{\"cause\":\"%s\",\"events\":%llu}", cause,
		    (unsigned long long)events);
	else
		n = snprintf(body, sizeof body, "{\"cause\":\"%s\"}", cause);
	return framer_add(f, h, body, (size_t)n);
}

/* Tell of the events on which the program failed, before their batch. */
static int
add_failed(struct framer *f, const struct batch *b)
{
	struct record_head h = {
		.kind = RECORD_GAP, .tab = b->tab, .batch = b->number,
	};

	framer_add_snap(f, &h, b->has_snap, b->snap);
	return framer_add_gap(f, &h, "filter", true, b->failed);
}

/* When it was, by a clock that is right; as told, if that can be no time. */
static void
set_times(struct record_head *h, const struct batch *b)
{
	int64_t offset = record_offset(b->offset);

	h->first = b->first;
	if (b->first + offset <= -RECORD_TIME_MAX ||
	    b->first + offset >= RECORD_TIME_MAX)
		return;
	h->first += offset;
	h->offset = offset;
}

/* Add a batch's record or records. */
static int
add_batch(struct framer *f, const struct batch *b, unsigned codec,
    const struct buf *body)
{
	struct record_head h = {
		.kind = RECORD_BATCH, .flags = codec, .tab = b->tab,
		.batch = b->number, .count = b->count,
	};
	uint64_t start;
	int64_t span;

	if (b->has_time) {
		span = b->last - b->first;
		h.flags |= RECORD_TIME;
		set_times(&h, b);
		h.span = span > RECORD_SPAN_MAX ? RECORD_SPAN_MAX :
		    (uint32_t)span;
	}
	if (b->full)
		h.flags |= RECORD_FULL;
	if (b->error)
		h.flags |= RECORD_ERROR;
	if (b->failed > 0 && add_failed(f, b) == -1)
		return -1;
	framer_add_snap(f, &h, b->has_snap, b->snap);
	start = f->seq;
	if (framer_add(f, &h, buf_bytes(body), buf_size(body)) == -1)
		return -1;
	if (f->counted && b->full)
		snap_set(f, b->tab, start);
	return 0;
}

/* Add the first of the batches that are being packed. */
static int
settle_one(struct framer *f)
{
	const struct batch *b;
	const struct buf *body;
	int packed;

	b = &f->queue[(f->queued - f->packing) % PACKER_JOBS_MAX];
	f->packing--;
	if ((packed = packer_end(f->packer, &body)) == -1)
		return -1;
	return add_batch(f, b, packed ? RECORD_CODEC_ZSTD : RECORD_CODEC_NONE,
	    body);
}

int
framer_settle(struct framer *f)
{
	while (f->packing > 0)
		if (settle_one(f) == -1)
			return -1;
	return 0;
}

/* Add a field of bytes behind all that came before it. */
int
framer_add_field(struct framer *f, uint32_t no, const void *p, size_t n)
{
	if (framer_settle(f) == -1)
		return -1;
	return pb_add_bytes(&f->sink.buf, no, p, n);
}

/* The batch is complete, and has this number. */
int
framer_finish_batch(struct framer *f, uint32_t number)
{
	struct batch *b = &f->batch;

	b->number = number;
	f->open_unit = true;
	if (b->failed > 0)
		log_warn("tab %x, batch %u: the program failed on %u events, "
		    "which are left out%s%.*s", b->tab, number, b->failed,
		    f->o.verbose ? ": " : "",
		    f->o.verbose ? (int)buf_size(&f->said) : 0,
		    (const char *)buf_bytes(&f->said));
	if (f->packer == NULL)
		return add_batch(f, b, RECORD_CODEC_NONE, &f->text);
	while (packer_is_full(f->packer, buf_size(&f->text)))
		if (settle_one(f) == -1)
			return -1;
	packer_begin(f->packer, &f->text);
	f->queue[f->queued++ % PACKER_JOBS_MAX] = *b;
	f->packing++;
	return 0;
}

/* Start anew, in the tab of events outside of a :batch. */
void
framer_clear_batch(struct framer *f)
{
	empty(&f->text);
	f->batch = (struct batch){
		.tab = f->o.tab, .last_type = EVENT_NONE,
	};
}

int
framer_cut(struct framer *f)
{
	int r;

	if (f->batch.given || (f->batch.count == 0 && f->batch.failed == 0))
		return 0;
	if (f->next > RECORD_BATCH_MAX)
		return framer_wrong(f, "the numbers of batches have run out");
	f->batch.tab = f->o.tab;
	r = framer_finish_batch(f, f->next++);
	framer_clear_batch(f);
	return r;
}

int
framer_end(struct framer *f)
{
	f->why[0] = '\0';
	f->column = 1;
	if (framer_cut(f) == -1 || framer_settle(f) == -1)
		return -1;
	return f->batch.given ?
	    framer_wrong(f, "the input ends within a batch") : 0;
}

bool
framer_waits(const struct framer *f)
{
	const struct batch *b = &f->batch;

	/* A Meta event waits for the snapshot that it belongs to. */
	return !b->given && (b->count > 0 || b->failed > 0) &&
	    b->last_type != EVENT_META;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Add an event to the batch, which has room for it. */
static int
keep(struct framer *f, const char *event, size_t len, const struct scan *s)
{
	struct batch *b = &f->batch;
	unsigned char *p;

	if ((p = buf_reserve(&f->text, len + 1)) == NULL)
		return -1;
	memcpy(p, event, len);
	p[len] = '\n';
	f->text.len += len + 1;
	b->count++;
	if (b->last_type == EVENT_META && s->type == EVENT_FULL_SNAPSHOT)
		b->full = true;
	b->last_type = s->type;
	b->error |= s->error;
	if (!s->has_time)
		return 0;
	if (!b->has_time || s->time < b->first)
		b->first = s->time;
	if (!b->has_time || s->time > b->last)
		b->last = s->time;
	b->has_time = true;
	return 0;
}

static bool
fits(const struct framer *f, size_t len)
{
	return f->batch.count < RECORD_COUNT_MAX &&
	    buf_size(&f->text) + len + 1 <= RECORD_TEXT_MAX;
}

/*
 * Add an event that no :batch holds.  A snapshot starts a batch, so cut
 * before a Meta event; and keep it and its snapshot, the next event, together
 * as long as that is possible.
 */
static int
gather(struct framer *f, const char *event, size_t len, const struct scan *s)
{
	struct batch *b = &f->batch;
	bool cut;

	if (b->last_type == EVENT_META)
		cut = !fits(f, len);
	else
		cut = s->type == EVENT_META || b->count >= f->o.count ||
		    buf_size(&f->text) + len + 1 > f->o.size;
	if (cut && framer_cut(f) == -1)
		return -1;
	if (b->count == 0)
		b->since = now_ms();
	if (keep(f, event, len, s) == -1)
		return -1;
	if (s->type != EVENT_META && (b->count >= f->o.count ||
	    buf_size(&f->text) >= f->o.size))
		return framer_cut(f);
	return 0;
}

/* The program failed on an event: it is left out, and told of. */
static int
leave_out(struct framer *f, const char *why)
{
	struct batch *b = &f->batch;

	if (b->count == 0 && b->failed == 0)
		b->since = now_ms();
	if (b->failed++ == 0 && why != NULL) {
		buf_clear(&f->said);
		return buf_addf(&f->said, "%s", why);
	}
	return 0;
}

int
framer_event(struct framer *f, const char *event, size_t len,
    const struct scan *s)
{
	struct batch *b = &f->batch;
	struct scan made;

	f->why[0] = '\0';
	f->column = 1;
	if (!b->given && f->o.many)
		return framer_wrong(f, "an event outside of a batch");
	if (b->given && !fits(f, len))
		return framer_wrong(f, "a batch of more than %d events or "
		    "%u bytes", RECORD_COUNT_MAX, RECORD_TEXT_MAX);
	if (f->o.program != NULL) {
		switch (jqprog_run(f->o.program, event, len, false,
		    &f->scratch)) {
		case JQPROG_SAME:
			break;
		case JQPROG_CHANGED:
			event = (const char *)buf_bytes(&f->scratch);
			len = buf_size(&f->scratch);
			s = &made;
			/* jq writes what is too deep or too long for us. */
			if (scan_event(event, len, &made) == -1)
				return leave_out(f, made.why);
			if (len > LINE_MAX_BYTES || (b->given && !fits(f, len)))
				return leave_out(f, "the result is too long");
			break;
		case JQPROG_NONE:
			return 0;
		case JQPROG_FAILED:
			buf_add(&f->scratch, "", 1);
			return leave_out(f, (char *)buf_bytes(&f->scratch));
		default:
			return -1;
		}
	}
	if (b->given)
		return keep(f, event, len, s);
	return gather(f, event, len, s);
}

int
framer_line(struct framer *f, const char *line, size_t len)
{
	struct scan s;

	f->why[0] = '\0';
	f->column = 1;
	if (len == 0)
		return 0;
	if (line[0] == ':')
		return framer_directive(f, line, len);
	if (scan_event(line, len, &s) == -1) {
		f->column = s.column;
		return framer_wrong(f, "%s", s.why);
	}
	return framer_event(f, line, len, &s);
}
