/* registry.c: the methods, one line each. */
#include "encoder_parts.h"

#include <string.h>

extern const lbh_method lbh_method_lsh, lbh_method_itq, lbh_method_sgh, lbh_method_jmlh;
extern const lbh_method lbh_method_jmlh_vae, lbh_method_itq_cca, lbh_method_sdh, lbh_method_ksh;
extern const lbh_method lbh_method_sh, lbh_method_sph, lbh_method_kmh, lbh_method_ba;
extern const lbh_method lbh_method_och, lbh_method_qolsh, lbh_method_sigah, lbh_method_layers;
extern const lbh_method lbh_method_agh, lbh_method_dgh;

const lbh_method *const lbh_methods[] = {
    &lbh_method_lsh,
    &lbh_method_itq,
    &lbh_method_sgh,
    &lbh_method_jmlh,
    &lbh_method_jmlh_vae,
    &lbh_method_itq_cca,
    &lbh_method_sdh,
    &lbh_method_ksh,
    &lbh_method_sigah,
    &lbh_method_sh,
    &lbh_method_sph,
    &lbh_method_kmh,
    &lbh_method_ba,
    &lbh_method_och,
    &lbh_method_qolsh,
    &lbh_method_agh,
    &lbh_method_dgh,
    NULL,
};

const lbh_method *lbh_method_find(const char *name)
{
    for (int i = 0; name && lbh_methods[i]; i++)
        if (strcmp(lbh_methods[i]->name, name) == 0)
            return lbh_methods[i];
    /* Found, but not listed: it cannot be trained. */
    return name && strcmp(lbh_method_layers.name, name) == 0 ? &lbh_method_layers : NULL;
}

int lbh_method_count(void)
{
    int n = 0;
    while (lbh_methods[n])
        n++;
    return n;
}

const char *lbh_method_name(int i)
{
    return i >= 0 && i < lbh_method_count() ? lbh_methods[i]->name : NULL;
}

const char *lbh_method_summary(const char *method)
{
    const lbh_method *m = lbh_method_find(method);
    return m ? m->summary : NULL;
}

const char *lbh_method_cite(const char *method)
{
    const lbh_method *m = lbh_method_find(method);
    return m ? m->cite : NULL;
}

int lbh_method_needs_labels(const char *method)
{
    const lbh_method *m = lbh_method_find(method);
    return m ? m->needs_labels : 0;
}

int lbh_method_param(lbh_param *param, const char *method, int i)
{
    const lbh_method *m = lbh_method_find(method);
    const lbh_param *p = m && i >= 0 ? lbh_param_at(m, i) : NULL;
    if (!p || !param)
        return lbh_error(LBH_EINVAL, "no such method, or it has no option %d", i);
    *param = *p;
    return LBH_OK;
}

int lbh_method_preset(const char **name, const char **assignments, const char *method, int i)
{
    const lbh_method *m = lbh_method_find(method);
    for (int j = 0; m && m->presets && m->presets[j].name; j++)
        if (j == i && name && assignments) {
            *name = m->presets[j].name;
            *assignments = m->presets[j].assignments;
            return LBH_OK;
        }
    return lbh_error(LBH_EINVAL, "no such method, or it has no preset %d", i);
}
