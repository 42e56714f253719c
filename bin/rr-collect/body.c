#include "body.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "record.h"
#include "scan.h"

#define TRUST_MAX	65536	/* bytes made room for before they come */
#define GZIP_CHUNK	16384	/* bytes unpacked at a time */
#define GZIP_MEMORY	49152	/* what zlib holds meanwhile, about */
#define GZIP_WINDOW	(15 + 16)	/* zlib's largest, and gzip's frame */

/* Hold what the text's memory is against the budget. */
static int
charge(struct body *b)
{
	size_t whole = b->text.cap + (b->gzip != NULL ? GZIP_MEMORY : 0);

	b->budget->used += whole - b->charged;
	b->charged = whole;
	return b->budget->used > b->budget->max ? -1 : 0;
}

/* One byte of the text's limit is for a last LF. */
void
body_start(struct body *b, struct budget *budget, size_t max, bool gzip,
    size_t expected)
{
	memset(b, 0, sizeof(*b));
	b->text.max = max + 1;
	b->budget = budget;
	if (gzip) {
		b->charged = GZIP_MEMORY;
		budget->used += GZIP_MEMORY;
		b->gzip = calloc(1, sizeof(*b->gzip));
		if (b->gzip == NULL || budget->used > budget->max ||
		    inflateInit2(b->gzip, GZIP_WINDOW) != Z_OK) {
			free(b->gzip);
			b->gzip = NULL;
			b->state = BODY_NO_ROOM;
			budget->used -= GZIP_MEMORY;
			b->charged = 0;
		}
	} else if (expected > max) {
		b->state = BODY_BIG;
	} else {
		/* What is only announced shall not keep others out. */
		if (expected > TRUST_MAX)
			expected = TRUST_MAX;
		if (budget->used + expected > budget->max ||
		    buf_reserve(&b->text, expected + 1) == NULL ||
		    charge(b) == -1)
			b->state = BODY_NO_ROOM;
	}
}

static void
gzip_release(struct body *b)
{
	if (b->gzip == NULL)
		return;
	inflateEnd(b->gzip);
	free(b->gzip);
	b->gzip = NULL;
	b->budget->used -= GZIP_MEMORY;
	b->charged -= GZIP_MEMORY;
}

void
body_release(struct body *b)
{
	gzip_release(b);
	if (b->budget != NULL)
		b->budget->used -= b->charged;
	b->charged = 0;
	buf_release(&b->text);
}

static unsigned char *
room(struct body *b, size_t n)
{
	unsigned char *p;

	if (buf_size(&b->text) + n > b->text.max - 1) {
		b->state = BODY_BIG;
		return NULL;
	}
	p = buf_reserve(&b->text, n + 1);
	if (p == NULL || charge(b) == -1) {
		b->state = BODY_NO_ROOM;
		return NULL;
	}
	return p;
}

static void
unpack(struct body *b, const void *data, size_t n)
{
	unsigned char chunk[GZIP_CHUNK], *p;
	size_t got;
	int r;

	b->gzip->next_in = (Bytef *)(uintptr_t)data;
	b->gzip->avail_in = (uInt)n;
	while (b->state == BODY_GOOD) {
		b->gzip->next_out = chunk;
		b->gzip->avail_out = sizeof(chunk);
		r = b->gzip_ended ? Z_STREAM_END :
		    inflate(b->gzip, Z_NO_FLUSH);
		if (r == Z_BUF_ERROR)
			return;
		if (r != Z_OK && r != Z_STREAM_END) {
			b->state = BODY_BAD_GZIP;
			return;
		}
		got = sizeof(chunk) - b->gzip->avail_out;
		if (got > 0 && (p = room(b, got)) != NULL) {
			memcpy(p, chunk, got);
			b->text.len += got;
		}
		if (r == Z_STREAM_END) {
			/* Nothing may follow. */
			b->gzip_ended = true;
			if (b->gzip->avail_in > 0)
				b->state = BODY_BAD_GZIP;
			return;
		}
	}
}

void
body_add(struct body *b, const void *data, size_t n)
{
	unsigned char *p;

	if (b->state != BODY_GOOD)
		return;
	if (b->gzip != NULL) {
		unpack(b, data, n);
	} else if ((p = room(b, n)) != NULL) {
		memcpy(p, data, n);
		b->text.len += n;
	}
}

void
body_end(struct body *b)
{
	if (b->gzip != NULL && b->state == BODY_GOOD && !b->gzip_ended)
		b->state = BODY_BAD_GZIP;
	gzip_release(b);
}

int
body_replace(struct body *b, struct buf *text)
{
	buf_release(&b->text);
	b->text = *text;
	return charge(b);
}

static int
bad(struct judgement *j, const char *why, uint64_t line, uint64_t column)
{
	j->why = why;
	j->line = line;
	j->column = column;
	return -1;
}

int
body_judge_lines(struct body *b, struct judgement *j)
{
	const char *p, *end, *eol;
	uint64_t number = 0;
	struct scan scan;
	int before = EVENT_NONE;

	memset(j, 0, sizeof(*j));
	if (buf_size(&b->text) == 0)
		return bad(j, "there are no events in it", 0, 0);
	if (b->text.data[b->text.len - 1] != '\n')
		b->text.data[b->text.len++] = '\n';	/* room() left one */
	p = (const char *)buf_bytes(&b->text);
	end = p + buf_size(&b->text);
	for (; p < end; p = eol + 1) {
		number++;
		eol = memchr(p, '\n', (size_t)(end - p));
		if (eol == p)
			continue;
		if (*p == ':')
			return bad(j, "directives are not taken from outside",
			    number, 1);
		if (*p != '{' && *p != '"')
			return bad(j, "an event begins with '{' or '\"'",
			    number, 1);
		if (scan_event(p, (size_t)(eol - p), &scan) == -1)
			return bad(j, scan.why, number, scan.column);
		if (scan.type == EVENT_FULL_SNAPSHOT && before == EVENT_META)
			j->full = true;
		if (*p == '"')
			j->packed = true;
		tally_event(&j->tally, p, (size_t)(eol - p), &scan);
		before = scan.type;
		if (++j->events > RECORD_COUNT_MAX) {
			j->too_many = true;
			return bad(j, "more events than a batch may hold",
			    number, 1);
		}
	}
	if (j->events == 0)
		return bad(j, "there are no events in it", 0, 0);
	return 0;
}

/* A place in text that has line ends, as line and column. */
static int
bad_at(struct judgement *j, const char *why, const char *p, size_t column)
{
	uint64_t line = 1;
	size_t begin = 0;

	for (size_t i = 0; i + 1 < column; i++)
		if (p[i] == '\n') {
			line++;
			begin = i + 1;
		}
	return bad(j, why, line, column - begin);
}

int
body_judge_object(struct body *b, size_t max, struct judgement *j)
{
	static const char blanks[] = " \t\r\n";
	struct buf line = BUF_INIT(max + 1);
	const char *p = (const char *)buf_bytes(&b->text);
	size_t n = buf_size(&b->text), i = 0, end;
	struct scan scan;
	ssize_t len;

	memset(j, 0, sizeof(*j));
	while (i < n && memchr(blanks, p[i], 4) != NULL)
		i++;
	if (i == n) {
		buf_clear(&b->text);
		return buf_add(&b->text, "{}", 2) == -1 ?
		    bad(j, "there is no room for it", 0, 0) : 0;
	}
	if (p[i] != '{')
		return bad_at(j, "it is no JSON object", p, i + 1);
	len = scan_value(p + i, n - i, &scan);
	if (len == -1)
		return bad_at(j, scan.why, p, i + scan.column);
	if (len == 0)
		return bad_at(j, "it is cut off", p, n + 1);
	for (end = i + (size_t)len; end < n; end++)
		if (memchr(blanks, p[end], 4) == NULL)
			return bad_at(j, "more behind the object", p, end + 1);
	if (scan_add_line(&line, p + i, (size_t)len) == -1) {
		buf_release(&line);
		return bad(j, "it is too long", 0, 0);
	}
	/* It is no longer than before. */
	memcpy(b->text.data + b->text.off, line.data, line.len);
	b->text.len = b->text.off + line.len;
	buf_release(&line);
	return 0;
}
