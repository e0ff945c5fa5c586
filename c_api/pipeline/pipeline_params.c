/* pipeline_params.c: run-time parameters by name: the pipeline's own and those of its index. */
#include "pipeline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const modes[] = {"none", "margin", "decoder", "float"};
enum { MODES = sizeof modes / sizeof *modes };

/* Factors are millionths, written and read here: the locale has no say, and a saved one comes back
 * as it was. */
static const int64_t unit = 1000000;

void lbh_pipeline_params(const lbh_pipeline *p, char text[128])
{
    int64_t k = llround(p->shortlist.k_factor * (double)unit);
    int64_t margin = llround(p->shortlist.margin_factor * (double)unit);
    snprintf(text, 128, "rescore=%s,k_factor=%lld.%06lld,margin_factor=%lld.%06lld",
             modes[p->rescore], (long long)(k / unit), (long long)(k % unit),
             (long long)(margin / unit), (long long)(margin % unit));
}

/* "10", "2.5": false for anything else. */
static bool parse_millionths(int64_t *value, const char *text)
{
    size_t whole = strspn(text, "0123456789"), places = 0;
    const char *fraction = text[whole] == '.' ? text + whole + 1 : "";
    int64_t v = 0;
    for (size_t i = 0; i < whole && i < 10; i++)
        v = 10 * v + (text[i] - '0');
    for (; places < 6; places++)
        v = 10 * v + (places < strspn(fraction, "0123456789") ? fraction[places] - '0' : 0);
    *value = v;
    return whole >= 1 && whole <= 9 && strlen(fraction) == strspn(fraction, "0123456789") &&
           (!text[whole] || text[whole] == '.');
}

static int set_factor(double *factor, bool zero, int64_t max, const char *name, const char *value)
{
    int64_t x;
    if (!parse_millionths(&x, value) || (x < unit && !(zero && x == 0)) || x > max * unit)
        return lbh_error(LBH_EINVAL, "pipeline: %s (%s) must be a number within 1..%lld%s", name,
                         value, (long long)max, zero ? ", or 0 for all" : "");
    *factor = (double)x / (double)unit;
    return LBH_OK;
}

static int set_rescore(lbh_pipeline_settings *s, const lbh_pipeline *p, const char *value)
{
    int mode = 0;
    bool best = strcmp(value, "auto") == 0;
    while (mode < MODES && strcmp(modes[mode], value) != 0)
        mode++;
    if (mode == MODES && !best)
        return lbh_error(LBH_EINVAL, "pipeline: rescore (%s) must be none, margin, decoder, "
                         "float or auto", value);
    if (best && !lbh_encoder_is_trained(p->enc))
        return lbh_error(LBH_ESTATE, "pipeline: train before rescore=auto is chosen");
    if (best)
        mode = p->store ? LBH_RESCORE_FLOAT : lbh_encoder_best_rescore(p->enc);
    if (mode == LBH_RESCORE_FLOAT && !p->store)
        return lbh_error(LBH_EINVAL, "pipeline: rescore=float needs vectors, and \"%s\" keeps "
                         "none: end it with RFlat or RSQ8", p->spec.text);
    if (mode == LBH_RESCORE_DECODER && !lbh_encoder_is_trained(p->enc))
        return lbh_error(LBH_ESTATE, "pipeline: train before rescore=decoder is chosen");
    s->rescore = mode;
    return LBH_OK;
}

/* One "name=value"; what is not the pipeline's is collected for the index. */
static int set_one(lbh_pipeline_settings *s, const lbh_pipeline *p, char *part)
{
    char *value = strchr(part, '=');
    if (!value)
        return lbh_error(LBH_EINVAL, "pipeline: \"%s\" is no name=value", part);
    *value++ = '\0';
    if (strcmp(part, "rescore") == 0)
        return set_rescore(s, p, value);
    if (strcmp(part, "k_factor") == 0)
        return set_factor(&s->shortlist.k_factor, true, 1000000, part, value);
    if (strcmp(part, "margin_factor") == 0)
        return set_factor(&s->shortlist.margin_factor, false, 1000, part, value);
    size_t used = strlen(s->index);
    snprintf(s->index + used, sizeof s->index - used, "%s%s=%s", used ? "," : "", part, value);
    return LBH_OK;
}

static int set_index(lbh_pipeline *p, const char *assignments)
{
    int rc = *assignments ? lbh_index_set(p->index, assignments) : LBH_OK;
    if (rc != LBH_EINVAL)
        return rc;
    char text[512];
    snprintf(text, sizeof text, "%s", lbh_last_error());
    return lbh_error(rc, "%s; a pipeline has rescore, k_factor and margin_factor too", text);
}

int lbh_pipeline_parse_settings(lbh_pipeline_settings *s, const lbh_pipeline *p,
                                const char *assignments)
{
    *s = (lbh_pipeline_settings){.rescore = p->rescore, .shortlist = p->shortlist};
    char text[sizeof s->index];
    size_t size = strlen(assignments);
    if (size >= sizeof text)
        return lbh_error(LBH_EINVAL, "pipeline: the parameters are longer than %zu characters",
                         sizeof text - 1);
    memcpy(text, assignments, size + 1);
    for (char *part = text, *next; part && *text; part = next) {
        next = strchr(part, ',');
        if (next)
            *next++ = '\0';
        LBH_TRY(set_one(s, p, part));
    }
    return LBH_OK;
}

int lbh_pipeline_set(lbh_pipeline *p, const char *assignments)
{
    if (!p || !assignments)
        return lbh_error(LBH_EINVAL, "pipeline: no pipeline or no parameters given");
    lbh_pipeline_settings s;
    LBH_TRY(lbh_pipeline_parse_settings(&s, p, assignments));
    lbh_rescorer *rescorer = NULL;
    bool anew = s.rescore != p->rescore || !p->rescorer;
    if (anew) /* first: the method may lack a decoder */
        LBH_TRY(lbh_pipeline_rescorer(&rescorer, p, s.rescore));
    int rc = set_index(p, s.index);
    if (rc) {
        lbh_rescorer_free(rescorer);
        return rc;
    }
    if (anew) {
        lbh_rescorer_free(p->rescorer);
        p->rescorer = rescorer;
    }
    p->rescore = s.rescore;
    p->shortlist = s.shortlist;
    return LBH_OK;
}

int lbh_pipeline_parameters(const lbh_pipeline *p, char *text, size_t size)
{
    char own[128];
    LBH_TRY(lbh_pipeline_check(p, 0, NULL));
    lbh_pipeline_params(p, own);
    size_t used = strlen(own);
    if (!text || size < used + 2)
        return lbh_error(LBH_EINVAL, "pipeline: no place for its parameters, or %zu bytes, which are "
                         "too few", text ? size : 0);
    LBH_TRY(lbh_index_parameters(p->index, text + used + 1, size - used - 1));
    memcpy(text, own, used);
    text[used] = text[used + 1] ? ',' : '\0';
    return LBH_OK;
}
