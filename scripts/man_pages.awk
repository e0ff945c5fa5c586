# man_pages.awk: makes a manual page of each command, lbh-train.1 and so on, out of lbh.1 and of the
# one-line summaries in the sources, so that each text stands in one place.
#
#   awk -v out=DIRECTORY -f man_pages.awk bench/commands/cmd_*.c bench/lbh.1
#
# A page has the command's synopsis and section of lbh.1, and those of the "options of several
# commands" that are its own: a line ".Pq Cm train , eval" below an option names the commands that have
# it, ".Pq all but Cm info" those that have not.

FILENAME ~ /\.c$/ { # const command command_NAME = { "NAME", "SUMMARY", ...
    if (/^const command command_/)
        strings = 2
    line = $0
    while (strings > 0 && match(line, /"[^"]*"/)) {
        text = substr(line, RSTART + 1, RLENGTH - 2)
        line = substr(line, RSTART + RLENGTH)
        if (--strings == 1)
            name = text
        else
            summary[name] = tolower(substr(text, 1, 1)) substr(text, 2)
    }
    next
}

/^\.Dd / { date = $0 }
/^\.Sh / { part = substr($0, 5) }

# Synopsis: each begins with .Nm, and its command stands in the next line.
part == "SYNOPSIS" && /^\.Nm/ { command = ""; next }
part == "SYNOPSIS" && /^\.Cm / { command = $2 }
part == "SYNOPSIS" && command != "" { synopsis[command] = synopsis[command] $0 "\n" }

# The list of options of several commands, as items.
part == "DESCRIPTION" && /^\.Bl/ { in_list = 1; next }
part == "DESCRIPTION" && /^\.El/ { in_list = 0 }
part == "DESCRIPTION" && in_list {
    if (/^\.It/)
        items++
    else if (fresh && /^\.Pq (all but )?Cm /) {
        whose[items] = $0
        fresh = 0
        next
    }
    fresh = /^\.It/
    item[items] = item[items] $0 "\n"
}

part == "COMMANDS" && /^\.Ss / {
    command = $2
    order[++commands] = command
    next
}
part == "COMMANDS" && commands > 0 { section[command] = section[command] $0 "\n" }

function has(i, command,    names) {
    if (!(i in whose))
        return 1
    names = whose[i]
    gsub(/,/, " ", names)
    names = names " "
    return (index(names, " " command " ") > 0) != (names ~ /^\.Pq all but/)
}

# References to parts of lbh.1 lead there; those to commands to their pages.
function linked(text, command,    lines, n, i, words, rest) {
    n = split(text, lines, "\n")
    text = ""
    for (i = 1; i < n; i++) {
        if (lines[i] ~ /^\.Sx /) {
            split(lines[i], words, " ")
            rest = substr(lines[i], length(".Sx " words[2]) + 1)
            if (words[2] == command)
                lines[i] = ".Sx DESCRIPTION" rest
            else if (words[2] in section)
                lines[i] = ".Xr lbh-" words[2] " 1" rest
            else
                lines[i] = ".Sy " words[2] " No in Xr lbh 1" rest
        }
        text = text lines[i] "\n"
    }
    return text
}

END {
    for (i = 1; i <= commands; i++) {
        command = order[i]
        page = ".\\\" Made by man_pages.awk from lbh.1: change that.\n" date "\n"
        page = page ".Dt LBH-" toupper(command) " 1\n.Os\n.Sh NAME\n.Nm lbh-" command "\n"
        page = page ".Nd " summary[command] "\n.Sh SYNOPSIS\n.Nm lbh\n" synopsis[command]
        page = page ".Op Ar options\n.Sh DESCRIPTION\n" linked(section[command], command)
        options = ""
        for (j = 1; j <= items; j++)
            if (has(j, command))
                options = options item[j]
        page = page ".Sh OPTIONS\n.Bl -tag -width indent\n" linked(options, command) ".El\n"
        page = page ".Sh SEE ALSO\n.Xr lbh 1 :\nfiles, labels, splits, environment, exit status, examples\n"
        file = out "/lbh-" command ".1"
        printf "%s", page > file
        close(file)
    }
}
