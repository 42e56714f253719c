#include <assert.h>
#include <errno.h>

#include "lines.h"
#include "log.h"
#include "reader.h"
#include "replaya.h"
#include "scan.h"

#define CAUSE_MAX	32	/* bytes of a gap's cause */
#define FLUSH		(256u << 10)	/* bytes of lines worth a write */

int
reader_init(struct reader *r, const struct reader_options *o, int fd)
{
	*r = (struct reader){
		.o = *o,
		.sink = SINK_INIT(fd),
		.text = BUF_INIT(RECORD_TEXT_MAX),
		.made = BUF_INIT(4 * (size_t)RECORD_TEXT_MAX),
	};
	return (r->unpacker = unpacker_new()) == NULL ? -1 : 0;
}

static void
group_drop(struct reader *r, size_t i)
{
	struct group *g = r->groups[i];

	r->group_bytes -= (size_t)g->head.parts * RECORD_PART_MAX;
	free(g->data);
	free(g);
	r->ngroups--;
	memmove(&r->groups[i], &r->groups[i + 1],
	    (r->ngroups - i) * sizeof r->groups[0]);
}

void
reader_release(struct reader *r)
{
	while (r->ngroups > 0)
		group_drop(r, 0);
	replaya_release(r);
	unpacker_free(r->unpacker);
	buf_release(&r->sink.buf);
	buf_release(&r->sink.shown);
	buf_release(&r->text);
	buf_release(&r->made);
	free(r->tabs);
	free(r->stream);
}

/* The tab with this id, made if there is none.  NULL with why or errno. */
static struct tab *
tab_get(struct reader *r, uint32_t id)
{
	size_t low = 0, high = r->ntabs, middle;
	struct tab *tabs;

	while (low < high) {
		middle = (low + high) / 2;
		if (r->tabs[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < r->ntabs && r->tabs[low].id == id)
		return &r->tabs[low];
	if (r->ntabs == READER_TABS_MAX) {
		r->why = "more than 4096 tabs";
		return NULL;
	}
	tabs = reallocarray(r->tabs, r->ntabs + 1, sizeof *tabs);
	if (tabs == NULL)
		return NULL;
	r->tabs = tabs;
	memmove(&tabs[low + 1], &tabs[low], (r->ntabs - low) * sizeof *tabs);
	r->ntabs++;
	tabs[low] = (struct tab){ .id = id };
	return &tabs[low];
}

/* Where to go on reading later, so that nothing is missed. */
static uint64_t
resume_seq(const struct reader *r, uint64_t seq)
{
	size_t i;

	for (i = 0; i < r->ngroups; i++)
		if (r->groups[i]->seq < seq)
			seq = r->groups[i]->seq;
	for (i = 0; i < r->nchunks; i++)
		if (r->chunks[i]->seq < seq)
			seq = r->chunks[i]->seq;
	return seq;
}

/*
 * Say where a line comes from: the first record has this number and time, rec
 * is the last; and where to go on, if that is not behind it.
 */
static int
add_places(struct reader *r, const struct record *rec, uint64_t seq,
    uint64_t time, bool many)
{
	struct buf *b = &r->sink.buf;
	const uint64_t next = resume_seq(r, rec->seq + 1);

	if (!rec->sequenced)
		return 0;
	buf_addf(b, " seq=%llu", (unsigned long long)seq);
	if (many)
		buf_addf(b, " seqs=%llu",
		    (unsigned long long)(rec->seq + 1 - seq));
	if (next != rec->seq + 1)
		buf_addf(b, " next=%llu", (unsigned long long)next);
	return buf_addf(b, " time=%llu", (unsigned long long)time);
}

/* The same of a line that comes from one record. */
static int
add_place(struct reader *r, const struct record *rec)
{
	return add_places(r, rec, rec->seq, rec->time, false);
}

int
reader_line(struct reader *r, const char *directive, const struct record *rec,
    const void *json, size_t len)
{
	struct buf *b = &r->sink.buf;

	if (buf_addf(b, "%s", directive) == -1 ||
	    add_place(r, rec) == -1 ||
	    (len > 0 && buf_add(b, " ", 1) == -1) ||
	    buf_add(b, json, len) == -1)
		return -1;
	return buf_add(b, "\n", 1);
}

/* Name a record in a message: by its number, if it has one. */
static const char *
record_name(const struct record *rec, char *name, size_t size)
{
	if (rec->sequenced)
		snprintf(name, size, "record %llu",
		    (unsigned long long)rec->seq);
	else
		snprintf(name, size, "a record");
	return name;
}

void
reader_damaged(struct reader *r, const struct record *rec, const char *why)
{
	char name[64];

	log_warn("%s cannot be read: %s", record_name(rec, name, sizeof name),
	    why);
	r->missing = true;
}

/*
 * Tell of numbers of a tab that are missing: on stderr, and as a line.  With
 * 'within', of events inside that one batch.  rec is the record before which
 * they are missing, or with 'told' the one that tells it, or NULL at the end.
 */
static int
gap(struct reader *r, const struct tab *t, uint32_t first, uint32_t last,
    const char *cause, const char *events, size_t events_len, bool within,
    const struct record *rec, bool told)
{
	struct buf *b = &r->sink.buf;
	char what[64], place[96] = "";

	r->missing = true;
	if (within)
		snprintf(what, sizeof what, "events of batch %u", first);
	else if (first == last)
		snprintf(what, sizeof what, "batch %u", first);
	else
		snprintf(what, sizeof what, "batches %u to %u", first, last);
	if (rec == NULL && r->sequenced && t->seen)
		snprintf(place, sizeof place, ", behind record %llu",
		    (unsigned long long)t->last_seq);
	else if (rec != NULL && rec->sequenced && t->seen)
		snprintf(place, sizeof place,
		    ", between records %llu and %llu",
		    (unsigned long long)t->last_seq,
		    (unsigned long long)rec->seq);
	else if (rec != NULL && rec->sequenced)
		snprintf(place, sizeof place, ", before record %llu",
		    (unsigned long long)rec->seq);
	log_warn("gap: tab %x, %s (%s)%s", t->id, what, cause, place);
	if (!r->o.directives)
		return 0;
	buf_addf(b, ":gap tab=%x batch=%u", t->id, first);
	if (last != first)
		buf_addf(b, "-%u", last);
	buf_addf(b, " cause=%s", cause);
	if (events_len > 0)
		buf_addf(b, " events=%.*s", (int)events_len, events);
	if (told)
		add_place(r, rec);
	return buf_addf(b, within ? " within=1\n" : "\n");
}

/* Groups of a tab that can add nothing any more. */
static void
groups_forget(struct reader *r, const struct tab *t)
{
	size_t i = 0;

	while (i < r->ngroups)
		if (r->groups[i]->head.tab == t->id &&
		    r->groups[i]->head.batch <= t->last)
			group_drop(r, i);
		else
			i++;
}

/* Numbers up to 'last' have come, or are given up. */
static void
tab_advance(struct reader *r, struct tab *t, uint32_t last,
    const struct record *rec)
{
	t->seen = true;
	t->last = last;
	t->last_seq = rec->seq;
	if (r->ngroups > 0)
		groups_forget(r, t);
}

/*
 * The reader rule: something with numbers from 'first' on has come.  Tells of
 * those that are missing before it.
 */
static int
lost_before(struct reader *r, struct tab *t, uint32_t first,
    const struct record *rec)
{
	if ((!t->seen && !r->whole) || first <= t->last + 1)
		return 0;
	if (gap(r, t, t->last + 1, first - 1, "lost", NULL, 0, false, rec,
	    false) == -1)
		return -1;
	tab_advance(r, t, first - 1, rec);
	return 0;
}

/* The program cannot take an event: it is left out. */
static int
program_failed(struct reader *r, const char *why, size_t len)
{
	if (r->failed++ == 0)
		log_warn("the program failed on an event: %.*s", (int)len,
		    why);
	return 0;
}

static bool
has_span(const struct reader *r)
{
	return r->o.from > INT64_MIN || r->o.to < INT64_MAX;
}

/* True if it is in the span; what tells no time is, unless it must. */
static bool
in_span(const struct reader *r, const char *event, size_t len, int64_t offset)
{
	struct scan s;

	if (scan_event(event, len, &s) == -1 || !s.has_time)
		return !r->o.timed;
	return s.time + offset >= r->o.from && s.time + offset < r->o.to;
}

/* Print one event, or what the program makes of it. */
static int
filtered(struct reader *r, const char *event, size_t len, int64_t offset)
{
	struct buf *made = &r->made;
	struct scan s;

	if (has_span(r) && !in_span(r, event, len, offset))
		return 0;
	if (r->o.program != NULL) {
		/* Who wrote it may not have been rr-frame. */
		if (scan_event(event, len, &s) == -1)
			return program_failed(r, s.why, strlen(s.why));
		switch (jqprog_run(r->o.program, event, len, true, made)) {
		case JQPROG_SAME:
			break;
		case JQPROG_CHANGED:
			event = (const char *)buf_bytes(made);
			len = buf_size(made);
			if (scan_event(event, len, &s) == -1)
				return program_failed(r, s.why,
				    strlen(s.why));
			break;
		case JQPROG_FAILED:
			return program_failed(r, (const char *)buf_bytes(made),
			    buf_size(made));
		case JQPROG_NONE:
			return 0;
		default:
			return -1;
		}
	}
	if (sink_add(&r->sink, event, len) == -1)
		return -1;
	return buf_add(&r->sink.buf, "\n", 1);
}

int
reader_event(struct reader *r, uint32_t tab, const char *event, size_t len)
{
	if (r->o.one_tab && r->o.tab != tab)
		return 0;
	return filtered(r, event, len, 0);
}

/* Print a batch's lines. */
static int
print_lines(struct reader *r, const char *p, size_t n, int64_t offset)
{
	const char *const end = p + n, *lf;

	if (r->o.program == NULL && !has_span(r))
		return sink_add(&r->sink, p, n);
	for (; p < end; p = lf + 1) {
		lf = memchr(p, '\n', end - p);
		if (filtered(r, p, lf - p, offset) == -1)
			return -1;
		if (buf_size(&r->sink.buf) >= FLUSH &&
		    sink_flush(&r->sink) == -1)
			return -1;
	}
	return 0;
}

static int
print_batch_head(struct reader *r, const struct record_head *h,
    const struct record *rec, uint64_t seq, uint64_t time)
{
	struct buf *b = &r->sink.buf;
	const unsigned flags = h->flags & (RECORD_FULL | RECORD_ERROR);

	buf_addf(b, ":batch tab=%x batch=%u", h->tab, h->batch);
	if (h->flags & RECORD_SNAP)
		buf_addf(b, " snap=%u", h->snap);
	add_places(r, rec, seq, time, true);
	if (h->flags & RECORD_TIME)
		buf_addf(b, " first=%lld last=%lld", (long long)h->first,
		    (long long)h->first + h->span);
	if (h->offset != 0)
		buf_addf(b, " offset=%lld", (long long)h->offset);
	if (flags != 0)
		buf_addf(b, " flags=%s%s%s",
		    flags & RECORD_FULL ? "full" : "",
		    flags == (RECORD_FULL | RECORD_ERROR) ? "," : "",
		    flags & RECORD_ERROR ? "error" : "");
	return buf_addf(b, "\n");
}

/*
 * True if these are as many lines as they should be, each of them an event as
 * far as its first byte tells: no body may bring in a directive.
 */
static bool
are_events(const char *p, size_t n, uint32_t count)
{
	const char *const end = p + n, *lf;
	uint32_t lines = 0;

	for (; p < end; p = lf + 1) {
		if (*p != '{' && *p != '"')
			return false;
		if ((lf = memchr(p, '\n', end - p)) == NULL)
			return false;
		lines++;
	}
	return lines == count;
}

/*
 * What a stored body holds, checked; it is good until the next one.  NULL
 * with *why if it is damaged, with *why NULL and errno else.
 */
static const char *
open_body(struct reader *r, const struct record_head *h,
    const unsigned char *body, size_t n, size_t *len, const char **why)
{
	*why = "its checksum is wrong";
	if (record_checksum(body, n) != h->checksum)
		return NULL;
	if ((h->flags & RECORD_CODEC) == RECORD_CODEC_NONE) {
		*len = n;
		return n > 0 ? (const char *)body : "";
	}
	if (r->text.cap > S2_METERED_MAX * 2)
		buf_release(&r->text);
	buf_clear(&r->text);
	if (unpacker_unpack(r->unpacker, body, n, &r->text) == -1) {
		*why = errno == EBADMSG ? "its compression is damaged" :
		    errno == EMSGSIZE ? "it is too large" : NULL;
		return NULL;
	}
	*len = buf_size(&r->text);
	return (const char *)buf_bytes(&r->text);
}

/* A numbered record is of no use; the number may come again. */
static void
spoilt(const struct record *rec, struct tab *t, uint32_t batch,
    const char *why)
{
	char name[64];

	log_warn("%s (tab %x, batch %u) cannot be read: %s",
	    record_name(rec, name, sizeof name), t->id, batch, why);
	if (batch > t->spoilt)
		t->spoilt = batch;
}

/* A whole batch has come; its record, or the first of its parts, is first. */
static int
take_batch(struct reader *r, struct tab *t, const struct record_head *h,
    const unsigned char *body, size_t n, const struct record *rec,
    uint64_t seq, uint64_t time)
{
	const char *lines, *why;
	size_t len;

	if (h->batch <= t->last)
		return 0;
	lines = open_body(r, h, body, n, &len, &why);
	if (lines != NULL && !are_events(lines, len, h->count)) {
		lines = NULL;
		why = "its lines are not what its header says";
	}
	if (lines == NULL) {
		if (why == NULL)
			return -1;
		spoilt(rec, t, h->batch, why);
		return 0;
	}
	if (lost_before(r, t, h->batch, rec) == -1)
		return -1;
	tab_advance(r, t, h->batch, rec);
	if (r->o.directives &&
	    print_batch_head(r, h, rec, seq, time) == -1)
		return -1;
	if (print_lines(r, lines, len, h->offset) == -1)
		return -1;
	return r->o.directives ? buf_addf(&r->sink.buf, ":end\n") : 0;
}

/* The group that a part belongs to, begun if need be.  NULL with errno. */
static struct group *
group_get(struct reader *r, const struct record_head *h,
    const struct record *rec)
{
	const size_t bytes = (size_t)h->parts * RECORD_PART_MAX;
	struct tab *other;
	struct group *g;
	size_t i;

	for (i = 0; i < r->ngroups; i++) {
		g = r->groups[i];
		if (g->head.tab == h->tab && g->head.batch == h->batch &&
		    g->head.parts == h->parts &&
		    g->head.checksum == h->checksum)
			return g;
	}
	while (r->ngroups == GROUPS_MAX ||
	    (r->ngroups > 0 && r->group_bytes + bytes > GROUPS_BYTES_MAX)) {
		g = r->groups[0];
		log_warn("tab %x, batch %u: too many batches in parts wait "
		    "for their other parts; this one is given up", g->head.tab,
		    g->head.batch);
		other = tab_get(r, g->head.tab);
		if (g->head.batch > other->spoilt)
			other->spoilt = g->head.batch;
		group_drop(r, 0);
	}
	if ((g = calloc(1, sizeof *g)) == NULL)
		return NULL;
	/* Untouched, memory of this size costs nothing. */
	if ((g->data = malloc(bytes)) == NULL) {
		free(g);
		return NULL;
	}
	g->head = *h;
	g->seq = rec->seq;
	g->time = rec->time;
	r->group_bytes += bytes;
	r->groups[r->ngroups++] = g;
	return g;
}

static int
take_part(struct reader *r, struct tab *t, const struct record_head *h,
    const struct record *rec)
{
	struct group *g;
	size_t i;
	int result;

	if (h->batch <= t->last)
		return 0;
	if (h->parts > GROUP_PARTS_MAX ||
	    (h->part < h->parts ? rec->body_len != RECORD_PART_MAX :
	    rec->body_len == 0 || rec->body_len > RECORD_PART_MAX)) {
		spoilt(rec, t, h->batch, "a part of a wrong size");
		return 0;
	}
	if ((g = group_get(r, h, rec)) == NULL)
		return -1;
	if (g->there[h->part - 1])
		return 0;
	g->there[h->part - 1] = true;
	g->have++;
	if (h->part == 1)
		g->head = *h;
	if (h->part == h->parts)
		g->last_size = rec->body_len;
	memcpy(g->data + (size_t)(h->part - 1) * RECORD_PART_MAX, rec->body,
	    rec->body_len);
	if (g->have < h->parts)
		return 0;
	/* Emitting it forgets it. */
	for (i = 0; r->groups[i] != g; i++)
		continue;
	memmove(&r->groups[i], &r->groups[i + 1],
	    (--r->ngroups - i) * sizeof r->groups[0]);
	r->group_bytes -= (size_t)h->parts * RECORD_PART_MAX;
	result = take_batch(r, t, &g->head, g->data,
	    (size_t)(h->parts - 1) * RECORD_PART_MAX + g->last_size, rec,
	    g->seq, g->time);
	free(g->data);
	free(g);
	return result;
}

/* The cause in a gap's body, and the text of its number of events. */
static void
read_gap(const char *body, size_t n, char cause[CAUSE_MAX + 1],
    const char **events, size_t *events_len)
{
	const char *v;
	struct scan s;
	size_t len, i;

	strlcpy(cause, "lost", CAUSE_MAX + 1);
	*events_len = 0;
	if (scan_event(body, n, &s) == -1)
		return;
	if (scan_member(body, n, "cause", &v, &len) == 0 && len > 2 &&
	    len - 2 <= CAUSE_MAX && *v == '"') {
		for (i = 1; i < len - 1; i++)
			if ((v[i] < 'a' || v[i] > 'z') && v[i] != '-')
				break;
		if (i == len - 1) {
			memcpy(cause, v + 1, len - 2);
			cause[len - 2] = '\0';
		}
	}
	if (scan_member(body, n, "events", &v, &len) == -1 || len > 10)
		return;
	for (i = 0; i < len; i++)
		if (v[i] < '0' || v[i] > '9')
			return;
	*events = v;
	*events_len = len;
}

/* A gap that a writer tells of. */
static int
take_gap(struct reader *r, struct tab *t, const struct record_head *h,
    const struct record *rec)
{
	char cause[CAUSE_MAX + 1];
	const char *body, *events = NULL, *why;
	size_t len, events_len;
	uint32_t first = h->batch, last = h->batch + h->count - 1;

	if (h->count > 0 ? last <= t->last :
	    first <= t->last || first <= t->within)
		return 0;
	body = open_body(r, h, rec->body, rec->body_len, &len, &why);
	if (body == NULL && why == NULL)
		return -1;
	/* That there is a gap stands in the header. */
	if (body == NULL || (h->flags & RECORD_PART)) {
		body = "";
		len = 0;
	}
	read_gap(body, len, cause, &events, &events_len);
	if (lost_before(r, t, first, rec) == -1)
		return -1;
	if (h->count == 0) {
		t->within = first;
		return gap(r, t, first, first, cause, events, events_len, true,
		    rec, true);
	}
	if (t->seen && first <= t->last)
		first = t->last + 1;
	if (gap(r, t, first, last, cause, events, events_len, false, rec,
	    true) == -1)
		return -1;
	tab_advance(r, t, last, rec);
	return 0;
}

/* Meta and stop: one JSON object. */
static int
take_json(struct reader *r, const char *directive,
    const struct record_head *h, const struct record *rec)
{
	const char *body, *why;
	struct scan s;
	size_t len;

	if (!r->o.directives)
		return 0;
	body = open_body(r, h, rec->body, rec->body_len, &len, &why);
	if (body == NULL && why == NULL)
		return -1;
	if (body != NULL && (len > RECORD_JSON_MAX || *body != '{' ||
	    scan_event(body, len, &s) == -1 ||
	    memchr(body, '\n', len) != NULL)) {
		body = NULL;
		why = "it is no JSON object";
	}
	if (body == NULL) {
		reader_damaged(r, rec, why);
		return 0;
	}
	return reader_line(r, directive, rec, body, len);
}

static int
take_beat(struct reader *r, const struct record_head *h,
    const struct record *rec)
{
	struct buf *b = &r->sink.buf;

	if (!r->o.directives)
		return 0;
	buf_addf(b, ":beat tab=%x", h->tab);
	if (h->flags & RECORD_SNAP)
		buf_addf(b, " snap=%u", h->snap);
	add_place(r, rec);
	return buf_addf(b, "\n");
}

/* A record that we cannot read and must not change. */
static int
carry(struct reader *r, const struct record *rec)
{
	struct buf *b = &r->sink.buf;

	if (!r->o.directives)
		return 0;
	if (buf_addf(b, ":record") == -1 ||
	    add_place(r, rec) == -1 ||
	    directive_add_hex(b, "head", rec->value, rec->value_len) == -1 ||
	    directive_add_base64(b, "body", rec->body, rec->body_len) == -1)
		return -1;
	return buf_addf(b, "\n");
}

/*
 * A record of a later version.  If it has a number, a gap follows it: to who
 * copies this and knows more it is a repeat, and to us it stands in for it.
 */
static int
take_newer(struct reader *r, struct tab *t, const struct record_head *h,
    const struct record *rec)
{
	r->newer++;
	r->missing = true;
	if (carry(r, rec) == -1)
		return -1;
	if (t == NULL || h->batch == 0 || h->batch <= t->last)
		return 0;
	if (lost_before(r, t, h->batch, rec) == -1 ||
	    gap(r, t, h->batch, h->batch, "newer", NULL, 0, false, rec,
	    false) == -1)
		return -1;
	tab_advance(r, t, h->batch, rec);
	return 0;
}

static int
take_session(struct reader *r, const struct record *rec)
{
	struct record_head h;
	struct tab *t = NULL;
	bool newer;
	int got;

	got = record_head_get(rec->value, rec->value_len, &h);
	if (got == -1) {
		reader_damaged(r, rec, "its header is malformed");
		return 0;
	}
	newer = got == 1 || ((h.flags & RECORD_DICT) &&
	    h.kind < RECORD_ANCILLARY);
	if (r->o.one_tab && h.tab != r->o.tab &&
	    (h.batch > 0 || h.kind == RECORD_BEAT))
		return 0;
	if (h.batch > 0 && (newer || record_is_numbered(h.kind)) &&
	    (t = tab_get(r, h.tab)) == NULL)
		return -1;
	if (newer)
		return take_newer(r, t, &h, rec);
	switch (h.kind) {
	case RECORD_BATCH:
		if (h.flags & RECORD_PART)
			return take_part(r, t, &h, rec);
		return take_batch(r, t, &h, rec->body, rec->body_len, rec,
		    rec->seq, rec->time);
	case RECORD_META:
		return take_json(r, ":meta", &h, rec);
	case RECORD_BEAT:
		return take_beat(r, &h, rec);
	case RECORD_STOP:
		r->stopped = true;
		return take_json(r, ":stop", &h, rec);
	case RECORD_GAP:
		return take_gap(r, t, &h, rec);
	}
	return carry(r, rec);
}

static int
take_fence(struct reader *r, const struct record *rec)
{
	r->stopped = rec->body_len == 7 &&
	    memcmp(rec->body, "stopped", 7) == 0;
	if (!r->o.directives)
		return 0;
	if (buf_addf(&r->sink.buf, ":fence") == -1 ||
	    directive_add(&r->sink.buf, "set", rec->body, rec->body_len) ==
	    -1 || add_place(r, rec) == -1)
		return -1;
	return buf_addf(&r->sink.buf, "\n");
}

static int
take_record(struct reader *r, const struct pb_field *f)
{
	struct record rec;

	if (record_get(f->bytes, f->len, &rec) == -1) {
		r->why = "this is no record";
		return -1;
	}
	if (!r->started) {
		r->started = true;
		r->sequenced = rec.sequenced;
		r->whole = !rec.sequenced || rec.seq == 0;
	}
	r->at_tail = false;
	r->next_seq = rec.seq + 1;
	if (record_is_session(&rec))
		return take_session(r, &rec);
	if (record_is_fence(&rec))
		return take_fence(r, &rec);
	if (rec.command)
		return 0;
	if (replaya_is(f->bytes, f->len))
		return replaya_take(r, f->bytes, f->len, &rec);
	r->skipped++;
	return 0;
}

/* The next number, and the last record's time. */
static int
take_tail(struct reader *r, const struct pb_field *field)
{
	uint64_t seq, time;

	if (record_get_position(field->bytes, field->len, &seq, &time) == -1) {
		r->why = "no tail position";
		return -1;
	}
	if (r->o.directives && buf_addf(&r->sink.buf,
	    ":tail seq=%llu time=%llu\n",
	    (unsigned long long)resume_seq(r, seq),
	    (unsigned long long)time) == -1)
		return -1;
	r->at_tail = true;
	return 0;
}

static int
take_stream(struct reader *r, const struct pb_field *f)
{
	if (r->stream != NULL && strlen(r->stream) == f->len &&
	    memcmp(r->stream, f->bytes, f->len) == 0)
		return 0;
	if (r->started || r->stream != NULL) {
		r->why = "records of more than one stream";
		return -1;
	}
	return (r->stream = strndup((const char *)f->bytes, f->len)) == NULL ?
	    -1 : 0;
}

static int
take_field(struct reader *r, const struct pb_field *f)
{
	if (f->wire != PB_LEN)
		return 0;
	switch (f->no) {
	case PIPE_RECORD:
		return take_record(r, f);
	case PIPE_TAIL:
		return take_tail(r, f);
	case PIPE_STREAM:
		return take_stream(r, f);
	}
	return 0;
}

ssize_t
reader_take(struct reader *r, const unsigned char *p, size_t n, size_t *bad)
{
	struct pb_field f;
	size_t done = 0, need;
	ssize_t took;

	while (done < n) {
		*bad = done;
		took = pb_next(p + done, n - done, &f, &need);
		if (took == -1 || (took == 0 && need > READER_FIELD_MAX)) {
			r->why = "this is no field of records";
			return -1;
		}
		if (took == 0)
			break;
		if (take_field(r, &f) == -1)
			return -1;
		done += took;
		if (buf_size(&r->sink.buf) >= FLUSH &&
		    sink_flush(&r->sink) == -1)
			return -1;
	}
	return done;
}

/*
 * What is not complete at the end was never acknowledged: its writer may be
 * at it still.  Only if nothing can come any more it is lost.
 */
static int
end_groups(struct reader *r)
{
	struct group *g;
	struct tab *t;

	for (; r->ngroups > 0; group_drop(r, 0)) {
		g = r->groups[0];
		log_warn("tab %x, batch %u is not complete: %u of %u parts "
		    "are there", g->head.tab, g->head.batch, g->have,
		    g->head.parts);
		if (!r->stopped)
			continue;
		if ((t = tab_get(r, g->head.tab)) == NULL)
			return -1;
		if (g->head.batch > t->spoilt)
			t->spoilt = g->head.batch;
	}
	return 0;
}

int
reader_end(struct reader *r)
{
	const uint64_t seq = resume_seq(r, r->next_seq);
	const struct tab *t;
	size_t i;

	if (end_groups(r) == -1)
		return -1;
	for (i = 0; i < r->ntabs; i++) {
		t = &r->tabs[i];
		if (t->spoilt > t->last && gap(r, t, t->last + 1, t->spoilt,
		    "lost", NULL, 0, false, NULL, false) == -1)
			return -1;
	}
	replaya_end(r);
	if (r->skipped > 0)
		log_warn("%llu records are not of a recording, and were "
		    "skipped", (unsigned long long)r->skipped);
	if (r->newer > 0)
		log_warn("%llu records were written by a later version, and "
		    "cannot be read", (unsigned long long)r->newer);
	if (r->failed > 1)
		log_warn("the program failed on %llu events",
		    (unsigned long long)r->failed);
	if (r->o.directives && r->sequenced && !r->at_tail &&
	    buf_addf(&r->sink.buf, ":next seq=%llu\n",
	    (unsigned long long)seq) == -1)
		return -1;
	return sink_flush(&r->sink);
}
