#include "s2-tail.h"

#include "session.h"

static int
parse_number(const char *text, uint64_t *value)
{
	const char *why;

	if (text[0] < '0' || text[0] > '9')
		return -1;
	*value = (uint64_t)strtonum(text, 0, INT64_MAX, &why);
	return why == NULL ? 0 : -1;
}

/* The offset of "Z" or "+hh:mm", seconds, at the end of a time. */
static int
parse_zone(const char *text, int *offset)
{
	int hours, minutes, n = 0;
	char sign;

	*offset = 0;
	if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
		return 0;
	if (sscanf(text, "%c%2d:%2d%n", &sign, &hours, &minutes, &n) != 3 ||
	    n != 6 || text[n] != '\0' || (sign != '+' && sign != '-') ||
	    hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
		return -1;
	*offset = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
	return 0;
}

/* RFC 3339, section 5.6; digits of a second beyond the third are dropped. */
static int
parse_time(const char *text, uint64_t *ms)
{
	struct tm tm = { 0 };
	int64_t seconds, thousandths = 0;
	int offset, unit = 100;
	const char *p;

	p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (p == NULL)
		p = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
	if (p == NULL)
		return -1;
	if (*p == '.') {
		if (*++p < '0' || *p > '9')
			return -1;
		for (; *p >= '0' && *p <= '9'; p++, unit /= 10)
			thousandths += (*p - '0') * unit;
	}
	if (parse_zone(p, &offset) == -1)
		return -1;
	seconds = timegm(&tm) - offset;
	if (seconds < 0)
		return -1;
	*ms = (uint64_t)(seconds * 1000 + thousandths);
	return 0;
}

/* [+]MS[,TAB], where the time may be before 1970. */
static int
parse_moment(const char *text, struct place *place)
{
	char ms[24];
	const char *comma = strchrnul(text, ',');
	const char *why, *digits = text + (text[0] == '-' || text[0] == '+');

	if (digits[0] < '0' || digits[0] > '9' ||
	    strlcpy(ms, text, sizeof ms) < (size_t)(comma - text) ||
	    (size_t)(comma - text) >= sizeof ms)
		return -1;
	ms[comma - text] = '\0';
	place->past_start = text[0] == '+';
	place->moment = strtonum(ms, 1 - RECORD_TIME_MAX, RECORD_TIME_MAX - 1,
	    &why);
	if (why != NULL || *comma == '\0')
		return why == NULL ? 0 : -1;
	place->has_tab = true;
	return session_tab_parse(comma + 1, strlen(comma + 1), &place->tab) ?
	    0 : -1;
}

int
place_parse(const char *text, struct place *place)
{
	memset(place, 0, sizeof *place);
	if (strncmp(text, "at=", 3) == 0) {
		place->kind = PLACE_MOMENT;
		return parse_moment(text + 3, place);
	}
	if (strcmp(text, "snapshot") == 0) {
		place->kind = PLACE_SNAPSHOT;
		return 0;
	}
	if (strcmp(text, "start") == 0) {
		place->kind = PLACE_SEQ;
		return 0;
	}
	if (text[0] == '-') {
		place->kind = PLACE_LAST;
		return parse_number(text + 1, &place->value);
	}
	if (text[0] == '@') {
		place->kind = PLACE_TIME;
		return parse_number(text + 1, &place->value);
	}
	if (parse_number(text, &place->value) == 0) {
		place->kind = PLACE_SEQ;
		return 0;
	}
	place->kind = PLACE_TIME;
	return parse_time(text, &place->value);
}
