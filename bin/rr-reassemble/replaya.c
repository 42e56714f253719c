#include <errno.h>

#include "log.h"
#include "lines.h"
#include "replaya.h"
#include "scan.h"

bool
replaya_is(const unsigned char *p, size_t n)
{
	const unsigned char *value;
	size_t len;

	return record_header(p, n, "kind", &value, &len) == 0;
}

static bool
is(const unsigned char *p, size_t n, const char *s)
{
	return strlen(s) == n && memcmp(p, s, n) == 0;
}

/*
 * The text of a member of an envelope, which is judged first.  NULL if the
 * envelope is no object or has none.
 */
static const char *
member(const unsigned char *envelope, size_t n, const char *key, size_t *len)
{
	const char *p = (const char *)envelope, *value;
	struct scan s;

	if (scan_event(p, n, &s) == -1 ||
	    scan_member(p, n, key, &value, len) == -1)
		return NULL;
	return value;
}

/* The same for a whole number; -1 if it is none, or over a million. */
static int64_t
number(const unsigned char *envelope, size_t n, const char *key)
{
	const char *p;
	size_t len, i;
	int64_t v = 0;

	p = member(envelope, n, key, &len);
	if (p == NULL || len > 6)
		return -1;
	for (i = 0; i < len; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		v = v * 10 + (p[i] - '0');
	}
	return v;
}

/* An event's text, which may be on several lines. */
static int
event(struct reader *r, const char *p, size_t len)
{
	if (memchr(p, '\n', len) != NULL) {
		buf_clear(&r->text);
		if (scan_add_line(&r->text, p, len) == -1)
			return -1;
		p = (const char *)buf_bytes(&r->text);
		len = buf_size(&r->text);
	}
	return reader_event(r, 0, p, len);
}

static void
chunks_drop(struct reader *r, size_t i)
{
	struct chunks *c = r->chunks[i];

	r->chunk_bytes -= buf_size(&c->data);
	buf_release(&c->data);
	free(c);
	r->nchunks--;
	memmove(&r->chunks[i], &r->chunks[i + 1],
	    (r->nchunks - i) * sizeof r->chunks[0]);
}

/* What came of the chunks of an event is not enough. */
static void
chunks_lost(struct reader *r, size_t i)
{
	const struct chunks *c = r->chunks[i];

	log_warn("gap: an event in chunks, from record %llu: only %llu of "
	    "%llu are there", (unsigned long long)c->seq,
	    (unsigned long long)c->next, (unsigned long long)c->count);
	r->missing = true;
	chunks_drop(r, i);
}

static struct chunks *
chunks_start(struct reader *r, const char *id, size_t len, uint64_t count,
    uint64_t seq)
{
	struct chunks *c;

	if (r->nchunks == GROUPS_MAX)
		chunks_lost(r, 0);
	if ((c = calloc(1, sizeof *c)) == NULL)
		return NULL;
	memcpy(c->id, id, len);
	c->count = count;
	c->seq = seq;
	c->data.max = LINE_MAX_BYTES;
	r->chunks[r->nchunks++] = c;
	return c;
}

/* Chunks come in order, but those of several events may be mixed. */
static int
chunk(struct reader *r, const unsigned char *envelope, size_t n,
    const struct record *rec)
{
	int64_t index = number(envelope, n, "chunkIndex");
	int64_t count = number(envelope, n, "chunkCount");
	struct chunks *c = NULL;
	struct scan s;
	const char *id;
	size_t len, i;
	int result;

	id = member(envelope, n, "chunkId", &len);
	if (id == NULL || len > CHUNK_ID_MAX || index < 0 || count <= index) {
		reader_damaged(r, rec, "its envelope is not RePlaya's");
		return 0;
	}
	for (i = 0; i < r->nchunks; i++)
		if (strlen(r->chunks[i]->id) == len &&
		    memcmp(r->chunks[i]->id, id, len) == 0)
			break;
	if (i < r->nchunks && (r->chunks[i]->next != (uint64_t)index ||
	    r->chunks[i]->count != (uint64_t)count)) {
		chunks_lost(r, i);
		i = r->nchunks;
	}
	if (i == r->nchunks) {
		if (index != 0) {
			/* Its start may be before the start of reading. */
			if (r->whole)
				reader_damaged(r, rec,
				    "a chunk without the one before");
			return 0;
		}
		c = chunks_start(r, id, len, (uint64_t)count, rec->seq);
		if (c == NULL)
			return -1;
		i = r->nchunks - 1;
	}
	c = r->chunks[i];
	if (buf_add(&c->data, rec->body, rec->body_len) == -1) {
		if (errno != ENOBUFS)
			return -1;
		chunks_lost(r, i);
		return 0;
	}
	c->next++;
	r->chunk_bytes += rec->body_len;
	while (r->chunk_bytes > GROUPS_BYTES_MAX && r->chunks[0] != c)
		chunks_lost(r, 0);
	if (c->next < c->count)
		return 0;
	for (i = 0; r->chunks[i] != c; i++)
		continue;
	if (scan_event((const char *)buf_bytes(&c->data), buf_size(&c->data),
	    &s) == -1) {
		reader_damaged(r, rec, "its chunks make no event");
		chunks_drop(r, i);
		return 0;
	}
	result = event(r, (const char *)buf_bytes(&c->data),
	    buf_size(&c->data));
	chunks_drop(r, i);
	return result;
}

int
replaya_take(struct reader *r, const unsigned char *p, size_t n,
    const struct record *rec)
{
	const unsigned char *kind, *envelope;
	const char *value = NULL;
	size_t kind_len, len;

	record_header(p, n, "kind", &kind, &kind_len);
	if (is(kind, kind_len, "event-chunk")) {
		if (record_header(p, n, "envelope", &envelope, &len) == -1) {
			reader_damaged(r, rec, "it has no envelope");
			return 0;
		}
		return chunk(r, envelope, len, rec);
	}
	if (is(kind, kind_len, "heartbeat"))
		return r->o.directives ?
		    reader_line(r, ":beat tab=0", rec, NULL, 0) : 0;
	if (is(kind, kind_len, "metadata")) {
		if (!r->o.directives)
			return 0;
		value = member(rec->body, rec->body_len, "metadata", &len);
		if (value != NULL && *value == '{' && len <= RECORD_JSON_MAX &&
		    memchr(value, '\n', len) == NULL)
			return reader_line(r, ":meta", rec, value, len);
	} else if (is(kind, kind_len, "event")) {
		value = member(rec->body, rec->body_len, "event", &len);
		if (value != NULL && (*value == '{' || *value == '"'))
			return event(r, value, len);
	} else {
		r->skipped++;
		return 0;
	}
	reader_damaged(r, rec, "its envelope is not RePlaya's");
	return 0;
}

void
replaya_end(struct reader *r)
{
	while (r->nchunks > 0)
		chunks_lost(r, 0);
}

void
replaya_release(struct reader *r)
{
	while (r->nchunks > 0)
		chunks_drop(r, 0);
}
