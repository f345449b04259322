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
HOSTILE: tuple[str, ...] = (
    *(frame.format(command) for frame in _SHELL for command in _COMMANDS), *_TEMPLATES, *_PATHS, *_QUOTES, *_SIGNS,
)  # fmt: skip
