#include "share.h"

#include <stdlib.h>
#include <string.h>

/* What is signed begins with its kind; login.c has the others. */
#define KIND_WHOLE	3
#define KIND_PART	4

static unsigned char *
put_number(unsigned char *p, uint64_t v, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--)
		*p++ = (unsigned char)(v >> (8 * i));
	return p;
}

static const unsigned char *
get_number(const unsigned char *p, uint64_t *v, int bytes)
{
	*v = 0;
	while (bytes-- > 0)
		*v = *v << 8 | *p++;
	return p;
}

static unsigned char *
put_part(unsigned char *p, const struct share_part *part)
{
	p = put_number(p, part->from, 6);
	p = put_number(p, part->to, 6);
	p = put_number(p, part->start, 4);
	p = put_number(p, part->end, 4);
	for (unsigned i = 0; i < part->ntabs; i++) {
		p = put_number(p, part->tabs[i].tab, 4);
		p = put_number(p, part->tabs[i].seq, 4);
	}
	return p;
}

static void
get_part(const unsigned char *p, const unsigned char *end,
    struct share_part *part)
{
	uint64_t v;

	p = get_number(p, &part->from, 6);
	p = get_number(p, &part->to, 6);
	p = get_number(p, &v, 4);
	part->start = (uint32_t)v;
	p = get_number(p, &v, 4);
	part->end = (uint32_t)v;
	for (part->ntabs = 0; p < end; part->ntabs++) {
		p = get_number(p, &v, 4);
		part->tabs[part->ntabs].tab = (uint32_t)v;
		p = get_number(p, &v, 4);
		part->tabs[part->ntabs].seq = (uint32_t)v;
	}
}

void
share_put(struct signer *signer, const char *id, uint32_t expires,
    const struct share_part *part, char text[SHARE_LEN_MAX + 1])
{
	unsigned char s[SHARE_BYTES_MAX], *p = s;

	*p++ = part == NULL ? KIND_WHOLE : KIND_PART;
	p = put_number(p, expires, 4);
	if (part != NULL)
		p = put_part(p, part);
	signer_sign(signer, s, p - s, id, SESSION_ID_LEN, p);
	base64url_put(s, p + MAC_BYTES - s, text);
}

int
share_get(struct signer *signer, const char *id, const char *text,
    uint64_t now, bool *is_part, struct share_part *part)
{
	unsigned char s[SHARE_BYTES_MAX];
	size_t len = strlen(text), n = len * 6 / 8;
	const unsigned char *mac;
	uint64_t expires;

	if (len > SHARE_LEN_MAX || n < SHARE_HEAD + MAC_BYTES ||
	    base64url_get(text, s, n) == -1)
		return -1;
	mac = s + n - MAC_BYTES;
	if (!signer_check(signer, s, mac - s, id, SESSION_ID_LEN, mac))
		return -1;
	/* It is ours, so it is as share_put() made it. */
	*is_part = s[0] == KIND_PART;
	if (s[0] != KIND_WHOLE && !*is_part)
		return -1;
	get_number(s + 1, &expires, 4);
	if (now >= expires)
		return -1;
	if (*is_part)
		get_part(s + SHARE_HEAD, mac, part);
	return 0;
}

/* "KEY=NUMBER", and what it is followed by. */
static int
take_number(const char *word, const char *key, int base, char end,
    uint32_t *v, const char **rest)
{
	size_t n = strlen(key);
	unsigned long long value;
	char *stop;

	if (strncmp(word, key, n) != 0 || strspn(word + n,
	    "0123456789abcdef") == 0)
		return -1;
	value = strtoull(word + n, &stop, base);
	if (*stop != end || value > UINT32_MAX)
		return -1;
	*v = (uint32_t)value;
	if (rest != NULL)
		*rest = stop + 1;
	return 0;
}

static int
take_tabs(struct share_part *part, char *list)
{
	const char *at;
	char *word;

	while ((word = strsep(&list, ",")) != NULL) {
		if (part->ntabs == SHARE_TABS_MAX || take_number(word, "", 16,
		    '@', &part->tabs[part->ntabs].tab, &at) == -1 ||
		    take_number(at, "", 10, '\0',
		    &part->tabs[part->ntabs].seq, NULL) == -1)
			return -1;
		part->ntabs++;
	}
	return 0;
}

int
share_place(struct share_part *part, char *text)
{
	char *start = strsep(&text, " \n"), *end = strsep(&text, " \n");
	char *tabs = strsep(&text, " \n");

	part->ntabs = 0;
	if (start == NULL || end == NULL ||
	    take_number(start, "start=", 10, '\0', &part->start, NULL) == -1 ||
	    take_number(end, "end=", 10, '\0', &part->end, NULL) == -1)
		return -1;
	if (tabs == NULL || *tabs == '\0')
		return 0;
	if (strncmp(tabs, "tabs=", strlen("tabs=")) != 0)
		return -1;
	return take_tabs(part, tabs + strlen("tabs="));
}
