// faiss_gap.hpp: PRIVATE. What the C++ files of this room share: FAISS's handles as its classes,
// and exceptions as error codes.
#ifndef LBH_FAISS_GAP_HPP
#define LBH_FAISS_GAP_HPP

#include "lbh_faiss.h"

extern "C" {
#include "error.h"
#include "watch.h"
}

#include <algorithm>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>

#include <faiss/Index.h>
#include <faiss/IndexBinary.h>

// faiss_gap.cpp: from now on FAISS asks lbh_watch_poll(), unless the program has made it ask another.
void lbh_gap_watch() noexcept;

namespace {

inline const faiss::IndexBinary *cpp(const FaissIndexBinary *index)
{
    return reinterpret_cast<const faiss::IndexBinary *>(index);
}

inline faiss::IndexBinary *cpp(FaissIndexBinary *index)
{
    return reinterpret_cast<faiss::IndexBinary *>(index);
}

// FAISS's text without the place in its source, on one line.
inline std::string words(const char *what)
{
    std::string text(what);
    std::size_t at = text.rfind("Error: ");
    if (at != std::string::npos)
        text.erase(0, at + 7);
    std::replace(text.begin(), text.end(), '\n', ' ');
    while (!text.empty() && text.back() == ' ')
        text.pop_back();
    return text;
}

// What f throws as an error code and the text "what: FAISS's words".
template <class F> int caught(const char *what, F f) noexcept
{
    try {
        f();
        return LBH_OK;
    } catch (const std::bad_alloc &) {
        return lbh_error(LBH_ENOMEM, "%s: out of memory", what);
    } catch (const std::length_error &) {
        return lbh_error(LBH_ENOMEM, "%s: a size is beyond all memory", what);
    } catch (const std::exception &e) {
        if (lbh_watch_poll()) // FAISS stopped because our caller wants to
            return lbh_watch_check();
        try {
            return lbh_error(LBH_EFAISS, "%s: FAISS says: %s", what, words(e.what()).c_str());
        } catch (...) {
            return lbh_error(LBH_EFAISS, "%s: FAISS failed", what);
        }
    } catch (...) {
        return lbh_error(LBH_EFAISS, "%s: FAISS failed in an unknown way", what);
    }
}

// Runs f; whatever it throws becomes an error. FAISS's long loops ask whether to go on.
template <class F> int guarded(const char *what, F f) noexcept
{
    lbh_gap_watch();
    lbh_watch_begin(what, 0);
    return lbh_watch_end(caught(what, f));
}

} // namespace

#endif
