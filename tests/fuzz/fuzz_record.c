/* lib/record.c, lib/pb.c: what is read from a pipe, and what is read anew. */
#include <assert.h>

#include "record.h"

static void
head(const unsigned char *p, size_t n)
{
	unsigned char out[RECORD_HEAD_MAX];
	struct record_head h, again;
	size_t size;

	if (record_head_get(p, n, &h) != 0 || h.kind >= RECORD_ANCILLARY)
		return;
	/* What our writer would not write. */
	if (h.first <= -RECORD_TIME_MAX || (h.kind == RECORD_GAP &&
	    (h.flags & ~(unsigned)RECORD_SNAP) != 0))
		return;
	size = record_head_put(&h, out);
	assert(size <= RECORD_HEAD_MAX && size <= n);
	assert(record_head_get(out, size, &again) == 0);
	assert(memcmp(&h, &again, sizeof h) == 0);
}

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
	const unsigned char *value;
	struct pb_field f;
	struct record r;
	ssize_t took;
	size_t need, len;

	head(p, n);
	for (; n > 0; p += took, n -= (size_t)took) {
		took = pb_next(p, n, &f, &need);
		if (took == 0)
			assert(need > n);
		if (took <= 0)
			break;
		if (f.wire != PB_LEN || record_get(f.bytes, f.len, &r) == -1)
			continue;
		assert(r.body_len <= f.len && r.value_len <= f.len);
		assert(record_metered(f.bytes, f.len) >=
		    8 + 2 * r.headers + r.name_len + r.value_len + r.body_len);
		record_header(f.bytes, f.len, "kind", &value, &len);
		if (record_is_session(&r))
			head(r.value, r.value_len);
	}
	return 0;
}
