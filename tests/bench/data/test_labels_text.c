/* test_labels_text.c: class labels from LIBSVM and CSV files, and names of classes. */
#include "support.h"

#include "labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_file(const char *name, const char *text)
{
    const char *path = test_tmp(name);
    test_spit(path, text, strlen(text));
    return path;
}

/* The labels as text, "cat,dog;;3": rows between semicolons. */
static const char *spell(labels *l)
{
    static char out[4096];
    size_t at = 0;
    out[0] = '\0';
    for (int64_t i = 0; i < l->n; i++) {
        for (int64_t j = l->start[i]; j < l->start[i + 1]; j++) {
            char text[CLASS_TEXT];
            const char *name = class_name(l, l->item[j], text);
            at += (size_t)snprintf(out + at, sizeof out - at, "%s%s", j > l->start[i] ? "," : "",
                                   name);
        }
        at += (size_t)snprintf(out + at, sizeof out - at, "%s", i + 1 < l->n ? ";" : "");
    }
    return out;
}

typedef struct example {
    const char *name, *text;
    const char *labels; /* as spell() has them, or NULL: refused ... */
    const char *error;  /* ... with this in the message */
} example;

static const example examples[] = {
    /* LIBSVM */
    {"a.libsvm", "3 1:0.5 7:2\n10 2:1\n3\n", "3;10;3", NULL},
    {"b.svm", "2,5,2 1:1\n 1:1 2:2\n5 3:1 # 9,9\n", "2,5;;5", NULL},
    {"c.txt", "4\r\n\r\n-1\r\n4.0\r\n+7", "4;;;4;7", NULL},
    {"d.txt", "# head\n1:0.5 2:3\n6 qid:3 1:2\n", ";6", NULL},
    {"e.svm", "+1 1:1\n-1 2:1\n+1 3:1\n", "1;-1;1", NULL},
    {"f.svm", "1 1:1\n-1 2:1\n2 3:1\n", "1;;2", NULL},
    {"g.txt", "3 256 90\n1,4 0:1\n 0:1\n2 0:1\n", "1,4;;2", NULL},
    {"h.txt", "cat\ndog\ncat\n", "cat;dog;cat", NULL},
    {"i.txt", "cat,3 1:2\n-1\n3\n", "3,cat;;3", NULL},
    {"j.txt", "1 2 3:4\n", NULL, "'2' is no feature"},
    {"k.txt", "1,,2 3:4\n", NULL, "line 1: a label is missing"},
    {"l.txt", "1 1:1\n0.5 1:1\n", NULL, "line 2: label '0.5'"},
    {"m.txt", "1\n-3\n", NULL, "'-3' is below -1"},
    {"n.txt", "4 256 90\n1 0:1\n", NULL, "says 4 rows, but 1 follow"},
    {"o.txt", "# nothing\n", NULL, "holds no rows"},
    {"q.txt", "1 0:1\nNaN 1:1\n", NULL, "'NaN' among numbers"},
    {"p.txt", "1 0:1\n2 1:x", "1;2", NULL},
    /* CSV */
    {"nan.csv", "label\n1\nnan\n1\n", NULL, "'nan' among numbers"},
    {"na.csv", "NA\nDE\n4\n", "NA;DE;4", NULL},
    {"null.csv", "null\nNone\n", "null;None", NULL},
    {"a.csv", "3\n10\n-1\n\n3\n", "3;10;;;3", NULL},
    {"b.csv", "cat\n\"dog, big\"\n\"a \"\"b\"\"\"\n", "cat;dog, big;a \"b\"", NULL},
    {"c.csv", "id,Label,x\n7,4,0.5\n8,,0.25\n9,2|4,1\n", "4;;2,4", NULL},
    {"d.csv", "label\ncat\n \n-1\ncat | dog", "cat;;;cat,dog", NULL},
    {"e.csv", "label,class,f\n1,2,3\n,2,3\n", "1,2;2", NULL},
    {"f.csv", "species\n1\n2\n", "1;2", NULL},
    {"g.csv", "1,2\n3\n,4\n", "1,2;3;4", NULL},
    {"h.csv", "0,1,1\n0,0,0\n1,0,0\n", "1,2;;0", NULL},
    {"i.csv", "sea,air,land\n0,1,1\n0,0,0\n1,0,0\n", "air,land;;sea", NULL},
    {"j.csv", "0|1\n1\n", "0,1;1", NULL},
    {"k.csv", "\xEF\xBB\xBFlabel\r\nx\r\ny\r\n", "x;y", NULL},
    {"l.csv", "label\n\"two\nlines\"\nz\n", "two\nlines;z", NULL},
    {"m.tsv", "name\ttarget\na b\t5\n\t6\n", "5;6", NULL},
    {"n.csv", "0,1\n1,0\n1,2\n", "0,1;0,1;1,2", NULL},
    {"o.csv", "0\n1\n", "0;1", NULL},
    {"p.csv", "label,x\n1,2\n3\n", NULL, "line 3 has 1 cells, the header has 2"},
    {"q.csv", "1\n\"2\n3\n", NULL, "opens in line 2 is never closed"},
    {"r.csv", "\"1\"2\n", NULL, "line 1: text follows"},
    {"s.csv", "1\n2.5\n", NULL, "line 2: label '2.5'"},
    {"t.csv", "1\n-7\n", NULL, "line 2: label '-7'"},
    {"u.csv", "a,a\n0,1\n", NULL, "same name"},
    {"w.csv", "a\n0,1\n", NULL, "1 names in the header of 2 columns"},
    {"v.csv", "label\n", NULL, "holds no rows"},
    /* tables: by the rule for arrays */
    {"ta.csv", "-1,1,1\n-1,-1,-1\n1,-1,-1\n", "1,2;;0", NULL},
    {"tb.csv", "sea,air,land\n-1,1,1\n-1,-1,-1\n1,-1,-1\n", "air,land;;sea", NULL},
    {"tc.csv", "4,2,-1\n7,-1,-1\n", "2,4;7", NULL},
    {"td.csv", "5,2,5\n1,2,3\n", NULL, "class 5 twice"},
    {"te.csv", "4,-1,2\n7,-1,-1\n", NULL, "behind -1"},
    {"tf.csv", "4,,2\n7,,\n", "2,4;7", NULL},
    {"tg.csv", "-1,1,\n1,-1,1\n", NULL, "behind -1"},
    {"th.csv", "1\n-1\n1\n", "1;-1;1", NULL},
    {"ti.csv", "id,y\n5,1\n6,0\n7,1\n", NULL, "which of its 2 columns, 'id', 'y'"},
    {"tj.csv", "1,0\n2,1\n3,0\n4,1\n5,0\n6,1\n7,0\n8,1\n9,0\n", NULL, "column 0 has another number"},
    {"tk.csv", "a,x\nb,y\nc,x\nd,y\ne,x\nf,y\ng,x\nh,y\n", NULL, "column 1 has another word"},
    {"tl.csv", "id;label\n1;2\n3;4\n", NULL, "semicolons"},
    {"tm.csv", "id\tlabel\n1\t2\n3\t4\n", NULL, "tabs"},
    {"tn.tsv", "id,label\n1,2\n3,4\n", NULL, "commas"},
    {"to.svm", "0,1 1:2\n1,0 1:3\n0,0 1:3\n", "1;0;", NULL},
    {"tp.svm", "-1,1,1 1:2\n1,-1,-1 1:3\n", "1,2;0", NULL},
    {"tq.svm", "4,7 1:2\n9,4 1:3\n", "4,7;4,9", NULL},
    /* as found */
    {"aa.CSV", "label\n3\n", "3", NULL},
    {"ab.csv", "label,age\n1,20\n2,30\n\n\n", "1;2", NULL},
    {"ac.csv", "1,2\n3,4\n\n", "1,2;3,4", NULL},
    {"ad.csv", "label,age\n1,20\n\n2,30\n", NULL, "line 3 has 1 cells"},
    {"ae.csv", "label,age\n1,20\n,30\n", "1;", NULL},
    {"af.libsvm", "+1 qid:1 1:.5 3:1e-3 # a \n-1 qid:1 1:2 \n", "1;-1", NULL},
};

Test(labels_text, every_form)
{
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const example *e = &examples[i];
        labels l;
        int rc = labels_open(&l, text_file(e->name, e->text));
        if (!e->labels) {
            cr_assert_eq(rc, LBH_EFORMAT, "%s", e->name);
            cr_assert(strstr(lbh_last_error(), e->error), "%s: %s", e->name, lbh_last_error());
            continue;
        }
        cr_assert_eq(rc, LBH_OK, "%s: %s", e->name, lbh_last_error());
        cr_assert_str_eq(spell(&l), e->labels, "%s as opened", e->name);
        for (int again = 0; again < 2; again++) { /* dense numbers keep what they stand for */
            cr_assert_eq(labels_dense(&l, NULL), LBH_OK);
            cr_assert_str_eq(spell(&l), e->labels, "%s dense", e->name);
        }
        for (int64_t j = 0; j < l.start[l.n]; j++)
            cr_assert(l.item[j] >= 0 && l.item[j] < l.classes);
        labels_close(&l);
    }
}

/* Empty lines at the end are rows without label, or no rows, whichever the vectors have. */
Test(labels_text, empty_lines_at_the_end)
{
    static const struct {
        const char *name, *text;
        int least, most;
    } cases[] = {{"a.csv", "1\n2\n\n\n", 2, 4}, {"b.csv", "label\nx\n\ny\n\n", 3, 4},
                 {"c.svm", "1 1:2\n\n2\n\n", 3, 4}, {"d.csv", "1\n2\n", 2, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int n = 1; n < 6; n++) {
            labels l;
            vectors rows = {.n = n, .name = (char[]){"rows"}};
            const char *path = text_file(cases[i].name, cases[i].text);
            cr_assert_eq(labels_open(&l, path), LBH_OK, "%s", lbh_last_error());
            bool fits = n >= cases[i].least && n <= cases[i].most;
            cr_assert_eq(labels_fit(&l, path, &rows) == LBH_OK, fits, "%s, %d rows", cases[i].name, n);
            cr_assert(!fits || l.n == n);
            labels_close(&l);
        }
}

Test(labels_text, a_column_by_its_name)
{
    char spec[512];
    labels l;
    const char *path = text_file("c.csv", "id,y,label\n1,cat,5\n2,dog,6\n");
    snprintf(spec, sizeof spec, "%s:y", path);
    cr_assert_eq(labels_open(&l, spec), LBH_OK, "%s", lbh_last_error());
    cr_assert_str_eq(spell(&l), "cat;dog");
    labels_close(&l);
    snprintf(spec, sizeof spec, "%s:y@1:2", path);
    cr_assert_eq(labels_open(&l, spec), LBH_OK, "%s", lbh_last_error());
    cr_assert_str_eq(spell(&l), "dog");
    labels_close(&l);
    snprintf(spec, sizeof spec, "%s:z", path);
    cr_assert_eq(labels_open(&l, spec), LBH_EFORMAT);
    cr_assert(strstr(lbh_last_error(), "no column 'z'"), "%s", lbh_last_error());
}

Test(labels_text, a_byte_zero_is_no_text)
{
    labels l;
    const char *path = test_tmp("z.csv");
    test_spit(path, "1\n\0\n", 4);
    cr_assert_eq(labels_open(&l, path), LBH_EFORMAT);
    cr_assert(strstr(lbh_last_error(), "no text"));
}

Test(labels_text, a_part_of_the_rows)
{
    char spec[512];
    labels l;
    snprintf(spec, sizeof spec, "%s@1:3", text_file("a.csv", "label\na\nb\n\nd\n"));
    cr_assert_eq(labels_open(&l, spec), LBH_OK, "%s", lbh_last_error());
    cr_assert_str_eq(spell(&l), "b;");
    labels_close(&l);
    snprintf(spec, sizeof spec, "%s@1:9", text_file("b.csv", "label\na\nb\n"));
    cr_assert_eq(labels_open(&l, spec), CLI_EUSAGE);
}

/* Two files: whatever classes each one has, equal ones get equal numbers, in a stable order. */
Test(labels_text, two_files_share_their_classes)
{
    static const char *const pairs[][5] = {
        /* base, query, spelt base, spelt query, all classes */
        {"label\ncat\nant\n", "label\nbee\ncat\n", "cat;ant", "bee;cat", "ant bee cat "},
        {"label\n30\n4\n", "label\n100\n30\n", "30;4", "100;30", "4 30 100 "},
        {"label\n30\nx\n", "label\n4\n30\n", "30;x", "4;30", "30 4 x "},
        {"label\n4\n30\n", "label\n30\nx\n", "4;30", "30;x", "30 4 x "},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        labels a, b, c;
        cr_assert_eq(labels_open(&a, text_file("a.csv", pairs[i][0])), LBH_OK);
        cr_assert_eq(labels_open(&b, text_file("b.csv", pairs[i][1])), LBH_OK);
        cr_assert_eq(labels_dense(&a, &b), LBH_OK);
        cr_assert_str_eq(spell(&a), pairs[i][2]);
        cr_assert_str_eq(spell(&b), pairs[i][3]);
        cr_assert_eq(a.classes, b.classes);
        char all[256] = "", text[CLASS_TEXT];
        for (int64_t k = 0; k < a.classes; k++)
            strcat(strcat(all, class_name(&a, k, text)), " ");
        cr_assert_str_eq(all, pairs[i][4]);
        for (int64_t x = 0; x < 2; x++)
            for (int64_t y = 0; y < 2; y++)
                cr_assert_eq(a.item[x] == b.item[y],
                             strcmp(class_name(&a, a.item[x], text),
                                    class_name(&b, b.item[y], (char[CLASS_TEXT]){0})) == 0);
        /* rows that are picked keep their classes, also when they are made dense alone */
        cr_assert_eq(labels_pick(&c, &b, 1, (int64_t[]){1}), LBH_OK);
        cr_assert_str_eq(spell(&c), strchr(pairs[i][3], ';') + 1);
        cr_assert_eq(labels_dense(&c, NULL), LBH_OK);
        cr_assert_eq(c.classes, 1);
        cr_assert_str_eq(spell(&c), strchr(pairs[i][3], ';') + 1);
        cJSON *names = class_names(&c);
        cr_assert_str_eq(cJSON_GetArrayItem(names, 0)->valuestring, spell(&c));
        cJSON_Delete(names);
        labels_close(&a);
        labels_close(&b);
        labels_close(&c);
    }
}

Test(labels_text, counts_that_do_not_match_are_named)
{
    labels l;
    vectors v;
    cr_assert_eq(vectors_open(&v, "synthetic:n=5,d=2,queries=1"), LBH_OK);
    const char *path = text_file("a.csv", "label\na\nb\n");
    cr_assert_eq(labels_open(&l, path), LBH_OK);
    cr_assert_eq(labels_fit(&l, path, &v), LBH_EFORMAT);
    cr_assert(strstr(lbh_last_error(), "2 rows") && strstr(lbh_last_error(), "5 rows"), "%s", lbh_last_error());
    labels_close(&l);
    vectors_close(&v);
}
