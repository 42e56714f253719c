/*
 * replaya: makes the records that RePlaya writes of a session with the events
 * on standard input, with events longer than CHUNK bytes in chunks.
 *
 * usage: replaya [CHUNK]
 */
#include <err.h>
#include <stdarg.h>
#include <unistd.h>

#include "buf.h"
#include "lines.h"
#include "record.h"

#define CHUNK_DEFAULT	524288

static struct buf out = BUF_INIT(SIZE_MAX);
static unsigned events, chunked;

static void
header(struct buf *b, const char *name, const void *value, size_t n)
{
	struct buf h = BUF_INIT(65536);

	pb_add_bytes(&h, 1, name, strlen(name));
	pb_add_bytes(&h, 2, value, n);
	pb_add_bytes(b, 2, buf_bytes(&h), buf_size(&h));
	buf_release(&h);
}

static void
record(const char *kind, const struct buf *envelope, const void *body,
    size_t n)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	header(&b, "kind", kind, strlen(kind));
	if (envelope != NULL)
		header(&b, "envelope", buf_bytes(envelope),
		    buf_size(envelope));
	pb_add_bytes(&b, 3, body, n);
	pb_add_bytes(&out, PIPE_RECORD, buf_bytes(&b), buf_size(&b));
	buf_release(&b);
}

static void __attribute__((format(printf, 2, 3)))
json(const char *kind, const char *fmt, ...)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		err(1, NULL);
	va_end(ap);
	buf_addf(&b, "{\"kind\":\"%s\",\"sessionId\":\"session-x-0\","
	    "\"capturedAt\":1767225600000,%s}", kind, text);
	record(kind, NULL, buf_bytes(&b), buf_size(&b));
	buf_release(&b);
	free(text);
}

static void
event(const char *line, size_t len, size_t chunk)
{
	struct buf envelope = BUF_INIT(4096);
	const size_t count = (len + chunk - 1) / chunk;
	size_t i, n;

	events++;
	if (count == 1) {
		json("event", "\"event\":%.*s,\"eventCount\":%u", (int)len,
		    line, events);
		return;
	}
	chunked++;
	for (i = 0; i < count; i++) {
		n = len < chunk ? len : chunk;
		buf_clear(&envelope);
		buf_addf(&envelope, "{\"kind\":\"event-chunk\","
		    "\"sessionId\":\"session-x-0\",\"capturedAt\":1,"
		    "\"chunkId\":\"00000000-0000-4000-8000-%012u\","
		    "\"chunkIndex\":%zu,\"chunkCount\":%zu,"
		    "\"eventTimestamp\":1,\"eventCount\":%u}", chunked, i,
		    count, events);
		record("event-chunk", &envelope, line, n);
		line += n;
		len -= n;
	}
	buf_release(&envelope);
}

int
main(int argc, char *argv[])
{
	struct lines l = LINES_INIT(STDIN_FILENO, LINE_MAX_BYTES);
	const size_t chunk = argc > 1 ? strtoul(argv[1], NULL, 10) :
	    CHUNK_DEFAULT;
	const char *line;
	size_t len;

	record_add_fence(&out, "active", 6);
	json("metadata", "\"metadata\":{\"id\":\"session-x-0\","
	    "\"status\":\"active\"}");
	while (!l.eof) {
		if (lines_fill(&l) == -1)
			err(1, "read");
		while (lines_next(&l, &line, &len) == 1)
			event(line, len, chunk);
	}
	json("heartbeat", "\"lastSeenAt\":1767225601000,\"eventCount\":%u",
	    events);
	record_add_fence(&out, "stopped", 7);
	json("metadata", "\"metadata\":{\"status\":\"stopped\"}");
	if (buf_flush(&out, STDOUT_FILENO) == -1)
		err(1, "write");
	buf_release(&out);
	buf_release(&l.buf);
	return 0;
}
