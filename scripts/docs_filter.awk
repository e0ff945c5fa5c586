#!/usr/bin/awk -f
# docs_filter.awk: a public header as Doxygen wants it. The headers have plain comments: a reader of
# the source sees no markup. Here
#   - the first comment becomes that of the file, one above a declaration its documentation, and
#     one behind it on the same line as well;
#   - "---- Title ----" becomes a group of that title;
#   - indented lines stay as they are (examples, tables), unless they are a list of "- ";
#   - a declaration without a comment has that of the one above it, or the title of its group.

function escape(s) { gsub(/[\\@<>#%&$"]/, "\\\\&", s); return s }

function close_verbatim() { if (verbatim) print "@endverbatim"; verbatim = 0 }

# One line of a comment, without its star.
function line(s) {
    if (s ~ /^ ? ? ?$/) { pending = verbatim; if (!verbatim) print ""; return }
    if (s ~ /^ ? ? ?- /) list = 1
    else if (s !~ /^   /) list = 0
    if (!list && s ~ /^   /) {
        if (!verbatim) print "@verbatim"
        else if (pending) print ""
        verbatim = 1
        print s
    } else {
        if (verbatim) { close_verbatim(); print "" }
        print escape(s)
    }
    pending = 0
}

function comment(text,    rows, n, i) {
    n = split(text, rows, "\n")
    print opening
    verbatim = list = pending = 0
    for (i = 1; i <= n; i++) line(rows[i])
    close_verbatim()
    print "*/"
}

function group(title,    file) {
    sub(/^ *---- */, "", title)
    sub(/ *-+ *$/, "", title)
    file = FILENAME
    sub(/.*\//, "", file)
    if (groups++) print "/** @} */"
    name = file
    gsub(/[^A-Za-z0-9]/, "_", name)
    printf "/** @defgroup %s_%d %s: %s\n@{ */\n", name, groups, file, title
    kept = " " title "."
}

inside {
    ends = /\*\/ *$/
    sub(/^ \*\//, ""); sub(/^ \*/, ""); sub(/ *\*\/ *$/, "")
    kept = kept "\n" $0
    if (!ends) next
    inside = 0
    comment(kept)
    fresh = 1
    next
}

/^ *\/\* ----/ { sub(/^ *\/\*/, ""); sub(/\*\/.*/, ""); group($0); next }

/^ *\/\*/ {
    opening = first++ ? "/**" : "/** @file"
    sub(/^ *\/\*/, "")
    if (first == 1) sub(/^ [a-z_]*\.h: /, "\n ")
    if (!/\*\/ *$/) { kept = $0; inside = 1; next }
    sub(/ *\*\/ *$/, "")
    kept = $0
    comment(kept)
    fresh = 1
    next
}

# A comment behind a declaration.
/[;,{)}] *\/\*.*\*\/ *$/ || /^ *[A-Z_]+ = .*\/\*.*\*\/ *$/ {
    at = index($0, "/*")
    behind = substr($0, at + 2); sub(/ *\*\/ *$/, "", behind)
    code = substr($0, 1, at - 1)
    behind = "/**<" escape(behind) " */"
    if (match(code, /^ +[a-z]+ [a-z]+, [a-z]+;/)) { # "double min, max;": one each
        match(code, /, /)
        other = code
        sub(/[a-z]+, /, "", other)
        print substr(code, 1, RSTART - 1) "; " behind " " other behind
    } else {
        print code behind
    }
    fresh = 0
    next
}

/^LBH_API/ && !fresh && kept != "" { opening = "/**"; comment(kept) }
/^typedef struct [A-Za-z_]+ [A-Za-z_]+;$/ && !fresh { print "/** Opaque. */" }
/^#define LBH_VERSION/ { print "/** Version of this header. */" }
/^#define LBH_API/ { next }
/^#ifdef __cplusplus/ && groups { print "/** @} */"; groups = 0 }
{ print; if ($0 !~ /^ *$/) fresh = 0 }
