#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <jq.h>
#include <jv.h>

#include "exits.h"
#include "jqprog.h"
#include "log.h"

struct jqprog {
	jq_state *jq;
	struct buf mended;	/* scratch: an event without lone surrogates */
};

/* What jq says while compiling, put into a buf. */
static void
add_message(void *arg, jv message)
{
	struct buf *why = arg;
	const char *p, *end;

	if (jv_get_kind(message) != JV_KIND_STRING)
		message = jv_dump_string(message, 0);
	p = jv_string_value(message);
	end = p + jv_string_length_bytes(jv_copy(message));
	if (buf_size(why) > 0)
		buf_add(why, "; ", 2);
	for (; p < end; p++)
		buf_add(why, *p == '\n' ? " " : p, 1);
	jv_free(message);
}

struct jqprog *
jqprog_new(const char *program, struct buf *why)
{
	struct jqprog *j;

	if ((j = calloc(1, sizeof *j)) == NULL || (j->jq = jq_init()) == NULL) {
		free(j);
		buf_addf(why, "%s", strerror(ENOMEM));
		return NULL;
	}
	j->mended.max = SIZE_MAX;
	/*
	 * jq 1.6 leaves these as malloc() gave them, and asserts that there
	 * is a list of places for modules.
	 */
	jq_set_input_cb(j->jq, NULL, NULL);
	jq_set_debug_cb(j->jq, NULL, NULL);
	jq_set_attr(j->jq, jv_string("JQ_LIBRARY_PATH"), jv_array());
	jq_set_error_cb(j->jq, add_message, why);
	if (!jq_compile(j->jq, program)) {
		jqprog_free(j);
		return NULL;
	}
	jq_set_error_cb(j->jq, NULL, NULL);
	return j;
}

void
jqprog_free(struct jqprog *j)
{
	if (j == NULL)
		return;
	jq_teardown(&j->jq);
	buf_release(&j->mended);
	free(j);
}

/* What is in a file, ended by a NUL. */
static const char *
read_program(struct buf *b, const char *name)
{
	ssize_t n;
	int fd;

	if ((fd = open(name, O_RDONLY | O_CLOEXEC)) == -1)
		log_die(EXIT_MISSING, "cannot open '%s': %s", name,
		    strerror(errno));
	while ((n = buf_read(b, fd, JQPROG_MAX / 16)) > 0)
		continue;
	if (n == -1 || buf_add(b, "", 1) == -1)
		log_die(EXIT_CONFIG, "cannot read '%s': %s", name,
		    errno == ENOBUFS ? "it is too long for a program" :
		    strerror(errno));
	close(fd);
	return (const char *)buf_bytes(b);
}

struct jqprog *
jqprog_option(const char *program, const char *file)
{
	struct buf text = BUF_INIT(JQPROG_MAX), why = BUF_INIT(JQPROG_MAX);
	struct jqprog *j = NULL;

	if (program != NULL && file != NULL)
		log_die(EXIT_USAGE, "-F and -f cannot be given together");
	if (file != NULL)
		program = read_program(&text, file);
	if (program != NULL && (j = jqprog_new(program, &why)) == NULL)
		log_die(EXIT_CONFIG, "the program does not compile: %.*s",
		    (int)buf_size(&why), (const char *)buf_bytes(&why));
	buf_release(&text);
	buf_release(&why);
	return j;
}

static enum jqprog_result
failed(struct buf *out, const char *why)
{
	buf_clear(out);
	buf_addf(out, "%s", why);
	return JQPROG_FAILED;
}

/* An invalid value that is an error: its message. */
static enum jqprog_result
failed_with(struct buf *out, jv error)
{
	buf_clear(out);
	add_message(out, jv_invalid_get_msg(error));
	return JQPROG_FAILED;
}

/* The first result, with the event it may be; both are taken. */
static int
judge(jv result, jv event, bool test, struct buf *out)
{
	jv_kind kind = jv_get_kind(result);
	jv text;
	int same, r;

	same = jv_identical(jv_copy(result), event);
	if (same && (kind == JV_KIND_OBJECT || test)) {
		jv_free(result);
		return JQPROG_SAME;
	}
	if (kind != JV_KIND_OBJECT) {
		jv_free(result);
		if (test && kind == JV_KIND_TRUE)
			return JQPROG_SAME;
		if (test && (kind == JV_KIND_FALSE || kind == JV_KIND_NULL))
			return JQPROG_NONE;
		return failed(out, "the result is no object");
	}
	text = jv_dump_string(result, 0);
	r = buf_add(out, jv_string_value(text),
	    jv_string_length_bytes(jv_copy(text)));
	jv_free(text);
	return r == -1 ? -1 : JQPROG_CHANGED;
}

/* The code unit of the escape \uXXXX at p, or 0 if there is none. */
static unsigned
escaped_unit(const char *p, const char *end)
{
	char digits[5] = "";

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return 0;
	memcpy(digits, p + 2, 4);
	return (unsigned)strtoul(digits, NULL, 16);
}

/*
 * jq refuses a text with half of a surrogate pair, as a page makes it by
 * cutting a string within an emoji, and no event should be lost for that: such
 * a half becomes U+FFFD.  The text to parse, or NULL with errno.
 */
static const char *
mend(struct jqprog *j, const char *event, size_t len)
{
	const char *p = event, *end = event + len;
	unsigned unit, next;

	buf_clear(&j->mended);
	/* It may be no JSON: then the last byte can be a '\\'. */
	while (p < end && (p = memchr(p, '\\', end - p)) != NULL) {
		unit = escaped_unit(p, end);
		if (unit < 0xd800 || unit > 0xdfff) {
			p += 2;
			continue;
		}
		next = escaped_unit(p + 6, end);
		if (unit < 0xdc00 && next >= 0xdc00 && next <= 0xdfff) {
			p += 12;
			continue;
		}
		if (buf_size(&j->mended) == 0) {
			if (buf_add(&j->mended, event, len) == -1)
				return NULL;
			p = (char *)buf_bytes(&j->mended) + (p - event);
			event = (char *)buf_bytes(&j->mended);
			end = event + len;
		}
		memcpy((char *)p + 2, "fffd", 4);
		p += 6;
	}
	return event;
}

int
jqprog_run(struct jqprog *j, const char *event, size_t len, bool test,
    struct buf *out)
{
	jv input, result, more;

	buf_clear(out);
	if (len > INT_MAX)
		return failed(out, "the event is too long for jq");
	if ((event = mend(j, event, len)) == NULL)
		return -1;
	input = jv_parse_sized(event, (int)len);
	if (!jv_is_valid(input))
		return failed_with(out, input);
	jq_start(j->jq, jv_copy(input), 0);
	result = jq_next(j->jq);
	if (jv_is_valid(result)) {
		/* One result is wanted: whatever comes next is too much. */
		more = jq_next(j->jq);
		if (jv_is_valid(more) || jq_halted(j->jq) ||
		    jv_invalid_has_msg(jv_copy(more))) {
			jv_free(more);
			jv_free(result);
			jv_free(input);
			return failed(out, "more than one result");
		}
		jv_free(more);
		return judge(result, input, test, out);
	}
	jv_free(input);
	if (jv_invalid_has_msg(jv_copy(result)))
		return failed_with(out, result);
	jv_free(result);
	if (jq_halted(j->jq))
		return failed(out, "the program halted");
	return JQPROG_NONE;
}
