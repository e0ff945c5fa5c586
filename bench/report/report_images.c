/* report_images.c: images and what methods rebuild of them, side by side. See report_html.h. */
#include "report_html.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { GAP = 2, LARGEST = 4096, MOST = 1000 };

/* ---- base64 (RFC 4648) --------------------------------------------------------------------- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

unsigned char *base64_decode(const char *text, size_t *size)
{
    size_t len = strlen(text), n = 0;
    unsigned char *out = len % 4 ? NULL : malloc(len / 4 * 3 + 1);
    *size = 0;
    for (size_t i = 0; out && i < len; i += 4) {
        unsigned word = 0;
        int pad = 0;
        for (size_t k = i; k < i + 4; k++) {
            const char *at = text[k] == '=' ? alphabet : memchr(alphabet, text[k], 64);
            bool end = text[k] == '=';
            if (!at || (end && (i + 4 < len || k < i + 2)) || (!end && pad)) {
                free(out);
                return NULL;
            }
            pad += end;
            word = word << 6 | (unsigned)(at - alphabet);
        }
        for (int b = 0; b < 3 - pad; b++)
            out[n++] = (unsigned char)(word >> (16 - 8 * b));
    }
    *size = out ? n : 0;
    return out;
}

static void base64_put(FILE *out, const unsigned char *data, size_t size)
{
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        unsigned word = (unsigned)data[i] << 16 | (left > 1 ? (unsigned)data[i + 1] << 8 : 0) |
                        (left > 2 ? data[i + 2] : 0u);
        fputc(alphabet[word >> 18], out);
        fputc(alphabet[word >> 12 & 63], out);
        fputc(left > 1 ? alphabet[word >> 6 & 63] : '=', out);
        fputc(left > 2 ? alphabet[word & 63] : '=', out);
    }
}

/* ---- PNG (ISO/IEC 15948) ------------------------------------------------------------------- */

static unsigned char *put_u32(unsigned char *p, uLong v)
{
    for (int i = 0; i < 4; i++)
        *p++ = (unsigned char)(v >> (24 - 8 * i));
    return p;
}

/* Length, type, data, and the checksum of type and data. */
static unsigned char *put_chunk(unsigned char *p, const char *type, const unsigned char *data,
                                size_t size)
{
    p = put_u32(p, (uLong)size);
    unsigned char *from = p;
    memcpy(p, type, 4);
    if (size)
        memcpy(p + 4, data, size);
    p += 4 + size;
    return put_u32(p, crc32(crc32(0, NULL, 0), from, (uInt)(size + 4)));
}

/* Rows of grey and alpha, each after a byte 0 (no filter). */
static unsigned char *strip_rows(int count, int height, int width, const unsigned char *pixels,
                                 size_t stride)
{
    unsigned char *rows = cli_alloc(height, stride);
    if (!rows)
        return NULL;
    memset(rows, 0, (size_t)height * stride);
    for (int y = 0; y < height; y++)
        for (int i = 0; i < count; i++)
            for (int x = 0; x < width; x++) {
                size_t across = (size_t)i * (size_t)(width + GAP) + (size_t)x;
                size_t down = (size_t)i * (size_t)height + (size_t)y;
                unsigned char *to = rows + (size_t)y * stride + 1 + 2 * across;
                to[0] = pixels[down * (size_t)width + (size_t)x];
                to[1] = 255;
            }
    return rows;
}

int png_put_strip(FILE *out, int count, int height, int width, const unsigned char *pixels)
{
    static const unsigned char magic[8] = {0x89, 'P', 'N', 'G', 0x0D, 0x0A, 0x1A, 0x0A};
    int across = count * (width + GAP) - GAP;
    size_t stride = 1 + 2 * (size_t)across;
    uLong raw = (uLong)(stride * (size_t)height), room = compressBound(raw);
    unsigned char *rows = strip_rows(count, height, width, pixels, stride);
    unsigned char *packed = cli_alloc((int64_t)room, 1);
    unsigned char *png = cli_alloc((int64_t)room + 128, 1), *p = png, head[13];
    int rc = rows && packed && png && compress2(packed, &room, rows, raw, 9) == Z_OK
                 ? EXIT_OK
                 : fail_memory();
    if (rc == EXIT_OK) {
        memcpy(p, magic, sizeof magic);
        put_u32(put_u32(head, (uLong)across), (uLong)height);
        memcpy(head + 8, "\x08\x04\0\0", 5); /* 8 bits, grey with alpha */
        p = put_chunk(p + sizeof magic, "IHDR", head, sizeof head);
        p = put_chunk(p, "IDAT", packed, room);
        p = put_chunk(p, "IEND", NULL, 0);
        fputs("data:image/png;base64,", out);
        base64_put(out, png, (size_t)(p - png));
    }
    free(rows);
    free(packed);
    free(png);
    return rc;
}

/* ---- The section --------------------------------------------------------------------------- */

static bool is_original(const cJSON *line)
{
    return result_is(line, "method", "original");
}

/* Size of the line's images; false if they are not what it says. */
static bool image_size(const cJSON *line, size_t bytes, int *count, int *height, int *width)
{
    double n = result_number(line, "count"), h = result_number(line, "height"),
           w = result_number(line, "width");
    if (!(n >= 1 && n <= MOST && h >= 1 && h <= LARGEST && w >= 1 && w <= LARGEST))
        return false;
    *count = (int)n;
    *height = (int)h;
    *width = (int)w;
    return (size_t)*count * (size_t)*height * (size_t)*width == bytes && n * w < 1 << 20;
}

static int put_row(FILE *out, const report_data *r, const cJSON *line)
{
    int count, height, width, style = -1, rc = EXIT_OK;
    const char *label = *result_text(line, "label") ? result_text(line, "label")
                                                    : result_text(line, "method");
    for (int i = 0; i < r->nmethods; i++)
        if (strcmp(r->method[i].label, label) == 0)
            style = r->method[i].style;
    fputs("<tr", out);
    if (style >= 0)
        fprintf(out, " class=\"m%d\"", style);
    fputs(">", out);
    html_cell(out, "th", label);
    size_t bytes;
    unsigned char *pixels = base64_decode(result_text(line, "pixels"), &bytes);
    if (pixels && image_size(line, bytes, &count, &height, &width)) {
        fputs("<td><img class=\"strip\" alt=\"", out);
        fprintf(out, "%d images, %s ", count, is_original(line) ? "as they are:" : "rebuilt by");
        svg_put_text(out, label);
        fprintf(out, "\" width=\"%d\" height=\"%d\" src=\"", count * (width + GAP) - GAP, height);
        rc = png_put_strip(out, count, height, width, pixels);
        fputs("\"></td></tr>\n", out);
    } else {
        fputs("<td class=\"text\">the line of these images is damaged</td></tr>\n", out);
    }
    free(pixels);
    return rc;
}

/* Whether another line shows the same, only the last of which is drawn: of several seeds one. */
static bool shown_later(const report_data *r, int i)
{
    for (int k = i + 1; k < r->nimages; k++)
        if (strcmp(result_text(r->image[i], "data"), result_text(r->image[k], "data")) == 0 &&
            strcmp(result_text(r->image[i], "label"), result_text(r->image[k], "label")) == 0 &&
            strcmp(result_text(r->image[i], "method"), result_text(r->image[k], "method")) == 0 &&
            (is_original(r->image[i]) ||
             result_number(r->image[i], "nbits") == result_number(r->image[k], "nbits")))
            return true;
    return false;
}

static int put_images(FILE *out, const report_data *r, const char *data, double nbits)
{
    int rc = EXIT_OK;
    fputs("<div class=\"scroll\"><table class=\"images\"><caption>", out);
    svg_put_text(out, data);
    fprintf(out, ", %.0f bits</caption><tbody>\n", nbits);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; rc == EXIT_OK && i < r->nimages; i++) {
            const cJSON *line = r->image[i];
            if (strcmp(result_text(line, "data"), data) == 0 && !shown_later(r, i) &&
                is_original(line) == (pass == 0) &&
                (is_original(line) || result_number(line, "nbits") == nbits))
                rc = put_row(out, r, line);
        }
    fputs("</tbody></table></div>\n", out);
    return rc;
}

/* The first image line of its data set and bits, so that each pair is drawn once. */
static bool first_of(const report_data *r, int i)
{
    for (int k = 0; k < i; k++)
        if (!is_original(r->image[k]) &&
            strcmp(result_text(r->image[i], "data"), result_text(r->image[k], "data")) == 0 &&
            result_number(r->image[i], "nbits") == result_number(r->image[k], "nbits"))
            return false;
    return !is_original(r->image[i]);
}

int html_images(FILE *out, const report_data *r)
{
    int rc = EXIT_OK;
    if (r->nimages == 0)
        return rc;
    fputs("<section id=\"images\"><h2>Rebuilt images</h2>\n<p>What is left of images when their "
          "codes are decoded. PCA keeps as many 32-bit numbers as fit into the bytes of the "
          "code.</p>\n", out);
    for (int i = 0; rc == EXIT_OK && i < r->nimages; i++)
        if (first_of(r, i))
            rc = put_images(out, r, result_text(r->image[i], "data"),
                            result_number(r->image[i], "nbits"));
    fputs("</section>\n", out);
    return rc;
}
