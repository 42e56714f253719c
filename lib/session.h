/*
 * Session ids and the streams they name; rr-records(5), "Stream names".
 */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSION_ID_LEN		25
#define SESSION_RANDOM_LEN	16	/* of it, random: 80 bits */
#define SESSION_TAB_MAX		8	/* digits of a tab */
#define SESSION_TIME_MAX	9999999999999	/* ms; 13 digits */
#define SESSION_PREFIX_MAX	256	/* bytes of a prefix */
#define SESSION_STREAM_MAX	(SESSION_PREFIX_MAX + 1 + 13 + 1 + SESSION_ID_LEN)

/*
 * Write a fresh id made at 'now' (ms since 1970) and a NUL to id.  Its random
 * part comes from the kernel.
 */
void session_id_make(uint64_t now, char id[SESSION_ID_LEN + 1]);

/* True if s[0..n) has the form of an id and a time within the limit. */
bool session_id_is_valid(const char *s, size_t n);

/* The time of creation in a valid id, ms. */
uint64_t session_id_time(const char *id);

/*
 * The tab of a session that s[0..n) is the text of: 1 to SESSION_TAB_MAX
 * lower-case hex digits.  False, and *tab as it was, if it is none.
 */
bool session_tab_parse(const char *s, size_t n, uint32_t *tab);

/*
 * Write the name of a valid id's stream under prefix, and a NUL, to out of
 * 'size' bytes.  0, or -1 if it does not fit.
 */
int session_stream(const char *prefix, const char *id, char *out, size_t size);

/*
 * The name of the index of the sessions under prefix (rr-records(5)); 0 or -1
 * as above.
 */
int session_index(const char *prefix, char *out, size_t size);

/*
 * The id in a stream name, pointing into name; NULL if name is not that of a
 * session under prefix (then it is some other stream).
 */
const char *session_of_stream(const char *prefix, const char *name);

#endif
