"""test_report_browser.py LBH: the page of `lbh report` in headless Chromium: no error, no request, no
horizontal scrolling, every figure drawn inside its frame with labels that do not overlap, in light
and dark, wide and narrow; boxes that hide methods; print; hostile text. Skips without Chromium."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import browser  # noqa: E402
import made_results  # noqa: E402
import test_report as parts  # noqa: E402

# What is wrong with the figures: (figure, what) pairs.
PROBLEMS = r"""(() => {
  const found = [];
  for (const svg of document.querySelectorAll('svg.panel')) {
    const frame = svg.getBoundingClientRect(), name = svg.closest('section').id + ': ' +
        svg.querySelector('title').textContent;
    if (frame.width < 200 || frame.height < 150) found.push([name, 'too small']);
    const marks = [...svg.querySelectorAll('.mark, .line')];
    if (!marks.length) found.push([name, 'nothing drawn']);
    for (const m of marks) {
      const b = m.getBBox();
      if (!(b.width + b.height > 0) && !(m.matches('.line') && !m.getAttribute('d').includes('L')))
        found.push([name, 'an empty mark']);
      const r = m.getBoundingClientRect();
      if (r.width && (r.left < frame.left - 1 || r.right > frame.right + 1 || r.top < frame.top - 1 ||
          r.bottom > frame.bottom + 1)) found.push([name, 'a mark outside']);
    }
    const texts = [...svg.querySelectorAll('text')].filter(t => t.textContent)
        .map(t => [t.textContent, t.getBoundingClientRect()]).filter(t => t[1].width);
    texts.forEach(([text, r], i) => {
      if (r.left < frame.left - 1 || r.right > frame.right + 1 || r.top < frame.top - 1 ||
          r.bottom > frame.bottom + 1) found.push([name, 'text outside: ' + text]);
      if (r.height < 8) found.push([name, 'too small to read: ' + text]);
      for (const [other, s] of texts.slice(i + 1))
        if (Math.min(r.right, s.right) - Math.max(r.left, s.left) > 1 &&
            Math.min(r.bottom, s.bottom) - Math.max(r.top, s.top) > 4)
          found.push([name, text + ' lies on ' + other]);
    });
  }
  return found;
})()"""
# The least contrast of ink and lines against the page (WCAG).
CONTRAST = r"""(() => {
  const light = c => { const v = c.match(/[\d.]+/g).slice(0, 3).map(x => (x /= 255) <= .03928 ?
      x / 12.92 : ((x + .055) / 1.055) ** 2.4); return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
  const page = light(getComputedStyle(document.body).backgroundColor);
  const against = c => { const l = light(c); return (Math.max(l, page) + .05) / (Math.min(l, page) + .05); };
  const all = [...document.querySelectorAll('.series')].map(e => getComputedStyle(e).color);
  const text = [...document.querySelectorAll('h1,h2,p,td,th,.won,.lost,summary,small')]
      .map(e => getComputedStyle(e).color);
  const labels = [...document.querySelectorAll('svg text')].map(e => getComputedStyle(e).fill);
  return [...new Set([...all, ...text, ...labels])].map(c => [against(c), c]).sort((a, b) => a[0] - b[0])[0];
})()"""


def check_events(b, page):
    for e in b.events:
        method, p = e.get("method"), e.get("params", {})
        assert method not in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"), e
        assert method != "Log.entryAdded", e
        if method == "Network.requestWillBeSent":
            url = p["request"]["url"]
            assert url.startswith("data:") or url == "file://" + os.path.abspath(page) or \
                url == "about:blank", url


def check_view(b, page, width, scheme):
    b.load(page, width, 800, scheme)
    where = (page, width, scheme)
    b.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    overflow = b.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, (where, overflow)
    problems = b.evaluate(PROBLEMS)
    assert not problems, (where, len(problems), problems[:5])
    contrast = b.evaluate(CONTRAST)
    assert contrast[0] >= 3.8, (where, contrast)
    dark = b.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark"), where
    assert b.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)"), where
    check_events(b, page)


def check_boxes(b, page):
    b.load(page)
    counts = "[document.querySelectorAll('.panel .series.m%d').length, " \
             "[...document.querySelectorAll('.panel .series.m%d')].filter(" \
             "e => getComputedStyle(e).display !== 'none').length]"
    for style in (0, 1):
        every, shown = b.evaluate(counts % (style, style))
        assert every > 0 and shown > 0, (style, every, shown)
        b.evaluate("document.getElementById('m%d').click()" % style)
        assert b.evaluate(counts % (style, style)) == [every, 0]
        b.evaluate("document.getElementById('m%d').click()" % style)
        assert b.evaluate(counts % (style, style)) == [every, shown]
    b.evaluate("document.querySelector('#d2').click()")
    assert b.evaluate("[...document.querySelectorAll('#recall .series.d2')]"
                      ".every(e => getComputedStyle(e).display === 'none')")
    b.evaluate("document.querySelector('button[type=reset]').click()")
    assert b.evaluate("document.querySelector('#d2').checked")


def main():
    if not browser.find():
        print("skipped: there is no Chromium (Debian: apt-get install chromium)")
        return 77
    os.chdir(tempfile.mkdtemp())
    made_results.write("made", bits=(16, 64), seeds=(1, 2))
    parts.run("made", "-o", "made.html")
    parts.check_hostile()
    b = browser.Browser()
    try:
        for width in (1280, 360):
            for scheme in ("light", "dark"):
                check_view(b, "made.html", width, scheme)
        check_view(b, "hostile.html", 360, "light")
        assert b.evaluate("window.pwned === undefined && !document.querySelector('script')")
        assert b.evaluate("document.querySelectorAll('svg.panel').length") > 10
        check_boxes(b, "made.html")
        b.print("made.pdf")
        assert os.path.getsize("made.pdf") > 50000 and open("made.pdf", "rb").read(5) == b"%PDF-"
        # a figure of its own
        parts.run("made", "--figure", "bits", "-o", "bits.svg")
        b.load("bits.svg", 1280, 900, "dark")
        assert b.evaluate("document.documentElement.tagName") == "svg"
        check_events(b, "bits.svg")
    finally:
        b.close()
    print("light and dark, 1280 and 360 wide: fine")
    return 0


if __name__ == "__main__":
    sys.exit(main())
