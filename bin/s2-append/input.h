/*
 * The records on standard input, rr-records(5), and runs of them that go into
 * one append.
 */
#ifndef INPUT_H
#define INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "pb.h"
#include "record.h"
#include "s2_frame.h"

/* The longest field: a record of 1 MiB metered takes at most twice that. */
#define INPUT_FIELD_MAX	S2_FRAME_MAX
#define INPUT_READ	(256u << 10)	/* bytes asked of one read() */

struct input {
	int fd;
	bool eof;
	uint64_t place;		/* bytes taken so far */
	size_t last;		/* bytes of the field last returned */
	struct buf buf;
};

#define INPUT_INIT(descriptor) {					\
	.fd = (descriptor),						\
	.buf = BUF_INIT(2 * INPUT_FIELD_MAX + INPUT_READ)		\
}

/*
 * The next field that is here whole, good until the next call: 1 with *f and
 * *size, the bytes of all of it, which end where f's do.  0 if there is none
 * yet, or at eof no more.  -1 with *why if there is none to come: malformed,
 * too long, or cut off by the end of the file.
 */
int input_next(struct input *in, struct pb_field *f, size_t *size,
    const char **why);

/* Read once.  The bytes read, 0 at the end (then in->eof), -1 with errno. */
ssize_t input_fill(struct input *in);

/* Records that are to be appended together, within S2's limits. */
struct run {
	struct buf bytes;	/* fields 1 of an AppendInput */
	size_t records;
	size_t metered;
	bool has_fence;		/* a fence command is among them */
};

/* What a record weighs. */
struct weight {
	size_t size;		/* bytes of the field */
	size_t metered;
	bool is_fence;
};

/*
 * Weigh the field PIPE_RECORD that input_next() gave.  0, or -1 with *why if
 * S2 would refuse it whatever it comes with: it is malformed or too large.
 */
int run_weigh(const struct pb_field *f, size_t size, struct weight *w,
    const char **why);

/* True if a run with so much in it has room for w. */
bool run_fits(const struct run *r, const struct weight *w);

/* Add the field of 'size' bytes that ends where f's content does.  0 or -1. */
int run_add(struct run *r, const struct pb_field *f, const struct weight *w);

/* Empty it; its bytes are released. */
void run_release(struct run *r);

#endif
