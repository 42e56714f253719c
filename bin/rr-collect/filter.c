#include "filter.h"

#include <errno.h>
#include <string.h>

#include "log.h"
#include "scan.h"

int
filter_body(struct body *b, struct jqprog *program, uint32_t *failed)
{
	const char *line = (const char *)buf_bytes(&b->text), *eol;
	const char *const end = line + buf_size(&b->text);
	struct buf kept = BUF_INIT(b->text.max), out = BUF_INIT(b->text.max);
	struct scan scan;
	size_t before;
	int r = 0;

	*failed = 0;
	for (; line < end && r == 0; line = eol + 1) {
		eol = memchr(line, '\n', (size_t)(end - line));
		if (eol == line)
			continue;
		before = kept.len;
		switch (jqprog_run(program, line, (size_t)(eol - line), false,
		    &out)) {
		case JQPROG_SAME:
			r = buf_add(&kept, line, (size_t)(eol - line) + 1);
			break;
		case JQPROG_CHANGED:
			/* jq writes what is too deep for us. */
			if (scan_event((const char *)buf_bytes(&out),
			    buf_size(&out), &scan) == -1) {
				++*failed;
				break;
			}
			if ((r = buf_add(&kept, buf_bytes(&out),
			    buf_size(&out))) == 0)
				r = buf_add(&kept, "\n", 1);
			break;
		case JQPROG_NONE:
			break;
		case JQPROG_FAILED:
			++*failed;
			log_debug("a key's program failed on an event: %.*s",
			    (int)buf_size(&out), (const char *)buf_bytes(&out));
			break;
		default:
			r = -1;
		}
		/* To ask for the batch again would not make it shorter. */
		if (r == -1 && errno == ENOBUFS) {
			kept.len = before;
			++*failed;
			r = 0;
		}
	}
	buf_release(&out);
	if (r == -1) {
		buf_release(&kept);
		return -1;
	}
	return body_replace(b, &kept);
}
