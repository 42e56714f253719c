#include "appender.h"
#include "input.h"

int
input_next(struct input *in, struct pb_field *f, size_t *size,
    const char **why)
{
	size_t need;
	ssize_t got;

	buf_take(&in->buf, in->last);
	in->place += in->last;
	in->last = 0;
	if (buf_size(&in->buf) == 0)
		return 0;
	got = pb_next(buf_bytes(&in->buf), buf_size(&in->buf), f, &need);
	if (got == -1) {
		*why = "this is no field of rr-records(5)";
		return -1;
	}
	if ((got == 0 ? need : (size_t)got) > INPUT_FIELD_MAX) {
		*why = "a field is larger than 2 MiB, more than S2 takes";
		return -1;
	}
	if (got == 0) {
		if (!in->eof)
			return 0;
		*why = "the input ends in the middle of a field";
		return -1;
	}
	in->last = *size = got;
	return 1;
}

ssize_t
input_fill(struct input *in)
{
	ssize_t n;

	n = buf_read(&in->buf, in->fd, INPUT_READ);
	if (n == 0)
		in->eof = true;
	return n;
}

/* Add a Header to the weight, and see whether it is the fence command's. */
static int
weigh_header(const unsigned char *p, size_t n, struct weight *w)
{
	bool has_name = false, says_fence = false;
	struct pb_field f;
	ssize_t took;

	for (; n > 0; p += took, n -= took) {
		took = pb_next(p, n, &f, NULL);
		if (took <= 0)
			return -1;
		if (f.wire != PB_LEN || f.no > 2)
			continue;
		w->metered += f.len;
		if (f.no == 1)
			has_name = f.len > 0;
		else
			says_fence = f.len == 5 &&
			    memcmp(f.bytes, "fence", 5) == 0;
	}
	w->metered += 2;
	w->is_fence |= !has_name && says_fence;
	return 0;
}

int
run_weigh(const struct pb_field *field, size_t size, struct weight *w,
    const char **why)
{
	const unsigned char *p = field->bytes;
	size_t n = field->len;
	struct pb_field f;
	ssize_t took;

	w->size = size;
	w->metered = 8;
	w->is_fence = false;
	*why = "a record is malformed";
	if (field->wire != PB_LEN)
		return -1;
	for (; n > 0; p += took, n -= took) {
		took = pb_next(p, n, &f, NULL);
		if (took <= 0)
			return -1;
		if (f.no == 4 || (f.no == 2 && f.wire == PB_VARINT)) {
			*why = "a record has been read from S2; to copy a "
			    "recording, use rr-reassemble -d and rr-frame";
			return -1;
		}
		if (f.no == 2 && f.wire == PB_LEN) {
			if (weigh_header(f.bytes, f.len, w) == -1)
				return -1;
		} else if (f.no == 3 && f.wire == PB_LEN) {
			w->metered += f.len;
		}
	}
	if (w->metered > S2_METERED_MAX ||
	    size > S2_FRAME_MAX - APPEND_TAIL_MAX) {
		*why = "a record is larger than S2 takes (1 MiB metered)";
		return -1;
	}
	return 0;
}

bool
run_fits(const struct run *r, const struct weight *w)
{
	return r->records < S2_APPEND_RECORDS_MAX &&
	    r->metered + w->metered <= S2_METERED_MAX &&
	    buf_size(&r->bytes) + w->size <= S2_FRAME_MAX - APPEND_TAIL_MAX;
}

int
run_add(struct run *r, const struct pb_field *f, const struct weight *w)
{
	r->bytes.max = S2_FRAME_MAX;
	if (buf_add(&r->bytes, f->bytes + f->len - w->size, w->size) == -1)
		return -1;
	r->records++;
	r->metered += w->metered;
	r->has_fence |= w->is_fence;
	return 0;
}

void
run_release(struct run *r)
{
	buf_release(&r->bytes);
	r->records = r->metered = 0;
	r->has_fence = false;
}
