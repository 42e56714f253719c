/* lib/record.c, lib/pb.c: headers at their limits, messages cut anywhere. */
#include "check.h"
#include "record.h"

static bool
same(const struct record_head *a, const struct record_head *b)
{
	return a->version == b->version && a->kind == b->kind &&
	    a->flags == b->flags && a->tab == b->tab && a->batch == b->batch &&
	    a->part == b->part && a->parts == b->parts &&
	    a->checksum == b->checksum && a->count == b->count &&
	    a->first == b->first && a->span == b->span && a->dict == b->dict &&
	    a->snap == b->snap && a->offset == b->offset;
}

/* It must read back the same, and not at all if a byte is missing. */
static size_t
round_trip(const struct record_head *h)
{
	unsigned char p[RECORD_HEAD_MAX + 8];
	struct record_head back;
	size_t n, i;

	memset(p, 0xee, sizeof p);
	n = record_head_put(h, p);
	CHECK(n <= RECORD_HEAD_MAX && p[n] == 0xee);
	CHECK(record_head_get(p, n, &back) == 0 && same(h, &back));
	/* What a later version adds is ignored. */
	CHECK(record_head_get(p, n + 5, &back) == 0 && same(h, &back));
	for (i = 0; i < n; i++)
		CHECK(record_head_get(p, i, &back) == -1);
	return n;
}

/* One with an offset reads back without it if a byte of that is missing. */
static size_t
with_offset(const struct record_head *h)
{
	unsigned char p[RECORD_HEAD_MAX + 8];
	struct record_head back, without = *h;
	size_t n;

	memset(p, 0xee, sizeof p);
	n = record_head_put(h, p);
	CHECK(n <= RECORD_HEAD_MAX && p[n] == 0xee);
	CHECK(record_head_get(p, n, &back) == 0 && same(h, &back));
	CHECK(record_head_get(p, n + 5, &back) == 0 && same(h, &back));
	without.offset = 0;
	CHECK(record_head_get(p, n - 1, &back) == 0 && same(&without, &back));
	return n;
}

static void
test_head(void)
{
	struct record_head h = {
		.version = 1, .kind = RECORD_BATCH, .flags = 0x7f,
		.tab = 0xffffffff, .batch = RECORD_BATCH_MAX, .part = 1,
		.parts = RECORD_PARTS_MAX, .checksum = 0x12345678,
		.count = RECORD_COUNT_MAX, .first = RECORD_TIME_MAX - 1,
		.span = RECORD_SPAN_MAX, .dict = 0xffffffff,
		.snap = RECORD_SNAP_MAX,
	};
	unsigned char p[RECORD_HEAD_MAX];
	struct record_head back;
	struct buf b = BUF_INIT(256);
	struct pb_field f;

	/* The largest there is, and what S2 meters for it. */
	CHECK(round_trip(&h) == RECORD_HEAD_MAX - 1);
	CHECK(record_add(&b, &h, NULL, 0) == 0);
	CHECK(pb_next(buf_bytes(&b), buf_size(&b), &f, NULL) ==
	    (ssize_t)buf_size(&b));
	CHECK(record_metered(f.bytes, f.len) == RECORD_OVERHEAD_MAX);
	buf_clear(&b);
	/* The same with an offset, which needs what a dictionary takes. */
	h.flags &= ~(unsigned)RECORD_DICT;
	h.dict = 0;
	h.offset = -RECORD_OFFSET_MAX;
	CHECK(with_offset(&h) == RECORD_HEAD_MAX);
	h.parts = RECORD_TEXT_MAX / RECORD_PART_MAX + 1;
	CHECK(with_offset(&h) == RECORD_HEAD_MAX - 1);
	CHECK(record_add(&b, &h, NULL, 0) == 0);
	CHECK(pb_next(buf_bytes(&b), buf_size(&b), &f, NULL) ==
	    (ssize_t)buf_size(&b));
	CHECK(record_metered(f.bytes, f.len) == RECORD_OVERHEAD_MAX);
	buf_release(&b);
	h.offset = RECORD_OFFSET_MAX;
	with_offset(&h);
	h.offset = -RECORD_OFFSET_UNIT;
	with_offset(&h);
	h.offset = 0;
	h.flags |= RECORD_DICT;

	h.first = 1 - RECORD_TIME_MAX;
	round_trip(&h);
	h.first = -1;
	round_trip(&h);
	h = (struct record_head){ .version = 1, .kind = RECORD_BATCH,
	    .flags = RECORD_PART, .batch = 1, .part = 2, .parts = 2 };
	CHECK(round_trip(&h) == 13);
	h = (struct record_head){ .version = 1, .kind = RECORD_GAP,
	    .flags = RECORD_SNAP, .batch = 1, .count = RECORD_BATCH_MAX };
	round_trip(&h);
	h = (struct record_head){ .version = 1, .kind = RECORD_BEAT };
	CHECK(round_trip(&h) == 12);

	/* Out of the limits, which record_head_put() would not write. */
	memcpy(p, "\x11\0" "tab0" "\0" "sum0" "\0", 12);
	CHECK(record_head_get(p, 12, &back) == -1);	/* batch 0 */
	memcpy(p, "\x10\0" "tab0" "\1" "sum0" "\0", 12);
	CHECK(record_head_get(p, 12, &back) == -1);	/* kind 0 */
	memcpy(p, "\x11\1" "tab0" "\1\1\1" "sum0" "\0", 14);
	CHECK(record_head_get(p, 14, &back) == -1);	/* 1 of 1 parts */
	memcpy(p, "\x11\1" "tab0" "\1\3\2" "sum0" "\0", 14);
	CHECK(record_head_get(p, 14, &back) == -1);	/* 3 of 2 */
	memcpy(p, "\x11\1" "tab0" "\0\2\2" "sum0", 13);
	CHECK(record_head_get(p, 13, &back) == -1);	/* batch 0 in a part */
	memcpy(p, "\x11\0" "tab0" "\xff\xff\xff\xff\1" "sum0\0", 16);
	CHECK(record_head_get(p, 16, &back) == -1);	/* batch 2^29-1 */
	memcpy(p, "\x15\0" "tab0" "\2" "sum0" "\xff\xff\xff\x7f", 15);
	CHECK(record_head_get(p, 15, &back) == -1);	/* a gap beyond */
	memcpy(p, "\x11\0" "tab0" "\1" "sum0" "\x80\x80\1", 14);
	CHECK(record_head_get(p, 14, &back) == -1);	/* 16384 events */

	/* Later ones. */
	memcpy(p, "\x16\0" "tab0" "\5", 7);
	CHECK(record_head_get(p, 7, &back) == 1 && back.batch == 5);
	memcpy(p, "\x11\xc0" "tab0" "\5", 7);
	CHECK(record_head_get(p, 7, &back) == 1 && back.batch == 5);
	memcpy(p, "\x21", 1);
	CHECK(record_head_get(p, 1, &back) == 1 && back.version == 2);
	memcpy(p, "\x1f\xff" "tab0" "\0", 7);
	CHECK(record_head_get(p, 7, &back) == 0 && back.kind == 15);
}

static void
test_record(void)
{
	static const struct record_head h = { .version = 1,
	    .kind = RECORD_BATCH, .batch = 1 };
	struct buf b = BUF_INIT(1024), s = BUF_INIT(1024), k = BUF_INIT(256);
	const unsigned char *value;
	struct pb_field f;
	struct record r;
	size_t need, n, i;

	CHECK(record_add(&b, &h, "body", 4) == 0);
	for (i = 0; i < buf_size(&b); i++) {
		CHECK(pb_next(buf_bytes(&b), i, &f, &need) == 0);
		CHECK(need > i && need <= buf_size(&b));
	}
	CHECK(pb_next(buf_bytes(&b), i, &f, &need) == (ssize_t)i);
	CHECK(record_get(f.bytes, f.len, &r) == 0 && record_is_session(&r));
	CHECK(!r.sequenced && !r.command && r.body_len == 4);
	for (i = 1; i < f.len; i++)
		if (record_get(f.bytes, i, &r) == 0)
			CHECK(r.body_len == 0);

	buf_clear(&b);
	CHECK(record_add_fence(&b, "tok", 3) == 0);
	CHECK(pb_next(buf_bytes(&b), buf_size(&b), &f, NULL) > 0);
	CHECK(record_get(f.bytes, f.len, &r) == 0);
	CHECK(record_is_fence(&r) && r.command && !record_is_session(&r));
	CHECK(record_metered(f.bytes, f.len) == 8 + 2 + 5 + 3);

	/* S2 leaves out number 0, and empty headers. */
	pb_add_varint(&s, 2, 99);
	pb_add_bytes(&s, 3, NULL, 0);
	pb_add_bytes(&s, 4, "xyz", 3);
	CHECK(record_get(buf_bytes(&s), buf_size(&s), &r) == 0);
	CHECK(r.sequenced && r.seq == 0 && r.time == 99 && r.headers == 1);
	CHECK(r.command && !record_is_fence(&r) && r.body_len == 3);
	CHECK(record_metered(buf_bytes(&s), buf_size(&s)) == 8 + 2 + 3);

	/* No header at all: an AppendRecord of somebody else's. */
	buf_clear(&s);
	pb_add_bytes(&s, 3, "\xff\xff", 2);
	CHECK(record_get(buf_bytes(&s), buf_size(&s), &r) == 0);
	CHECK(!r.sequenced && r.headers == 0 && r.body_len == 2);

	/* A header among others. */
	buf_clear(&s);
	pb_add_varint(&s, 1, 7);
	pb_add_varint(&s, 2, 99);
	for (i = 0; i < 3; i++) {
		buf_clear(&k);
		pb_add_bytes(&k, 1, i == 2 ? "kind" : "other", i == 2 ? 4 : 5);
		pb_add_bytes(&k, 2, "vvv", i);
		pb_add_bytes(&s, 3, buf_bytes(&k), buf_size(&k));
	}
	CHECK(record_get(buf_bytes(&s), buf_size(&s), &r) == 0);
	CHECK(r.headers == 3 && r.name_len == 5 && r.seq == 7);
	CHECK(record_header(buf_bytes(&s), buf_size(&s), "kind", &value, &n) ==
	    0 && n == 2);
	CHECK(record_header(buf_bytes(&s), buf_size(&s), "kin", &value, &n) ==
	    -1);
	CHECK(record_metered(buf_bytes(&s), buf_size(&s)) ==
	    8 + 3 * 2 + 5 + 5 + 4 + 0 + 1 + 2);
	buf_release(&b);
	buf_release(&s);
	buf_release(&k);
}

static void
test_pb(void)
{
	struct buf b = BUF_INIT(64);
	struct pb_field f;
	uint64_t v;

	CHECK(pb_add_varint(&b, 0x1fffffff, UINT64_MAX) == 0);
	CHECK(pb_next(buf_bytes(&b), buf_size(&b), &f, NULL) ==
	    (ssize_t)buf_size(&b));
	CHECK(f.no == 0x1fffffff && f.num == UINT64_MAX);
	CHECK(pb_varint_size(0) == 1 && pb_varint_size(127) == 1 &&
	    pb_varint_size(128) == 2 && pb_varint_size(UINT64_MAX) == 10);
	CHECK(pb_get_varint((const unsigned char *)
	    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, &v) == 10);
	CHECK(pb_get_varint((const unsigned char *)
	    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, &v) == -1);
	CHECK(pb_get_varint((const unsigned char *)
	    "\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9, &v) == 0);
	CHECK(pb_next((const unsigned char *)"\x00\x01", 2, &f, NULL) == -1);
	CHECK(pb_next((const unsigned char *)"\x0b", 1, &f, NULL) == -1);
	CHECK(pb_next((const unsigned char *)"\x0a\xff\xff\xff\xff\x7f", 6, &f,
	    NULL) == -1);
	CHECK(pb_next((const unsigned char *)"\x0d\1\2\3\4", 5, &f, NULL) == 5);
	CHECK(f.num == 0x04030201);
	CHECK(pb_next((const unsigned char *)"\x0d\1\2\3", 4, &f, NULL) == 0);
	buf_release(&b);
}

int
main(void)
{
	test_head();
	test_record();
	test_pb();
	return check_status();
}
