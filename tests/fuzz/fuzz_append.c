/*
 * s2-append's input: whatever comes is taken apart the same from any cut of
 * it, and what is weighed as a record goes into a run within S2's limits.
 */
#include <assert.h>
#include <stdlib.h>

#include "../../bin/s2-append/input.h"
#include "s2.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static volatile unsigned seen;

/* What came out, to be compared. */
struct outcome {
	size_t fields;
	size_t bytes;
	size_t records;
	size_t runs;
	bool bad;
};

/* Put a record into the run, or into the next one. */
static void
take_record(struct run *run, const struct pb_field *f, size_t size,
    struct outcome *o)
{
	const char *why = NULL;
	struct weight w = { 0 };

	if (run_weigh(f, size, &w, &why) == -1) {
		assert(why != NULL);
		o->bad = true;
		return;
	}
	assert(w.metered <= S2_METERED_MAX);
	if (!run_fits(run, &w)) {
		assert(run->records > 0);
		run_release(run);
		memset(run, 0, sizeof *run);
		o->runs++;
		assert(run_fits(run, &w));
	}
	assert(run_add(run, f, &w) == 0);
	assert(run->metered <= S2_METERED_MAX);
	assert(run->records <= S2_APPEND_RECORDS_MAX);
	o->records++;
}

/* Read data, which arrives in pieces of at most 'step' bytes. */
static struct outcome
take(const unsigned char *data, size_t size, size_t step)
{
	struct input in = INPUT_INIT(-1);
	struct run run = { 0 };
	struct outcome o = { 0 };
	struct pb_field f;
	const char *why = NULL;
	size_t at = 0, n, whole, i;
	unsigned sum = 0;
	int got = 0;

	while (!o.bad && !in.eof) {
		n = size - at < step ? size - at : step;
		assert(buf_add(&in.buf, data + at, n) == 0);
		at += n;
		in.eof = n == 0;
		while (!o.bad && (got = input_next(&in, &f, &whole, &why)) ==
		    1) {
			o.fields++;
			o.bytes += whole;
			if (f.wire == PB_LEN)
				for (i = 0; i < f.len; i++)
					sum += f.bytes[i];
			if (f.no == PIPE_RECORD && f.wire == PB_LEN)
				take_record(&run, &f, whole, &o);
		}
		o.bad |= got == -1;
		assert(got != -1 || why != NULL);
	}
	assert(o.bytes <= size && (o.bad || o.bytes == size));
	seen = sum;		/* so that every byte is read */
	run_release(&run);
	buf_release(&in.buf);
	return o;
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct outcome whole, parts;

	whole = take(data, size, size > 0 ? size : 1);
	parts = take(data, size, size > 0 ? 1 + data[0] % 61 : 1);
	assert(whole.fields == parts.fields && whole.bytes == parts.bytes &&
	    whole.records == parts.records && whole.runs == parts.runs &&
	    whole.bad == parts.bad);
	return 0;
}
