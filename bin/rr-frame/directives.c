/*
 * The directives of rr-lines(5) that steer a stream or say what is in it.
 */
#include "framer.h"

#define STREAM_MAX	512	/* bytes of a stream's name; S2's limit */
#define HEAD_MAX	255	/* bytes of a :record's head */

/* A key that must be there; its decoded value's length, or -1. */
static ssize_t
need_value(struct framer *f, const struct directive *d, const char *key,
    char *out, size_t size)
{
	const char *why;
	ssize_t n = directive_value(d, key, out, size, &why);

	if (n == -1)
		return framer_wrong(f, "%s=: %s", key,
		    why == NULL ? "missing" : why);
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
		return framer_wrong(f, "tab=: %s", why);
	r = directive_number(d, "snap", RECORD_SNAP_MAX, &v, &why);
	if (r == -1)
		return framer_wrong(f, "snap=: %s", why);
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

	framer_clear_batch(f);
	r = directive_number(d, "batch", RECORD_BATCH_MAX, &number, &why);
	if (r != 1 || number == 0)
		return framer_wrong(f, "batch= must be 1 to %u",
		    RECORD_BATCH_MAX);
	if (get_tab_snap(f, d, &b->tab, &b->has_snap, &b->snap) == -1)
		return -1;
	if (directive_time(d, "offset", &b->offset, &why) == -1)
		return framer_wrong(f, "offset=: %s", why);
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
		return framer_wrong(f, "token=: %s", n == 0 ? "empty" : why);
	if (b->given) {
		if (framer_finish_batch(f, b->number) == -1)
			return -1;
		advance(f, b->tab, b->number);
		framer_clear_batch(f);
	}
	if (n == -1 || f->o.import)
		return 0;
	if (framer_add_field(f, PIPE_TOKEN, token, (size_t)n) == -1)
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
		return framer_wrong(f, "a JSON object is missing");
	if (d->json_len > RECORD_JSON_MAX)
		return framer_wrong(f, "more than %d bytes of JSON",
		    RECORD_JSON_MAX);
	if (framer_settle(f) == -1)
		return -1;
	return framer_add(f, &h, d->json, d->json_len);
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
	framer_add_snap(f, &h, has_snap, snap);
	return framer_add(f, &h, NULL, 0);
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
	char cause[FRAMER_CAUSE_MAX + 1];
	uint64_t first, last, events = 0, within = 0;
	const char *why;
	bool has_snap;
	uint32_t snap;
	int has_events;

	if (get_tab_snap(f, d, &h.tab, &has_snap, &snap) == -1)
		return -1;
	if (directive_range(d, "batch", RECORD_BATCH_MAX, &first, &last,
	    &why) != 1 || first == 0)
		return framer_wrong(f, "batch= must be N or N-M, 1 to %u",
		    RECORD_BATCH_MAX);
	if (need_value(f, d, "cause", cause, sizeof cause) == -1)
		return -1;
	if (!is_word(cause))
		return framer_wrong(f, "cause= is not in lower-case letters");
	has_events = directive_number(d, "events", UINT32_MAX, &events, &why);
	if (has_events == -1)
		return framer_wrong(f, "events=: %s", why);
	if (directive_number(d, "within", 1, &within, &why) == -1)
		return framer_wrong(f, "within=: %s", why);
	if (within == 1 && first != last)
		return framer_wrong(f, "within=1 is of one batch");
	h.batch = (uint32_t)first;
	h.count = within == 1 ? 0 : (uint32_t)(last - first + 1);
	if (within == 0)
		advance(f, h.tab, (uint32_t)last);
	if (framer_settle(f) == -1)
		return -1;
	framer_add_snap(f, &h, has_snap, snap);
	return framer_add_gap(f, &h, cause, has_events == 1, events);
}

static int
do_fence(struct framer *f, const struct directive *d)
{
	char use[S2_FENCE_MAX + 1], set[S2_FENCE_MAX + 1];
	const char *why;
	ssize_t use_len, set_len;

	use_len = directive_value(d, "use", use, sizeof use, &why);
	if (why != NULL)
		return framer_wrong(f, "use=: %s", why);
	set_len = directive_value(d, "set", set, sizeof set, &why);
	if (why != NULL)
		return framer_wrong(f, "set=: %s", why);
	if (use_len == -1 && set_len == -1)
		return framer_wrong(f, "set= or use= is missing");
	if (use_len >= 0 &&
	    framer_add_field(f, PIPE_FENCE, use, (size_t)use_len) == -1)
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
		return framer_wrong(f, "head=: %s", r == 0 ? "missing" : why);
	head_len = buf_size(&f->scratch);
	if (head_len > HEAD_MAX)
		return framer_wrong(f, "head=: more than %d bytes", HEAD_MAX);
	r = record_head_get(buf_bytes(&f->scratch), head_len, &h);
	if (r == -1 || (r == 0 && h.kind < RECORD_ANCILLARY &&
	    (h.flags & RECORD_DICT) == 0))
		return framer_wrong(f, "head=: not of an unknown kind");
	r = directive_base64(d, "body", &f->scratch, &why);
	if (r != 1)
		return framer_wrong(f, "body=: %s", r == 0 ? "missing" : why);
	body_len = buf_size(&f->scratch) - head_len;
	if (body_len > S2_METERED_MAX - 8 - 2 - 1 - head_len)
		return framer_wrong(f, "body=: more than S2 takes in a record");
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
		return framer_wrong(f, "name= is empty or holds a NUL");
	if (framer_add_field(f, PIPE_STREAM, name, (size_t)n) == -1)
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
	return framer_add_field(f, PIPE_CREATE, d->json, d->json_len);
}

static int
do_match(struct framer *f, const struct directive *d)
{
	const char *why;
	uint64_t seq;

	if (directive_number(d, "seq", UINT64_MAX, &seq, &why) != 1)
		return framer_wrong(f, "seq= must be a number");
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
		return framer_wrong(f, "token= is empty");
	return framer_add_field(f, PIPE_PROBE, token, (size_t)n);
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

int
framer_directive(struct framer *f, const char *line, size_t len)
{
	struct directive d;
	struct scan s;
	const struct verb *v;
	const char *why;

	if (directive_parse(line, len, &d, &why) == -1)
		return framer_wrong(f, "%s", why);
	for (v = verbs; !directive_is(&d, v->name); )
		if (++v == verbs + sizeof verbs / sizeof verbs[0])
			return framer_wrong(f,
			    "no directive that rr-frame takes");
	if (f->batch.given && v->run != do_end)
		return framer_wrong(f, "a directive within a batch");
	if (d.json != NULL && !v->json)
		return framer_wrong(f,
		    "JSON, which this directive does not take");
	if (d.json != NULL && scan_event(d.json, d.json_len, &s) == -1) {
		f->column = d.json - line + s.column;
		return framer_wrong(f, "%s", s.why);
	}
	if (v->steers && f->o.import)
		return 0;
	if (!f->batch.given && framer_cut(f) == -1)
		return -1;
	return v->run(f, &d);
}
