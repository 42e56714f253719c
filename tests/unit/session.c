/* lib/session.c, lib/buf.c. */
#include <errno.h>

#include "buf.h"
#include "check.h"
#include "session.h"

static void
test_session(void)
{
	static const uint64_t times[] = { 0, 1, 1767225600000,
	    SESSION_TIME_MAX };
	char id[SESSION_ID_LEN + 1], other[SESSION_ID_LEN + 1];
	char name[SESSION_STREAM_MAX + 1];
	size_t i;

	for (i = 0; i < sizeof times / sizeof times[0]; i++) {
		session_id_make(times[i], id);
		session_id_make(times[i], other);
		CHECK(strcmp(id, other) != 0);
		CHECK(session_id_is_valid(id, SESSION_ID_LEN));
		CHECK(session_id_time(id) == times[i]);
		CHECK(session_stream("p/q", id, name, sizeof name) == 0);
		CHECK(strlen(name) == 3 + 1 + 13 + 1 + SESSION_ID_LEN);
		CHECK(session_of_stream("p/q", name) ==
		    name + strlen(name) - SESSION_ID_LEN);
		CHECK(session_of_stream("p", name) == NULL);
		CHECK(session_of_stream("p/q/", name) == NULL);
		name[5] ^= 1;
		CHECK(session_of_stream("p/q", name) == NULL);
		CHECK(session_stream("p/q", id, name, 20) == -1);
		CHECK(!session_id_is_valid(id, SESSION_ID_LEN - 1));
		id[3] = 'i';
		CHECK(!session_id_is_valid(id, SESSION_ID_LEN));
		id[3] = '\0';
		CHECK(!session_id_is_valid(id, SESSION_ID_LEN));
	}
	/* A time with 14 digits is none. */
	session_id_make(SESSION_TIME_MAX + 1, id);
	CHECK(!session_id_is_valid(id, SESSION_ID_LEN));
	CHECK(session_of_stream("", "") == NULL);
}

static void
test_buf(void)
{
	struct buf b = BUF_INIT(10);
	size_t i;

	/* The limit is one, whatever the order of adding and taking. */
	CHECK(buf_add(&b, "12345678901", 11) == -1 && errno == ENOBUFS);
	CHECK(buf_size(&b) == 0);
	CHECK(buf_add(&b, "1234567890", 10) == 0 && b.cap <= 10);
	CHECK(buf_add(&b, "x", 1) == -1 && buf_size(&b) == 10);
	buf_take(&b, 4);
	CHECK(buf_add(&b, "abcd", 4) == 0);
	CHECK(memcmp(buf_bytes(&b), "567890abcd", 10) == 0);
	for (i = 0; i < 1000; i++) {
		buf_take(&b, 3);
		CHECK(buf_add(&b, "xyz", 3) == 0 && b.cap <= 10);
	}
	CHECK(memcmp(buf_bytes(&b), "zxyzxyzxyz", 10) == 0);
	CHECK(buf_addf(&b, "%d", 1) == -1);
	buf_take(&b, 10);
	CHECK(b.off == 0 && buf_addf(&b, "%d", 12345) == 0);
	CHECK(buf_size(&b) == 5);
	buf_release(&b);
	CHECK(buf_add(&b, NULL, 0) == 0);
	buf_release(&b);
}

int
main(void)
{
	test_session();
	test_buf();
	return check_status();
}
