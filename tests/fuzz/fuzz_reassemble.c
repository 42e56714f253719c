/*
 * bin/rr-reassemble: any bytes as records, in pieces and as one; and, since
 * chance finds no checksum, with the checksums of small records put right.
 */
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../bin/rr-reassemble/reader.h"
#include "log.h"

/* Give session records the checksum that their bodies have. */
static void
put_right(unsigned char *p, size_t n)
{
	struct record_head h;
	struct pb_field f;
	struct record r;
	unsigned char *at;
	uint32_t sum;
	ssize_t took;
	int i;

	for (; n > 0; p += took, n -= (size_t)took) {
		if ((took = pb_next(p, n, &f, NULL)) <= 0)
			return;
		if (f.wire != PB_LEN || f.no != PIPE_RECORD ||
		    record_get(f.bytes, f.len, &r) == -1 ||
		    !record_is_session(&r) ||
		    record_head_get(r.value, r.value_len, &h) != 0 ||
		    (h.flags & RECORD_PART) || h.kind >= RECORD_ANCILLARY)
			continue;
		sum = record_checksum(r.body, r.body_len);
		at = (unsigned char *)r.value + 6;
		while (*at & 0x80)
			at++;
		for (i = 0; i < 4; i++)
			at[1 + i] = (unsigned char)(sum >> (24 - 8 * i));
	}
}

/* Read them, 'piece' bytes at a time; the size of what is written. */
static off_t
read_all(const unsigned char *p, size_t n, size_t piece, bool directives,
    struct jqprog *program)
{
	struct reader_options o = { .directives = directives,
	    .program = program };
	struct buf b = BUF_INIT(1 << 24);
	struct reader r;
	size_t some, bad;
	ssize_t took = 0;
	off_t size;
	int fd = memfd_create("lines", 0);

	assert(fd != -1 && reader_init(&r, &o, fd) == 0);
	while (n > 0 && took != -1) {
		some = n < piece ? n : piece;
		buf_add(&b, p, some);
		p += some;
		n -= some;
		took = reader_take(&r, buf_bytes(&b), buf_size(&b), &bad);
		if (took >= 0)
			buf_take(&b, (size_t)took);
		else
			assert(r.why != NULL && bad <= buf_size(&b));
	}
	reader_end(&r);
	size = lseek(fd, 0, SEEK_CUR);
	reader_release(&r);
	buf_release(&b);
	close(fd);
	return size;
}

static struct jqprog *program;

/* Its memory is not seen to be in use. */
static void
free_program(void)
{
	jqprog_free(program);
}

int LLVMFuzzerInitialize(int *, char ***);
int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_init("fuzz_reassemble", LOG_LEVEL_ERR);
	program = jqprog_option(".type?", NULL);
	atexit(free_program);
	return 0;
}

int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
	unsigned char *copy = malloc(n > 0 ? n : 1);

	memcpy(copy, p, n);
	if (n > 0 && p[n - 1] % 4 != 0)
		put_right(copy, n);
	assert(read_all(copy, n, n, true, NULL) ==
	    read_all(copy, n, 7, true, NULL));
	read_all(copy, n, n, false, program);
	free(copy);
	return 0;
}
