/* svg_text.c: escaped text, short numbers, and the colours of charts. See svg.h. */
#include "svg.h"

#include <math.h>

/* The colours keep apart for the colour-blind in pairs that stand side by side, and have a contrast
 * of 4.5 and more on their page. */
const char svg_style_sheet[] =
    ".page{fill:#fff}.ink{fill:#1f2328}.soft{fill:#59636e}\n"
    ".grid{stroke:#dfe3e8}.axis{stroke:#59636e}.spread{stroke:currentColor;opacity:.55}\n"
    ".line{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}\n"
    ".mark,.lab{fill:currentColor}.hollow{fill:#fff;stroke:currentColor;stroke-width:1.8}\n"
    ".d1 .line{stroke-dasharray:8 3}.d2 .line{stroke-dasharray:2 3}\n"
    ".d3 .line{stroke-dasharray:9 3 2 3}.d4 .line{stroke-dasharray:4 4}.faint{opacity:.4}\n"
    ".s0{color:#0a5cc2}.s1{color:#bc4c00}.s2{color:#1a7f37}.s3{color:#8250df}\n"
    ".s4{color:#8a6100}.s5{color:#bf3989}.s6{color:#08757f}.s7{color:#a40e26}.s8{color:#6e7781}\n"
    "@media screen and (prefers-color-scheme:dark){\n"
    ".page{fill:#0d1117}.ink{fill:#f0f6fc}.soft{fill:#9198a1}\n"
    ".grid{stroke:#262c35}.axis{stroke:#9198a1}.hollow{fill:#0d1117}\n"
    ".s0{color:#58a6ff}.s1{color:#f0883e}.s2{color:#3fb950}.s3{color:#bc8cff}\n"
    ".s4{color:#d8b13a}.s5{color:#f778ba}.s6{color:#39c5cf}.s7{color:#ff7b72}.s8{color:#8b949e}\n"
    "}\n";

int svg_text_sequence(const char *text)
{
    static const unsigned least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)text;
    int len = *p < 0x80 ? 1 : *p >= 0xF0 ? 4 : *p >= 0xE0 ? 3 : 2;
    unsigned code = len == 1 ? *p : *p & (0xFFu >> (len + 1));
    if (len == 1)
        return *p >= 0x20 && *p != 0x7F;
    if (*p < 0xC0 || *p > 0xF7)
        return 0;
    for (int i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3Fu);
    }
    bool good = code >= least[len] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF) &&
                code != 0xFFFE && code != 0xFFFF;
    return good ? len : 0;
}

void svg_put_text(FILE *out, const char *text)
{
    for (const char *p = text; *p;) {
        int len = svg_text_sequence(p);
        if (*p == '&')
            fputs("&amp;", out);
        else if (*p == '<')
            fputs("&lt;", out);
        else if (*p == '>')
            fputs("&gt;", out);
        else if (*p == '"')
            fputs("&quot;", out);
        else if (*p == '\'')
            fputs("&#39;", out);
        else if (len)
            fwrite(p, 1, (size_t)len, out);
        else
            fputc('?', out);
        p += len ? len : 1;
    }
}

void svg_short_number(char text[32], double v)
{
    static const char *const units[] = {"", "k", "M", "G", "T"};
    int i = 0;
    for (; fabs(v) >= 1000 && i < 4; i++)
        v /= 1000;
    snprintf(text, 32, "%.4g%s", v, units[i]);
}
