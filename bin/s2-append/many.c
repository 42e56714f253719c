#include "s2-append.h"
void many_init(const struct options *opt, struct s2 *s2) { (void)opt; (void)s2; }
const struct mode many_mode;
