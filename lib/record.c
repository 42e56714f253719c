#include <assert.h>

/* The few lines of XXH3 that we need, without its library. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "record.h"

#define HEAD_VERSION	1
#define OFFSET_BYTES	5

static unsigned char *
put_be(unsigned char *p, uint64_t v, int n)
{
	while (n-- > 0)
		*p++ = (unsigned char)(v >> (8 * n));
	return p;
}

static uint64_t
get_be(const unsigned char *p, int n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

/* A gap may be as wide as all numbers; a batch's events are few. */
static uint32_t
count_max(unsigned kind)
{
	return kind == RECORD_GAP ? RECORD_BATCH_MAX : RECORD_COUNT_MAX;
}

static bool
may_have_offset(const struct record_head *h)
{
	return h->kind == RECORD_BATCH && (h->flags & RECORD_TIME) != 0 &&
	    (h->flags & RECORD_DICT) == 0;
}

size_t
record_head_put(const struct record_head *h, unsigned char *p)
{
	unsigned char *start = p;

	assert(h->kind >= 1 && h->kind <= 15 && h->flags <= 0xff);
	assert(h->batch <= RECORD_BATCH_MAX);
	/* A gap's wider count makes up for what it does not need. */
	assert(h->kind != RECORD_GAP ||
	    (h->flags & ~(unsigned)RECORD_SNAP) == 0);
	*p++ = (unsigned char)(HEAD_VERSION << 4 | h->kind);
	*p++ = (unsigned char)h->flags;
	p = put_be(p, h->tab, 4);
	p = pb_put_varint(p, h->batch);
	if (h->flags & RECORD_PART) {
		assert(h->parts >= 2 && h->parts <= RECORD_PARTS_MAX);
		assert(h->part >= 1 && h->part <= h->parts);
		p = pb_put_varint(p, h->part);
		p = pb_put_varint(p, h->parts);
	}
	p = put_be(p, h->checksum, 4);
	if ((h->flags & RECORD_PART) && h->part > 1)
		return p - start;
	assert(h->count <= count_max(h->kind));
	p = pb_put_varint(p, h->count);
	if (h->flags & RECORD_TIME) {
		assert(h->first > -RECORD_TIME_MAX &&
		    h->first < RECORD_TIME_MAX);
		assert(h->span <= RECORD_SPAN_MAX);
		p = put_be(p, (uint64_t)h->first & 0xffffffffffff, 6);
		p = pb_put_varint(p, h->span);
	}
	if (h->flags & RECORD_DICT)
		p = put_be(p, h->dict, 4);
	if (h->flags & RECORD_SNAP) {
		assert(h->snap <= RECORD_SNAP_MAX);
		p = pb_put_varint(p, h->snap);
	}
	if (h->offset != 0) {
		assert(may_have_offset(h) && h->offset >= -RECORD_OFFSET_MAX -
		    RECORD_OFFSET_UNIT && h->offset <= RECORD_OFFSET_MAX);
		p = put_be(p, (uint64_t)(h->offset / RECORD_OFFSET_UNIT) &
		    0xffffffffff, OFFSET_BYTES);
	}
	return p - start;
}

/* Reads from a header: each step fails once the bytes have run out. */
struct cursor {
	const unsigned char *p;
	const unsigned char *end;
	bool bad;
};

static uint64_t
take_be(struct cursor *c, int n)
{
	uint64_t v;

	if (c->bad || c->end - c->p < n) {
		c->bad = true;
		return 0;
	}
	v = get_be(c->p, n);
	c->p += n;
	return v;
}

static uint32_t
take_varint(struct cursor *c, uint32_t max)
{
	uint64_t v = 0;
	int n;

	n = c->bad ? 0 : pb_get_varint(c->p, c->end - c->p, &v);
	if (n <= 0 || v > max) {
		c->bad = true;
		return 0;
	}
	c->p += n;
	return (uint32_t)v;
}

int
record_head_get(const unsigned char *p, size_t n, struct record_head *h)
{
	struct cursor c;
	unsigned first, codec;

	memset(h, 0, sizeof *h);
	if (n == 0)
		return -1;
	c = (struct cursor){ p, p + n, false };
	first = (unsigned)take_be(&c, 1);
	if (c.bad)
		return -1;
	h->version = first >> 4;
	h->kind = first & 15;
	if (h->version != HEAD_VERSION)
		return 1;
	h->flags = (unsigned)take_be(&c, 1);
	h->tab = (uint32_t)take_be(&c, 4);
	h->batch = take_varint(&c, RECORD_BATCH_MAX);
	if (c.bad || h->kind == 0)
		return -1;
	if (h->kind >= RECORD_ANCILLARY)
		return 0;
	codec = h->flags & RECORD_CODEC;
	if (h->kind == 6 || h->kind == 7 ||
	    (codec != RECORD_CODEC_NONE && codec != RECORD_CODEC_ZSTD))
		return 1;
	if (record_is_numbered(h->kind) && h->batch == 0)
		return -1;
	if (h->flags & RECORD_PART) {
		h->part = take_varint(&c, RECORD_PARTS_MAX);
		h->parts = take_varint(&c, RECORD_PARTS_MAX);
		if (c.bad || h->parts < 2 || h->part < 1 || h->part > h->parts)
			return -1;
	}
	h->checksum = (uint32_t)take_be(&c, 4);
	if ((h->flags & RECORD_PART) && h->part > 1)
		return c.bad ? -1 : 0;
	h->count = take_varint(&c, count_max(h->kind));
	if (h->kind == RECORD_GAP && h->count > 0 &&
	    h->count - 1 > RECORD_BATCH_MAX - h->batch)
		return -1;
	if (h->flags & RECORD_TIME) {
		h->first = (int64_t)(take_be(&c, 6) << 16) >> 16;
		h->span = take_varint(&c, RECORD_SPAN_MAX);
	}
	if (h->flags & RECORD_DICT)
		h->dict = (uint32_t)take_be(&c, 4);
	if (h->flags & RECORD_SNAP)
		h->snap = take_varint(&c, RECORD_SNAP_MAX);
	if (!c.bad && may_have_offset(h) && c.end - c.p >= OFFSET_BYTES)
		h->offset = ((int64_t)(take_be(&c, OFFSET_BYTES) << 24) >> 24) *
		    RECORD_OFFSET_UNIT;
	return c.bad ? -1 : 0;
}

uint32_t
record_checksum(const void *body, size_t n)
{
	return (uint32_t)XXH3_64bits(body, n);
}

/*
 * An AppendRecord with one header, whose name may be empty, up to its body of
 * n bytes.  One reservation, so that a record is added whole or not at all.
 */
static int
add_head(struct buf *b, const char *name, size_t name_len,
    const void *value, size_t value_len, size_t n, size_t room)
{
	size_t header = 0, size;

	if (name_len > 0)
		header += 1 + pb_varint_size(name_len) + name_len;
	if (value_len > 0)
		header += 1 + pb_varint_size(value_len) + value_len;
	size = 1 + pb_varint_size(header) + header;
	if (n > 0)
		size += 1 + pb_varint_size(n) + n;
	if (buf_reserve(b, size - n + room + 8 * PB_VARINT_MAX) == NULL)
		return -1;
	pb_add_head(b, PIPE_RECORD, size);
	pb_add_head(b, 2, header);
	if (name_len > 0)
		pb_add_bytes(b, 1, name, name_len);
	if (value_len > 0)
		pb_add_bytes(b, 2, value, value_len);
	if (n > 0)
		pb_add_head(b, 3, n);
	return 0;
}

int
record_add_head(struct buf *b, const struct record_head *h, size_t n)
{
	unsigned char head[RECORD_HEAD_MAX];
	const char name = RECORD_HEADER_NAME;

	return add_head(b, &name, 1, head, record_head_put(h, head), n, 0);
}

int
record_add(struct buf *b, const struct record_head *h, const void *body,
    size_t n)
{
	unsigned char head[RECORD_HEAD_MAX];

	return record_add_raw(b, head, record_head_put(h, head), body, n);
}

int
record_add_raw(struct buf *b, const void *head, size_t head_len,
    const void *body, size_t n)
{
	const char name = RECORD_HEADER_NAME;

	if (add_head(b, &name, 1, head, head_len, n, n) == -1)
		return -1;
	return buf_add(b, body, n);
}

int
record_add_fence(struct buf *b, const char *token, size_t n)
{
	if (add_head(b, NULL, 0, "fence", 5, n, n) == -1)
		return -1;
	return buf_add(b, token, n);
}

/* Its name and value, each empty if it is not there. */
static int
get_header(const unsigned char *p, size_t n, struct pb_field *name,
    struct pb_field *value)
{
	struct pb_field f;
	ssize_t took;

	memset(name, 0, sizeof *name);
	memset(value, 0, sizeof *value);
	for (; n > 0; p += took, n -= took) {
		took = pb_next(p, n, &f, NULL);
		if (took <= 0)
			return -1;
		if (f.no == 1 && f.wire == PB_LEN)
			*name = f;
		else if (f.no == 2 && f.wire == PB_LEN)
			*value = f;
	}
	return 0;
}

/*
 * The two messages differ in where headers and body are; which it is shows in
 * field 2, which is an AppendRecord's header or a SequencedRecord's time (S2
 * always gives one).
 */
int
record_get(const unsigned char *p, size_t n, struct record *r)
{
	const unsigned char *q;
	struct pb_field f, name, value;
	uint32_t headers_no = 2;
	ssize_t took;
	size_t left;

	memset(r, 0, sizeof *r);
	for (q = p, left = n; left > 0; q += took, left -= took) {
		took = pb_next(q, left, &f, NULL);
		if (took <= 0)
			return -1;
		if (f.no == 2 && f.wire == PB_VARINT) {
			r->sequenced = true;
			headers_no = 3;
		}
	}
	for (q = p, left = n; left > 0; q += took, left -= took) {
		took = pb_next(q, left, &f, NULL);
		if (f.wire == PB_VARINT && f.no == 1) {
			if (r->sequenced)
				r->seq = f.num;
			else
				r->time = f.num;
		} else if (f.wire == PB_VARINT && f.no == 2) {
			r->time = f.num;
		} else if (f.wire == PB_LEN && f.no == headers_no) {
			if (get_header(f.bytes, f.len, &name, &value) == -1)
				return -1;
			if (r->headers++ > 0)
				continue;
			r->name = name.bytes;
			r->name_len = name.len;
			r->value = value.bytes;
			r->value_len = value.len;
		} else if (f.wire == PB_LEN && f.no == headers_no + 1) {
			r->body = f.bytes;
			r->body_len = f.len;
		}
	}
	r->command = r->headers == 1 && r->name_len == 0;
	return 0;
}

int
record_get_position(const unsigned char *p, size_t n, uint64_t *seq,
    uint64_t *time)
{
	struct pb_field f;
	ssize_t took;

	*seq = *time = 0;
	for (; n > 0; p += took, n -= took) {
		took = pb_next(p, n, &f, NULL);
		if (took <= 0)
			return -1;
		if (f.wire == PB_VARINT && f.no == 1)
			*seq = f.num;
		else if (f.wire == PB_VARINT && f.no == 2)
			*time = f.num;
	}
	return 0;
}

int
record_header(const unsigned char *p, size_t n, const char *name,
    const unsigned char **value, size_t *value_len)
{
	struct pb_field f, k, v;
	struct record r;
	ssize_t took;

	if (record_get(p, n, &r) == -1)
		return -1;
	for (; n > 0; p += took, n -= took) {
		took = pb_next(p, n, &f, NULL);
		if (f.wire != PB_LEN || f.no != (r.sequenced ? 3 : 2))
			continue;
		get_header(f.bytes, f.len, &k, &v);
		if (k.len == strlen(name) &&
		    memcmp(k.bytes, name, k.len) == 0) {
			*value = v.bytes;
			*value_len = v.len;
			return 0;
		}
	}
	return -1;
}

bool
record_is_session(const struct record *r)
{
	return r->headers == 1 && r->name_len == 1 &&
	    r->name[0] == RECORD_HEADER_NAME;
}

bool
record_is_fence(const struct record *r)
{
	return r->command && r->value_len == 5 &&
	    memcmp(r->value, "fence", 5) == 0;
}

/* Source: S2's metering, 8 + 2 a header + names, values and body. */
size_t
record_metered(const unsigned char *p, size_t n)
{
	struct pb_field f, name, value;
	struct record r;
	size_t total = 8;
	ssize_t took;

	if (record_get(p, n, &r) == -1)
		return 0;
	total += r.body_len;
	for (; n > 0; p += took, n -= took) {
		took = pb_next(p, n, &f, NULL);
		if (f.wire != PB_LEN || f.no != (r.sequenced ? 3 : 2))
			continue;
		get_header(f.bytes, f.len, &name, &value);
		total += 2 + name.len + value.len;
	}
	return total;
}
