#include <assert.h>

#include <xxhash.h>

#include "record.h"

#define HEAD_VERSION	1

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

size_t
record_head_put(const struct record_head *h, unsigned char *p)
{
	unsigned char *start = p;

	assert(h->kind >= 1 && h->kind <= 15 && h->flags <= 0xff);
	assert(h->batch <= RECORD_BATCH_MAX);
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
	assert(h->count <= RECORD_COUNT_MAX);
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
	struct cursor c = { p, p + n, false };
	unsigned first, codec;

	memset(h, 0, sizeof *h);
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
	codec = h->flags & RECORD_CODEC;
	if (h->kind == 6 || h->kind == 7 ||
	    (h->kind < RECORD_ANCILLARY && codec != RECORD_CODEC_NONE &&
	    codec != RECORD_CODEC_ZSTD))
		return 1;
	if (h->flags & RECORD_PART) {
		h->part = take_varint(&c, RECORD_PARTS_MAX);
		h->parts = take_varint(&c, RECORD_PARTS_MAX);
		if (c.bad || h->parts < 2 || h->part < 1 || h->part > h->parts)
			return -1;
	}
	h->checksum = (uint32_t)take_be(&c, 4);
	if ((h->flags & RECORD_PART) && h->part > 1)
		return c.bad ? -1 : 0;
	h->count = take_varint(&c, RECORD_COUNT_MAX);
	if (h->flags & RECORD_TIME) {
		h->first = (int64_t)(take_be(&c, 6) << 16) >> 16;
		h->span = take_varint(&c, RECORD_SPAN_MAX);
	}
	if (h->flags & RECORD_DICT)
		h->dict = (uint32_t)take_be(&c, 4);
	if (h->flags & RECORD_SNAP)
		h->snap = take_varint(&c, RECORD_SNAP_MAX);
	if (record_is_numbered(h->kind) && h->batch == 0)
		c.bad = true;
	return c.bad ? -1 : 0;
}

uint32_t
record_checksum(const void *body, size_t n)
{
	return (uint32_t)XXH3_64bits(body, n);
}

/* An AppendRecord with one header; name may be empty. */
static int
add_record(struct buf *b, const char *name, size_t name_len,
    const void *value, size_t value_len, const void *body, size_t n)
{
	size_t header = 0, size;

	if (name_len > 0)
		header += 1 + pb_varint_size(name_len) + name_len;
	if (value_len > 0)
		header += 1 + pb_varint_size(value_len) + value_len;
	size = 1 + pb_varint_size(header) + header;
	if (n > 0)
		size += 1 + pb_varint_size(n) + n;
	/* One reservation, so that a record is added whole or not at all. */
	if (buf_reserve(b, size + 8 * PB_VARINT_MAX) == NULL)
		return -1;
	pb_add_head(b, PIPE_RECORD, size);
	pb_add_head(b, 2, header);
	if (name_len > 0)
		pb_add_bytes(b, 1, name, name_len);
	if (value_len > 0)
		pb_add_bytes(b, 2, value, value_len);
	if (n > 0) {
		pb_add_head(b, 3, n);
		buf_add(b, body, n);
	}
	return 0;
}

int
record_add(struct buf *b, const struct record_head *h, const void *body,
    size_t n)
{
	unsigned char head[RECORD_HEAD_MAX];
	const char name = RECORD_HEADER_NAME;

	return add_record(b, &name, 1, head, record_head_put(h, head), body,
	    n);
}

int
record_add_fence(struct buf *b, const char *token, size_t n)
{
	return add_record(b, NULL, 0, "fence", 5, token, n);
}

static int
get_header(const unsigned char *p, size_t n, struct record *r)
{
	struct pb_field f;
	ssize_t took;

	r->headers++;
	for (; n > 0; p += took, n -= took) {
		took = pb_next(p, n, &f, NULL);
		if (took <= 0)
			return -1;
		if (r->headers > 1 || f.wire != PB_LEN)
			continue;
		if (f.no == 1) {
			r->name = f.bytes;
			r->name_len = f.len;
		} else if (f.no == 2) {
			r->value = f.bytes;
			r->value_len = f.len;
		}
	}
	return 0;
}

/*
 * The two messages differ in where headers and body are; which it is shows in
 * field 2, which is an AppendRecord's header or a SequencedRecord's time.
 */
int
record_get(const unsigned char *p, size_t n, struct record *r)
{
	const unsigned char *q;
	struct pb_field f;
	uint32_t headers_no = 3;
	ssize_t took;
	size_t left;

	memset(r, 0, sizeof *r);
	r->sequenced = true;
	for (q = p, left = n; left > 0; q += took, left -= took) {
		took = pb_next(q, left, &f, NULL);
		if (took <= 0)
			return -1;
		if (f.no == 2 && f.wire == PB_LEN) {
			r->sequenced = false;
			headers_no = 2;
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
			if (get_header(f.bytes, f.len, r) == -1)
				return -1;
		} else if (f.wire == PB_LEN && f.no == headers_no + 1) {
			r->body = f.bytes;
			r->body_len = f.len;
		}
	}
	r->command = r->headers == 1 && r->name_len == 0;
	return 0;
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
	struct pb_field f, g;
	struct record r;
	const unsigned char *q;
	size_t total = 8, left;
	ssize_t took, took2;
	uint32_t headers_no;

	if (record_get(p, n, &r) == -1)
		return 0;
	total += r.body_len;
	headers_no = r.sequenced ? 3 : 2;
	for (; n > 0; p += took, n -= took) {
		took = pb_next(p, n, &f, NULL);
		if (f.wire != PB_LEN || f.no != headers_no)
			continue;
		total += 2;
		for (q = f.bytes, left = f.len; left > 0;
		    q += took2, left -= took2) {
			took2 = pb_next(q, left, &g, NULL);
			if (took2 <= 0)
				return 0;
			if (g.wire == PB_LEN && (g.no == 1 || g.no == 2))
				total += g.len;
		}
	}
	return total;
}
