#include "preset.h"

#include <string.h>

#include "scan.h"

#define PRESETS	3

/* Strictest last. */
static const char *const presets[PRESETS] = { "open", "balanced", "strict" };

/* Its place among them, or -1. */
static int
rank(const char *name, size_t len)
{
	for (int i = 0; i < PRESETS; i++)
		if (strlen(presets[i]) == len &&
		    memcmp(presets[i], name, len) == 0)
			return i;
	return -1;
}

const char *
preset_named(const char *name, size_t len)
{
	int i = rank(name, len);

	return i == -1 ? NULL : presets[i];
}

/* Where the query or fragment of a URL begins in the text of a string. */
static size_t
query_at(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len && p[i] != '?' && p[i] != '#'; i++) {
		if (p[i] != '\\')
			continue;
		if (len - i >= 6 && (strncasecmp(p + i, "\\u003f", 6) == 0 ||
		    strncmp(p + i, "\\u0023", 6) == 0))
			break;
		i++;
	}
	return i < len ? i : len;
}

/* Cut a member's value: a URL at its query, or all of it. */
static void
cut_member(struct buf *b, const char *name, bool url)
{
	const char *value;
	char *p, *end;
	size_t len, kept = 0;

	if (scan_member((const char *)buf_bytes(b), buf_size(b), name, &value,
	    &len) == -1 || len < 2)
		return;
	p = (char *)buf_bytes(b) + (value - (const char *)buf_bytes(b));
	if (url && *p == '"')
		kept = query_at(p + 1, len - 2);
	end = p + len;
	*p++ = '"';
	p += kept;
	*p++ = '"';
	memmove(p, end, (size_t)((char *)b->data + b->len - end));
	b->len -= (size_t)(end - p);
}

bool
preset_hold(struct buf *object, const char *preset)
{
	const char *value;
	size_t len;
	int least = preset == NULL ? 0 : rank(preset, strlen(preset));

	if (least <= 0)
		return false;
	if (scan_member((const char *)buf_bytes(object), buf_size(object),
	    "privacy", &value, &len) == 0 && len > 2 &&
	    rank(value + 1, len - 2) >= least)
		return false;
	cut_member(object, "url", true);
	cut_member(object, "referrer", true);
	if (least == PRESETS - 1)
		cut_member(object, "title", false);
	return true;
}
