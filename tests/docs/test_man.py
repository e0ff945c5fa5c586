"""test_man.py MANPAGE LBH: the manual page has every command and option that --help has, in the
section of the command, in its synopsis or among the options of several commands; and no other."""
import re
import subprocess
import sys


def help_of(lbh, *arguments):
    return subprocess.run([lbh, *arguments, "--help"], capture_output=True, text=True,
                          check=True).stdout


def options_of(text):
    """Options of a --help text, as {long: short or None}."""
    return {long: short or None for short, long in
            re.findall(r"^  (?:-(\w), | {4})--([\w-]+)", text, re.M)}


def flags(text):
    """Options that mdoc text marks with Fl, -base for --base, o for -o, without dashes. One
    Fl may have several arguments: Fl q , Fl -quiet; Fl -base , -query Ar file."""
    found = set()
    for line in text.split("\n"):
        marked = False
        for word in line.split() if line.startswith(".") else ():
            if word.strip(".") == "Fl":
                marked = True
            elif re.fullmatch(r"\.?[A-Z][a-z]", word):  # another macro
                marked = False
            elif marked and re.fullmatch(r"-[\w-]+|\w", word):
                found.add(word.lstrip("-"))
    return found


def parts(page):
    """Synopsis and section of each command, and the options of several commands."""
    synopsis = page.split(".Sh SYNOPSIS")[1].split(".Sh DESCRIPTION")[0]
    common = page.split(".Sh DESCRIPTION")[1].split(".Sh COMMANDS")[0]
    commands = page.split(".Sh COMMANDS")[1].split("\n.Sh ")[0]
    sections = {s.split("\n", 1)[0].strip(): s.split("\n", 1)[1]
                for s in commands.split("\n.Ss ")[1:]}
    usages = {}
    for usage in synopsis.split(".Nm")[1:]:
        command = re.search(r"^\.Cm (\w+)", usage, re.M)
        if command:
            usages[command[1]] = usage
    return usages, common, sections


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        usages, common, sections = parts(file.read())
    lbh, problems, count, everything = sys.argv[2], [], 0, set()
    commands = re.findall(r"^  (\w+)  ", help_of(lbh).split("Commands:")[1], re.M)
    for command in commands:
        if command not in sections:
            problems.append(f"no section of the command {command}")
        if command not in usages:
            problems.append(f"the synopsis lacks {command}")
        described = flags(usages.get(command, "") + common + sections.get(command, ""))
        for long, short in options_of(help_of(lbh, command)).items():
            count += 1
            everything |= {long, short}
            if long not in described and short not in described:
                problems.append(f"{command}: --{long} is not described")
    problems += [f"the section of {c}, which is no command" for c in sections if c not in commands]
    for command, text in {**sections, "(all)": common}.items():
        problems += [f"{command}: option {f}, which no command has" for f in
                     sorted(flags(text) - everything)]
    print("\n".join(problems))
    print(f"{len(commands)} commands, {count} options, {len(problems)} problems")
    return 1 if problems or not count else 0


if __name__ == "__main__":
    sys.exit(main())
