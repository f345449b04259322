"""Strings that somebody may put into a label to make a program do what nobody asked for."""

from __future__ import annotations

_COMMANDS = ("touch CANARY", "id", "reboot")
_SHELL = (
    "; {}", "&& {}", "|| {}", "| {}", "& {}", "$({})", "`{}`", "\n{}\n", "'; {}; '", '"; {}; "', "a; {} #",
    "${{IFS}}{}", "<({})", "> {}", "$(({}))", "{{{},}}", "!{}", "\\; {}", "%0a{}", "\r\n{}",
)  # fmt: skip
_TEMPLATES = (
    "{{ 7 * 7 }}", "{{ config }}", "{{ ''.__class__.__mro__[1].__subclasses__() }}", "{% for a in b %}x{% endfor %}",
    "{{ inputs }}", "{{ range(10) }}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "{{.Labels}}", "%(x)s", "{0.__class__}",
    "%s%n", "{# a #}", "{% raw %}", "{{", "}}", "{%", "$x", "${PATH}", "$HOME", "~", "~root",
)  # fmt: skip
_PATHS = (
    "../../etc/passwd", "/etc/passwd", "..\\..\\x", "a/../b", "./CANARY", "*", "?", "[a-z]*", ".", "..", "/", "//", "file:///etc/passwd",
    "@/etc/passwd", "http://169.254.169.254/", "//example.org", "http://user@example.org/", "gopher://x", "[::1]",
)  # fmt: skip
_QUOTES = ("'", '"', "\\", "`", "''", '""', "\\'", '\\"', "a'b\"c`d", "\\\\", "\\n", "\\0", "a\\")
_SIGNS = (
    "a\tb", "a\nb", "a\rb", "\x1b[31mred", "\x07", "\x7f", "\u202ereversed", "\ufeff", "z\u0335a\u0336", "e\u0301",
    "\U0001f525", "\u2028", "日本語", "Ω≈ç", "ﷺ", "-xxx", "--help", "--", "-", "-oProxyCommand=id",
    "--output=CANARY", "-rf", "-e id", "+x", "@x", "=cmd|'/C calc'!A0", "a=b", "A=b", "LD_PRELOAD=x",
    "'; drop table run; --", "' or '1'='1", "<script>alert(1)</script>", "<!-- x -->", "a\nBcc: x@example.org", "\n.\n",
    "@here", "<!channel>", "[x](http://x)", "None", "null", "true", "0", "NaN", "1e999", " ", "  leading", "trailing  ",
    "#", "# x", "x #", "!", "!!", "^x", "%",
    "%%", "a" * 5000, "\n" * 500, "(" * 200, "x" * 100 + "!", "\ud7ff", "\ue000", "\ufffd", "\ufffe",
)  # fmt: skip
_TERMINAL = (
    "\x1b]0;owned\x07", "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\", "\x9b2J", "\x1b[2J\x1b[H",
    "\x1bc", "a\bb\x08c",
    "\x1b[6n", "done\r$ id", "\x85next", "\x0bup\x0cdown", "\x1bP+q544e\x1b\\",
)  # fmt: skip
_UNSEEN = (
    "\u061cmark", "pay\u00adpal", "\u3164", "\u115fx\u1160", "a\u2060b", "a\u200bb", "a\u200db",
    "\U000e0001\U000e0068\U000e0069",
    "a\ufff9b\ufffac\ufffb", "\u180e", "\u2066x\u2069", "\u2067x\u2069", "\u206e", "\u2029para", "admin\u0430",
    "\uff1b id", "\uff02x",
)  # fmt: skip
_LINES = (
    "a\r\nX-Evil: 1", "a\r\n\r\n<html>", "a\r\nSubject: x", "\nAnswer by: never", "\n\nI have it: https://evil.example/a",
    "\n# heading\n",
    "\n| a | b |\n| --- | --- |", "h1. big", "\nbq. said", "{code}x{code}", "[x|http://evil.example]",
    "!http://evil.example/x.png!",
    "[~ana]", "||a||b||", "<@U1>", "<https://evil.example|our runbook>", "![x](http://evil.example/p.png)",
    "&lt;b&gt;&#60;i&#62;",
    '" onmouseover="alert(1)', "</pre><script>alert(1)</script>", "<svg/onload=alert(1)>", "javascript:alert(1)",
    '"} or up{a="',
    "a\"} or vector(1) #", "a|.*", "INC-1", "TODO: pay eve", '{"level":"error"}', "a=b level=error",
)  # fmt: skip
HOSTILE: tuple[str, ...] = (
    *(frame.format(command) for frame in _SHELL for command in _COMMANDS), *_TEMPLATES, *_PATHS, *_QUOTES, *_SIGNS,
    *_TERMINAL, *_UNSEEN, *_LINES,
)  # fmt: skip
"""Each may be a program's argument."""
LONG = "x\n" * 20_000
"""Twenty thousand lines, which a template's value may still have."""
EVERY: tuple[str, ...] = (*HOSTILE, LONG, "nul\0byte", "half \ud800 of one", "\udcff", "\U0001f525" * 20_000)
"""These as well, some of which no program can be given."""
BENIGN = "web-3"
