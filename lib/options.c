#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exits.h"
#include "log.h"
#include "session.h"

#define WHY_MAX	1024	/* bytes of what is wrong, with NUL */

void
option_wrong(const char *fmt, ...)
{
	char why[WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	log_die(EXIT_USAGE, "%s; see %s --help", why, log_progname());
}

long long
option_number(const char *option, const char *text, long long least,
    long long most)
{
	const char *why;
	long long n = strtonum(text, least, most, &why);

	if (why != NULL)
		log_die(EXIT_USAGE, "%s: '%s' is %s; it must be a number "
		    "from %lld to %lld", option, text, why, least, most);
	return n;
}

uint32_t
option_tab(const char *text)
{
	uint32_t tab;

	if (!session_tab_parse(text, strlen(text), &tab))
		log_die(EXIT_USAGE, "-t: '%s' is not 1 to %d lower-case hex "
		    "digits", text, SESSION_TAB_MAX);
	return tab;
}
