/* faiss_version.c: the FAISS that is linked. */
#include "faiss_gap.h"
#include "lbh_faiss.h"

const char *lbh_faiss_version(void)
{
    return lbh_gap_version();
}
