#include "same.h"

/* The next header of a record, which has them in field 'no'. */
static bool
next_header(const unsigned char **p, size_t *n, uint32_t no,
    struct pb_field *header)
{
	ssize_t took;

	while (*n > 0 && (took = pb_next(*p, *n, header, NULL)) > 0) {
		*p += took;
		*n -= took;
		if (header->no == no && header->wire == PB_LEN)
			return true;
	}
	return false;
}

/* The last field 'no' of a message; empty if there is none. */
static void
get_bytes(const unsigned char *p, size_t n, uint32_t no, struct pb_field *f)
{
	struct pb_field g;
	ssize_t took;

	f->len = 0;
	for (; n > 0 && (took = pb_next(p, n, &g, NULL)) > 0;
	    p += took, n -= took)
		if (g.no == no && g.wire == PB_LEN)
			*f = g;
}

static bool
same_bytes(const unsigned char *p, size_t n, uint32_t pno,
    const unsigned char *q, size_t m, uint32_t qno)
{
	struct pb_field f, g;

	get_bytes(p, n, pno, &f);
	get_bytes(q, m, qno, &g);
	return f.len == g.len &&
	    (f.len == 0 || memcmp(f.bytes, g.bytes, f.len) == 0);
}

/* Record i of a run. */
static void
get_record(const struct run *run, size_t i, struct pb_field *f)
{
	const unsigned char *p = buf_bytes(&run->bytes);
	size_t n = buf_size(&run->bytes);
	ssize_t took;

	for (;;) {
		took = pb_next(p, n, f, NULL);
		if (i-- == 0)
			return;
		p += took;
		n -= took;
	}
}

bool
same_record(const struct run *run, size_t i, const unsigned char *theirs,
    size_t n)
{
	struct pb_field ours, f, g;
	const unsigned char *p, *q = theirs;
	size_t pn, qn = n;
	bool more;

	get_record(run, i, &ours);
	p = ours.bytes;
	pn = ours.len;
	do {
		more = next_header(&p, &pn, 2, &f);
		if (next_header(&q, &qn, 3, &g) != more)
			return false;
		if (more && (!same_bytes(f.bytes, f.len, 1, g.bytes, g.len,
		    1) || !same_bytes(f.bytes, f.len, 2, g.bytes, g.len, 2)))
			return false;
	} while (more);
	return same_bytes(ours.bytes, ours.len, 3, theirs, n, 4);
}
