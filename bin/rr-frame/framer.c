#include <errno.h>
#include <stdarg.h>

#include "framer.h"
#include "lines.h"
#include "log.h"

#define STREAM_MAX	512	/* bytes of a stream's name; S2's limit */
#define CAUSE_MAX	32	/* bytes of a gap's cause */
#define HEAD_MAX	255	/* bytes of a :record's head */

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
static int __attribute__((format(printf, 2, 3)))
wrong(struct framer *f, const char *fmt, ...)
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
static void
add_snap(struct framer *f, struct record_head *h, bool given, uint32_t snap)
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
static int
add(struct framer *f, struct record_head *h, const void *body, size_t n)
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
static int
add_gap(struct framer *f, struct record_head *h, const char *cause,
    bool has_events, uint64_t events)
{
	char body[CAUSE_MAX + 64];
	int n;

	if (has_events)
		n = snprintf(body, sizeof body,
		    "{\"cause\":\"%s\",\"events\":%llu}", cause,
		    (unsigned long long)events);
	else
		n = snprintf(body, sizeof body, "{\"cause\":\"%s\"}", cause);
	return add(f, h, body, (size_t)n);
}

/* Tell of the events on which the program failed, before their batch. */
static int
add_failed(struct framer *f, const struct batch *b)
{
	struct record_head h = {
		.kind = RECORD_GAP, .tab = b->tab, .batch = b->number,
	};

	add_snap(f, &h, b->has_snap, b->snap);
	return add_gap(f, &h, "filter", true, b->failed);
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
		h.first = b->first;
		h.span = span > RECORD_SPAN_MAX ? RECORD_SPAN_MAX :
		    (uint32_t)span;
	}
	if (b->full)
		h.flags |= RECORD_FULL;
	if (b->error)
		h.flags |= RECORD_ERROR;
	if (b->failed > 0 && add_failed(f, b) == -1)
		return -1;
	add_snap(f, &h, b->has_snap, b->snap);
	start = f->seq;
	if (add(f, &h, buf_bytes(body), buf_size(body)) == -1)
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
static int
add_field(struct framer *f, uint32_t no, const void *p, size_t n)
{
	if (framer_settle(f) == -1)
		return -1;
	return pb_add_bytes(&f->sink.buf, no, p, n);
}

/* The batch is complete, and has this number. */
static int
finish_batch(struct framer *f, uint32_t number)
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
static void
clear_batch(struct framer *f)
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
		return wrong(f, "the numbers of batches have run out");
	f->batch.tab = f->o.tab;
	r = finish_batch(f, f->next++);
	clear_batch(f);
	return r;
}

int
framer_end(struct framer *f)
{
	f->why[0] = '\0';
	f->column = 1;
	if (framer_cut(f) == -1 || framer_settle(f) == -1)
		return -1;
	return f->batch.given ? wrong(f, "the input ends within a batch") : 0;
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
		return wrong(f, "an event outside of a batch");
	if (b->given && !fits(f, len))
		return wrong(f, "a batch of more than %d events or %u bytes",
		    RECORD_COUNT_MAX, RECORD_TEXT_MAX);
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

/* A key that must be there; its decoded value's length, or -1. */
static ssize_t
need_value(struct framer *f, const struct directive *d, const char *key,
    char *out, size_t size)
{
	const char *why;
	ssize_t n = directive_value(d, key, out, size, &why);

	if (n == -1)
		return wrong(f, "%s=: %s", key, why == NULL ? "missing" : why);
	return n;
}

/* tab=, which is 0 if it is not there, and snap=. */
static int
get_tab_snap(struct framer *f, const struct directive *d, uint32_t *tab,
    bool *has_snap, uint32_t *snap)
{
	const char *why;
	uint64_t v = 0;
	int r;

	*tab = 0;
	if (directive_tab(d, "tab", tab, &why) == -1)
		return wrong(f, "tab=: %s", why);
	r = directive_number(d, "snap", RECORD_SNAP_MAX, &v, &why);
	if (r == -1)
		return wrong(f, "snap=: %s", why);
	*has_snap = r == 1;
	*snap = (uint32_t)v;
	return 0;
}

static int
do_batch(struct framer *f, const struct directive *d)
{
	struct batch *b = &f->batch;
	const char *why;
	uint64_t number;
	int r;

	clear_batch(f);
	r = directive_number(d, "batch", RECORD_BATCH_MAX, &number, &why);
	if (r != 1 || number == 0)
		return wrong(f, "batch= must be 1 to %u", RECORD_BATCH_MAX);
	if (get_tab_snap(f, d, &b->tab, &b->has_snap, &b->snap) == -1)
		return -1;
	b->number = (uint32_t)number;
	b->given = true;
	return 0;
}

/*
 * The input gave this number to something of a tab.  Events outside of batches
 * get higher ones, or a reader would take them for repeats.
 */
static void
advance(struct framer *f, uint32_t tab, uint32_t number)
{
	if (tab == f->o.tab && number >= f->next)
		f->next = number + 1;
}

static int
do_end(struct framer *f, const struct directive *d)
{
	struct batch *b = &f->batch;
	char token[RECORD_TOKEN_MAX + 1];
	const char *why;
	ssize_t n;

	n = directive_value(d, "token", token, sizeof token, &why);
	if (n == 0 || why != NULL)
		return wrong(f, "token=: %s", n == 0 ? "empty" : why);
	if (b->given) {
		if (finish_batch(f, b->number) == -1)
			return -1;
		advance(f, b->tab, b->number);
		clear_batch(f);
	}
	if (n == -1 || f->o.import)
		return 0;
	if (add_field(f, PIPE_TOKEN, token, (size_t)n) == -1)
		return -1;
	f->open_unit = false;	/* that added the unit's last batch, too */
	return 0;
}

/* A record whose body is the directive's JSON. */
static int
do_json(struct framer *f, const struct directive *d, unsigned kind)
{
	struct record_head h = { .kind = kind };

	if (d->json == NULL)
		return wrong(f, "a JSON object is missing");
	if (d->json_len > RECORD_JSON_MAX)
		return wrong(f, "more than %d bytes of JSON", RECORD_JSON_MAX);
	if (framer_settle(f) == -1)
		return -1;
	return add(f, &h, d->json, d->json_len);
}

static int
do_meta(struct framer *f, const struct directive *d)
{
	return do_json(f, d, RECORD_META);
}

static int
do_stop(struct framer *f, const struct directive *d)
{
	return do_json(f, d, RECORD_STOP);
}

static int
do_beat(struct framer *f, const struct directive *d)
{
	struct record_head h = { .kind = RECORD_BEAT };
	bool has_snap;
	uint32_t snap;

	if (get_tab_snap(f, d, &h.tab, &has_snap, &snap) == -1)
		return -1;
	if (framer_settle(f) == -1)
		return -1;
	add_snap(f, &h, has_snap, snap);
	return add(f, &h, NULL, 0);
}

static bool
is_word(const char *p)
{
	if (*p == '\0')
		return false;
	for (; *p != '\0'; p++)
		if ((*p < 'a' || *p > 'z') && *p != '-')
			return false;
	return true;
}

static int
do_gap(struct framer *f, const struct directive *d)
{
	struct record_head h = { .kind = RECORD_GAP };
	char cause[CAUSE_MAX + 1];
	uint64_t first, last, events = 0, within = 0;
	const char *why;
	bool has_snap;
	uint32_t snap;
	int has_events;

	if (get_tab_snap(f, d, &h.tab, &has_snap, &snap) == -1)
		return -1;
	if (directive_range(d, "batch", RECORD_BATCH_MAX, &first, &last,
	    &why) != 1 || first == 0)
		return wrong(f, "batch= must be N or N-M, 1 to %u",
		    RECORD_BATCH_MAX);
	if (need_value(f, d, "cause", cause, sizeof cause) == -1)
		return -1;
	if (!is_word(cause))
		return wrong(f, "cause= is not in lower-case letters");
	has_events = directive_number(d, "events", UINT32_MAX, &events, &why);
	if (has_events == -1)
		return wrong(f, "events=: %s", why);
	if (directive_number(d, "within", 1, &within, &why) == -1)
		return wrong(f, "within=: %s", why);
	if (within == 1 && first != last)
		return wrong(f, "within=1 is of one batch");
	h.batch = (uint32_t)first;
	h.count = within == 1 ? 0 : (uint32_t)(last - first + 1);
	if (within == 0)
		advance(f, h.tab, (uint32_t)last);
	if (framer_settle(f) == -1)
		return -1;
	add_snap(f, &h, has_snap, snap);
	return add_gap(f, &h, cause, has_events == 1, events);
}

static int
do_fence(struct framer *f, const struct directive *d)
{
	char use[S2_FENCE_MAX + 1], set[S2_FENCE_MAX + 1];
	const char *why;
	ssize_t use_len, set_len;

	use_len = directive_value(d, "use", use, sizeof use, &why);
	if (why != NULL)
		return wrong(f, "use=: %s", why);
	set_len = directive_value(d, "set", set, sizeof set, &why);
	if (why != NULL)
		return wrong(f, "set=: %s", why);
	if (use_len == -1 && set_len == -1)
		return wrong(f, "set= or use= is missing");
	if (use_len >= 0 &&
	    add_field(f, PIPE_FENCE, use, (size_t)use_len) == -1)
		return -1;
	if (framer_settle(f) == -1)
		return -1;
	if (set_len == -1)
		return 0;
	f->seq++;
	f->open_unit = true;
	return record_add_fence(&f->sink.buf, set, (size_t)set_len);
}

/*
 * A record that some reader did not know.  One that we know is made from what
 * it says, so that no line can bring in what we would not write.
 */
static int
do_record(struct framer *f, const struct directive *d)
{
	struct record_head h;
	const char *why;
	size_t head_len, body_len;
	int r;

	buf_clear(&f->scratch);
	r = directive_hex(d, "head", &f->scratch, &why);
	if (r != 1)
		return wrong(f, "head=: %s", r == 0 ? "missing" : why);
	head_len = buf_size(&f->scratch);
	if (head_len > HEAD_MAX)
		return wrong(f, "head=: more than %d bytes", HEAD_MAX);
	r = record_head_get(buf_bytes(&f->scratch), head_len, &h);
	if (r == -1 || (r == 0 && h.kind < RECORD_ANCILLARY &&
	    (h.flags & RECORD_DICT) == 0))
		return wrong(f, "head=: not of an unknown kind");
	r = directive_base64(d, "body", &f->scratch, &why);
	if (r != 1)
		return wrong(f, "body=: %s", r == 0 ? "missing" : why);
	body_len = buf_size(&f->scratch) - head_len;
	if (body_len > RECORD_PART_MAX + RECORD_HEAD_MAX - head_len)
		return wrong(f, "body=: more than S2 takes in a record");
	if (framer_settle(f) == -1)
		return -1;
	f->seq++;
	f->open_unit = true;
	return record_add_raw(&f->sink.buf, buf_bytes(&f->scratch), head_len,
	    buf_bytes(&f->scratch) + head_len, body_len);
}

static int
do_stream(struct framer *f, const struct directive *d)
{
	char name[STREAM_MAX + 1];
	ssize_t n = need_value(f, d, "name", name, sizeof name);

	if (n == -1)
		return -1;
	if (n == 0 || memchr(name, '\0', (size_t)n) != NULL)
		return wrong(f, "name= is empty or holds a NUL");
	if (add_field(f, PIPE_STREAM, name, (size_t)n) == -1)
		return -1;
	f->counted = false;
	f->snaps = 0;
	f->next = f->o.first;
	f->open_unit = false;
	return 0;
}

static int
do_create(struct framer *f, const struct directive *d)
{
	return add_field(f, PIPE_CREATE, d->json, d->json_len);
}

static int
do_match(struct framer *f, const struct directive *d)
{
	const char *why;
	uint64_t seq;

	if (directive_number(d, "seq", UINT64_MAX, &seq, &why) != 1)
		return wrong(f, "seq= must be a number");
	if (framer_settle(f) == -1)
		return -1;
	if (!f->o.many) {
		f->counted = true;
		f->seq = seq;
	}
	return pb_add_varint(&f->sink.buf, PIPE_MATCH, seq);
}

static int
do_probe(struct framer *f, const struct directive *d)
{
	char token[RECORD_TOKEN_MAX + 1];
	ssize_t n = need_value(f, d, "token", token, sizeof token);

	if (n == -1)
		return -1;
	if (n == 0)
		return wrong(f, "token= is empty");
	return add_field(f, PIPE_PROBE, token, (size_t)n);
}

/* Where a reader is: says nothing to a writer. */
static int
do_nothing(struct framer *f, const struct directive *d)
{
	(void)f;
	(void)d;
	return 0;
}

static const struct verb {
	const char *name;
	int (*run)(struct framer *, const struct directive *);
	bool json;		/* takes JSON */
	bool steers;		/* left out by an import */
} verbs[] = {
	{ "batch", do_batch, false, false },
	{ "beat", do_beat, false, false },
	{ "create", do_create, true, true },
	{ "end", do_end, false, false },
	{ "fence", do_fence, false, true },
	{ "gap", do_gap, false, false },
	{ "match", do_match, false, true },
	{ "meta", do_meta, true, false },
	{ "next", do_nothing, false, true },
	{ "probe", do_probe, false, true },
	{ "record", do_record, false, false },
	{ "stop", do_stop, true, true },
	{ "stream", do_stream, false, true },
	{ "tail", do_nothing, false, true },
};

static int
do_directive(struct framer *f, const char *line, size_t len)
{
	struct directive d;
	struct scan s;
	const struct verb *v;
	const char *why;

	if (directive_parse(line, len, &d, &why) == -1)
		return wrong(f, "%s", why);
	for (v = verbs; !directive_is(&d, v->name); )
		if (++v == verbs + sizeof verbs / sizeof verbs[0])
			return wrong(f, "no directive that rr-frame takes");
	if (f->batch.given && v->run != do_end)
		return wrong(f, "a directive within a batch");
	if (d.json != NULL && !v->json)
		return wrong(f, "JSON, which this directive does not take");
	if (d.json != NULL && scan_event(d.json, d.json_len, &s) == -1) {
		f->column = d.json - line + s.column;
		return wrong(f, "%s", s.why);
	}
	if (v->steers && f->o.import)
		return 0;
	if (!f->batch.given && framer_cut(f) == -1)
		return -1;
	return v->run(f, &d);
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
		return do_directive(f, line, len);
	if (scan_event(line, len, &s) == -1) {
		f->column = s.column;
		return wrong(f, "%s", s.why);
	}
	return framer_event(f, line, len, &s);
}
