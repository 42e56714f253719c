#include "clip.h"

#include <stdlib.h>
#include <string.h>

#include "scan.h"

/* rrweb's sources of incremental events that change what the page is. */
#define SOURCE_STATE (1u << 0 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 7 |	\
    1u << 8 | 1u << 9 | 1u << 10 | 1u << 13 | 1u << 15 | 1u << 16)
#define SOURCES	17

int
batch_init(struct batch *b)
{
	memset(b, 0, sizeof *b);
	b->head = (struct buf)BUF_INIT(DIRECTIVE_MAX_BYTES);
	b->text = (struct buf)BUF_INIT(RECORD_TEXT_MAX + RECORD_COUNT_MAX);
	b->events = reallocarray(NULL, RECORD_COUNT_MAX, sizeof *b->events);
	return b->events == NULL ? -1 : 0;
}

void
batch_release(struct batch *b)
{
	buf_release(&b->head);
	buf_release(&b->text);
	free(b->events);
}

static int
read_head(struct batch *b, const struct directive *d, const char **why)
{
	char flags[64];
	int got, first, last;

	if (directive_tab(d, "tab", &b->tab, why) == -1 ||
	    (got = directive_number(d, "seq", INT64_MAX, &b->seq, why)) == -1)
		return -1;
	b->has_seq = got == 1;
	b->seqs = 1;
	if (directive_number(d, "seqs", INT32_MAX, &b->seqs, why) == -1 ||
	    (first = directive_time(d, "first", &b->first, why)) == -1 ||
	    (last = directive_time(d, "last", &b->last, why)) == -1 ||
	    directive_time(d, "offset", &b->offset, why) == -1)
		return -1;
	b->has_time = first == 1 && last == 1;
	/* A header cannot tell of more: the last event may be any later. */
	if (b->has_time && b->last - b->first >= RECORD_SPAN_MAX)
		b->last = RECORD_TIME_MAX;
	/* No header tells of a longer span, so it may have been longer. */
	if (b->has_time && b->last - b->first == RECORD_SPAN_MAX)
		b->last = RECORD_TIME_MAX;
	if (directive_value(d, "flags", flags, sizeof flags, why) == -1 &&
	    *why != NULL)
		return -1;
	b->full = *why == NULL && strncmp(flags, "full", 4) == 0;
	*why = NULL;
	return 0;
}

int
batch_begin(struct batch *b, const struct directive *d, const char *line,
    size_t len, const char **why)
{
	b->open = true;
	b->bare = d == NULL;
	b->has_seq = b->has_time = b->full = false;
	b->n = 0;
	b->offset = 0;
	buf_clear(&b->head);
	buf_clear(&b->text);
	if (d == NULL)
		return 0;
	if (buf_add(&b->head, line, len) == -1) {
		*why = "there is no memory";
		return -1;
	}
	return read_head(b, d, why);
}

int
batch_add(struct batch *b, const char *line, size_t len, const char **why)
{
	if (b->n == RECORD_COUNT_MAX) {
		*why = "a batch has more than 16383 events";
		return -1;
	}
	b->events[b->n].off = b->text.len;
	b->events[b->n].len = len;
	if (buf_add(&b->text, line, len) == -1 ||
	    buf_add(&b->text, "\n", 1) == -1) {
		*why = "a batch is over 64 MiB, or there is no memory";
		return -1;
	}
	b->n++;
	return 0;
}

static const char *
event_text(const struct batch *b, const struct event *e)
{
	return (const char *)buf_bytes(&b->text) + e->off;
}

/* Read type and time of each. */
static void
read_events(struct batch *b)
{
	bool has_time = b->has_time;
	int64_t time = b->first;
	struct event *e;
	struct scan s;

	for (e = b->events; e < b->events + b->n; e++) {
		e->kept = false;
		e->type = EVENT_NONE;
		if (scan_event(event_text(b, e), e->len, &s) == 0) {
			e->type = s.type;
			if (s.has_time) {
				has_time = true;
				time = s.time + b->offset;
			}
		}
		e->has_time = has_time;
		e->time = time;
	}
}

static ssize_t
find_snapshot(const struct batch *b, int64_t at)
{
	ssize_t i, found = -1;

	for (i = 0; i < (ssize_t)b->n; i++)
		if (b->events[i].type == EVENT_FULL_SNAPSHOT &&
		    b->events[i].has_time && b->events[i].time <= at)
			found = i;
	if (found > 0 && b->events[found - 1].type == EVENT_META)
		found--;
	return found;
}

ssize_t
batch_snapshot(struct batch *b, int64_t at)
{
	read_events(b);
	return find_snapshot(b, at);
}

/* True if it makes the page what it is, and is not just what somebody did. */
static bool
is_state(const struct batch *b, const struct event *e)
{
	const char *p = event_text(b, e), *data, *v;
	size_t data_len, n;

	if (e->type == EVENT_FULL_SNAPSHOT || e->type == EVENT_META)
		return true;
	if (e->type != EVENT_INCREMENTAL ||
	    scan_member(p, e->len, "data", &data, &data_len) == -1 ||
	    scan_member(data, data_len, "source", &v, &n) == -1)
		return false;
	/* A number of one or two digits, and nothing else. */
	if (n == 0 || n > 2 || strspn(v, "0123456789") < n)
		return false;
	n = strtoul(v, NULL, 10);
	return n < SOURCES && (SOURCE_STATE >> n & 1) != 0;
}

/* Where its tab starts, if that is before the span; NULL: it is not shown. */
static const struct start *
start_of(const struct span *s, const struct batch *b)
{
	unsigned i;

	if (b->has_seq)
		for (i = 0; i < s->nstarts; i++)
			if (s->starts[i].tab == b->tab)
				return b->seq >= s->starts[i].seq ?
				    &s->starts[i] : NULL;
	return NULL;
}

enum clip
clip_batch(const struct span *s, struct batch *b)
{
	const struct start *start = start_of(s, b);
	enum clip result = CLIP_NONE;
	ssize_t drawn = 0, i;
	struct event *e;

	if (b->has_time) {
		if (b->first >= s->from && b->last < s->to)
			return CLIP_ALL;
		if (b->first >= s->to || (b->last < s->from && start == NULL))
			return CLIP_NONE;
	}
	read_events(b);
	if (start != NULL && b->seq == start->seq)
		drawn = find_snapshot(b, s->from);
	for (i = 0; i < (ssize_t)b->n; i++) {
		e = &b->events[i];
		if (!e->has_time || e->time >= s->to)
			continue;
		e->kept = e->time >= s->from || (start != NULL && drawn >= 0 &&
		    i >= drawn && is_state(b, e));
		if (e->kept && e->time >= s->from)
			result = CLIP_SOME;
		else if (e->kept && result == CLIP_NONE)
			result = CLIP_BEFORE;
	}
	return result;
}
