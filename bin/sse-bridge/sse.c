#include "lines.h"
#include "record.h"
#include "sse.h"

#define KEEP_MAX	(1u << 20)	/* bytes of memory kept when idle */

static void
add(struct sse *s, const void *bytes, size_t n)
{
	if (!s->over && buf_add(&s->text, bytes, n) == -1)
		s->over = true;
}

static void
add_text(struct sse *s, const char *text)
{
	add(s, text, strlen(text));
}

static void
add_data(struct sse *s, const char *line, size_t len)
{
	const unsigned char *end;
	unsigned char *p;

	add_text(s, "data: ");
	add(s, line, len);
	if (!s->over) {
		end = s->text.data + s->text.len;
		for (p = s->text.data + s->text.len - len;
		    (p = memchr(p, '\r', end - p)) != NULL; p++)
			*p = ' ';
	}
	add_text(s, "\n");
}

static void
begin(struct sse *s, const char *event, size_t len)
{
	buf_clear(&s->text);
	s->over = false;
	s->open = true;
	add_text(s, "event: ");
	add(s, event, len);
	add_text(s, "\n");
}

static void
finish(struct sse *s)
{
	char id[sizeof "id: 18446744073709551615\n"];

	if (s->now.has_next) {
		snprintf(id, sizeof id, "id: %llu\n",
		    (unsigned long long)s->now.next);
		add_text(s, id);
	}
	add_text(s, "\n");
	s->now.data = s->over ? NULL : buf_bytes(&s->text);
	s->now.len = s->over ? 0 : buf_size(&s->text);
	s->emit(s->arg, &s->now);
	sse_reset(s);
}

/*
 * Where it stands and where to go on after it: 'next' says so; without it,
 * behind the records that it came from.
 */
static int
find_place(struct sse_message *m, const struct directive *d, const char **why)
{
	uint64_t seq = 0, seqs = 1;
	int has_seq, has_next;

	if (directive_number(d, "time", INT64_MAX, &m->time, why) == -1 ||
	    (has_seq = directive_number(d, "seq", INT64_MAX, &seq,
	    why)) == -1 ||
	    directive_number(d, "seqs", UINT64_MAX >> 1, &seqs, why) == -1 ||
	    (has_next = directive_number(d, "next", INT64_MAX, &m->next,
	    why)) == -1)
		return -1;
	/* These say where to go on, and come from no record. */
	if (m->kind == SSE_TAIL || m->kind == SSE_NEXT) {
		m->next = seq;
		m->has_next = has_seq == 1;
		return 0;
	}
	m->seq = seq;
	m->has_seq = has_seq == 1;
	if (has_next == 0)
		m->next = seq + seqs;
	m->has_next = has_seq == 1 || has_next == 1;
	return 0;
}

/* The number of a batch, or those of a gap. */
static int
find_numbers(struct sse_message *m, const struct directive *d,
    const char **why)
{
	uint64_t first, last;
	int got;

	if (directive_tab(d, "tab", &m->tab, why) == -1 ||
	    (got = directive_range(d, "batch", RECORD_BATCH_MAX, &first,
	    &last, why)) == -1)
		return -1;
	if (got == 0)
		return 0;
	m->first = (uint32_t)first;
	m->last = (uint32_t)last;
	m->numbered = true;
	return 0;
}

static int
describe(struct sse_message *m, const struct directive *d, const char **why)
{
	char token[S2_FENCE_MAX + 1];
	uint64_t within = 0;

	memset(m, 0, sizeof *m);
	m->kind = directive_is(d, "batch") ? SSE_BATCH :
	    directive_is(d, "gap") ? SSE_GAP :
	    directive_is(d, "fence") ? SSE_FENCE :
	    directive_is(d, "stop") ? SSE_STOP :
	    directive_is(d, "tail") ? SSE_TAIL :
	    directive_is(d, "next") ? SSE_NEXT : SSE_OTHER;
	if (find_place(m, d, why) == -1)
		return -1;
	switch (m->kind) {
	case SSE_GAP:
		if (directive_number(d, "within", 1, &within, why) == -1)
			return -1;
		return within ? 0 : find_numbers(m, d, why);
	case SSE_BATCH:
		return find_numbers(m, d, why);
	case SSE_FENCE:
		m->stopped = directive_value(d, "set", token, sizeof token,
		    why) != -1 && strcmp(token, "stopped") == 0;
		return *why == NULL ? 0 : -1;
	default:
		return 0;
	}
}

static int
take_directive(struct sse *s, const char *line, size_t len, const char **why)
{
	struct directive d;

	if (directive_parse(line, len, &d, why) == -1)
		return -1;
	if (directive_is(&d, "end")) {
		if (sse_in_batch(s))
			finish(s);
		return 0;
	}
	if (sse_in_batch(s)) {
		*why = "a directive stands inside a batch";
		return -1;
	}
	sse_pause(s);
	if (describe(&s->now, &d, why) == -1)
		return -1;
	begin(s, d.name, d.name_len);
	add_data(s, line, len);
	if (s->now.kind != SSE_BATCH)
		finish(s);
	return 0;
}

int
sse_line(struct sse *s, const char *line, size_t len, const char **why)
{
	*why = NULL;
	if (len == 0)
		return 0;
	switch (line[0]) {
	case ':':
		return take_directive(s, line, len, why);
	case '{':
	case '"':
		if (!s->open) {
			memset(&s->now, 0, sizeof s->now);
			s->now.kind = SSE_EVENTS;
			begin(s, "events", strlen("events"));
		}
		add_data(s, line, len);
		return 0;
	default:
		*why = "a line is neither an event nor a directive";
		return -1;
	}
}

void
sse_pause(struct sse *s)
{
	if (s->open && !sse_in_batch(s))
		finish(s);
}

bool
sse_in_batch(const struct sse *s)
{
	return s->open && s->now.kind == SSE_BATCH;
}

void
sse_reset(struct sse *s)
{
	s->open = s->over = false;
	if (s->text.cap > KEEP_MAX)
		buf_release(&s->text);
	buf_clear(&s->text);
}

void
sse_release(struct sse *s)
{
	buf_release(&s->text);
	s->open = false;
}
