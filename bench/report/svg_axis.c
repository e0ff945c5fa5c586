/* svg_axis.c: ends and ticks of the axes of charts. See svg.h. */
#include "svg.h"

#include <math.h>

double svg_nice_step(double range, int count)
{
    double least = range / count, power = pow(10, floor(log10(least)));
    double m = least / power;
    return power * (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10);
}

/* The nearest of 1, 2, 5 times a power of ten, not above v (or not below it). */
static double nice_log(double v, bool above)
{
    static const double m[] = {1, 2, 5, 10};
    double power = pow(10, floor(log10(v) + 1e-9));
    double found = above ? 10 * power : power;
    for (int i = 0; i < 4; i++) {
        double at = m[above ? 3 - i : i] * power;
        if (above ? at >= v * (1 - 1e-9) : at <= v * (1 + 1e-9))
            found = at;
    }
    return found;
}

static svg_axis log_axis(double low, double high, bool fit)
{
    svg_axis a = {.low = low, .high = high, .log = true};
    /* Between neighbouring round numbers no tick would bear a number. */
    if (fit || nice_log(high, false) <= nice_log(low, true)) {
        a.low = nice_log(low, false);
        a.high = nice_log(high, true);
    }
    if (!(a.high > a.low))
        a.high = 10 * a.low;
    return a;
}

svg_axis svg_axis_of(double low, double high, bool log, bool fit, bool from_zero, int count)
{
    if (!(low <= high))
        low = high = 1;
    if (log)
        return log_axis(low, high, fit);
    svg_axis a = {.low = from_zero ? fmin(low, 0) : low, .high = high};
    if (!(a.high > a.low))
        a.high = a.low + (a.low != 0 ? fabs(a.low) : 1);
    a.step = svg_nice_step(a.high - a.low, count);
    if (fit) {
        a.low = floor(a.low / a.step + 1e-9) * a.step;
        a.high = ceil(a.high / a.step - 1e-9) * a.step;
    }
    return a;
}

/* Powers of ten bear numbers; where there are few, 2 and 5 times those too, where there are fewest
 * all others. Ticks are counted from the power below low. */
static bool log_tick(const svg_axis *a, int i, double *value, bool *labelled)
{
    int m = i % 9 + 1;
    double ratio = a->high / a->low;
    *value = m * pow(10, floor(log10(a->low) + 1e-9) + i / 9);
    *labelled = m == 1 ? ratio < 1e7 || i / 9 % 2 == 0
                       : ratio < 4 || (ratio < 300 && (m == 2 || m == 5));
    return *value <= a->high * 1.001;
}

bool svg_axis_tick(const svg_axis *a, int i, double *value, bool *labelled)
{
    if (!a->log) {
        *value = (ceil(a->low / a->step - 1e-9) + i) * a->step;
        *labelled = true;
        return *value <= a->high + 1e-9 * (a->high - a->low);
    }
    return log_tick(a, i, value, labelled);
}

double svg_axis_share(const svg_axis *a, double value)
{
    return a->log ? log(value / a->low) / log(a->high / a->low)
                  : (value - a->low) / (a->high - a->low);
}
