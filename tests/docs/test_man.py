"""test_man.py MANPAGE PAGES LBH: the manual page has every command and option that --help has, in the
section of the command, in its synopsis or among the options of several commands; and no other. The
page of each command, PAGES/lbh-COMMAND.1, has that command's options, all of them and no other, and
the line that --help has for it. Where groff is, no page gives it cause for a warning."""
import os
import re
import shutil
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


def problems_of_page(path, lbh, command, summary):
    """What is wrong with a command's own page."""
    if not os.path.exists(path):
        return [f"{command}: no page {path}"]
    with open(path, encoding="utf-8") as file:
        page = file.read()
    known = options_of(help_of(lbh, command))
    described = flags(page)
    names = set(known) | set(known.values())
    problems = [f"{command}: its page lacks --{o}" for o, short in known.items()
                if o not in described and short not in described]
    problems += [f"{command}: its page has {o}, which it has not" for o in described - names]
    if summary.lower() not in page.lower():
        problems.append(f"{command}: its page does not say \"{summary}\"")
    if ".Sx " in page.replace(".Sx DESCRIPTION", ""):
        problems.append(f"{command}: its page refers to a part that it has not")
    return problems


def warnings_of(path):
    if not shutil.which("groff"):
        return []
    told = subprocess.run(["groff", "-mdoc", "-Tutf8", "-ww", "-Kutf8", path], capture_output=True,
                          text=True, check=False).stderr
    return [line for line in told.splitlines() if "can't break line" not in line]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        usages, common, sections = parts(file.read())
    pages, lbh = sys.argv[2:4]
    problems, count, everything = warnings_of(sys.argv[1]), 0, set()
    summaries = dict(re.findall(r"^  (\w+)  +(.+)$", help_of(lbh).split("Commands:")[1], re.M))
    commands = list(summaries)
    for command in commands:
        path = os.path.join(pages, f"lbh-{command}.1")
        problems += problems_of_page(path, lbh, command, summaries[command]) + warnings_of(path)
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
