#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "counts.h"
#include "hex.h"
#include "log.h"
#include "put.h"

#define NONE		UINT32_MAX
#define WORD_MAX	32	/* bytes of a token or reason, with NUL */
#define HEAD_HEX_MAX	(2 * RECORD_HEAD_MAX + 64)	/* later ones grow */

int
ring_init(struct ring *r, int in, int out, uint32_t max,
    const struct ring_program *program)
{
	memset(r, 0, sizeof(*r));
	r->in = in;
	r->out = out;
	r->queue = (struct buf)BUF_INIT(RING_QUEUE_MAX);
	r->acks = (struct lines)LINES_INIT(in, DIRECTIVE_MAX_BYTES);
	r->program = *program;
	r->slots = calloc(max, sizeof(*r->slots));
	if (r->slots == NULL)
		return -1;
	r->nslots = max;
	for (uint32_t i = 0; i < max; i++)
		r->slots[i].next = i + 1 < max ? i + 1 : NONE;
	/* A larger pipe means fewer, larger writes; without it goes too. */
	fcntl(out, F_SETPIPE_SZ, RING_PIPE);
	return fcntl(out, F_SETFL, fcntl(out, F_GETFL) | O_NONBLOCK);
}

void
ring_release(struct ring *r, void (*forget)(void *unit))
{
	for (uint32_t i = 0; i < r->nslots; i++)
		if (r->slots[i].unit != NULL)
			forget(r->slots[i].unit);
	buf_release(&r->queue);
	buf_release(&r->acks.buf);
	free(r->slots);
}

int
ring_start(struct ring *r, const char *stream, size_t n)
{
	if (r->free == NONE ||
	    buf_reserve(&r->queue, n + RING_UNIT_EXTRA) == NULL)
		return -1;
	r->start = buf_size(&r->queue);
	put(&r->queue, ":stream");
	directive_add(&r->queue, "name", stream, strlen(stream));
	buf_add(&r->queue, "\n", 1);
	return 0;
}

void
ring_drop(struct ring *r)
{
	r->queue.len = r->queue.off + r->start;
}

/* The last line of a unit, which carries its token. */
static void
finish(struct ring *r, const char *directive, void *unit)
{
	struct ring_slot *slot = &r->slots[r->free];

	/* ring_start() made room. */
	put(&r->queue, directive);
	put_number(&r->queue, r->free, 16, 1);
	put(&r->queue, ".");
	put_number(&r->queue, slot->generation, 16, 1);
	put(&r->queue, "\n");
	r->free = slot->next;
	slot->unit = unit;
	r->waiting++;
}

void
ring_end(struct ring *r, void *unit)
{
	finish(r, ":end token=", unit);
}

int
ring_probe(struct ring *r, const char *stream, void *unit)
{
	if (ring_start(r, stream, 0) == -1)
		return -1;
	finish(r, ":probe token=", unit);
	return 0;
}

int
ring_write(struct ring *r, bool *more)
{
	ssize_t n = 1;

	while (buf_size(&r->queue) > 0 && n > 0)
		n = buf_write(&r->queue, r->out);
	*more = buf_size(&r->queue) > 0;
	return n == -1 && errno != EAGAIN ? -1 : 0;
}

/* The slot that a token names, or NULL if nothing waits in it. */
static struct ring_slot *
slot_of(struct ring *r, const struct directive *d)
{
	char token[WORD_MAX], *end;
	unsigned long i, generation;
	const char *why;

	if (directive_value(d, "token", token, sizeof(token), &why) == -1)
		return NULL;
	i = strtoul(token, &end, 16);
	if (*end != '.' || i >= r->nslots)
		return NULL;
	generation = strtoul(end + 1, &end, 16);
	if (*end != '\0' || r->slots[i].unit == NULL ||
	    r->slots[i].generation != generation)
		return NULL;
	return &r->slots[i];
}

static void
settle(struct ring *r, struct ring_slot *slot, const struct ring_answer *a)
{
	void *unit = slot->unit;

	slot->unit = NULL;
	slot->generation++;
	slot->next = r->free;
	r->free = (uint32_t)(slot - r->slots);
	r->waiting--;
	r->program.settled(unit, a);
}

static enum ring_result
reason_of(const struct directive *d)
{
	static const struct {
		const char *word;
		enum ring_result result;
	} reasons[] = {
		{ "unavailable", RING_UNAVAILABLE }, { "full", RING_FULL },
		{ "fenced", RING_FENCED }, { "mismatch", RING_MISMATCH },
		{ "missing", RING_MISSING }, { "refused", RING_REFUSED },
		{ "denied", RING_DENIED },
	};
	char word[WORD_MAX];
	const char *why;

	if (directive_value(d, "reason", word, sizeof(word), &why) > 0)
		for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]);
		    i++)
			if (strcmp(word, reasons[i].word) == 0)
				return reasons[i].result;
	return RING_UNAVAILABLE;
}

static int
take_seen(struct ring *r, struct ring_slot *slot, const struct directive *d)
{
	char text[HEAD_HEX_MAX + 1], fence[S2_FENCE_MAX + 1];
	unsigned char raw[HEAD_HEX_MAX / 2];
	struct ring_record record = { 0 };
	struct record_head head;
	const char *why;
	ssize_t n;

	if (directive_number(d, "seq", UINT64_MAX, &record.seq, &why) != 1)
		return -1;
	n = directive_value(d, "fence", fence, sizeof(fence), &why);
	if (n >= 0) {
		record.fence = fence;
		r->program.seen(slot->unit, &record);
		return 0;
	}
	n = directive_value(d, "head", text, sizeof(text), &why);
	if (n <= 0 || n % 2 != 0)
		return 0;		/* a kind that we do not know */
	if (hex_get(text, raw, (size_t)n / 2) == -1)
		return -1;
	switch (record_head_get(raw, (size_t)n / 2, &head)) {
	case 0:
		record.head = &head;
		r->program.seen(slot->unit, &record);
		break;
	case 1:
		record.later = true;
		r->program.seen(slot->unit, &record);
		break;
	}
	return 0;
}

static int
take_line(struct ring *r, const char *line, size_t len)
{
	struct ring_answer a = { .result = RING_ACK };
	struct ring_slot *slot;
	struct directive d;
	const char *why;

	if (len == 0 || line[0] != ':' ||
	    directive_parse(line, len, &d, &why) == -1)
		return -1;
	if (directive_is(&d, "stat")) {
		count_stat(&d);
		return 0;
	}
	slot = slot_of(r, &d);
	if (slot == NULL) {
		log_warn("an answer to nothing came back: %.*s",
		    (int)(len > 100 ? 100 : len), line);
		return 0;
	}
	if (directive_is(&d, "ack")) {
		if (directive_number(&d, "seq", UINT64_MAX, &a.seq,
		    &why) != 1 ||
		    directive_number(&d, "count", UINT64_MAX, &a.count,
		    &why) == -1 ||
		    directive_number(&d, "time", UINT64_MAX, &a.time,
		    &why) == -1)
			return -1;
		settle(r, slot, &a);
	} else if (directive_is(&d, "nak")) {
		a.result = reason_of(&d);
		settle(r, slot, &a);
	} else if (directive_is(&d, "seen")) {
		return take_seen(r, slot, &d);
	}
	return 0;
}

int
ring_read(struct ring *r)
{
	const char *line;
	size_t len;
	ssize_t n;
	int got;

	if ((n = lines_fill(&r->acks)) == -1)
		return errno == EAGAIN ? 1 : -1;
	while ((got = lines_next(&r->acks, &line, &len)) == 1)
		if (take_line(r, line, len) == -1)
			got = -2;
	if (got < 0) {
		errno = EPROTO;
		return -1;
	}
	return n > 0;
}
