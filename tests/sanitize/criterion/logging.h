/* logging.h: see criterion.h beside it. */
#include "criterion.h"
