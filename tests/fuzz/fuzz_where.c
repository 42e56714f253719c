/*
 * bin/rr-ls: any text as a condition, which the dashboard's clients send, over
 * a session of which a visitor said anything.
 */
#include <assert.h>

#include "../../bin/rr-ls/ls.h"
#include "scan.h"

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
	struct where w = { .any = false };
	struct session s = { .created = 1767225600000, .seen = 1767225700000 };
	char *text = strndup((const char *)p, n);
	const char *meta = memchr(p, '\0', n);
	struct scan scan;
	size_t len = 0;
	jv v = jv_object();

	/* What stands behind a NUL is what the visitor said, as collected. */
	if (meta != NULL)
		len = (const char *)p + n - ++meta;
	if (len > 0 && *meta == '{' && scan_event(meta, len, &scan) == 0) {
		jv_free(v);
		v = jv_parse_sized(meta, (int)len);
	}
	if (jv_get_kind(v) != JV_KIND_OBJECT) {
		jv_free(v);
		v = jv_object();
	}
	s.meta = v;
	s.late = jv_null();
	s.stop = jv_copy(v);
	strlcpy(s.id, "0123456789abcdefghjkmnpqr", sizeof s.id);
	if (where_add(&w, text, 1767225800000) == NULL) {
		assert(w.any);
		where_fits(&w, &s);
	}
	jv_free(show_object(&s));
	jv_free(s.meta);
	jv_free(s.stop);
	free(text);
	return 0;
}
