/* notes.h: notes of an encoder as lines of a document, and their memory. */
#ifndef LBH_NOTES_H
#define LBH_NOTES_H

#include "method.h"
#include "model_file.h"

int lbh_put_notes(lbh_document *doc, const lbh_encoder *enc);
int lbh_read_notes(lbh_encoder *enc, const lbh_document *doc);
void lbh_free_notes(lbh_encoder *enc);

#endif
