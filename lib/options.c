#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exits.h"
#include "log.h"

#define WHY_MAX	1024	/* bytes of what is wrong, with NUL */
#define TAB_DIGITS_MAX	8

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
	size_t n = strlen(text);

	if (n < 1 || n > TAB_DIGITS_MAX ||
	    strspn(text, "0123456789abcdef") != n)
		log_die(EXIT_USAGE, "-t: '%s' is not 1 to %d lower-case hex "
		    "digits", text, TAB_DIGITS_MAX);
	return (uint32_t)strtoul(text, NULL, 16);
}
