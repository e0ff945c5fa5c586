/* cmd_scale.c: `lbh scale`: training, encoding, building and searching for more rows than memory holds, in
 * one directory; the same command goes on where it was stopped. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"
#include "scale.h"
#include "scale_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct scale_command {
    common common;
    scale_args args;
    int plan_only;
} scale_command;

/* What an index string means here. */
static int take_kind(scale *s)
{
    const char *name = s->a->index;
    if (strcmp(name, "BFlat") == 0 || strcmp(name, "MIH") == 0) {
        s->kind = *name == 'M' ? SCALE_MIH : SCALE_FLAT;
        return LBH_OK;
    }
    if (strncmp(name, "BIVF", 4) != 0)
        return fail_usage("scale: --index '%s': BFlat, MIH, and BIVF with so many lists (BIVF4096) are for data "
                          "of this size; 'lbh build' makes the others", name);
    LBH_TRY(cli_usage(lbh_index_new(&s->lists, s->code_size, name)));
    s->kind = SCALE_IVF;
    s->nlist = strtoll(name + 4, NULL, 10);
    return s->n >= s->nlist ? LBH_OK
                            : fail_usage("scale: --index %s has more lists than there are rows (%lld)",
                                         name, (long long)s->n);
}

/* All that the bytes of the directory depend on. */
static int settings(const scale *s, char *text, size_t room)
{
    const scale_args *a = s->a;
    char model[64] = "";
    if (s->enc)
        snprintf(model, sizeof model, "digest %016llx", (unsigned long long)lbh_encoder_digest(s->enc));
    int size = snprintf(text, room,
                        "format 1\nbase %s\nrows %lld\nd %d\nmodel %s\nmethod %s\nnbits %lld\nmetric %d\n"
                        "seed %lld\nset %s\ntrain-rows %lld\nindex %s\n",
                        a->base, (long long)s->n, s->base.d, *model ? model : "trained",
                        s->enc ? "-" : a->method, (long long)(s->enc ? lbh_encoder_nbits(s->enc) : a->nbits),
                        a->metric, (long long)a->seed,
                        a->set ? a->set : "", (long long)a->train_rows, a->index);
    return size > 0 && (size_t)size < room ? LBH_OK : fail_usage("scale: the options are too long");
}

static int stages(scale *s)
{
    LBH_TRY(scale_model(s));
    LBH_TRY(scale_encode(s));
    LBH_TRY(scale_build(s));
    return scale_search(s);
}

static int open_data(scale *s)
{
    const scale_args *a = s->a;
    if (vectors_come_once(a->base) || (a->query && vectors_come_once(a->query)))
        return fail_usage("scale: rows and queries are read more than once; name files");
    LBH_TRY(query_check(a->query, a->base, "scale"));
    LBH_TRY(vectors_open(&s->base, a->base));
    s->n = s->base.n;
    LBH_TRY(query_open(&s->query, a->query, a->base));
    if (s->query.d != s->base.d)
        return fail("the queries have dimension %d, the rows %d", s->query.d, s->base.d);
    return vectors_fit_metric(&s->base, a->metric);
}

/* Before anything begins; in JSON it is a part of the one document. */
static int show_plan(const scale_command *c, scale *s, cJSON *plan)
{
    if (c->common.json && !c->plan_only) {
        cJSON_AddItemToObject(s->doc, "plan", plan);
        return LBH_OK;
    }
    LBH_TRY(report_print(plan, c->common.json));
    if (!c->plan_only)
        printf("\n");
    return report_flush();
}

static int begin(const scale_command *c, scale *s)
{
    enum { ROOM = 1 << 14 };
    char *text = cli_alloc(ROOM, 1);
    cJSON *plan = cJSON_CreateObject();
    int rc = !text ? LBH_ENOMEM : !plan ? fail_memory() : open_data(s);
    if (rc == LBH_OK && c->args.model)
        rc = model_load(&s->enc, c->args.model, &s->base);
    s->code_size = s->enc ? lbh_encoder_code_size(s->enc) : (size_t)(c->args.nbits + 7) / 8;
    if (rc == LBH_OK)
        rc = take_kind(s);
    if (rc == LBH_OK)
        rc = settings(s, text, ROOM);
    if (rc == LBH_OK)
        rc = scale_plan(s, plan);
    if (rc == LBH_OK && !c->plan_only)
        rc = scale_enter(s, text, &s->lock);
    if (rc == LBH_OK)
        rc = show_plan(c, s, plan);
    else
        cJSON_Delete(plan);
    free(text);
    return rc;
}

static int scale_run(const scale_command *c)
{
    scale s = {.a = &c->args, .lock = -1, .doc = report_new("scale")};
    int rc = s.doc ? begin(c, &s) : LBH_ENOMEM;
    if (rc == LBH_OK && !c->plan_only)
        rc = stages(&s);
    if (c->plan_only && rc == LBH_OK)
        cJSON_Delete(s.doc);
    else
        rc = common_end(s.doc, c->common.json, rc);
    if (s.lock >= 0)
        close(s.lock);
    lbh_index_free(s.lists);
    lbh_encoder_free(s.enc);
    free(s.sizes);
    vectors_close(&s.query);
    vectors_close(&s.base);
    return rc;
}

static int run(const command *self, int argc, char **argv)
{
    scale_command c = {.args = {.method = "sgh", .index = "BFlat", .nbits = 64, .seed = -1, .k = 10,
                                .nprobe = 8, .train_rows = 100000, .shard_rows = 10000000, .check = 1000}};
    scale_args *a = &c.args;
    const option_def defs[] = {
        {OPT_TEXT, 0, "base", "FILE", &a->base, 0, 0, "vectors to encode and search", 1},
        {OPT_TEXT, 0, "query", "FILE", &a->query, 0, 0, "vectors to search for (synthetic: its queries)", 0},
        {OPT_TEXT, 'o', "output", "DIR", &a->dir, 0, 0, "directory of all that is made", 1},
        {OPT_TEXT, 0, "model", "MODEL", &a->model, 0, 0, "model file, instead of training one", 0},
        {OPT_TEXT, 'm', "method", "NAME", &a->method, 0, 0, "method that is trained (sgh)", 0},
        {OPT_INT, 'b', "nbits", "N", &a->nbits, 1, 4096, "bits a code (64)", 0},
        {OPT_CHOICE, 0, "metric", "l2|ip|cosine", &a->metric, 0, 0, "the option 'metric' (l2)", 0},
        {OPT_JOIN, 's', "set", "NAME=VALUE", &a->set, 0, 0, "option of the method; may repeat", 0},
        {OPT_INT, 0, "seed", "N", &a->seed, 0, (int64_t)1 << 53, "the option 'seed'", 0},
        {OPT_INT, 0, "train-rows", "N", &a->train_rows, 1, (int64_t)1 << 40,
         "rows of the sample that is learned from (100000)", 0},
        {OPT_TEXT, 0, "index", "FACTORY", &a->index, 0, 0, "BFlat, BIVF4096, MIH (BFlat)", 0},
        {OPT_INT, 0, "shard-rows", "N", &a->shard_rows, 1000, (int64_t)1 << 32,
         "rows between two states that are kept (10000000)", 0},
        {OPT_INT, 'k', "k", "K", &a->k, 1, 10000, "answers a query (10)", 0},
        {OPT_INT, 0, "nprobe", "N", &a->nprobe, 1, 1 << 20, "BIVF: lists that a query visits (8)", 0},
        {OPT_INT, 0, "check", "N", &a->check, 0, 1 << 20,
         "queries whose answers are compared with those of a scan of all codes (1000)", 0},
        {OPT_FLAG, 0, "plan", 0, &c.plan_only, 0, 0, "print the plan and end", 0},
        OPTIONS_COMMON(&c.common.json, &c.common.threads, &c.common.quiet),
        OPTIONS_LAST,
    };
    int rc = options_parse(self, defs, argc, argv, NULL);
    if (rc == LBH_OK) {
        common_begin(&c.common);
        rc = scale_run(&c);
    }
    free(a->set);
    return rc;
}

const command command_scale = {
    "scale", "Train, encode, build and search what is larger than memory",
    "--base FILE [--query FILE] --index FACTORY -o DIR [OPTIONS]",
    "The same command goes on where it was stopped, by Ctrl-C, a crash or kill -9, and ends with the same\n"
    "bytes. A plan of disk, memory and time is printed before anything begins.\n",
    run};
