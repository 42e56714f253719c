/*
 * What the values of options on the command line are checked by.  Each ends
 * the program with EXIT_USAGE and one line when a value is wrong.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdint.h>

/* Wrong use: says the text, and where to read on. */
void option_wrong(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), noreturn));

/*
 * A decimal number from least to most.  'option' is how it was written, "-n"
 * or "--max-body".
 */
long long option_number(const char *option, const char *text, long long least,
    long long most);

/* -t: a tab, 1 to 8 lower-case hex digits. */
uint32_t option_tab(const char *text);

#endif
